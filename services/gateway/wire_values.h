// Small values of the API's messages as the contract writes them in JSON.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_WIRE_VALUES_H_
#define KEYFERRY_SERVICES_GATEWAY_WIRE_VALUES_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "keyferry/v1/common.pb.h"
#include "services/gateway/exchange.h"

namespace keyferry::gateway {

// Members in the order in which they were written, as the contract shows them.
using Json = nlohmann::ordered_json;

// `2026-11-23T01:02:03.456Z`
std::string TimeText(const google::protobuf::Timestamp& time);
// `pending`, `ready`, `failed`
std::string_view StatusWord(v1::Readiness readiness);
// [{"type","status","reason","message","observedGeneration","lastTransitionTime"?}…]
Json ConditionsJson(const google::protobuf::RepeatedPtrField<v1::Condition>& conditions);

// One line. Bytes that are no UTF-8 become U+FFFD: an answer that leaves is always JSON.
std::string JsonLine(const Json& json);
Answer JsonAnswer(int status, const Json& body);
// {"status":"OK"}
Answer OkAnswer();

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_WIRE_VALUES_H_
