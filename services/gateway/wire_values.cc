#include "services/gateway/wire_values.h"

#include <nlohmann/json.hpp>

#include "absl/time/time.h"

namespace keyferry::gateway {

std::string TimeText(const google::protobuf::Timestamp& time) {
  const absl::Time at = absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  return absl::FormatTime("%E4Y-%m-%d%ET%H:%M:%E3SZ", at, absl::UTCTimeZone());
}

std::string_view StatusWord(v1::Readiness readiness) {
  switch (readiness) {
    case v1::READINESS_READY:
      return "ready";
    case v1::READINESS_FAILED:
      return "failed";
    default:
      // A word of a newer API is not the proof that `ready` would be.
      return "pending";
  }
}

Json ConditionsJson(const google::protobuf::RepeatedPtrField<v1::Condition>& conditions) {
  Json list = Json::array();
  for (const v1::Condition& condition : conditions) {
    Json one = {{"type", condition.type()},
                {"status", condition.status()},
                {"reason", condition.reason()},
                {"message", condition.message()},
                {"observedGeneration", condition.observed_generation()}};
    if (condition.has_last_transition_time()) one["lastTransitionTime"] = TimeText(condition.last_transition_time());
    list.push_back(std::move(one));
  }
  return list;
}

std::string JsonLine(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Answer JsonAnswer(int status, const Json& body) { return {.status = status, .body = JsonLine(body)}; }

Answer OkAnswer() { return JsonAnswer(200, {{"status", "OK"}}); }

}  // namespace keyferry::gateway
