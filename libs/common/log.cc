#include "libs/common/log.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "absl/time/clock.h"

namespace keyferry {
namespace {

constexpr size_t kMaxWriteBytes = 64 * 1024;
constexpr std::string_view kSeverityNames[] = {"debug", "info", "warning", "error"};
constexpr int64_t kMicros = 1'000'000;

std::atomic<Severity> minimum{Severity::kInfo};

// Printable ASCII that JSON takes as it is.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = ' '; c <= '~'; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

void AppendQuoted(std::string& line, std::string_view text) {
  for (const char c : text) {
    if (kPlain[static_cast<unsigned char>(c)]) continue;
    line += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return;
  }
  line.append("\"").append(text).append("\"");
}

void AppendNumber(std::string& line, int64_t number) {
  char digits[20];
  line.append(digits, std::to_chars(std::begin(digits), std::end(digits), number).ptr);
}

// What cannot be written is lost: there is nobody to tell. A line that was cut ends at the next one's begin.
void WriteAll(std::string_view text) {
  static bool cut = false;
  if (cut && !text.empty()) cut = write(STDERR_FILENO, "\n", 1) != 1;
  while (!text.empty()) {
    const ssize_t written = write(STDERR_FILENO, text.data(), std::min(text.size(), kMaxWriteBytes));
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      cut = true;
      return;
    }
  }
}

class Lines {
 public:
  // Never destroyed: other statics log until the end.
  static Lines& Get() {
    static Lines* const lines = new Lines;
    return *lines;
  }

  void SetProcess(std::string_view name) {
    process_.clear();
    AppendQuoted(process_, name);
  }

  void Add(Severity severity, std::string_view event, std::initializer_list<LogField> fields) {
    bool at_once = false;
    {
      const std::lock_guard lock(mutex_);
      const bool first = waiting_.empty();
      Append(severity, event, fields);
      at_once = !writer_ || severity >= Severity::kWarning || waiting_.size() >= kMaxLogBytesWaiting;
      if (first && !at_once) changed_.notify_one();
    }
    if (at_once) Flush();
  }

  // What waits when it is called is written when it returns, also where another thread does it.
  void Flush() {
    const std::lock_guard writing(write_mutex_);
    writing_.clear();
    {
      const std::lock_guard lock(mutex_);
      std::swap(waiting_, writing_);
    }
    WriteAll(writing_);
  }

  void BeginWriter() {
    static const bool registered = std::atexit([] { Get().Flush(); }) == 0;
    const std::lock_guard lock(mutex_);
    writer_ = registered;
    thread_ = std::thread([this] { Work(); });
  }

  void EndWriter() {
    {
      const std::lock_guard lock(mutex_);
      writer_ = false;
    }
    changed_.notify_one();
    thread_.join();
    Flush();
  }

 private:
  void Append(Severity severity, std::string_view event, std::initializer_list<LogField> fields) {
    waiting_.append("{\"time\":\"");
    AppendTime(absl::ToUnixMicros(absl::Now()));
    waiting_.append("\",\"severity\":\"").append(kSeverityNames[static_cast<int>(severity)]);
    waiting_.append("\",\"process\":").append(process_).append(",\"event\":");
    AppendQuoted(waiting_, event);
    for (const LogField& field : fields) field.AppendTo(waiting_);
    waiting_.append("}\n");
  }

  // 2026-11-23T09:08:07.654321Z. Lines of one second share all but the fraction.
  void AppendTime(int64_t micros) {
    const int64_t second = micros / kMicros;
    if (second != shown_second_) {
      shown_ = absl::FormatTime("%Y-%m-%dT%H:%M:%S.", absl::FromUnixSeconds(second), absl::UTCTimeZone());
      shown_second_ = second;
    }
    char fraction[] = "000000Z";
    int64_t rest = micros % kMicros;
    for (int digit = 5; digit >= 0; --digit, rest /= 10) fraction[digit] = static_cast<char>('0' + rest % 10);
    waiting_.append(shown_).append(fraction);
  }

  void Work() {
    std::unique_lock lock(mutex_);
    while (writer_) {
      changed_.wait(lock, [this] { return !writer_ || !waiting_.empty(); });
      // More come meanwhile.
      changed_.wait_for(lock, absl::ToChronoMilliseconds(kLogDelay), [this] { return !writer_; });
      lock.unlock();
      Flush();
      lock.lock();
    }
  }

  std::string process_ = "\"\"";
  // Taken before mutex_; who has it writes what waits.
  std::mutex write_mutex_;
  std::string writing_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_;
  int64_t shown_second_ = -1;
  std::string shown_;
  bool writer_ = false;
  std::thread thread_;
};

class ThreadLogWriter final : public LogWriter {
 public:
  ThreadLogWriter() { Lines::Get().BeginWriter(); }
  ~ThreadLogWriter() override { Lines::Get().EndWriter(); }
};

}  // namespace

void LogField::AppendTo(std::string& line) const {
  line += ',';
  AppendQuoted(line, name_);
  line += ':';
  if (const auto* text = std::get_if<std::string_view>(&value_)) return AppendQuoted(line, *text);
  if (const auto* number = std::get_if<int64_t>(&value_)) return AppendNumber(line, *number);
  if (const auto* flag = std::get_if<bool>(&value_)) {
    line.append(*flag ? "true" : "false");
    return;
  }
  AppendQuoted(line, std::get<const absl::Status*>(value_)->ToString(absl::StatusToStringMode::kWithNoExtraData));
}

void Log(Severity severity, std::string_view event, std::initializer_list<LogField> fields) {
  if (severity < minimum.load(std::memory_order_relaxed)) return;
  Lines::Get().Add(severity, event, fields);
}

std::unique_ptr<LogWriter> LogWriter::Start() { return std::make_unique<ThreadLogWriter>(); }

void SetLogLevel(Severity severity) { minimum = severity; }

absl::Status SetLogLevel(std::string_view name) {
  for (int level = 0; level < 4; ++level) {
    if (name == kSeverityNames[level]) {
      SetLogLevel(static_cast<Severity>(level));
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError("log level must be debug, info, warning or error");
}

void SetLogProcess(std::string_view name) { Lines::Get().SetProcess(name); }

}  // namespace keyferry
