#include "services/api/region_reseal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "libs/crypto/reseal.h"
#include "libs/rpc/sealed_object_codec.h"
#include "services/api/placement_rows.h"
#include "services/api/region_reseal_job.h"
#include "services/api/testing/key_scene.h"

namespace keyferry {
namespace {

using testing::IsEmpty;

class RegionResealTest : public testing::Test {
 protected:
  ~RegionResealTest() override {
    stop_ = true;
    if (region_.joinable()) region_.join();
  }

  // A region that proves, again and again, whatever it shall hold.
  void ServeRegion(const std::string& region) {
    region_ = std::thread([this, region] {
      while (!stop_) {
        for (const ObjectId& object : ObjectsIn(region)) {
          const PlacementRows rows = *PeekPlacementRows(scene_.barrier->store(), region, object, scene_.term.lineage);
          if (rows.desired && (!rows.observed || rows.observed->revision != rows.desired->revision))
            scene_.Ack(region, object);
        }
        absl::SleepFor(absl::Milliseconds(2));
      }
    });
  }
  std::vector<ObjectId> ObjectsIn(const std::string& region) {
    const RowKey all = keys::DesiredIn(region);
    std::vector<ObjectId> objects;
    const auto rows = scene_.barrier->store().Scan(all, PrefixEnd(all.bytes), 10'000);
    for (const KeyedRow& row : *rows) objects.push_back(*keys::ObjectOf(row.key));
    return objects;
  }

  // Sealing keys that any box in the organization's rows is for.
  std::set<std::string> Recipients(const std::string& region) {
    std::set<std::string> recipients;
    const auto add = [&](const std::string& sealed_object) {
      const auto object = ParseSealedObject(sealed_object);
      for (const SealedDataKey& key : object->data_keys) recipients.emplace(RecipientOf(key.region_box));
    };
    std::map<std::string, std::string> region_of_set;
    for (const KeyedRow& row : scene_.Rows()) {
      if (row.row.value.empty()) continue;
      if (row.key.family == Family::kSets) {
        const SecretSet set = *Decode<SecretSet>(row.row.value);
        region_of_set[set.uid] = set.region;
      }
      if (row.key.family == Family::kDeployments) {
        const Deployment deployment = *Decode<Deployment>(row.row.value);
        if (deployment.region == region) add(deployment.sealed_object);
      }
    }
    for (const KeyedRow& row : scene_.Rows()) {
      if (row.key.family != Family::kGenerations) continue;
      for (const auto& [uid, of] : region_of_set) {
        if (of == region && row.key.bytes.find(uid) != std::string::npos)
          add(Decode<Generation>(row.row.value)->sealed_object);
      }
    }
    return recipients;
  }
  Deployment Agent(const std::string& agent, const std::string& set) {
    return {.organization = "acme", .agent = agent, .image = "image:1", .secret_set = set};
  }
  PlacementStatus StatusOf(const std::string& set) { return scene_.Get(set)->status; }

  KeyScene scene_;
  std::atomic<bool> stop_ = false;
  std::thread region_;
};

TEST_F(RegionResealTest, EverythingIsSealedToTheNewKeyAndNothingToTheOld) {
  scene_.SetReady("app", {{"A", "1"}, {"B", "2"}});
  scene_.SetReady("app", {{"A", "3"}});
  ASSERT_THAT(scene_.SetPull(scene_.Write("pull"), "registry.example", "dXNlcjp0b2tlbg=="), IsOk());
  ASSERT_TRUE(scene_.Ack("pull"));
  Deployment agent = Agent("bot", "app");
  agent.image_pull_secret = "pull";
  ASSERT_THAT(scene_.Deploy(agent), IsOk());
  const int64_t generation = scene_.Get("app")->set.generation;
  const std::string etag = scene_.Get("app")->set.Etag();
  ServeRegion("us-west");

  scene_.reseal->Start();
  scene_.ChangeSealingKey("us-west");
  ASSERT_TRUE(scene_.ResealEnds("us-west"));

  EXPECT_EQ(Recipients("us-west"), std::set<std::string>{scene_.region_keys.at("us-west").id()});
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "3"}, {"B", "2"}}));
  EXPECT_EQ(scene_.OpenDeployment("bot"),
            (Opened{{"A", "3"}, {"B", "2"}, {"pull registry.example/", "dXNlcjp0b2tlbg=="}}));
  EXPECT_EQ(scene_.Get("app")->set.generation, generation);
  EXPECT_EQ(scene_.Get("app")->set.Etag(), etag);
  EXPECT_FALSE(scene_.HasRow(keys::RegionRotation("us-west")));
  // An older generation can still be gone back to.
  ASSERT_THAT(scene_.Rollback(scene_.Write("app"), 1), IsOk());
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "1"}, {"B", "2"}}));
}

TEST_F(RegionResealTest, AnObjectIsPendingUntilTheRegionProvedTheNewBytes) {
  scene_.SetReady("app", {{"A", "1"}});
  scene_.ChangeSealingKey("us-west");
  scene_.reseal->Start();
  ASSERT_TRUE(Eventually([&] { return StatusOf("app").readiness == Readiness::kPending; }));
  EXPECT_THAT(scene_.Deploy(Agent("bot", "app")), FailsWith(absl::StatusCode::kAborted, "SECRET_SET_PENDING"));
  ASSERT_TRUE(scene_.Ack("app"));
  EXPECT_EQ(StatusOf("app").readiness, Readiness::kReady);
  EXPECT_TRUE(scene_.ResealEnds("us-west"));
}

TEST_F(RegionResealTest, OnlyOneStepIsPendingAtOnce) {
  constexpr int kSets = kResealObjectsPerStep + 5;
  for (int i = 0; i < kSets; ++i) scene_.SetReady(absl::StrCat("set-", i), {{"A", "1"}});
  const auto pending = [&] {
    int count = 0;
    for (int i = 0; i < kSets; ++i) count += StatusOf(absl::StrCat("set-", i)).readiness == Readiness::kPending;
    return count;
  };
  scene_.ChangeSealingKey("us-west");
  scene_.reseal->Start();
  ASSERT_TRUE(Eventually([&] { return pending() == kResealObjectsPerStep; }));
  absl::SleepFor(3 * kResealStepInterval);
  EXPECT_EQ(pending(), kResealObjectsPerStep);
  // A region that never proves them holds it up for no longer than this.
  scene_.clock.Advance(kResealPatience);
  EXPECT_TRUE(Eventually([&] { return pending() == kSets; }));
}

TEST_F(RegionResealTest, ARegionThatIsAwayIsLeftReady) {
  scene_.SetReady("app", {{"A", "1"}});
  scene_.connected = false;
  scene_.ChangeSealingKey("us-west");
  scene_.reseal->Start();
  ASSERT_TRUE(Eventually([&] { return scene_.reseal->Running().size() == 1; }));
  absl::SleepFor(3 * kResealStepInterval);
  EXPECT_EQ(StatusOf("app").readiness, Readiness::kReady);
  scene_.connected = true;
  ServeRegion("us-west");
  EXPECT_TRUE(scene_.ResealEnds("us-west"));
}

TEST_F(RegionResealTest, OtherRegionsAndOrganizationsKeepTheirBoxes) {
  scene_.SetReady("here", {{"A", "1"}});
  ASSERT_THAT(scene_.Set("there", {{"A", "2"}}, "us-east"), IsOk());
  const std::string digest = scene_.Get("there")->set.digest;
  ServeRegion("us-west");
  scene_.ChangeSealingKey("us-west");
  scene_.reseal->Start();
  ASSERT_TRUE(scene_.ResealEnds("us-west"));
  EXPECT_EQ(scene_.Get("there")->set.digest, digest);
  EXPECT_EQ(scene_.Open("there"), (Opened{{"A", "2"}}));
}

TEST_F(RegionResealTest, ABlindRegionIsBlockedUntilItsValuesAreWrittenAnew) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}, "dark"), IsOk());
  const std::string digest = scene_.Get("app")->set.digest;
  const std::string old_id = SealingKeyId(scene_.RowOf("dark").sealing_key);
  scene_.ChangeSealingKey("dark");
  scene_.reseal->Start();
  ASSERT_TRUE(Eventually([&] { return scene_.HasRow(keys::RegionRotation("dark")); }));
  ASSERT_EQ(scene_.reseal->Running().size(), 1);
  EXPECT_EQ(scene_.reseal->Running()[0].blocked_count, 1);
  EXPECT_EQ(scene_.RowOf("dark").previous_sealing_keys.size(), 1);
  EXPECT_EQ(Recipients("dark"), std::set<std::string>{old_id});
  EXPECT_EQ(scene_.Get("app")->set.digest, digest);

  ASSERT_THAT(scene_.Delete(scene_.Write("app")), IsOk());
  ASSERT_THAT(scene_.Set("app", {{"A", "2"}}, "dark"), IsOk());
  scene_.reseal->Begin("dark");
  ASSERT_TRUE(scene_.ResealEnds("dark"));
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "2"}}));
}

TEST_F(RegionResealTest, ADeploymentOutlivesItsSetAndIsSealedAgain) {
  scene_.SetReady("app", {{"A", "1"}});
  ASSERT_THAT(scene_.Deploy(Agent("bot", "app")), IsOk());
  ASSERT_THAT(scene_.Delete(scene_.Write("app"), /*force=*/true), IsOk());
  ServeRegion("us-west");
  scene_.ChangeSealingKey("us-west");
  scene_.reseal->Start();
  ASSERT_TRUE(scene_.ResealEnds("us-west"));
  EXPECT_EQ(scene_.OpenDeployment("bot"), (Opened{{"A", "1"}}));
}

// As they were written before escrow copies were kept with deployments.
TEST_F(RegionResealTest, ADeploymentWithoutEscrowCopiesTakesThoseOfItsSetsGenerations) {
  scene_.SetReady("app", {{"A", "1"}});
  ASSERT_THAT(scene_.Deploy(Agent("kept", "app")), IsOk());
  scene_.SetReady("gone", {{"A", "2"}});
  ASSERT_THAT(scene_.Deploy(Agent("lost", "gone")), IsOk());
  for (const std::string agent : {"kept", "lost"}) {
    ASSERT_THAT(scene_.Commit([&](Transaction& transaction) -> absl::Status {
      ASSIGN_OR_RETURN(auto row, transaction.Get<Deployment>(keys::Deployment("acme", agent)));
      EXPECT_FALSE(row->value.escrowed_keys.empty());
      row->value.escrowed_keys.clear();
      transaction.Put(keys::Deployment("acme", agent), Encode(row->value));
      return absl::OkStatus();
    }),
                IsOk());
  }
  ASSERT_THAT(scene_.Delete(scene_.Write("gone"), /*force=*/true), IsOk());
  ServeRegion("us-west");
  scene_.ChangeSealingKey("us-west");
  scene_.reseal->Start();
  ASSERT_TRUE(Eventually([&] { return scene_.HasRow(keys::RegionRotation("us-west")); }));
  EXPECT_EQ(scene_.OpenDeployment("kept"), (Opened{{"A", "1"}}));
  ASSERT_EQ(scene_.reseal->Running().size(), 1);
  EXPECT_EQ(scene_.reseal->Running()[0].blocked_count, 1);

  ASSERT_THAT(scene_.DeleteDeployment("lost"), IsOk());
  scene_.reseal->Begin("us-west");
  EXPECT_TRUE(scene_.ResealEnds("us-west"));
}

TEST_F(RegionResealTest, ADeleteThatComesInBetweenWins) {
  scene_.SetReady("app", {{"A", "1"}});
  scene_.ChangeSealingKey("us-west");
  scene_.interrupting.BeforeNextCommit([&] { ASSERT_THAT(scene_.Delete(scene_.Write("app")), IsOk()); });
  scene_.reseal->Start();
  ASSERT_TRUE(scene_.ResealEnds("us-west"));
  EXPECT_THAT(scene_.Get("app").status(), StatusIs(absl::StatusCode::kNotFound));
  for (const KeyedRow& row : scene_.Rows()) EXPECT_NE(row.key.family, Family::kGenerations);
}

TEST_F(RegionResealTest, AnEscrowCopyThatDoesNotOpenBlocksThatObjectAlone) {
  scene_.SetReady("bad", {{"A", "1"}});
  scene_.SetReady("good", {{"A", "2"}});
  const SecretSet bad = scene_.Get("bad")->set;
  ASSERT_THAT(scene_.Commit([&](Transaction& transaction) -> absl::Status {
    const RowKey key = keys::Generation("acme", bad.uid, 1);
    ASSIGN_OR_RETURN(auto row, transaction.Get<Generation>(key));
    row->value.escrowed_keys[0].wrapped_key.back() ^= 1;
    transaction.Put(key, Encode(row->value));
    return absl::OkStatus();
  }),
              IsOk());
  ServeRegion("us-west");
  scene_.ChangeSealingKey("us-west");
  scene_.reseal->Start();
  ASSERT_TRUE(Eventually([&] { return scene_.HasRow(keys::RegionRotation("us-west")); }));
  EXPECT_EQ(scene_.reseal->Running()[0].blocked_count, 1);
  EXPECT_EQ(scene_.Open("good"), (Opened{{"A", "2"}}));
  EXPECT_EQ(scene_.Get("bad")->set.digest, bad.digest);
}

// Key changes, organization key rotations, writes, deletes, deploys and crashes at once.
TEST_F(RegionResealTest, EverythingOpensWithTheLastKeyAfterManyChangesUnderLoad) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  ServeRegion("us-west");
  std::atomic<bool> stop = false;
  std::map<std::string, std::string> written;
  std::thread writer([&] {
    std::minstd_rand random(seed);
    for (int i = 0; !stop; ++i) {
      const std::string name = absl::StrCat("load-", random() % 6);
      const std::string value = absl::StrCat("value ", i);
      switch (random() % 8) {
        case 0:
          if (scene_.Delete(scene_.Write(name), /*force=*/true).ok()) written.erase(name);
          break;
        case 1:
          (void)scene_.Deploy(Agent(name, name), IfExists::kUpdate);
          break;
        case 2:
          if (scene_.Rollback(scene_.Write(name), 1).ok()) written.erase(name);
          break;
        default:
          if (scene_.Set(name, {{absl::StrCat("KEY_", random() % 3), value}, {"LAST", value}}).ok())
            written[name] = value;
      }
    }
  });
  std::minstd_rand random(seed + 1);
  int changes = 0;
  scene_.reseal->Start();
  for (const absl::Time end = absl::Now() + absl::Seconds(4); absl::Now() < end;) {
    // One change at a time, as enrollment has it: the region knows its present key and the one before.
    if (scene_.RowOf("us-west").previous_sealing_keys.empty()) {
      scene_.ChangeSealingKey("us-west");
      ++changes;
    }
    if (random() % 4 == 0) (void)scene_.Rotate("acme");
    absl::SleepFor(absl::Milliseconds(random() % 40));
    if (random() % 8 != 0) continue;
    scene_.Restart();
    scene_.rotation->Start();
    scene_.reseal->Start();
  }
  stop = true;
  writer.join();
  EXPECT_GT(changes, 3);
  ASSERT_TRUE(scene_.ResealEnds("us-west"));
  ASSERT_TRUE(scene_.RotationsEnd());
  EXPECT_EQ(Recipients("us-west"), std::set<std::string>{scene_.region_keys.at("us-west").id()});
  scene_.ExpectAllUnderOneKey();
  for (const auto& [name, value] : written) EXPECT_EQ(scene_.Open(name)["LAST"], value) << name;
  for (const ObjectId& object : ObjectsIn("us-west")) {
    if (!scene_.HasRow(keys::Deployment("acme", object.name)) || object.kind != ObjectKind::kDeployment) continue;
    EXPECT_FALSE(scene_.OpenDeployment(object.name).empty());
  }
}

}  // namespace
}  // namespace keyferry
