// What a seed decides, and what came of it.
//
// Thread safety: all of it belongs to one thread.
#ifndef KEYFERRY_TESTS_SIMULATION_TRACE_H_
#define KEYFERRY_TESTS_SIMULATION_TRACE_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace keyferry {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  // Below `end`, which is not 0.
  uint64_t Draw(uint64_t end) { return Next() % end; }
  double Share() { return static_cast<double>(Next() >> 11) / static_cast<double>(uint64_t{1} << 53); }
  bool Chance(double share) { return Share() < share; }
  absl::Duration Between(absl::Duration least, absl::Duration most) { return least + (most - least) * Share(); }

 private:
  uint64_t state_;
};

// What happened, as text and as a hash that two runs of a seed share.
class Trace {
 public:
  Trace(const absl::Duration& now, bool print) : now_(now), print_(print) {}
  void Note(std::string_view who, std::string_view what);
  void Hash(uint64_t value);
  uint64_t hash() const { return hash_; }
  uint64_t line_count() const { return line_count_; }
  // The newest lines, oldest first.
  const std::deque<std::string>& tail() const { return tail_; }

 private:
  const absl::Duration& now_;
  const bool print_;
  uint64_t hash_ = 14695981039346656037U;
  uint64_t line_count_ = 0;
  std::deque<std::string> tail_;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_TRACE_H_
