// The history of a campaign: one JSON line for each call (when it began, when it was answered, what it said) and for each message of a
// watch, in a file that no fault touches. history.py reads it. Times are CLOCK_MONOTONIC in nanoseconds, one clock for all processes.
#ifndef KEYFERRY_TESTS_SYSTEM_HISTORY_RECORD_H_
#define KEYFERRY_TESTS_SYSTEM_HISTORY_RECORD_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

namespace keyferry {

using Values = std::map<std::string, std::string>;

inline int64_t NowNanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Thread safety: all methods from any thread.
class HistoryRecord {
 public:
  explicit HistoryRecord(const std::string& path) : file_(path, std::ios::app) {}

  void Append(const nlohmann::json& line) {
    const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    std::lock_guard lock(mutex_);
    file_ << text << '\n' << std::flush;
  }

 private:
  std::mutex mutex_;
  std::ofstream file_;
};

// What the campaign asks of the client, and what the client answers: one word in a file each. `run`, `pause` (no call is in flight once
// the answer is `paused`) or `stop`.
class Control {
 public:
  Control(std::string asked, std::string answered) : asked_(std::move(asked)), answered_(std::move(answered)) {}

  std::string Asked() const {
    std::string word;
    std::ifstream(asked_) >> word;
    return word;
  }
  void Answer(const std::string& word) const { std::ofstream(answered_) << word; }

 private:
  const std::string asked_, answered_;
};

// Calls under way, so that a pause can wait for them. Thread safety: all methods from any thread.
class Gate {
 public:
  // While this lives, no pause is answered.
  class Pass {
   public:
    explicit Pass(Gate& gate) : gate_(gate) {
      std::unique_lock lock(gate_.mutex_);
      gate_.moved_.wait(lock, [this] { return !gate_.closed_; });
      ++gate_.inside_;
    }
    ~Pass() {
      std::lock_guard lock(gate_.mutex_);
      --gate_.inside_;
      gate_.moved_.notify_all();
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    Gate& gate_;
  };

  void Close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    moved_.wait(lock, [this] { return inside_ == 0; });
  }
  void Open() {
    std::lock_guard lock(mutex_);
    closed_ = false;
    moved_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable moved_;
  bool closed_ = false;
  int inside_ = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SYSTEM_HISTORY_RECORD_H_
