#include "services/gateway/secret_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/testing/fake_api_calls.h"

namespace keyferry::gateway {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kEntry[] =
    R"({"name":"app","type":"secret","region":"us-west","status":"pending","generation":7,"readyGeneration":6,)"
    R"("etag":"abc.7","createdAt":"2026-11-23T01:02:03.456Z","updatedAt":"2026-11-23T01:02:04.000Z"})";

v1::SecretSet Set(v1::Readiness readiness) {
  v1::SecretSet set;
  set.set_name("app");
  set.set_type(v1::SECRET_SET_TYPE_SECRET);
  set.set_region("us-west");
  set.set_readiness(readiness);
  set.set_generation(7);
  set.set_ready_generation(6);
  set.add_keys("A");
  set.add_keys("B");
  set.set_etag("abc.7");
  set.mutable_create_time()->set_seconds(1795395723);
  set.mutable_create_time()->set_nanos(456'000'000);
  set.mutable_update_time()->set_seconds(1795395724);
  return set;
}

class SecretRoutesTest : public testing::Test {
 protected:
  SecretRoutesTest() {
    api_.On<v1::GetSecretSetRequest, v1::SecretSet>(kGetSecretSet, [this](const auto& call) {
      EXPECT_EQ(call.secret_set(), "app");
      return set_;
    });
    api_.On<v1::WaitUntilReadyRequest, v1::SecretSet>(kWaitUntilReady, [this](const auto& call) {
      wait_ = call;
      return waited_;
    });
    api_.On<v1::ListSecretSetsRequest, v1::ListSecretSetsResponse>(
        kListSecretSets, [this](const auto& call) -> absl::StatusOr<v1::ListSecretSetsResponse> {
          lists_.push_back(call);
          if (!list_status_.ok()) return list_status_;
          if (pages_.empty()) return v1::ListSecretSetsResponse();
          const v1::ListSecretSetsResponse page = pages_.front();
          if (pages_.size() > 1) pages_.erase(pages_.begin());
          return page;
        });
    request_.parameters = {{"set", "app"}};
  }

  absl::StatusOr<Answer> Get() { return RunTask(GetSecretSet(request_, api_)); }
  absl::StatusOr<Answer> GetWith(std::vector<std::pair<std::string, std::string>> query) {
    request_.query = std::move(query);
    return Get();
  }
  absl::StatusOr<Answer> List() { return RunTask(ListSecretSets(request_, api_)); }

  static v1::ListSecretSetsResponse Page(int set_count, const std::string& next) {
    v1::ListSecretSetsResponse page;
    for (int i = 0; i < set_count; ++i) *page.add_secret_sets() = Set(v1::READINESS_PENDING);
    page.set_next_page_token(next);
    return page;
  }

  FakeApiCalls api_;
  Request request_;
  absl::StatusOr<v1::SecretSet> set_ = Set(v1::READINESS_PENDING);
  absl::StatusOr<v1::SecretSet> waited_ = Set(v1::READINESS_READY);
  v1::WaitUntilReadyRequest wait_;
  std::vector<v1::ListSecretSetsRequest> lists_;
  std::vector<v1::ListSecretSetsResponse> pages_;
  absl::Status list_status_;
};

TEST_F(SecretRoutesTest, SetIsShownAsTheContractSays) {
  v1::Condition& condition = *set_->add_conditions();
  condition.set_type("Provisioned");
  condition.set_status("False");
  condition.set_reason("Pending");
  condition.set_message("being provisioned");
  const auto answer = Get();
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(
      answer->body,
      R"({"region":"us-west","status":"pending","secrets":[{"fieldName":"A"},{"fieldName":"B"}],"name":"app","type":"secret",)"
      R"("generation":7,"readyGeneration":6,"etag":"abc.7","createdAt":"2026-11-23T01:02:03.456Z",)"
      R"("updatedAt":"2026-11-23T01:02:04.000Z","conditions":[{"type":"Provisioned","status":"False","reason":"Pending",)"
      R"("message":"being provisioned","observedGeneration":0}]})");
  EXPECT_THAT(api_.called, ElementsAre("/keyferry.v1.SecretSets/GetSecretSet"));
}

TEST_F(SecretRoutesTest, EmptySetHasAnEmptyListOfSecrets) {
  set_->clear_keys();
  EXPECT_THAT(Get()->body, HasSubstr(R"("secrets":[],)"));
}

TEST_F(SecretRoutesTest, ErrorMessageIsThereOnlyWhenFailed) {
  set_ = Set(v1::READINESS_FAILED);
  set_->set_error_message("write it again");
  EXPECT_THAT(Get()->body, HasSubstr(R"("status":"failed","errorMessage":"write it again","secrets")"));
  set_->set_readiness(v1::READINESS_READY);
  EXPECT_THAT(Get()->body, HasSubstr(R"("status":"ready","secrets")"));
}

TEST_F(SecretRoutesTest, ImagePullSecretCannotBeReadByNameAndTheRefusalSaysWhereItsStatusIs) {
  set_->set_type(v1::SECRET_SET_TYPE_IMAGE_PULL_SECRET);
  const auto answer = Get();
  EXPECT_THAT(answer, FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_TYPE"));
  for (const char* says :
       {"image pull secrets cannot be read by name", "GET /secrets,", "/secrets/app/events", "/secrets/app?wait=ready"})
    EXPECT_THAT(answer.status().message(), HasSubstr(says));
}

TEST_F(SecretRoutesTest, ImagePullSecretCanBeWaitedFor) {
  waited_->set_type(v1::SECRET_SET_TYPE_IMAGE_PULL_SECRET);
  const auto answer = GetWith({{"wait", "ready"}});
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(
      answer->body,
      R"({"name":"app","type":"imagePullSecret","region":"us-west","status":"ready","generation":7,"readyGeneration":6,)"
      R"("etag":"abc.7","createdAt":"2026-11-23T01:02:03.456Z","updatedAt":"2026-11-23T01:02:04.000Z","timedOut":false})");
}

TEST_F(SecretRoutesTest, OldClientTellsAnImagePullSecretByItsCode) {
  set_->set_type(v1::SECRET_SET_TYPE_IMAGE_PULL_SECRET);
  request_.headers = {{"User-Agent", "PipecatCloudCLI/0.6.0"}};
  const auto answer = Get();
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->status, 400);
  EXPECT_EQ(answer->reason, "INVALID_SECRET_SET_TYPE");
  EXPECT_EQ(nlohmann::json::parse(answer->body)["code"], "400");
  request_.headers = {{"User-Agent", "PipecatCloudCLI/1.4.0"}};
  EXPECT_THAT(Get(), FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_TYPE"));
}

TEST_F(SecretRoutesTest, AbsentSetIsNotFound) {
  set_ = NotFound("SECRET_SET_NOT_FOUND", "secret set \"app\" does not exist in this organization", "app");
  const auto absent = Get();
  EXPECT_THAT(absent, FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  EXPECT_EQ(absent.status().message(), "Set not found");
  EXPECT_EQ(DetailsOf(absent.status())->metadata.at("resource"), "app");
  api_.On<v1::ListGenerationsRequest, v1::ListGenerationsResponse>(kListGenerations,
                                                                   [this](const auto&) { return set_.status(); });
  EXPECT_EQ(RunTask(ListGenerations(request_, api_)).status().message(), "Set not found");
}

TEST_F(SecretRoutesTest, WhatTheClientHasIsNotSentAgain) {
  const std::string etag = Get()->headers.at(0).value;
  EXPECT_THAT(etag, testing::MatchesRegex("\"abc\\.7-[0-9a-f]{16}\""));
  for (const std::string& known : {etag, "\"x\", W/" + etag, std::string("*")}) {
    request_.headers = {{"if-none-match", known}};
    const auto answer = Get();
    EXPECT_EQ(answer->status, 304) << known;
    EXPECT_EQ(answer->body, "");
    EXPECT_EQ(answer->headers.at(0).value, etag);
  }
  request_.headers = {{"If-None-Match", "\"abc.7\""}};
  EXPECT_EQ(Get()->status, 200);
}

TEST_F(SecretRoutesTest, ReadinessChangesTheEntityTag) {
  request_.headers = {{"If-None-Match", Get()->headers.at(0).value}};
  EXPECT_EQ(Get()->status, 304);
  set_->set_readiness(v1::READINESS_READY);
  EXPECT_EQ(Get()->status, 200);
}

TEST_F(SecretRoutesTest, WaitAsksUntilReadyAndALittleLonger) {
  const auto answer = GetWith({{"wait", "ready"}, {"timeout", "1500ms"}, {"generation", "7"}});
  ASSERT_THAT(answer, IsOk());
  EXPECT_THAT(answer->body, HasSubstr(R"("status":"ready")"));
  EXPECT_THAT(answer->body, HasSubstr(R"("timedOut":false)"));
  EXPECT_THAT(api_.called, ElementsAre("/keyferry.v1.SecretSets/WaitUntilReady"));
  EXPECT_EQ(wait_.secret_set(), "app");
  EXPECT_EQ(wait_.generation(), 7);
  EXPECT_EQ(wait_.timeout().seconds(), 1);
  EXPECT_EQ(wait_.timeout().nanos(), 500'000'000);
  EXPECT_EQ(api_.timeouts.back(), absl::Milliseconds(6500));
}

TEST_F(SecretRoutesTest, WaitIsThirtySecondsWhereNothingIsSaid) {
  ASSERT_THAT(GetWith({{"wait", "ready"}}), IsOk());
  EXPECT_EQ(wait_.timeout().seconds(), 30);
  EXPECT_EQ(wait_.generation(), 0);
}

TEST_F(SecretRoutesTest, WaitOfNoTimeIsAPlainRead) {
  const std::string body = GetWith({{"wait", "ready"}, {"timeout", "0"}})->body;
  EXPECT_THAT(body, HasSubstr(R"("status":"pending")"));
  EXPECT_THAT(body, HasSubstr(R"("timedOut":true)"));
  EXPECT_THAT(api_.called, ElementsAre("/keyferry.v1.SecretSets/GetSecretSet"));
}

TEST_F(SecretRoutesTest, WaitThatEndsWithoutAnOutcomeIsTimedOut) {
  const auto timed_out = [&](v1::Readiness readiness, const char* generation) {
    waited_ = Set(readiness);
    const auto answer = GetWith({{"wait", "ready"}, {"generation", generation}});
    EXPECT_EQ(answer->status, 200);
    return nlohmann::json::parse(answer->body).at("timedOut").get<bool>();
  };
  EXPECT_TRUE(timed_out(v1::READINESS_PENDING, "7"));
  EXPECT_FALSE(timed_out(v1::READINESS_READY, "6"));
  EXPECT_FALSE(timed_out(v1::READINESS_READY, "7"));
  EXPECT_TRUE(timed_out(v1::READINESS_READY, "8"));
  EXPECT_FALSE(timed_out(v1::READINESS_FAILED, "7"));
  EXPECT_TRUE(timed_out(v1::READINESS_FAILED, "8"));
  request_.query.clear();
  EXPECT_THAT(Get()->body, testing::Not(HasSubstr("timedOut")));
}

TEST_F(SecretRoutesTest, WaitRidesOutAnApiThatIsAway) {
  int away = 2;
  api_.On<v1::WaitUntilReadyRequest, v1::SecretSet>(
      kWaitUntilReady, [&](const auto& call) -> absl::StatusOr<v1::SecretSet> {
        wait_ = call;
        if (away-- > 0) return MakeError(StatusCode::kUnavailable, "draining", {.reason = "API_UNAVAILABLE"});
        return waited_;
      });
  EXPECT_THAT(GetWith({{"wait", "ready"}, {"timeout", "20s"}})->body, HasSubstr(R"("status":"ready")"));
  EXPECT_EQ(api_.called.size(), 3);
  EXPECT_LT(wait_.timeout().seconds(), 20);
}

TEST_F(SecretRoutesTest, WaitForAnApiThatStaysAwayEndsWithItsTimeout) {
  waited_ = MakeError(StatusCode::kUnavailable, "away", {.reason = "API_UNAVAILABLE"});
  EXPECT_THAT(GetWith({{"wait", "ready"}, {"timeout", "250ms"}}),
              FailsWith(StatusCode::kUnavailable, "API_UNAVAILABLE"));
  EXPECT_EQ(api_.called.size(), 2);
  waited_ = MakeError(StatusCode::kResourceExhausted, "full", {.reason = "OVERLOADED"});
  EXPECT_THAT(GetWith({{"wait", "ready"}, {"timeout", "250ms"}}),
              FailsWith(StatusCode::kResourceExhausted, "OVERLOADED"));
  EXPECT_EQ(api_.called.size(), 3);
}

TEST_F(SecretRoutesTest, SetThatIsDeletedWhileWaitingIsNotFound) {
  waited_ = NotFound("SECRET_SET_NOT_FOUND", "deleted", "app");
  EXPECT_THAT(GetWith({{"wait", "ready"}}), FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
}

TEST_F(SecretRoutesTest, TimesOfAWaitAreTakenUpToFiveMinutes) {
  const std::pair<const char*, int64_t> kGood[] = {{"5m", 300'000},       {"300", 300'000}, {"300s", 300'000},
                                                   {"300000ms", 300'000}, {"1ms", 1},       {"007s", 7'000}};
  for (const auto& [text, millis] : kGood) {
    ASSERT_THAT(GetWith({{"wait", "ready"}, {"timeout", text}}), IsOk()) << text;
    EXPECT_EQ(wait_.timeout().seconds() * 1000 + wait_.timeout().nanos() / 1'000'000, millis) << text;
  }
  for (const char* text : {"300001ms", "301", "6m", "", "s", "ms", "-1s", "+1s", "1.5s", " 1s", "1 s", "1h", "1m30s",
                           "0x10", "9223372036854775807m", "9223372036854775808", "99999999999999999999s"}) {
    EXPECT_THAT(GetWith({{"wait", "ready"}, {"timeout", text}}),
                FailsWith(StatusCode::kInvalidArgument, "INVALID_QUERY"))
        << text;
  }
}

TEST_F(SecretRoutesTest, OtherWaitsAreRefused) {
  using Query = std::vector<std::pair<std::string, std::string>>;
  const Query kBad[] = {{{"wait", "failed"}},
                        {{"wait", ""}},
                        {{"wait", "ready"}, {"wait", "ready"}},
                        {{"timeout", "30s"}},
                        {{"generation", "7"}},
                        {{"wait", "ready"}, {"generation", "0"}},
                        {{"wait", "ready"}, {"generation", "9223372036854775808"}}};
  for (const Query& query : kBad) {
    EXPECT_THAT(GetWith(query), FailsWith(StatusCode::kInvalidArgument, "INVALID_QUERY")) << query[0].first;
  }
  EXPECT_THAT(api_.called, IsEmpty());
}

TEST_F(SecretRoutesTest, QueriesThatNobodyKnowsAreRefusedWithTheKnownOnes) {
  request_.query = {{"wait", "ready"}};
  EXPECT_THAT(List(), FailsWith(StatusCode::kInvalidArgument, "INVALID_QUERY"));
  EXPECT_EQ(List().status().message(),
            "wait: unknown query parameter; the query parameters here are: region, limit, after");
  EXPECT_EQ(GetWith({{"wiat", "ready"}}).status().message(),
            "wiat: unknown query parameter; the query parameters here are: wait, timeout, generation");
  EXPECT_EQ(RunTask(ListGenerations(request_, api_)).status().message(),
            "wiat: unknown query parameter; there are no query parameters here");
  EXPECT_THAT(api_.called, IsEmpty());
}

TEST_F(SecretRoutesTest, GenerationOfAWaitIsOneOrMore) {
  for (const char* bad : {"0", "-1", "9223372036854775808", "seven"}) {
    EXPECT_EQ(GetWith({{"wait", "ready"}, {"generation", bad}}).status().message(),
              "generation: must be an integer of 1 or more");
  }
}

TEST_F(SecretRoutesTest, ListReadsEveryPageAlsoEmptyOnes) {
  pages_ = {Page(1, "p2"), Page(0, "p3"), Page(1, "")};
  pages_[2].mutable_secret_sets(0)->set_type(v1::SECRET_SET_TYPE_IMAGE_PULL_SECRET);
  request_.query = {{"region", "us-west"}};
  request_.parameters = {{"org", "acme"}};
  const auto answer = List();
  ASSERT_THAT(answer, IsOk());
  std::string second = kEntry;
  second.replace(second.find("\"secret\""), 8, "\"imagePullSecret\"");
  EXPECT_EQ(answer->body, absl::StrCat(R"({"sets":[)", kEntry, ",", second, "]}"));
  ASSERT_EQ(lists_.size(), 3);
  EXPECT_EQ(lists_[0].page_size(), 1000);
  EXPECT_EQ(lists_[0].organization(), "acme");
  EXPECT_EQ(lists_[2].region(), "us-west");
  EXPECT_EQ(lists_[1].page_token(), "p2");
  EXPECT_EQ(lists_[2].page_token(), "p3");
}

TEST_F(SecretRoutesTest, ListOfNothingIsAnEmptyList) { EXPECT_EQ(List()->body, R"({"sets":[]})"); }

TEST_F(SecretRoutesTest, ListOfOnePageSaysHowToGoOn) {
  pages_ = {Page(1, "p\"2")};
  request_.query = {{"limit", "1"}, {"after", "p1"}};
  EXPECT_EQ(List()->body, absl::StrCat(R"({"sets":[)", kEntry, R"(],"nextPageToken":"p\"2"})"));
  ASSERT_EQ(lists_.size(), 1);
  EXPECT_EQ(lists_[0].page_size(), 1);
  EXPECT_EQ(lists_[0].page_token(), "p1");
}

TEST_F(SecretRoutesTest, LimitIsOneToAThousand) {
  for (const char* good : {"1", "1000"}) {
    request_.query = {{"limit", good}};
    EXPECT_THAT(List(), IsOk()) << good;
  }
  for (const char* bad : {"0", "1001", "-1", "", "ten", "1e2"}) {
    request_.query = {{"limit", bad}};
    EXPECT_THAT(List(), FailsWith(StatusCode::kInvalidArgument, "INVALID_QUERY")) << bad;
  }
}

TEST_F(SecretRoutesTest, ListHoldsTwentyThousandSetsAndNoMore) {
  pages_ = std::vector<v1::ListSecretSetsResponse>(20, Page(1000, "more"));
  pages_[19].set_next_page_token("");
  EXPECT_THAT(List(), IsOk());
  pages_ = std::vector<v1::ListSecretSetsResponse>(20, Page(1000, "more"));
  pages_.push_back(Page(1, ""));
  EXPECT_THAT(List(), FailsWith(StatusCode::kInvalidArgument, "LIST_TOO_LARGE"));
}

TEST_F(SecretRoutesTest, PagesWithoutEndAreGivenUp) {
  pages_ = {Page(0, "again")};
  EXPECT_THAT(List(), FailsWith(StatusCode::kInvalidArgument, "LIST_TOO_LARGE"));
}

TEST_F(SecretRoutesTest, ListErrorsHaveTheQuerysNames) {
  list_status_ = InvalidFields("INVALID_PAGE_TOKEN", {{"page_token", "is of another listing"}});
  EXPECT_EQ(List().status().message(), "after: is of another listing");
}

TEST_F(SecretRoutesTest, GenerationsAreNamedWithTheirKeys) {
  api_.On<v1::ListGenerationsRequest, v1::ListGenerationsResponse>(kListGenerations, [](const auto& call) {
    EXPECT_EQ(call.secret_set(), "app");
    v1::ListGenerationsResponse kept;
    v1::Generation& generation = *kept.add_generations();
    generation.set_generation(2);
    generation.add_keys("A");
    generation.set_author("apiKey:1");
    generation.mutable_create_time()->set_seconds(1795395723);
    kept.add_generations()->set_generation(1);
    return kept;
  });
  EXPECT_EQ(
      RunTask(ListGenerations(request_, api_))->body,
      R"({"generations":[{"generation":2,"keys":["A"],"createdAt":"2026-11-23T01:02:03.000Z","author":"apiKey:1"},)"
      R"({"generation":1,"keys":[],"createdAt":"1970-01-01T00:00:00.000Z","author":""}]})");
}

}  // namespace
}  // namespace keyferry::gateway
