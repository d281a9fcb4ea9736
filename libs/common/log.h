// One structured line per event, JSON on standard error: time, severity, event, then the fields. Takes only loggable types, so that a
// SecretBytes or a whole request cannot get here.
//
// Thread safety: all functions from any thread, but SetLogProcess before there are others. Lines stand in the order of their calls.
#ifndef KEYFERRY_COMMON_LOG_H_
#define KEYFERRY_COMMON_LOG_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace keyferry {

enum class Severity : uint8_t { kDebug, kInfo, kWarning, kError };

// Refers to what it was given: made in the call of Log.
class LogField {
 public:
  LogField(std::string_view name, std::string_view value) : name_(name), value_(value) {}
  LogField(std::string_view name, const std::string& value) : LogField(name, std::string_view(value)) {}
  LogField(std::string_view name, const char* value) : LogField(name, std::string_view(value)) {}
  LogField(std::string_view name, const absl::Status& value) : name_(name), value_(&value) {}
  LogField(std::string_view name, bool value) : name_(name), value_(value) {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  LogField(std::string_view name, T value) : name_(name), value_(static_cast<int64_t>(value)) {}

  // As JSON, with the comma before it.
  void AppendTo(std::string& line) const;

 private:
  std::string_view name_;
  std::variant<std::string_view, const absl::Status*, bool, int64_t> value_;
};

// event: what happened, lower_snake_case, constant.
void Log(Severity severity, std::string_view event, std::initializer_list<LogField> fields = {});

// From an event of less than a warning to its write, at most, and what may wait for it.
inline constexpr absl::Duration kLogDelay = absl::Milliseconds(10);
inline constexpr size_t kMaxLogBytesWaiting = 256 * 1024;

// While one lives, lines below a warning are written by a thread of its own, many with one write(2). Without one, as with a warning or an error, Log
// returns when the line and all before it are written, which holds for every other line too once kMaxLogBytesWaiting are waiting. Its end writes
// what is left, and so does exit(3); a process that ends otherwise says why with an error first.
class LogWriter {
 public:
  // REQUIRES: there is none.
  static std::unique_ptr<LogWriter> Start();
  virtual ~LogWriter() = default;
};

// Lines below it are dropped; kInfo at first.
void SetLogLevel(Severity severity);
// InvalidArgument unless debug, info, warning or error.
absl::Status SetLogLevel(std::string_view name);
// Field "process" of every line.
void SetLogProcess(std::string_view name);

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_LOG_H_
