// What the load client holds against the system under test: the record of acknowledged writes and of violations, and what a region really
// shows.
#ifndef KEYFERRY_TESTS_SYSTEM_LOAD_RECORD_H_
#define KEYFERRY_TESTS_SYSTEM_LOAD_RECORD_H_

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace keyferry {

using Values = std::map<std::string, std::string>;

inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Asks until it holds; false when it does not in time.
inline bool Eventually(const std::function<bool()>& holds, std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

struct RegionView {
  std::string name, files, socket, epoch_file;

  // Raised before and after each disturbance of the region: while it is odd or moves, what the region shows proves nothing.
  long Epoch() const { return std::strtol(ReadFile(epoch_file).c_str(), nullptr, 10); }

  // Empty when the region shows no such set.
  Values FilesOf(const std::string& set) const {
    Values values;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(files + "/sets/acme/" + set, error)) {
      values[entry.path().filename()] = ReadFile(entry.path());
    }
    return values;
  }
};

// Thread safety: all methods from any thread, Report when the others are done.
class Record {
 public:
  explicit Record(const std::string& path) : acks_(path, std::ios::app) {}

  void Acknowledged(const std::string& what, const Values& values) {
    std::lock_guard lock(mutex_);
    acks_ << what;
    for (const auto& [key, value] : values) acks_ << ' ' << key << '=' << std::hash<std::string>()(value);
    acks_ << std::endl;
    ++writes_;
  }
  void Violation(const std::string& what) {
    std::lock_guard lock(mutex_);
    violations_.push_back(what);
    acks_ << "VIOLATION " << what << std::endl;
  }
  void Compared() { ++comparisons_; }

  int Report() const {
    std::printf("acknowledged_writes=%ld ready_comparisons=%ld violations=%zu\n", writes_, comparisons_.load(),
                violations_.size());
    for (size_t i = 0; i < violations_.size() && i < 20; ++i) std::printf("violation: %s\n", violations_[i].c_str());
    return violations_.empty() ? 0 : 1;
  }

 private:
  std::mutex mutex_;
  std::ofstream acks_;
  long writes_ = 0;
  std::atomic<long> comparisons_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SYSTEM_LOAD_RECORD_H_
