// Keeps two kinds of commits apart: those of callers that change a row and keep its revision, and those of Reseal,
// which does so too. Neither sees by the revision that the other was there, so each would undo what the other wrote.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_STORAGE_KEPT_ROWS_GATE_H_
#define KEYFERRY_STORAGE_KEPT_ROWS_GATE_H_

#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace keyferry {

class KeptRowsGate {
 public:
  // Closed while one of these lives. Blocks until every commit that entered has left.
  class Closed {
   public:
    explicit Closed(KeptRowsGate& gate) : gate_(gate) { gate_.Close(); }
    ~Closed() { gate_.Open(); }
    Closed(const Closed&) = delete;
    Closed& operator=(const Closed&) = delete;

   private:
    KeptRowsGate& gate_;
  };

  // Begins the commit, now or, on another thread, once the gate is open. Never blocks.
  void Enter(std::function<void()> begin);
  // It was answered.
  void Leave();

 private:
  void Close();
  void Open();

  absl::Mutex mutex_;
  int closed_count_ ABSL_GUARDED_BY(mutex_) = 0;
  int under_way_count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_KEPT_ROWS_GATE_H_
