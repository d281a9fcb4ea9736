// ReturnsSoon: a promise of a thread that the work it does now is about to end. While one lives, what the thread gives
// to the pool that it belongs to wakes no other: it is next for whoever is free first, at the latest for this thread.
//
// REQUIRES: until it returns to the pool, the thread neither waits for what it gave away nor works for long.
// Thread safety: each belongs to the thread that made it.
#ifndef KEYFERRY_COMMON_RETURNS_SOON_H_
#define KEYFERRY_COMMON_RETURNS_SOON_H_

#include <utility>

namespace keyferry {

class ReturnsSoon {
 public:
  ReturnsSoon() : outer_(std::exchange(is_promised_, true)) {}
  ~ReturnsSoon() { is_promised_ = outer_; }
  ReturnsSoon(const ReturnsSoon&) = delete;
  ReturnsSoon& operator=(const ReturnsSoon&) = delete;

  // For pools: whether this thread has promised it.
  static bool IsPromised() { return is_promised_; }

 private:
  static inline thread_local bool is_promised_ = false;
  const bool outer_;
};

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_RETURNS_SOON_H_
