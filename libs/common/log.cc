#include "libs/common/log.h"

#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace keyferry {
namespace {

std::atomic<Severity> minimum{Severity::kInfo};
std::string& Process() {
  static std::string* const process = new std::string();
  return *process;
}

std::string Quote(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

constexpr std::string_view kSeverityNames[] = {"debug", "info", "warning", "error"};

}  // namespace

LogField::LogField(std::string_view name, std::string_view value) : name_(name), json_(Quote(value)) {}
LogField::LogField(std::string_view name, const absl::Status& value) : name_(name), json_(Quote(value.ToString(absl::StatusToStringMode::kWithNoExtraData))) {}
LogField::LogField(std::string_view name, bool value) : name_(name), json_(value ? "true" : "false") {}
LogField::LogField(std::string_view name, int64_t value, int) : name_(name), json_(absl::StrCat(value)) {}

void Log(Severity severity, std::string_view event, std::initializer_list<LogField> fields) {
  if (severity < minimum.load(std::memory_order_relaxed)) return;
  std::string line = "{\"time\":\"";
  line += absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::Now(), absl::UTCTimeZone());
  line.append("\",\"severity\":\"").append(kSeverityNames[static_cast<int>(severity)]);
  line.append("\",\"process\":").append(Quote(Process()));
  line.append(",\"event\":").append(Quote(event));
  for (const LogField& field : fields) line.append(",").append(Quote(field.name())).append(":").append(field.json());
  line += "}\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

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

void SetLogProcess(std::string_view name) { Process() = name; }

}  // namespace keyferry
