#include "services/api/quotas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/keys.h"
#include "services/api/deployments.h"
#include "services/api/secret_sets.h"
#include "services/api/testing/edge_scene.h"

namespace keyferry {
namespace {

using absl::StatusCode;

class QuotasTest : public testing::Test {
 protected:
  QuotasTest() {
    EXPECT_THAT(scene_.MakeOrganization("acme"), IsOk());
    PutRegion();
  }

  void PutRegion() {
    Commit commit{.term = scene_.term,
                  .mutations = {{.key = keys::Region("us-west"),
                                 .value = Encode(RegionRow{.sealing_key = RegionKey::Generate().public_key(),
                                                           .create_time = scene_.clock.Now()})}}};
    ASSERT_THAT(CommitAndWait(scene_.barrier->store(), std::move(commit)), IsOk());
  }

  absl::Status Set(const std::string& name, const WriteConditions& conditions = {}) {
    absl::BlockingCounter answered(1);
    absl::Status status;
    std::vector<SecretValue> values;
    values.push_back({.key = "A", .value = SecretBytes::Copy("1")});
    sets_.Set({.organization = "acme", .name = name, .author = "test", .conditions = conditions}, "us-west",
              SetMode::kMerge, std::move(values), [&](const absl::StatusOr<SetWriteAnswer>& answer) {
                status = answer.status();
                answered.DecrementCount();
              });
    answered.Wait();
    return status;
  }
  absl::Status Delete(const std::string& name, const WriteConditions& conditions = {}) {
    absl::BlockingCounter answered(1);
    absl::Status status;
    sets_.Delete({.organization = "acme", .name = name, .author = "test", .conditions = conditions}, false,
                 [&](const absl::Status& answer) {
                   status = answer;
                   answered.DecrementCount();
                 });
    answered.Wait();
    return status;
  }
  absl::Status Deploy(const std::string& agent) {
    absl::BlockingCounter answered(1);
    absl::Status status;
    deployments_.Deploy({.wanted = {.organization = "acme", .agent = agent, .region = "us-west", .image = "i"}},
                        [&](const absl::StatusOr<DeploymentView>& answer) {
                          status = answer.status();
                          answered.DecrementCount();
                        });
    answered.Wait();
    return status;
  }
  int64_t Count(QuotaKind kind = QuotaKind::kSecretSets) { return *scene_.quotas->CountOf("acme", kind); }

  EdgeScene scene_;
  SecretSets sets_{*scene_.deps};
  Deployments deployments_{*scene_.deps};
};

TEST_F(QuotasTest, AnOrganizationHasAsManySetsAsItMayAndNotOneMore) {
  ASSERT_THAT(scene_.UpdateQuota("acme", {.max_secret_sets = 3}), IsOk());
  for (int i = 0; i < 3; ++i) ASSERT_THAT(Set(absl::StrCat("set", i)), IsOk());
  const absl::Status refused = Set("set3");
  EXPECT_THAT(refused, FailsWith(StatusCode::kResourceExhausted, "QUOTA_EXCEEDED"));
  const ErrorDetails details = *DetailsOf(refused);
  EXPECT_EQ(details.metadata.at("quota"), "max_secret_sets");
  EXPECT_EQ(details.metadata.at("limit"), "3");
  EXPECT_EQ(details.metadata.at("used"), "3");
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("keyferry --organization acme orgs quota set"));
  EXPECT_THAT(Set("set1", {}), IsOk());
  ASSERT_THAT(Delete("set0"), IsOk());
  EXPECT_THAT(Set("set3"), IsOk());
  EXPECT_EQ(Count(), 3);
}

TEST_F(QuotasTest, WhatIsOnlyTriedOrRefusedCountsNothing) {
  ASSERT_THAT(Set("app"), IsOk());
  EXPECT_THAT(Set("tried", {.validate_only = true}), IsOk());
  EXPECT_THAT(Delete("app", {.validate_only = true}), IsOk());
  EXPECT_THAT(Set("app", {.etag = "stale"}), FailsWith(StatusCode::kAborted, "ETAG_MISMATCH"));
  EXPECT_THAT(Delete("ghost"), FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  EXPECT_EQ(Count(), 1);
}

TEST_F(QuotasTest, ARequestThatComesAgainIsCountedOnce) {
  for (int i = 0; i < 2; ++i) ASSERT_THAT(Set("app", {.request_id = "r1"}), IsOk());
  EXPECT_EQ(Count(), 1);
  for (int i = 0; i < 2; ++i) ASSERT_THAT(Delete("app", {.request_id = "r2"}), IsOk());
  EXPECT_EQ(Count(), 0);
}

TEST_F(QuotasTest, AfterARestartItIsCountedFromTheStore) {
  for (int i = 0; i < 5; ++i) ASSERT_THAT(Set(absl::StrCat("set", i)), IsOk());
  EXPECT_EQ(Quotas::Create(scene_.barrier->store())->CountOf("acme", QuotaKind::kSecretSets).value_or(-1), 5);
}

TEST_F(QuotasTest, ADeleteBeforeTheFirstCountIsNotCountedTwice) {
  for (int i = 0; i < 3; ++i) ASSERT_THAT(Set(absl::StrCat("set", i)), IsOk());
  const auto fresh = Quotas::Create(scene_.barrier->store());
  UseCaseDeps deps = *scene_.deps;
  deps.quotas = fresh.get();
  absl::BlockingCounter answered(1);
  SecretSets(deps).Delete({.organization = "acme", .name = "set0", .author = "test"}, false,
                          [&](const absl::Status&) { answered.DecrementCount(); });
  answered.Wait();
  EXPECT_EQ(fresh->CountOf("acme", QuotaKind::kSecretSets).value_or(-1), 2);
}

// Creates and deletes of the same few names at once; the count is what the store holds at the end.
TEST_F(QuotasTest, ManyWritersAtOnceLeaveAnExactCountAndNeverPassTheLimit) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 60;
  ASSERT_THAT(scene_.UpdateQuota("acme", {.max_secret_sets = 5}), IsOk());
  std::atomic<bool> passed = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        const std::string name = absl::StrCat("set", (t + i) % 8);
        (void)(i % 3 == 2 ? Delete(name) : Set(name));
        if (Count() > 5) passed = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(passed);
  EXPECT_EQ(Count(), Quotas::Create(scene_.barrier->store())->CountOf("acme", QuotaKind::kSecretSets).value_or(-1));
}

// Who is told goes on reading, and the store's thread answers everybody's commits.
TEST_F(QuotasTest, WhoIsToldOfAChangedQuotaHoldsNoCommitUp) {
  const auto told = std::make_shared<absl::Notification>(), go = std::make_shared<absl::Notification>();
  const auto committed = std::make_shared<absl::Notification>();
  scene_.organizations->UpdateQuota("acme", {.max_secret_sets = 7}, [told, go](const absl::StatusOr<OrganizationQuota>&) {
    told->Notify();
    go->WaitForNotification();
  });
  told->WaitForNotification();
  Commit commit{.term = scene_.term, .mutations = {{.key = keys::Region("us-east"), .value = Encode(RegionRow{})}}};
  scene_.barrier->store().CommitAsync(std::move(commit), [committed](const absl::StatusOr<Revision>&) { committed->Notify(); });
  EXPECT_TRUE(committed->WaitForNotificationWithTimeout(absl::Seconds(5)));
  go->Notify();
}

TEST_F(QuotasTest, DeploymentsAreCountedToo) {
  ASSERT_THAT(scene_.UpdateQuota("acme", {.max_deployments = 1}), IsOk());
  ASSERT_THAT(Deploy("bot"), IsOk());
  EXPECT_THAT(Deploy("other"), FailsWith(StatusCode::kResourceExhausted, "QUOTA_EXCEEDED"));
  absl::BlockingCounter answered(1);
  deployments_.Delete("acme", "bot", {}, [&](const absl::Status&) { answered.DecrementCount(); });
  answered.Wait();
  EXPECT_EQ(Count(QuotaKind::kDeployments), 0);
  EXPECT_THAT(Deploy("other"), IsOk());
}

TEST_F(QuotasTest, ALimitBelowWhatIsUsedTakesNothingAway) {
  for (int i = 0; i < 3; ++i) ASSERT_THAT(Set(absl::StrCat("set", i)), IsOk());
  ASSERT_THAT(scene_.UpdateQuota("acme", {.max_secret_sets = 1}), IsOk());
  EXPECT_EQ(Count(), 3);
  ASSERT_THAT(Delete("set0"), IsOk());
  EXPECT_THAT(Set("set0"), FailsWith(StatusCode::kResourceExhausted, "QUOTA_EXCEEDED"));
}

TEST_F(QuotasTest, ZeroGoesBackToTheDefault) {
  ASSERT_THAT(scene_.UpdateQuota("acme", {.max_secret_sets = 1, .max_deployments = 2, .max_api_keys = 3}), IsOk());
  const auto quota = scene_.UpdateQuota("acme", {.max_secret_sets = 0, .max_api_keys = 0});
  ASSERT_THAT(quota, IsOk());
  EXPECT_EQ(quota->max_secret_sets, kDefaultMaxSecretSets);
  EXPECT_EQ(quota->max_deployments, 2);
  EXPECT_EQ(quota->max_api_keys, kDefaultMaxApiKeys);
}

TEST_F(QuotasTest, RefusesWhatIsNoQuota) {
  for (const QuotaChange& change :
       {QuotaChange{}, QuotaChange{.max_secret_sets = -1}, QuotaChange{.max_calls_per_second = kMaxQuota + 1}}) {
    EXPECT_THAT(scene_.UpdateQuota("acme", change), FailsWith(StatusCode::kInvalidArgument, "INVALID_QUOTA"));
  }
  EXPECT_THAT(scene_.UpdateQuota("acme", {.max_deployments = kMaxQuota}), IsOk());
  EXPECT_THAT(scene_.UpdateQuota("ghost", {.max_deployments = 1}),
              FailsWith(StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND"));
}

TEST_F(QuotasTest, AnOrganizationsOwnLimitOfApiKeysCounts) {
  ASSERT_THAT(scene_.UpdateQuota("acme", {.max_api_keys = 2}), IsOk());
  for (int i = 0; i < 2; ++i) ASSERT_THAT(scene_.MakeApiKey("acme", Role::kViewer), IsOk());
  EXPECT_THAT(scene_.MakeApiKey("acme", Role::kViewer), FailsWith(StatusCode::kResourceExhausted, "QUOTA_EXCEEDED"));
}

}  // namespace
}  // namespace keyferry
