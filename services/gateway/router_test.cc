#include "services/gateway/router.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"

namespace keyferry::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;
using Parameters = std::map<std::string, std::string>;
using Query = std::vector<std::pair<std::string, std::string>>;

constexpr Route kRoutes[] = {
    {"GET", "/v1/secrets/{set}", nullptr},
    {"PUT", "/v1/secrets/{set}", nullptr},
    {"GET", "/v1/secrets/{set}/events", nullptr},
    {"DELETE", "/v1/secrets/{set}/{key}", nullptr},
    {"GET", "/v1/secrets", nullptr},
    {"GET", "/v1/organizations/{org}/secrets/{set}", nullptr},
    {"GET", "/v1/{a}/x/{b}", nullptr},
    {"GET", "/v1/y/{b}/x", nullptr},
    {"GET", "/v1/y/x/{b}", nullptr},
    {"GET", "/healthz", nullptr},
};

class RouterTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> Find(std::string method, std::string target) {
    request_ = {.method = std::move(method), .target = std::move(target)};
    const auto route = router_.Find(request_);
    if (!route.ok()) return route.status();
    return absl::StrCat(std::string((*route)->method), " ", std::string((*route)->pattern));
  }

  const Router router_{kRoutes};
  Request request_;
};

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_F(RouterTest, FindsTheRouteOfMethodAndPath) {
  EXPECT_THAT(Find("GET", "/healthz"), IsOkAndHolds("GET /healthz"));
  EXPECT_THAT(Find("PUT", "/v1/secrets/s"), IsOkAndHolds("PUT /v1/secrets/{set}"));
  EXPECT_EQ(request_.parameters, (Parameters{{"set", "s"}}));
  EXPECT_THAT(Find("GET", "/v1/organizations/acme/secrets/s"),
              IsOkAndHolds("GET /v1/organizations/{org}/secrets/{set}"));
  EXPECT_EQ(request_.parameters, (Parameters{{"org", "acme"}, {"set", "s"}}));
}

TEST_F(RouterTest, HeadFindsTheRouteOfGet) {
  EXPECT_THAT(Find("HEAD", "/healthz"), IsOkAndHolds("GET /healthz"));
  EXPECT_EQ(request_.method, "HEAD");
}

TEST_F(RouterTest, AnEncodedSlashStaysInItsSegment) {
  EXPECT_THAT(Find("GET", "/v1/secrets/a%2Fevents"), IsOkAndHolds("GET /v1/secrets/{set}"));
  EXPECT_EQ(request_.parameters, (Parameters{{"set", "a/events"}}));
}

TEST_F(RouterTest, FixedSegmentsMayBeEncoded) {
  EXPECT_THAT(Find("GET", "/v1/%73ecrets"), IsOkAndHolds("GET /v1/secrets"));
}

TEST_F(RouterTest, AFixedSegmentWinsOverAParameterFromTheLeft) {
  EXPECT_THAT(Find("GET", "/v1/y/x/x"), IsOkAndHolds("GET /v1/y/x/{b}"));
  EXPECT_THAT(Find("GET", "/v1/y/z/x"), IsOkAndHolds("GET /v1/y/{b}/x"));
  EXPECT_THAT(Find("GET", "/v1/z/x/x"), IsOkAndHolds("GET /v1/{a}/x/{b}"));
}

TEST_F(RouterTest, AKeyMayHaveTheNameOfAnothersMethodsRoute) {
  EXPECT_THAT(Find("DELETE", "/v1/secrets/s/events"), IsOkAndHolds("DELETE /v1/secrets/{set}/{key}"));
  EXPECT_EQ(request_.parameters, (Parameters{{"set", "s"}, {"key", "events"}}));
}

TEST_F(RouterTest, NothingIsNormalized) {
  for (const char* target : {"",
                             "*",
                             "/",
                             "//",
                             "//healthz",
                             "/healthz/",
                             "/./healthz",
                             "/v1/../healthz",
                             "/v1/secrets/",
                             "/v1/secrets//events",
                             "/v1//secrets",
                             "/v1/secrets/.",
                             "/v1/secrets/..",
                             "/v1/secrets/%2e%2e",
                             "/v1/secrets/%2E",
                             "/Healthz",
                             "/v1",
                             "/v2/secrets",
                             "healthz",
                             "http://host/healthz",
                             "?/healthz",
                             "/healthz#x",
                             "/v1/secrets/a/b/c"}) {
    EXPECT_THAT(Find("GET", target), FailsWith(absl::StatusCode::kNotFound, "ROUTE_NOT_FOUND")) << target;
  }
}

TEST_F(RouterTest, AnotherMethodLearnsWhichThereAre) {
  const absl::Status status = Find("PATCH", "/v1/secrets/s").status();
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kUnimplemented, "METHOD_NOT_ALLOWED"));
  EXPECT_EQ(DetailsOf(status)->metadata.at("allow"), "GET, HEAD, PUT");
  EXPECT_EQ(DetailsOf(Find("POST", "/v1/secrets/s/events").status())->metadata.at("allow"), "DELETE, GET, HEAD");
  EXPECT_EQ(DetailsOf(Find("HEAD", "/v1/secrets/s/k").status())->metadata.at("allow"), "DELETE");
  for (const char* method : {"get", "", "OPTIONS"}) EXPECT_THAT(Find(method, "/healthz"), Not(IsOk())) << method;
}

TEST_F(RouterTest, ABadPathIsRefusedWithoutBeingRepeated) {
  for (const char* target : {"/v1/secrets/hunter2%zz", "/v1/secrets/hunter2%0a", "/v1/secrets/hunter2%FF", "/hunter2/%",
                             "/v1/secrets/hunter2\r\n", "/v1/secrets/s?q=hunter2%zz", "/v1/secrets/s?hunter2%00=1",
                             "/v1/secrets/s?q=hunter2%ff"}) {
    const auto found = Find("GET", target);
    EXPECT_THAT(found, FailsWith(kInvalid, "INVALID_TARGET")) << target;
    EXPECT_THAT(found.status().ToString(), Not(HasSubstr("hunter2")));
  }
}

TEST_F(RouterTest, TheQueryIsSplitAndDecoded) {
  ASSERT_THAT(Find("GET", "/healthz?a=b&c&d=&=e&a=b%26+%3D=/?&&f%3d=1%2B"), IsOk());
  EXPECT_EQ(request_.query, (Query{{"a", "b"}, {"c", ""}, {"d", ""}, {"", "e"}, {"a", "b& ==/?"}, {"f=", "1+"}}));
  ASSERT_THAT(Find("GET", "/healthz?"), IsOk());
  EXPECT_EQ(request_.query, Query());
}

TEST_F(RouterTest, TheNumberOfQueryParametersIsBounded) {
  std::string target = "/healthz?";
  for (size_t i = 0; i < kMaxQueryParameters; ++i) target += "a=1&";
  EXPECT_THAT(Find("GET", target), IsOk());
  EXPECT_EQ(request_.query.size(), kMaxQueryParameters);
  EXPECT_THAT(Find("GET", target + "a=1"), FailsWith(kInvalid, "INVALID_TARGET"));
}

TEST_F(RouterTest, AFailedSearchLeavesTheRequestAsItWas) {
  request_ = {.method = "GET", .target = "/v1/secrets/s?%"};
  ASSERT_THAT(router_.Find(request_), Not(IsOk()));
  EXPECT_EQ(request_.parameters, Parameters());
  EXPECT_EQ(request_.query, Query());
}

}  // namespace
}  // namespace keyferry::gateway
