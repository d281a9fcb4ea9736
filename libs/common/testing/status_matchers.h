// IsOk, StatusIs and IsOkAndHolds, which Debian's Abseil lacks.
#ifndef KEYFERRY_COMMON_TESTING_STATUS_MATCHERS_H_
#define KEYFERRY_COMMON_TESTING_STATUS_MATCHERS_H_

#include <gmock/gmock.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/common/error.h"

namespace keyferry {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return arg.ok();
}
MATCHER_P(StatusIs, code, "has code " + absl::StatusCodeToString(code)) {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code;
}
// Code and ErrorInfo reason.
MATCHER_P2(FailsWith, code, reason, "has code " + absl::StatusCodeToString(code) + " and reason " + std::string(reason)) {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code && ReasonOf(StatusOf(arg)) == reason;
}
MATCHER_P(IsOkAndHolds, matcher, "") {
  if (!arg.ok()) {
    *result_listener << StatusOf(arg).ToString();
    return false;
  }
  return ::testing::ExplainMatchResult(matcher, *arg, result_listener);
}

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_TESTING_STATUS_MATCHERS_H_
