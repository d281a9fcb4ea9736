#include "services/api/deployment_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "libs/common/testing/status_matchers.h"
#include "libs/storage/keys.h"
#include "services/api/deployment_rows.h"
#include "services/api/quotas.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {
namespace {

using testing::Optional;

class DeploymentMemoryTest : public testing::Test {
 protected:
  DeploymentMemoryTest() { scene_.SetReady("app", {{"A", "1"}}); }

  static Deployment Wanted(const std::string& agent = "bot") { return {.organization = "acme", .agent = agent, .secret_set = "app"}; }
  static DeployRequest Question(Deployment wanted = Wanted()) {
    return {.wanted = std::move(wanted), .if_exists = IfExists::kUpdate, .conditions = {.validate_only = true}};
  }
  absl::StatusOr<DeploymentView> Ask(const DeployRequest& request = Question()) {
    return scene_.Deploy(request.wanted, request.if_exists, request.conditions);
  }
  std::optional<DeploymentView> FromMemory(const DeployRequest& request = Question()) {
    const auto shared = scene_.deployments->DeployFromMemory(request);
    if (shared == nullptr) return std::nullopt;
    return shared->view();
  }
  bool Remembers(const DeployRequest& request = Question()) { return FromMemory(request).has_value(); }
  // Bells ring after the answer; the one of a later commit rings after them.
  void WaitForBells() {
    for (int i = 0; i < 2; ++i) ASSERT_THAT(scene_.Set("bell", {{"A", std::to_string(++bell_)}}), IsOk());
  }
  void ChangeOrganization() {
    ASSERT_THAT(scene_.Commit([](Transaction& transaction) -> absl::Status {
      ASSIGN_OR_RETURN(auto row, transaction.Get<OrganizationRow>(keys::Organization("acme")));
      transaction.Put(keys::Organization("acme"), Encode(row->value));
      return absl::OkStatus();
    }),
                IsOk());
  }

  ApiScene scene_;
  int bell_ = 0;
};

TEST_F(DeploymentMemoryTest, AnAnswerIsGivenAgainAsItWas) {
  EXPECT_FALSE(Remembers());
  const auto asked = Ask();
  ASSERT_THAT(asked, IsOk());
  const auto again = FromMemory();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->deployment.agent, "bot");
  EXPECT_EQ(again->deployment.region, "us-west");
  EXPECT_EQ(again->deployment.secret_set_generation, 1);
  EXPECT_EQ(again->deployment.keys, asked->deployment.keys);
  EXPECT_EQ(again->deployment.create_time, asked->deployment.create_time);
}

TEST_F(DeploymentMemoryTest, TimesAreThoseOfTheAnswer) {
  ASSERT_THAT(Ask(), IsOk());
  scene_.clock.Advance(absl::Minutes(1));
  const auto again = FromMemory();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->deployment.create_time, scene_.clock.Now());
  EXPECT_EQ(again->deployment.update_time, scene_.clock.Now());
  EXPECT_EQ(again->status.last_transition_time, scene_.clock.Now());
}

TEST_F(DeploymentMemoryTest, AnAnswerIsSharedForAWhile) {
  ASSERT_THAT(Ask(), IsOk());
  const auto first = scene_.deployments->DeployFromMemory(Question());
  scene_.clock.Advance(kMaxSharedAge);
  EXPECT_EQ(scene_.deployments->DeployFromMemory(Question()), first);
  scene_.clock.Advance(absl::Nanoseconds(1));
  EXPECT_NE(scene_.deployments->DeployFromMemory(Question()), first);
  int made_count = 0;
  const auto make = [&](const DeploymentView& view) {
    ++made_count;
    return std::make_shared<const std::string>(view.deployment.agent);
  };
  EXPECT_EQ(*first->ShownBy<std::string>(make), "bot");
  EXPECT_EQ(first->ShownBy<std::string>(make), first->ShownBy<std::string>(make));
  EXPECT_EQ(made_count, 1);
}

TEST_F(DeploymentMemoryTest, AnAgentThatExistsKeepsItsTimeAndItsProvedGeneration) {
  ASSERT_THAT(scene_.Deploy(Wanted()), IsOk());
  const absl::Time made = scene_.clock.Now();
  scene_.clock.Advance(absl::Minutes(1));
  ASSERT_THAT(Ask(), IsOk());
  EXPECT_EQ(FromMemory()->deployment.create_time, made);
  EXPECT_EQ(FromMemory()->status.ready_generation, 0);
  ASSERT_TRUE(scene_.Ack("us-west", AgentObject("bot")));
  EXPECT_FALSE(Remembers()) << "its placement is a row of the answer";
  ASSERT_THAT(Ask(), IsOk());
  EXPECT_EQ(FromMemory()->status.ready_generation, 1);
}

TEST_F(DeploymentMemoryTest, ANewerGenerationEndsItBeforeAndAfterItsProof) {
  ASSERT_THAT(Ask(), IsOk());
  ASSERT_THAT(scene_.Set("app", {{"A", "2"}}), IsOk());
  EXPECT_FALSE(Remembers());
  EXPECT_THAT(Ask(), StatusIs(absl::StatusCode::kAborted));
  EXPECT_FALSE(Remembers()) << "a refusal is not remembered";
  ASSERT_TRUE(scene_.Ack("app"));
  EXPECT_FALSE(Remembers());
  ASSERT_THAT(Ask(), IsOk());
  EXPECT_EQ(FromMemory()->deployment.secret_set_generation, 2);
}

TEST_F(DeploymentMemoryTest, WhateverItRestsOnEndsIt) {
  const std::vector<std::pair<std::string, std::function<void()>>> changes = {
      {"the agent", [&] { ASSERT_THAT(scene_.Deploy(Wanted(), IfExists::kUpdate), IsOk()); }},
      {"the agent's end", [&] { ASSERT_THAT(scene_.DeleteDeployment("bot"), IsOk()); }},
      {"the set's end", [&] {
         ASSERT_THAT(scene_.Delete(scene_.Write("app")), IsOk());
         scene_.SetReady("app", {{"A", "1"}});
       }},
      {"the organization", [&] { ChangeOrganization(); }},
      {"a wiped region", [&] { scene_.WipeRegion("us-west"); }},
  };
  for (const auto& [what, change] : changes) {
    SCOPED_TRACE(what);
    ASSERT_THAT(Ask(), IsOk());
    ASSERT_TRUE(Remembers());
    change();
    EXPECT_FALSE(Remembers());
  }
}

TEST_F(DeploymentMemoryTest, ALaterLineageEndsIt) {
  ASSERT_THAT(Ask(), IsOk());
  ASSERT_TRUE(Remembers());
  scene_.term.lineage += 1;
  EXPECT_FALSE(Remembers());
}

TEST_F(DeploymentMemoryTest, AnotherQuestionIsAnotherAnswer) {
  ASSERT_THAT(Ask(), IsOk());
  std::vector<DeployRequest> others(11, Question());
  others[0].wanted.agent = "bob";
  others[1].wanted.region = "us-west";
  others[2].wanted.image = "i";
  others[3].wanted.secret_set = "";
  others[4].wanted.image_pull_secret = "app";
  others[5].wanted.client_data = "c";
  others[6].wanted.required_keys = {"A"};
  others[7].if_exists = IfExists::kRefuse;
  others[8].conditions.etag = "e";
  others[9].conditions.request_id = "request";
  others[10].conditions.validate_only = false;
  for (size_t i = 0; i < others.size(); ++i) EXPECT_FALSE(Remembers(others[i])) << i;
  others[0].wanted.organization = "other";
  EXPECT_FALSE(Remembers(others[0]));
}

TEST_F(DeploymentMemoryTest, AQuestionOfTheLengthLimitIsRememberedAndALongerOneIsNot) {
  DeployRequest request = Question();
  const auto remembers = [&](size_t client_data_bytes) {
    request.wanted.client_data = std::string(client_data_bytes, 'c');
    EXPECT_THAT(Ask(request), IsOk());
    return Remembers(request);
  };
  // Nine parts of a length of 4 bytes each, and what the others hold.
  const size_t rest = 9 * 4 + std::string("acme" "bot" "app").size() + 1;
  EXPECT_TRUE(remembers(kMaxDeploymentQuestionBytes - rest));
  EXPECT_FALSE(remembers(kMaxDeploymentQuestionBytes - rest + 1));
}

TEST_F(DeploymentMemoryTest, AnAnswerOfTheSizeLimitIsRememberedAndALargerOneIsNot) {
  const auto remembers = [&](size_t bytes) {
    DeploymentMemory memory(scene_.barrier->store());
    DeploymentMemory::Answer answer;
    answer.view.deployment.image.assign(bytes - WireBytesOf(answer.view), 'i');
    memory.Remember(Question(), std::move(answer));
    return memory.size() == 1;
  };
  EXPECT_TRUE(remembers(kMaxDeploymentAnswerBytes));
  EXPECT_FALSE(remembers(kMaxDeploymentAnswerBytes + 1));
}

TEST_F(DeploymentMemoryTest, WhatWasAskedForLongestAgoIsForgottenFirst) {
  DeploymentMemory memory(scene_.barrier->store());
  const auto question = [](size_t i) { return Question(Wanted("agent-" + std::to_string(i))); };
  for (size_t i = 0; i < kMaxDeploymentAnswers; ++i) memory.Remember(question(i), {});
  EXPECT_EQ(memory.size(), kMaxDeploymentAnswers);
  EXPECT_NE(memory.Find(question(0), 0), nullptr);
  memory.Remember(question(kMaxDeploymentAnswers), {});
  EXPECT_EQ(memory.size(), kMaxDeploymentAnswers);
  EXPECT_NE(memory.Find(question(0), 0), nullptr);
  EXPECT_EQ(memory.Find(question(1), 0), nullptr);
}

TEST_F(DeploymentMemoryTest, AnAbsentRowCountsAsLongAsItIsAbsent) {
  DeploymentMemory memory(scene_.barrier->store());
  const RowKey row = keys::SecretSet("acme", "later");
  memory.Remember(Question(), {.rows = {{.key = row, .revision = 0}}});
  EXPECT_NE(memory.Find(Question(), 0), nullptr);
  ASSERT_THAT(scene_.Set("later", {{"A", "1"}}), IsOk());
  EXPECT_EQ(memory.Find(Question(), 0), nullptr);
}

TEST_F(DeploymentMemoryTest, NothingStaysOfAnOrganizationWhoseRowChanged) {
  DeploymentMemory memory(scene_.barrier->store());
  const RowKey key = keys::Organization("acme");
  DeploymentMemory::Answer answer;
  answer.view.deployment = Wanted();
  answer.rows = {{.key = key, .revision = (*scene_.barrier->store().Get(key))->revision}};
  memory.Remember(Question(), answer);
  WaitForBells();
  EXPECT_EQ(memory.size(), 1u) << "other rows ring no such bell";
  ChangeOrganization();
  WaitForBells();
  EXPECT_EQ(memory.size(), 0u);
  memory.Remember(Question(), answer);
  EXPECT_EQ(memory.size(), 0u) << "a plan that began before comes too late";
}

TEST_F(DeploymentMemoryTest, AResealedRowIsTheSameRow) {
  ASSERT_THAT(Ask(), IsOk());
  ASSERT_THAT(scene_.barrier->AddKey("acme", scene_.term), IsOk());
  ASSERT_THAT(scene_.barrier->Reseal("acme", {}, 1000, scene_.term), IsOk());
  EXPECT_TRUE(Remembers());
}

TEST_F(DeploymentMemoryTest, AQuotaCountsAtEachAnswer) {
  const auto quotas = Quotas::Create(scene_.barrier->store());
  UseCaseDeps deps = *scene_.deps;
  deps.quotas = quotas.get();
  scene_.deployments = std::make_unique<Deployments>(deps);
  ASSERT_THAT(Ask(), IsOk());
  EXPECT_TRUE(Remembers());
  const int64_t before = *quotas->CountOf("acme", QuotaKind::kDeployments);
  for (int64_t i = before; i < kDefaultMaxDeployments - 1; ++i) ASSERT_THAT(quotas->Reserve("acme", QuotaKind::kDeployments, kDefaultMaxDeployments), IsOk());
  EXPECT_TRUE(Remembers()) << "there is room for one";
  ASSERT_THAT(quotas->Reserve("acme", QuotaKind::kDeployments, kDefaultMaxDeployments), IsOk());
  EXPECT_FALSE(Remembers());
  quotas->Forget("acme");
  EXPECT_FALSE(Remembers()) << "counting takes the disk";
}

TEST_F(DeploymentMemoryTest, AnAnswerTellsWhetherTheRegionIsConnectedNow) {
  std::atomic<bool> connected = true;
  UseCaseDeps deps = *scene_.deps;
  deps.region_connected = [&](const std::string&) { return connected.load(); };
  scene_.deployments = std::make_unique<Deployments>(deps);
  ASSERT_THAT(Ask(), IsOk());
  EXPECT_THAT(FromMemory()->region_connected, Optional(true));
  connected = false;
  EXPECT_THAT(FromMemory()->region_connected, Optional(false));
}

// Whoever asks after a commit was answered never gets an older generation.
TEST_F(DeploymentMemoryTest, NoAnswerIsOlderThanTheLastCommitBeforeTheQuestion) {
  std::atomic<int64_t> committed = 1;
  std::atomic<bool> done = false;
  std::atomic<int> remembered = 0;
  std::vector<std::thread> askers;
  for (int i = 0; i < 2; ++i) {
    askers.emplace_back([&] {
      while (!done) {
        const int64_t least = committed;
        std::optional<DeploymentView> view = FromMemory();
        if (view) ++remembered;
        if (!view) {
          const auto asked = Ask();
          if (asked.ok()) view = *asked;
        }
        if (!view) continue;
        EXPECT_GE(view->deployment.secret_set_generation, least);
      }
    });
  }
  for (int64_t generation = 2; generation <= 150; ++generation) {
    ASSERT_THAT(scene_.Set("app", {{"A", std::to_string(generation)}}), IsOk());
    committed = generation;
    ASSERT_TRUE(scene_.Ack("app"));
    while (remembered == 0) std::this_thread::yield();
    remembered = 0;
  }
  done = true;
  for (std::thread& asker : askers) asker.join();
}

}  // namespace
}  // namespace keyferry
