// Unset, rollback, generations, delete and request ids of secret sets.
#include <gtest/gtest.h>

#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/keys.h"
#include "services/api/requests.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SetEditsTest : public testing::Test {
 protected:
  std::vector<int64_t> Generations(const std::string& set) {
    std::vector<int64_t> numbers;
    const auto generations = ListGenerations(*scene_.deps, "acme", set);
    for (const Generation& generation : *generations) numbers.push_back(generation.number);
    return numbers;
  }
  size_t RowsOf(Family family) {
    size_t count = 0;
    for (const KeyedRow& row : scene_.RawRows()) count += row.key.family == family ? 1 : 0;
    return count;
  }

  ApiScene scene_;
};

TEST_F(SetEditsTest, UnsetRemovesOneKeyAndItsDataKey) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  ASSERT_THAT(scene_.Set("app", {{"B", "2"}}), IsOk());
  const auto answer = scene_.Unset(scene_.Write("app"), "A");
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->view.set.generation, 3);
  EXPECT_EQ(answer->view.status.readiness, Readiness::kPending);
  EXPECT_EQ(scene_.Open("app"), (Opened{{"B", "2"}}));
}

TEST_F(SetEditsTest, UnsettingTheLastKeyLeavesAnEmptySetThatCanBeFilledAgain) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  ASSERT_THAT(scene_.Unset(scene_.Write("app"), "A"), IsOk());
  EXPECT_THAT(scene_.Open("app"), IsEmpty());
  EXPECT_THAT(scene_.Set("app", {{"B", "2"}}), IsOk());
  EXPECT_EQ(scene_.Open("app"), (Opened{{"B", "2"}}));
}

TEST_F(SetEditsTest, UnsetRefusesWhatIsNotThere) {
  EXPECT_THAT(scene_.Unset(scene_.Write("app"), "A"), FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  EXPECT_THAT(scene_.Unset(scene_.Write("app"), "B"), FailsWith(StatusCode::kNotFound, "SECRET_NOT_FOUND"));
  EXPECT_THAT(scene_.Unset(scene_.Write("app"), "A B"), FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_KEY"));
  ASSERT_THAT(scene_.SetPull(scene_.Write("hub"), "ghcr.io", "user:token"), IsOk());
  EXPECT_THAT(scene_.Unset(scene_.Write("hub"), "auth"),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_TYPE"));
}

TEST_F(SetEditsTest, RollbackMakesANewGenerationWithTheValuesOfAnOlderOne) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}, {"B", "2"}}), IsOk());
  ASSERT_THAT(scene_.Set("app", {{"A", "changed"}}), IsOk());
  ASSERT_THAT(scene_.Unset(scene_.Write("app"), "B"), IsOk());
  const auto answer = scene_.Rollback(scene_.Write("app"), 1);
  ASSERT_THAT(answer, IsOk());
  EXPECT_TRUE(answer->changed);
  EXPECT_EQ(answer->view.set.generation, 4);
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "1"}, {"B", "2"}}));
  ASSERT_THAT(scene_.Set("app", {{"C", "3"}}), IsOk());
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "1"}, {"B", "2"}, {"C", "3"}}));
}

TEST_F(SetEditsTest, RollbackWorksWhereOnlyTheRegionCanOpenTheValues) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}, "dark"), IsOk());
  ASSERT_THAT(scene_.Set("app", {{"A", "2"}}), IsOk());
  ASSERT_THAT(scene_.Rollback(scene_.Write("app"), 1), IsOk());
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "1"}}));
}

TEST_F(SetEditsTest, RollbackOfAnImagePullSecretBringsItsHostBackToo) {
  ASSERT_THAT(scene_.SetPull(scene_.Write("hub"), "ghcr.io", "user:one"), IsOk());
  ASSERT_THAT(scene_.SetPull(scene_.Write("hub"), "quay.io", "user:two"), IsOk());
  ASSERT_THAT(scene_.Rollback(scene_.Write("hub"), 1), IsOk());
  EXPECT_EQ(scene_.Get("hub")->set.host, "ghcr.io/");
}

TEST_F(SetEditsTest, RollbackToWhatTheSetHoldsIsNoChange) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  EXPECT_FALSE(scene_.Rollback(scene_.Write("app"), 1)->changed);
  ASSERT_THAT(scene_.Set("app", {{"A", "2"}}), IsOk());
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  EXPECT_FALSE(scene_.Rollback(scene_.Write("app"), 1)->changed);
}

TEST_F(SetEditsTest, TheLastTenGenerationsAreKeptAndNoMore) {
  for (int i = 1; i <= kMaxGenerationsKept + 1; ++i) ASSERT_THAT(scene_.Set("app", {{"A", std::to_string(i)}}), IsOk());
  EXPECT_THAT(Generations("app"), ElementsAre(11, 10, 9, 8, 7, 6, 5, 4, 3, 2));
  EXPECT_EQ(RowsOf(Family::kGenerations), kMaxGenerationsKept);
  const auto refused = scene_.Rollback(scene_.Write("app"), 1);
  EXPECT_THAT(refused, FailsWith(StatusCode::kNotFound, "GENERATION_NOT_FOUND"));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("2 to 11"));
  EXPECT_THAT(scene_.Rollback(scene_.Write("app"), 2), IsOk());
  EXPECT_THAT(scene_.Rollback(scene_.Write("app"), -1), FailsWith(StatusCode::kNotFound, "GENERATION_NOT_FOUND"));
}

TEST_F(SetEditsTest, DeleteRemovesTheSetItsGenerationsAndFreesTheNameAtOnce) {
  for (int i = 0; i < 12; ++i) ASSERT_THAT(scene_.Set("app", {{"A", std::to_string(i)}}), IsOk());
  const std::string uid = scene_.Get("app")->set.uid;
  ASSERT_THAT(scene_.Delete(scene_.Write("app")), IsOk());
  EXPECT_THAT(scene_.Get("app"), FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  EXPECT_EQ(RowsOf(Family::kGenerations), 0);
  const auto desired = scene_.barrier->store().Get(keys::Desired("us-west", SetObject("app")));
  EXPECT_EQ(Decode<DesiredState>((*desired)->value)->operation, Operation::kDelete);
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}, "us-east"), IsOk());
  EXPECT_NE(scene_.Get("app")->set.uid, uid);
  EXPECT_EQ(scene_.Get("app")->set.generation, 1);
  EXPECT_EQ(scene_.Get("app")->status.readiness, Readiness::kPending);
}

TEST_F(SetEditsTest, AnAckOfADeletedSetDoesNotMakeItsSuccessorReady) {
  scene_.SetReady("app", {{"A", "1"}});
  ASSERT_THAT(scene_.Delete(scene_.Write("app")), IsOk());
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  EXPECT_EQ(scene_.Get("app")->status.readiness, Readiness::kPending);
  EXPECT_EQ(scene_.Get("app")->status.ready_generation, 0);
}

TEST_F(SetEditsTest, DeleteOfNothingAndWithAnOldEtagIsRefused) {
  EXPECT_THAT(scene_.Delete(scene_.Write("app")), FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  const auto first = scene_.Set("app", {{"A", "1"}});
  ASSERT_THAT(scene_.Set("app", {{"A", "2"}}), IsOk());
  EXPECT_THAT(scene_.Delete(scene_.Write("app", {.etag = first->view.set.Etag()})),
              FailsWith(StatusCode::kAborted, "ETAG_MISMATCH"));
  EXPECT_THAT(scene_.Delete(scene_.Write("app", {.validate_only = true})), IsOk());
  EXPECT_THAT(scene_.Get("app"), IsOk());
}

TEST_F(SetEditsTest, DeleteIsRefusedWhileDeploymentsBindTheSetAndForceOverrides) {
  scene_.SetReady("app", {{"A", "1"}});
  ASSERT_THAT(scene_.SetPull(scene_.Write("hub"), "ghcr.io", "user:token"), IsOk());
  ASSERT_TRUE(scene_.Ack("hub"));
  ASSERT_THAT(scene_.Deploy({.agent = "bot", .secret_set = "app", .image_pull_secret = "hub"}), IsOk());
  ASSERT_THAT(scene_.Deploy({.agent = "ant", .secret_set = "app"}), IsOk());
  const absl::Status refused = scene_.Delete(scene_.Write("app"));
  EXPECT_THAT(refused, FailsWith(StatusCode::kAborted, "SECRET_SET_IN_USE"));
  EXPECT_THAT(DetailsOf(refused)->blockers, ElementsAre("ant", "bot"));
  EXPECT_THAT(scene_.Delete(scene_.Write("hub")), FailsWith(StatusCode::kAborted, "SECRET_SET_IN_USE"));
  EXPECT_THAT(scene_.Delete(scene_.Write("app"), /*force=*/true), IsOk());
  EXPECT_EQ(scene_.OpenDeployment("ant"), (Opened{{"A", "1"}}));
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  EXPECT_THAT(scene_.Delete(scene_.Write("app")), IsOk());
}

TEST_F(SetEditsTest, ASetThatNoDeploymentBindsAnyMoreCanBeDeleted) {
  scene_.SetReady("app", {{"A", "1"}});
  scene_.SetReady("app2", {{"A", "1"}});
  ASSERT_THAT(scene_.Deploy({.agent = "ant", .secret_set = "app"}), IsOk());
  ASSERT_THAT(scene_.Deploy({.agent = "bot", .secret_set = "app"}), IsOk());
  ASSERT_THAT(scene_.Deploy({.agent = "ant", .secret_set = "app2"}, IfExists::kRequire), IsOk());
  ASSERT_THAT(scene_.DeleteDeployment("bot"), IsOk());
  EXPECT_THAT(scene_.Delete(scene_.Write("app")), IsOk());
  EXPECT_THAT(scene_.Delete(scene_.Write("app2")), FailsWith(StatusCode::kAborted, "SECRET_SET_IN_USE"));
}

class RequestIdTest : public SetEditsTest {
 protected:
  SetWrite Write(const std::string& set) { return scene_.Write(set, {.request_id = "request-1"}); }
};

TEST_F(RequestIdTest, TheSameRequestAgainGetsTheFirstAnswerAndWritesNothing) {
  const auto first = scene_.Set(Write("app"), {{"A", "1"}});
  ASSERT_THAT(scene_.Set("app", {{"A", "2"}}), IsOk());
  const auto again = scene_.Set(Write("app"), {{"A", "1"}});
  ASSERT_THAT(again, IsOk());
  EXPECT_TRUE(again->changed);
  EXPECT_EQ(again->view.set.generation, 1);
  EXPECT_EQ(again->view.set.Etag(), first->view.set.Etag());
  EXPECT_EQ(again->view.set.name, "app");
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "2"}}));
}

TEST_F(RequestIdTest, OtherContentUnderTheSameIdIsRefused) {
  ASSERT_THAT(scene_.Set(Write("app"), {{"A", "1"}}), IsOk());
  const auto reused = FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED");
  EXPECT_THAT(scene_.Set(Write("app"), {{"A", "2"}}), reused);
  EXPECT_THAT(scene_.Set(Write("app"), {{"B", "1"}}), reused);
  EXPECT_THAT(scene_.Set(Write("app2"), {{"A", "1"}}), reused);
  EXPECT_THAT(scene_.Set(Write("app"), {{"A", "1"}}, SetMode::kReplaceAll), reused);
  EXPECT_THAT(scene_.Set(Write("app"), {{"A", "1"}}, SetMode::kMerge, "us-west"), reused);
  EXPECT_THAT(scene_.Unset(Write("app"), "A"), reused);
  EXPECT_THAT(scene_.Delete(Write("app")), reused);
}

TEST_F(RequestIdTest, EveryKindOfWriteIsDoneOnce) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}, {"B", "1"}}), IsOk());
  ASSERT_THAT(scene_.Set("app", {{"A", "2"}}), IsOk());
  for (int i = 0; i < 2; ++i) ASSERT_THAT(scene_.Unset(scene_.Write("app", {.request_id = "unset"}), "B"), IsOk());
  for (int i = 0; i < 2; ++i) ASSERT_THAT(scene_.Rollback(scene_.Write("app", {.request_id = "rollback"}), 1), IsOk());
  EXPECT_EQ(scene_.Get("app")->set.generation, 4);
  for (int i = 0; i < 2; ++i)
    ASSERT_THAT(scene_.SetPull(scene_.Write("hub", {.request_id = "pull"}), "ghcr.io", "user:token"), IsOk());
  for (int i = 0; i < 2; ++i) ASSERT_THAT(scene_.Delete(scene_.Write("app", {.request_id = "delete"})), IsOk());
}

TEST_F(RequestIdTest, AnIdIsForgottenAfterTwentyFourHours) {
  ASSERT_THAT(scene_.Set(Write("app"), {{"A", "1"}}), IsOk());
  scene_.clock.Advance(kRequestIdLifetime - absl::Nanoseconds(1));
  EXPECT_THAT(scene_.Set(Write("app"), {{"A", "2"}}), FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
  scene_.clock.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(scene_.Set(Write("app"), {{"A", "2"}}), IsOk());
}

TEST_F(RequestIdTest, IdsOfOneOrganizationAreNotThoseOfAnother) {
  scene_.AddOrganization("other");
  ASSERT_THAT(scene_.Set(Write("app"), {{"A", "1"}}), IsOk());
  SetWrite foreign = Write("app");
  foreign.organization = "other";
  EXPECT_THAT(scene_.Set(foreign, {{"A", "2"}}), IsOk());
}

TEST_F(RequestIdTest, InABlindRegionTheDigestCoversTheSizesOfTheValuesAlone) {
  ASSERT_THAT(scene_.Set(Write("app"), {{"A", "one"}}, SetMode::kMerge, "dark"), IsOk());
  EXPECT_THAT(scene_.Set(Write("app"), {{"A", "two"}}, SetMode::kMerge, "dark"), IsOk());
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "one"}}));
  EXPECT_THAT(scene_.Set(Write("app"), {{"A", "longer"}}, SetMode::kMerge, "dark"),
              FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
}

TEST_F(RequestIdTest, TheSweepErasesWhatIsPastItsLifetimeAndNothingElse) {
  for (int i = 0; i < 300; ++i)
    ASSERT_THAT(scene_.Set(scene_.Write("app", {.request_id = "old-" + std::to_string(i)}), {{"A", "1"}}), IsOk());
  scene_.clock.Advance(kRequestIdLifetime);
  ASSERT_THAT(scene_.Set(Write("app"), {{"A", "2"}}), IsOk());
  RowKey begin{.family = Family::kRequests};
  int steps = 0;
  do {
    const auto next = Await<absl::StatusOr<RowKey>>([&](std::function<void(absl::StatusOr<RowKey>)> done) {
      SweepRequests(scene_.deps->writer, begin, scene_.clock.Now(), std::move(done));
    });
    ASSERT_THAT(next, IsOk());
    begin = *next;
    ++steps;
  } while (!begin.bytes.empty());
  EXPECT_EQ(steps, 2);
  EXPECT_EQ(RowsOf(Family::kRequests), 1);
  EXPECT_THAT(scene_.Set(Write("app"), {{"A", "3"}}), FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
}

TEST(SplitPartsTest, GivesBackWhatWasJoinedAndRefusesAnythingElse) {
  EXPECT_THAT(*SplitParts(JoinParts({"a", "", std::string("b\0c", 3)})), ElementsAre("a", "", std::string("b\0c", 3)));
  EXPECT_THAT(*SplitParts(""), IsEmpty());
  EXPECT_FALSE(SplitParts("abc"));
  EXPECT_FALSE(SplitParts(JoinParts({"abc"}).substr(0, 6)));
}

}  // namespace
}  // namespace keyferry
