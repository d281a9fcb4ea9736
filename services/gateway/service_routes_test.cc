#include "services/gateway/service_routes.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "libs/common/error.h"
#include "libs/common/testing/status_matchers.h"
#include "services/gateway/testing/fake_api_calls.h"

namespace keyferry::gateway {
namespace {

TEST(ServiceRoutesTest, TheProcessIsWellAlsoWhenTheApiIsNot) {
  FakeApiCalls api;
  api.ready = false;
  const auto health = RunTask(GetHealth(Request{}, api));
  ASSERT_THAT(health, IsOk());
  EXPECT_EQ(health->body, R"({"status":"OK"})");
}

TEST(ServiceRoutesTest, ReadinessIsTheApis) {
  FakeApiCalls api;
  EXPECT_THAT(RunTask(GetReadiness(Request{}, api)), IsOk());
  api.ready = false;
  const auto away = RunTask(GetReadiness(Request{}, api));
  EXPECT_THAT(away, FailsWith(absl::StatusCode::kUnavailable, "API_UNAVAILABLE"));
  EXPECT_TRUE(DetailsOf(away.status())->retry_after.has_value());
}

TEST(ServiceRoutesTest, TheDocumentIsJson) {
  FakeApiCalls api;
  const auto document = RunTask(GetOpenApi(Request{}, api));
  ASSERT_THAT(document, IsOk());
  EXPECT_EQ(document->content_type, "application/json");
  EXPECT_EQ(nlohmann::json::parse(document->body)["openapi"], "3.1.0");
}

}  // namespace
}  // namespace keyferry::gateway
