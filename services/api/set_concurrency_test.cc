// Many writers at once: nothing lost, nothing bound that was not proved.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {
namespace {

class Threads {
 public:
  template <typename Work>
  void Start(int count, Work work) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([work, i] { work(i); });
  }
  ~Threads() { Join(); }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::vector<std::thread> threads_;
};

TEST(SetConcurrencyTest, WritersOfOneSetLoseNoUpdate) {
  constexpr int kWriters = 6;
  constexpr int kWrites = 20;
  ApiScene scene;
  std::mutex mutex;
  Opened written;
  int accepted = 0;
  Threads threads;
  threads.Start(kWriters, [&](int writer) {
    for (int n = 0; n < kWrites; ++n) {
      const std::string key = "W" + std::to_string(writer) + "_" + std::to_string(n);
      const auto answer = scene.Set("app", {{key, "value of " + key}});
      if (!answer.ok()) {
        EXPECT_THAT(answer, FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
        continue;
      }
      const std::lock_guard lock(mutex);
      written[key] = "value of " + key;
      ++accepted;
    }
  });
  threads.Join();
  EXPECT_EQ(scene.Open("app"), written);
  EXPECT_EQ(scene.Get("app")->set.generation, accepted);
  EXPECT_GT(accepted, kWriters * kWrites / 2);
}

TEST(SetConcurrencyTest, APlanThatSawASetWithoutItsGenerationIsMadeAgain) {
  ApiScene scene;
  ASSERT_THAT(scene.Set("app", {{"A", "0"}}), IsOk());
  // The eleventh generation from here drops the one that the plan was about to read.
  scene.interrupting.BeforeNextGetOf(Family::kGenerations, [&] {
    for (int i = 1; i <= kMaxGenerationsKept; ++i) ASSERT_THAT(scene.Set("app", {{"A", std::to_string(i)}}), IsOk());
  });
  EXPECT_THAT(scene.Unset(scene.Write("app"), "A"), IsOk());
  EXPECT_EQ(scene.Get("app")->set.generation, kMaxGenerationsKept + 2);
}

TEST(SetConcurrencyTest, AWriterThatNeverGetsThroughIsToldWhichSetAndWhenToTryAgain) {
  ApiScene scene;
  int others = 0;
  std::function<void()> interfere = [&] {
    EXPECT_THAT(scene.Set("app", {{"B", std::to_string(++others)}}), IsOk());
    scene.interrupting.BeforeNextCommit(interfere);
  };
  for (const auto& write : std::vector<std::function<absl::Status()>>{
           [&] { return scene.Set("app", {{"A", "1"}}).status(); },
           [&] { return scene.Unset(scene.Write("app"), "B").status(); },
           [&] { return scene.Delete(scene.Write("app")); }}) {
    scene.interrupting.BeforeNextCommit(interfere);
    const absl::Status refused = write();
    scene.interrupting.BeforeNextCommit(nullptr);
    EXPECT_THAT(refused, FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
    EXPECT_THAT(refused.message(), testing::HasSubstr("secret set \"app\""));
    EXPECT_THAT(refused.message(), testing::HasSubstr("try again"));
    EXPECT_EQ(MetadataOf(refused, "secretSet"), "app");
    EXPECT_EQ(DetailsOf(refused)->retry_after, absl::Seconds(1));
  }
}

TEST(SetConcurrencyTest, OneRequestIdSentByManyAtOnceIsDoneOnce) {
  ApiScene scene;
  std::set<std::string> etags;
  std::mutex mutex;
  Threads threads;
  threads.Start(8, [&](int) {
    const auto answer = scene.Set(scene.Write("app", {.request_id = "r"}), {{"A", "1"}});
    ASSERT_THAT(answer, IsOk());
    const std::lock_guard lock(mutex);
    etags.insert(answer->view.set.Etag());
    EXPECT_TRUE(answer->changed);
  });
  threads.Join();
  EXPECT_EQ(etags.size(), 1);
  EXPECT_EQ(scene.Get("app")->set.generation, 1);
}

// The value of each generation is its number, so what a deployment holds tells which one it bound.
TEST(SetConcurrencyTest, TheGateNeverBindsAGenerationThatWasNotProved) {
  ApiScene scene;
  std::mutex mutex;
  std::set<int64_t> proved;
  std::atomic<bool> stop = false;
  int bound = 0;
  Threads threads;
  threads.Start(1, [&](int) {
    for (int n = 1; n <= 150; ++n) {
      if (const auto answer = scene.Set("app", {{"N", std::to_string(n)}, {"M", std::to_string(n)}}); !answer.ok()) --n;
      if (n % 3 == 0) std::this_thread::yield();
    }
    stop = true;
  });
  threads.Start(1, [&](int) {
    while (!stop) {
      int64_t generation = 0;
      const std::lock_guard lock(mutex);
      if (scene.Ack("us-west", SetObject("app"), &generation)) proved.insert(generation);
    }
  });
  threads.Start(2, [&](int deployer) {
    const std::string agent = "bot-" + std::to_string(deployer);
    while (!stop) {
      const auto view = scene.Deploy({.agent = agent, .secret_set = "app"}, IfExists::kUpdate);
      if (!view.ok()) continue;
      const Opened values = scene.OpenDeployment(agent);
      const std::lock_guard lock(mutex);
      EXPECT_TRUE(proved.contains(view->deployment.secret_set_generation)) << view->deployment.secret_set_generation;
      EXPECT_EQ(values.at("N"), std::to_string(view->deployment.secret_set_generation));
      EXPECT_EQ(values.at("M"), values.at("N"));
      ++bound;
    }
  });
  threads.Join();
  scene.Ack("us-west", SetObject("app"));
  EXPECT_THAT(scene.Deploy({.agent = "last", .secret_set = "app"}), IsOk());
  RecordProperty("bound", bound);
}

TEST(SetConcurrencyTest, ASetIsNeverDeletedUnderADeploymentThatIsJustBindingIt) {
  for (int round = 0; round < 40; ++round) {
    ApiScene scene;
    scene.SetReady("app", {{"A", "1"}});
    absl::Status deleted;
    absl::Status deployed;
    Threads threads;
    threads.Start(2, [&](int side) {
      if (side == 0) deleted = scene.Delete(scene.Write("app"));
      if (side == 1) deployed = scene.Deploy({.agent = "bot", .secret_set = "app"}).status();
    });
    threads.Join();
    EXPECT_NE(deleted.ok(), deployed.ok()) << deleted << " " << deployed;
  }
}

TEST(SetConcurrencyTest, AnUpdateBetweenTheGatesCheckAndItsCommitClosesTheGate) {
  ApiScene scene;
  scene.SetReady("app", {{"A", "1"}});
  scene.interrupting.BeforeNextCommit([&] { ASSERT_THAT(scene.Set("app", {{"A", "2"}}), IsOk()); });
  const auto deployed = scene.Deploy({.agent = "bot", .secret_set = "app"});
  EXPECT_THAT(deployed, FailsWith(absl::StatusCode::kAborted, "SECRET_SET_PENDING"));
}

TEST(SetConcurrencyTest, AWipedRegionBetweenTheGatesCheckAndItsCommitClosesTheGate) {
  ApiScene scene;
  scene.SetReady("app", {{"A", "1"}});
  scene.interrupting.BeforeNextCommit([&] { scene.WipeRegion("us-west"); });
  const auto deployed = scene.Deploy({.agent = "bot", .secret_set = "app"});
  EXPECT_THAT(deployed, FailsWith(absl::StatusCode::kAborted, "SECRET_SET_PENDING"));
}

TEST(SetConcurrencyTest, ADeleteBetweenTheGatesCheckAndItsCommitRefusesTheDeployment) {
  ApiScene scene;
  scene.SetReady("app", {{"A", "1"}});
  scene.interrupting.BeforeNextCommit([&] { ASSERT_THAT(scene.Delete(scene.Write("app")), IsOk()); });
  const auto deployed = scene.Deploy({.agent = "bot", .secret_set = "app"});
  EXPECT_THAT(deployed, FailsWith(absl::StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
}

TEST(SetConcurrencyTest, ADeploymentBetweenADeletesCheckAndItsCommitRefusesTheDelete) {
  ApiScene scene;
  scene.SetReady("app", {{"A", "1"}});
  scene.interrupting.BeforeNextCommit(
      [&] { ASSERT_THAT(scene.Deploy({.agent = "bot", .secret_set = "app"}), IsOk()); });
  const auto deleted = scene.Delete(scene.Write("app"));
  EXPECT_THAT(deleted, FailsWith(absl::StatusCode::kAborted, "SECRET_SET_IN_USE"));
}

TEST(SetConcurrencyTest, TwoFirstWritesOfOneNameBecomeOneSet) {
  ApiScene scene;
  scene.interrupting.BeforeNextCommit([&] { ASSERT_THAT(scene.Set("app", {{"A", "1"}}), IsOk()); });
  const auto second = scene.Set("app", {{"B", "2"}});
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(second->view.set.generation, 2);
  EXPECT_EQ(scene.Open("app"), (Opened{{"A", "1"}, {"B", "2"}}));
}

TEST(SetConcurrencyTest, AWriteBetweenMakesAnEtagStale) {
  ApiScene scene;
  const std::string etag = scene.Set("app", {{"A", "1"}})->view.set.Etag();
  scene.interrupting.BeforeNextCommit([&] { ASSERT_THAT(scene.Set("app", {{"A", "2"}}), IsOk()); });
  const auto late = scene.Set(scene.Write("app", {.etag = etag}), {{"A", "late"}});
  EXPECT_THAT(late, FailsWith(absl::StatusCode::kAborted, "ETAG_MISMATCH"));
  EXPECT_EQ(scene.Open("app"), (Opened{{"A", "2"}}));
}

}  // namespace
}  // namespace keyferry
