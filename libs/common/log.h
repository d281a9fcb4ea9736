// One structured line per event, JSON on standard error: time, severity, event, then the fields. Takes only loggable types, so that a
// SecretBytes or a whole request cannot get here.
//
// Thread safety: all functions from any thread, but SetLogProcess before there are others; a line is written with one write(2).
#ifndef KEYFERRY_COMMON_LOG_H_
#define KEYFERRY_COMMON_LOG_H_

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace keyferry {

enum class Severity : uint8_t { kDebug, kInfo, kWarning, kError };

class LogField {
 public:
  LogField(std::string_view name, std::string_view value);
  LogField(std::string_view name, const std::string& value) : LogField(name, std::string_view(value)) {}
  LogField(std::string_view name, const char* value) : LogField(name, std::string_view(value)) {}
  LogField(std::string_view name, const absl::Status& value);
  LogField(std::string_view name, bool value);
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  LogField(std::string_view name, T value) : LogField(name, static_cast<int64_t>(value), 0) {}

  std::string_view name() const { return name_; }
  // As JSON.
  const std::string& json() const { return json_; }

 private:
  LogField(std::string_view name, int64_t value, int);
  std::string_view name_;
  std::string json_;
};

// event: what happened, lower_snake_case, constant.
void Log(Severity severity, std::string_view event, std::initializer_list<LogField> fields = {});

// Lines below it are dropped; kInfo at first.
void SetLogLevel(Severity severity);
// InvalidArgument unless debug, info, warning or error.
absl::Status SetLogLevel(std::string_view name);
// Field "process" of every line.
void SetLogProcess(std::string_view name);

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_LOG_H_
