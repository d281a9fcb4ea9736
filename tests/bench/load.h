// What the closed-loop clients of the benchmarks share: their arguments, until when, and what came of it.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_TESTS_BENCH_LOAD_H_
#define KEYFERRY_TESTS_BENCH_LOAD_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace keyferry {

// usage: CLIENT MODE TARGET CA_FILE API_KEY CLIENTS SECONDS [NAME=VALUE]...
struct LoadOptions {
  std::string mode, target, ca_file, api_key;
  int clients;
  double seconds;
  std::map<std::string, std::string> more;

  static LoadOptions Parse(int count, char** arguments) {
    if (count < 7) {
      std::fprintf(stderr, "usage: %s MODE TARGET CA_FILE API_KEY CLIENTS SECONDS [NAME=VALUE]...\n", arguments[0]);
      std::exit(2);
    }
    LoadOptions options = {
        arguments[1], arguments[2], arguments[3], arguments[4], std::atoi(arguments[5]), std::atof(arguments[6]), {}};
    for (int i = 7; i < count; ++i) {
      const std::string pair = arguments[i];
      options.more[pair.substr(0, pair.find('='))] = pair.substr(pair.find('=') + 1);
    }
    return options;
  }
  long Number(const std::string& name, long otherwise) const {
    const auto found = more.find(name);
    return found == more.end() ? otherwise : std::atol(found->second.c_str());
  }
  std::string Text(const std::string& name) const {
    const auto found = more.find(name);
    return found == more.end() ? "" : found->second;
  }
};

// Each client does one call at a time; whoever ends the last one wakes Report. With count=N there are N calls, else as
// many as go into SECONDS.
class Load {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Load(const LoadOptions& options)
      : clients_(options.clients),
        count_(options.Number("count", 0)),
        end_(Clock::now() + std::chrono::microseconds(static_cast<long>(options.seconds * 1e6))) {}

  // Answers the call's number, or -1 when there is to be no more.
  long Next() {
    const long number = next_++;
    return (count_ > 0 ? number < count_ : Clock::now() < end_) ? number : -1;
  }
  // error: empty when the call went well.
  void Done(Clock::time_point begin, const std::string& error) {
    const auto now = Clock::now();
    std::lock_guard lock(mutex_);
    if (!error.empty()) ++errors_[error];
    micros_.push_back(std::chrono::duration_cast<std::chrono::microseconds>(now - begin).count());
  }
  void ClientEnded() {
    std::lock_guard lock(mutex_);
    if (++ended_ == clients_) all_ended_.notify_one();
  }
  // Waits for the end of all clients; answers the exit code.
  int Report(Clock::time_point begin) {
    std::unique_lock lock(mutex_);
    all_ended_.wait(lock, [&] { return ended_ == clients_; });
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (micros_.empty()) return std::fputs("no call was made\n", stderr), 1;
    std::sort(micros_.begin(), micros_.end());
    long errors = 0;
    for (const auto& [message, number] : errors_) errors += number;
    std::printf("calls=%zu calls_per_second=%.1f p50_us=%ld p99_us=%ld p999_us=%ld errors=%ld\n", micros_.size(),
                static_cast<double>(micros_.size()) / seconds, Percentile(500), Percentile(990), Percentile(999),
                errors);
    if (errors > 0) std::fprintf(stderr, "first error: %s\n", errors_.begin()->first.c_str());
    return errors == 0 ? 0 : 1;
  }

 private:
  long Percentile(size_t thousandth) const { return micros_[micros_.size() * thousandth / 1000]; }

  const int clients_;
  const long count_;
  const Clock::time_point end_;
  std::atomic<long> next_ = 0;
  std::mutex mutex_;
  std::condition_variable all_ended_;
  int ended_ = 0;
  std::vector<long> micros_;
  std::map<std::string, long> errors_;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_BENCH_LOAD_H_
