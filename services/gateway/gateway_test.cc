#include "services/gateway/gateway.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "libs/common/error.h"
#include "services/gateway/testing/fake_api_calls.h"

namespace keyferry::gateway {
namespace {

AnswerTask Greet(const Request& request, ApiCalls&) { co_return Answer{.body = "hello " + request.Parameter("name")}; }
AnswerTask Refuse(const Request&, ApiCalls&) {
  co_return MakeError(absl::StatusCode::kAborted, "not yet",
                      {.reason = "SECRET_SET_PENDING", .retry_after = absl::Seconds(2)});
}

constexpr Route kRoutes[] = {{"GET", "/v1/greet/{name}", Greet}, {"GET", "/v1/refuse", Refuse}};

class GatewayTest : public testing::Test {
 protected:
  Answer Ask(std::string method, std::string target) {
    request_ = {
        .method = std::move(method), .target = std::move(target), .id = "request-1", .remote_address = "192.0.2.1"};
    return RunTask(gateway_.Handle(request_));
  }

  std::string MetricsAfter(const Answer& answer) {
    gateway_.Record({.request = request_, .answer = answer, .duration = absl::Milliseconds(3), .bytes_sent = 10});
    return metrics_->Text();
  }

  FakeApiCalls api_;
  const std::unique_ptr<Metrics> metrics_ = Metrics::Create();
  Gateway gateway_{kRoutes, api_, *metrics_};
  Request request_;
};

TEST_F(GatewayTest, RunsTheHandlerOfTheRoute) {
  const Answer answer = Ask("GET", "/v1/greet/world");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "hello world");
  EXPECT_EQ(answer.route, "/v1/greet/{name}");
}

TEST_F(GatewayTest, RefusesABodyBelowV1WithoutABearerBeforeItIsRead) {
  const auto refuse = [&](std::string method, std::string target, std::vector<Header> headers) {
    request_ = {
        .method = std::move(method), .target = std::move(target), .headers = std::move(headers), .id = "request-1"};
    const std::optional<Answer> answer = gateway_.RefuseEarly(request_);
    return answer ? answer->status : 0;
  };
  EXPECT_EQ(refuse("GET", "/v1/greet/world", {}), 401);
  EXPECT_EQ(refuse("GET", "/v1/greet/world", {{"Authorization", "Basic abc"}}), 401);
  EXPECT_EQ(refuse("GET", "/v1/greet/world", {{"Authorization", "Bearer a"}, {"authorization", "Bearer a"}}), 401);
  EXPECT_EQ(refuse("GET", "/v1/greet/world", {{"authorization", "bearer a"}}), 0);
  EXPECT_EQ(refuse("PUT", "/v1/greet/world", {}), 405);
  EXPECT_EQ(refuse("PUT", "/v1/nothing", {}), 404);
  EXPECT_EQ(refuse("PUT", "/healthz", {}), 0);
  request_ = {.method = "GET", .target = "/v1/greet/world", .id = "request-1"};
  const std::optional<Answer> answer = gateway_.RefuseEarly(request_);
  EXPECT_EQ(answer->route, "/v1/greet/{name}");
  EXPECT_EQ(answer->reason, "UNAUTHENTICATED");
  EXPECT_EQ(nlohmann::json::parse(answer->body)["requestId"], "request-1");
}

TEST_F(GatewayTest, AFailedHandlerIsAnErrorAnswerOfItsRoute) {
  const Answer answer = Ask("GET", "/v1/refuse");
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.route, "/v1/refuse");
  EXPECT_EQ(answer.reason, "SECRET_SET_PENDING");
  EXPECT_EQ(nlohmann::json::parse(answer.body)["requestId"], "request-1");
}

TEST_F(GatewayTest, AnUnknownRouteHasAnErrorAnswerThatDoesNotRepeatIt) {
  const Answer answer = Ask("GET", "/v1/sk-pasted-by-mistake");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.route, "");
  EXPECT_EQ(answer.body.find("sk-pasted"), std::string::npos);
}

TEST_F(GatewayTest, CountsByRouteMethodAndStatus) {
  const std::string text = MetricsAfter(Ask("GET", "/v1/greet/world"));
  EXPECT_NE(text.find(R"(keyferry_gateway_requests_total{method="GET",route="/v1/greet/{name}",status="200"} 1)"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("keyferry_gateway_request_duration_seconds_bucket"), std::string::npos);
}

TEST_F(GatewayTest, MetricsHoldNothingThatACallerChose) {
  const std::string text = MetricsAfter(Ask("SENTINEL", "/v1/SENTINEL?SENTINEL"));
  EXPECT_EQ(text.find("SENTINEL"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(method="OTHER",route="none",status="404")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(keyferry_gateway_errors_total{reason="ROUTE_NOT_FOUND"} 1)"), std::string::npos) << text;
}

TEST_F(GatewayTest, TheMetricsDoorServesMetricsAlone) {
  const auto ask = [&](std::string method, std::string target) {
    request_ = {.method = std::move(method), .target = std::move(target)};
    return RunTask(AnswerMetrics(request_, *metrics_, [this] { metrics_->SetConnectionCount(7); }));
  };
  const Answer answer = ask("GET", "/metrics");
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find("keyferry_gateway_connections 7"), std::string::npos) << answer.body;
  EXPECT_EQ(ask("GET", "/v1/secrets").status, 404);
  EXPECT_EQ(ask("POST", "/metrics").status, 405);
}

}  // namespace
}  // namespace keyferry::gateway
