// A request's whole way through the gateway: the real table of routes, the real handlers, an API that says yes to
// everything. The input:
//
//   METHOD TARGET
//   Header: value
//
//   BODY
//
// The header Api-Client-Data is the client data of the deployments that the API answers: another client may have put
// anything there. Api-Refuses: the API says no, with this reason.
#include <google/protobuf/stubs/logging.h>

#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "keyferry/v1/deployments.pb.h"
#include "libs/common/error.h"
#include "services/gateway/error_answer.h"
#include "services/gateway/json_text.h"
#include "services/gateway/routes.h"
#include "services/gateway/testing/fake_api_calls.h"
#include "services/gateway/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

using gateway::Answer;
using gateway::Request;

const std::map<std::string, absl::StatusCode, std::less<>> kRefusals = {
    {"INVALID_REQUEST", absl::StatusCode::kInvalidArgument}, {"REQUEST_ID_REUSED", absl::StatusCode::kAlreadyExists}};

bool HasSentinel(std::string_view text) { return text.find(kSentinel) != std::string_view::npos; }

class EndedStream final : public gateway::ApiStream {
 public:
  gateway::asio::awaitable<bool> Read(google::protobuf::Message&, absl::Status& status) override {
    status = MakeError(absl::StatusCode::kUnavailable, "ended", {.reason = "API_UNAVAILABLE"});
    co_return false;
  }
};

class AgreeingApi final : public gateway::ApiCalls {
 public:
  gateway::asio::awaitable<absl::Status> CallRaw(const Request& caller, const char*, gateway::Repeat,
                                                 const google::protobuf::Message& request,
                                                 google::protobuf::Message& answer, absl::Duration timeout) override {
    ++call_count;
    std::string bytes;
    Require(request.SerializeToString(&bytes), "what the API is asked can be sent");
    Require(timeout > absl::ZeroDuration() && timeout <= absl::Minutes(10), "a call has a deadline");
    const auto refusal = kRefusals.find(caller.FindHeader("Api-Refuses").value_or(""));
    if (refusal != kRefusals.end()) {
      co_return MakeError(
          refusal->second, "the API says no",
          {.reason = refusal->first, .violations = {{"deployment.secret_set", "is not so"}, {"agent", "is not so"}}});
    }
    const std::string data(caller.FindHeader("Api-Client-Data").value_or(""));
    auto* const deployment = google::protobuf::DynamicCastToGenerated<v1::Deployment>(&answer);
    // What is no UTF-8 never gets into the store.
    if (deployment != nullptr && gateway::FindInvalidUtf8(data) == std::string::npos) deployment->set_client_data(data);
    co_return absl::OkStatus();
  }
  gateway::asio::awaitable<absl::StatusOr<std::unique_ptr<gateway::ApiStream>>> Open(
      const Request&, const char*, const google::protobuf::Message&) override {
    co_return std::make_unique<EndedStream>();
  }
  gateway::asio::awaitable<bool> IsReady() override { co_return true; }
  int stream_count() const override { return 0; }

  int call_count = 0;
};

// Takes the text before `end` off `rest`, and `end`.
std::string_view TakeUntil(std::string_view& rest, char end) {
  const size_t at = rest.find(end);
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return part;
}

Request RequestOf(std::string_view text) {
  std::string_view line = TakeUntil(text, '\n');
  Request request{.method = std::string(TakeUntil(line, ' ')), .target = std::string(line), .id = "request-1"};
  while (!text.empty()) {
    std::string_view header = TakeUntil(text, '\n');
    if (header.empty()) break;
    const std::string name(TakeUntil(header, ':'));
    if (header.starts_with(' ')) header.remove_prefix(1);
    request.headers.push_back({name, std::string(header)});
  }
  request.body = text;
  return request;
}

void CheckError(const absl::Status& status) {
  RequireCleanError(status);
  const Answer answer = gateway::ErrorAnswer(status, "request-1");
  Require(answer.status >= 400 && answer.status < 600, "an error has an error's status");
  Require(answer.status != 500, "no request is an internal error");
  const absl::StatusOr<nlohmann::json> body = gateway::ParseJson(answer.body);
  Require(body.ok() && body->contains("error") && body->contains("code"), "an error's body is the contract's");
  Require(!HasSentinel(answer.body), "an error's body does not hold the sentinel");
}

void CheckAnswer(const Request& request, const gateway::Route& route, const Answer& answer) {
  Require(answer.status == 200 || answer.status == 202 || answer.status == 304,
          "an answer that is no error has such a status");
  if (answer.content_type == "application/json" && !answer.body.empty())
    Require(nlohmann::json::accept(answer.body), "a body is JSON");
  const bool is_of_secrets = route.pattern.find("/secrets") != std::string_view::npos;
  if (is_of_secrets && !HasSentinel(request.target))
    Require(!HasSentinel(answer.body), "an answer does not repeat a secret");
}

// An API of another language refuses a message whose strings are not UTF-8; ours only logs it.
void FailOnLog(google::protobuf::LogLevel, const char* file, int line, const std::string& message) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message.c_str());
  Require(false, "Protocol Buffers have nothing to complain about");
}

void Check(std::string_view text) {
  static const auto previous = google::protobuf::SetLogHandler(FailOnLog);
  static_cast<void>(previous);
  static const gateway::Router router(gateway::Routes());
  Request request = RequestOf(text);
  const absl::StatusOr<const gateway::Route*> route = router.Find(request);
  if (!route.ok()) return CheckError(route.status());
  AgreeingApi api;
  const absl::StatusOr<Answer> answer = gateway::RunTask((*route)->handle(request, api));
  if (answer.ok()) return CheckAnswer(request, **route, *answer);
  CheckError(answer.status());
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = keyferry::TextOf(data, size);
  keyferry::Check(text);
  keyferry::Check(keyferry::WithSentinel(text));
  return 0;
}
