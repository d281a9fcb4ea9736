// Random histories on one thread: writes, deletes, deliveries in any order, repeated, dropped and delayed, crashes of both sides, wiped regions,
// new lineages. After each step the invariants of docs/provisioning-protocol.md hold; at the end everything settles. The seed is printed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "absl/strings/str_cat.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"
#include "services/api/regions.h"
#include "services/api/testing/fake_region.h"

namespace keyferry {
namespace {

constexpr int kSteps = 300;
constexpr int kObjects = 4;
const char* const kRegions[] = {"us-west", "us-east"};

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed), scene_([this](size_t count) { return Draw(count); }) {
    for (const char* region : kRegions) {
      scene_.CreateRegion(region);
      regions_.emplace_back(region);
      zombies_.emplace_back();
      streams_.emplace_back();
    }
  }
  ~Simulation() { Disconnect(); }

  void Run() {
    for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) {
      Step();
      CheckSafety();
    }
    if (!::testing::Test::HasFailure()) CheckThatItSettles();
  }

 private:
  size_t Draw(size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random_); }
  size_t AnyRegion() { return Draw(regions_.size()); }
  ObjectId AnyObject() { return SetNamed(absl::StrCat("set-", Draw(kObjects))); }

  void Step() {
    scene_.random = Draw(100) / 100.0;
    const size_t kind = Draw(24);
    if (kind < 3) return Write(AnyRegion(), AnyObject());
    if (kind < 10) return Deliver(AnyRegion());
    switch (kind) {
      case 10: return Erase(AnyRegion(), AnyObject());
      case 11: return Connect(AnyRegion());
      case 12: return Break(AnyRegion());
      case 13: return PlayZombie(AnyRegion());
      case 14: return Rare();
      case 15: return FailOrHeal(AnyRegion(), AnyObject());
      case 16: return scene_.executor().Advance(absl::Milliseconds(Draw(20'000)));
      default:
        for (size_t count = Draw(20); count > 0; --count) scene_.executor().RunOne();
    }
  }

  void Rare() {
    switch (Draw(12)) {
      case 0:
        Disconnect();
        return scene_.CrashApi();
      case 1: {
        const size_t region = AnyRegion();
        Break(region);
        zombies_[region].clear();
        return regions_[region].Wipe(static_cast<char>('j' + ++wipes_));
      }
      case 2: return Lose(AnyRegion(), AnyObject());
      case 3: return scene_.directory().BeginAudit(regions_[AnyRegion()].code());
      case 4: return RewindSeenBy(AnyRegion());
      default: return;
    }
  }

  void Write(size_t region, const ObjectId& object) {
    const std::string& code = regions_[region].code();
    const PlacementRows rows = scene_.Rows(code, object);
    const bool live = rows.desired && rows.desired->operation == Operation::kApply;
    scene_.CommitLater(scene_.WritePlan(code, object, absl::StrCat("payload ", ++payloads_), live ? rows.desired->uid : NewUid()));
  }
  void Erase(size_t region, const ObjectId& object) {
    scene_.CommitLater([this, code = regions_[region].code(), object](Transaction& transaction) {
      return DesireDelete(transaction, code, object, scene_.clock().Now());
    });
  }
  void Connect(size_t region) {
    const std::string id = Draw(3) == 0 ? "p2" : "p1";
    streams_[region].push_back(std::make_unique<FakeProvisioner>(regions_[region], scene_.directory(), id, static_cast<char>(Draw(250))));
    streams_[region].back()->SayHello();
    if (streams_[region].size() > 3) streams_[region].erase(streams_[region].begin());
  }
  void Break(size_t region) {
    if (!streams_[region].empty()) streams_[region].erase(streams_[region].begin() + Draw(streams_[region].size()));
  }
  void Disconnect() {
    for (auto& streams : streams_) streams.clear();
  }
  // Works off the oldest message of one stream; some of its events are kept for later, some messages are lost with their stream.
  void Deliver(size_t region) {
    if (streams_[region].empty()) return;
    FakeProvisioner& stream = *streams_[region][Draw(streams_[region].size())];
    stream.Heartbeat();
    if (stream.inbox().empty()) return;
    const v1::ApiMessage message = stream.inbox().front();
    for (const v1::Event& event : message.events().events()) {
      if (event.operation() != v1::OPERATION_RETAIN && Draw(4) == 0) zombies_[region].push_back(event);
    }
    if (zombies_[region].size() > 8) zombies_[region].erase(zombies_[region].begin());
    stream.WorkOne();
  }
  // A provisioner that was long asleep applies an old event; its ack may still reach an open stream.
  void PlayZombie(size_t region) {
    if (zombies_[region].empty()) return;
    const v1::Event event = zombies_[region][Draw(zombies_[region].size())];
    const v1::Ack ack = regions_[region].Apply(event);
    if (!streams_[region].empty()) streams_[region].back()->Ack(ack);
  }
  void FailOrHeal(size_t region, const ObjectId& object) {
    v1::Ack failure;
    failure.set_error_reason("SINK_FULL");
    failure.set_permanent(Draw(4) == 0);
    if (regions_[region].failing.erase(object) == 0) regions_[region].failing[object] = failure;
  }
  void Lose(size_t region, const ObjectId& object) {
    regions_[region].Lose(object);
    const PlacementRows rows = scene_.Rows(regions_[region].code(), object);
    excused_[{regions_[region].code(), object}] = rows.desired ? rows.desired->revision : 0;
  }
  // A claim to know more than the store: as after a restored backup.
  void RewindSeenBy(size_t region) {
    FakeProvisioner stream(regions_[region], scene_.directory(), "p3");
    v1::Hello hello = stream.MakeHello();
    hello.set_max_revision_seen(WithLineage(scene_.store().Head(), scene_.lineage()) + 1);
    stream.SayHello(hello);
    for (int i = 0; i < 20; ++i) scene_.executor().RunOne();
  }

  void CheckSafety() {
    for (FakeRegion& region : regions_) {
      EXPECT_FALSE(region.went_back);
      for (int i = 0; i < kObjects; ++i) CheckObject(region, SetNamed(absl::StrCat("set-", i)));
    }
    EXPECT_GE(scene_.store().Head(), head_);
    head_ = scene_.store().Head();
  }

  void CheckObject(FakeRegion& region, const ObjectId& object) {
    const PlacementRows rows = scene_.Rows(region.code(), object);
    if (!rows.desired) {
      EXPECT_FALSE(rows.observed);
      return;
    }
    // P1. Of what a region loses behind everybody's back, READY may be wrong until the loss is found.
    const auto held = region.objects().find(object);
    const auto excuse = excused_.find({region.code(), object});
    const bool excused = excuse != excused_.end() && excuse->second == rows.desired->revision;
    const bool present = scene_.State(region.code()).target_incarnation == region.incarnation();
    if (present && !excused && scene_.ReadinessOf(region.code(), object) == Readiness::kReady) {
      ASSERT_NE(held, region.objects().end());
      EXPECT_EQ(held->second.revision, rows.desired->revision);
      EXPECT_EQ(region.Held(object), Payload(object, *rows.desired));
    }
  }
  std::string Payload(const ObjectId& object, const DesiredState& desired) {
    const std::optional<Row> row = *scene_.store().Get(keys::Generation(object.organization, desired.uid, desired.generation));
    return Decode<Generation>(row->value)->sealed_object;
  }

  // P5 and liveness: with good weather everything that is placed becomes READY and everything else goes.
  void CheckThatItSettles() {
    Disconnect();
    std::vector<FakeProvisioner*> streams;
    for (size_t region = 0; region < regions_.size(); ++region) {
      regions_[region].failing.clear();
      for (int i = 0; i < kObjects; ++i) MakeGood(region, SetNamed(absl::StrCat("set-", i)));
    }
    scene_.executor().Advance(absl::Seconds(1));
    for (int round = 0; round < 4; ++round) {
      Disconnect();
      streams.clear();
      for (size_t region = 0; region < regions_.size(); ++region) {
        Connect(region);
        streams.push_back(streams_[region].back().get());
      }
      Pass(scene_, absl::Minutes(6), streams);
      // A few strays among few objects are more than a tenth: they take an operator.
      const std::unique_ptr<Regions> operations = Regions::Create(scene_.writer(), scene_.clock(), scene_.directory());
      for (const FakeRegion& region : regions_) {
        operations->Resync(region.code(), {.allow_mass_delete = true}, [](absl::StatusOr<int64_t>) {});
      }
      Pass(scene_, absl::Minutes(1), streams);
    }
    for (FakeRegion& region : regions_) {
      for (int i = 0; i < kObjects; ++i) CheckSettled(region, SetNamed(absl::StrCat("set-", i)));
    }
    EXPECT_EQ(scene_.IndexEntries(), 0u);
  }
  // What failed for good is written again.
  void MakeGood(size_t region, const ObjectId& object) {
    // Past the delays of commits that met a conflict.
    scene_.executor().Advance(absl::Seconds(1));
    if (scene_.ReadinessOf(regions_[region].code(), object) == Readiness::kFailed) Write(region, object);
    const PlacementRows rows = scene_.Rows(regions_[region].code(), object);
    const bool stuck_delete = rows.desired && rows.desired->operation == Operation::kDelete && rows.observed && rows.observed->permanent;
    if (stuck_delete) Write(region, object);
  }
  void CheckSettled(FakeRegion& region, const ObjectId& object) {
    const PlacementRows rows = scene_.Rows(region.code(), object);
    if (!rows.desired) {
      EXPECT_FALSE(region.Held(object)) << region.code() << " " << object.name;
      return;
    }
    EXPECT_EQ(scene_.ReadinessOf(region.code(), object), Readiness::kReady) << region.code() << " " << object.name;
    EXPECT_EQ(region.Held(object), Payload(object, *rows.desired));
  }

  std::mt19937_64 random_;
  RegionScene scene_;
  std::vector<FakeRegion> regions_;
  std::vector<std::vector<std::unique_ptr<FakeProvisioner>>> streams_;
  std::vector<std::vector<v1::Event>> zombies_;
  // The revision that was desired when the region lost the object.
  std::map<std::pair<std::string, ObjectId>, uint64_t> excused_;
  uint64_t head_ = 0;
  int payloads_ = 0;
  int wipes_ = 0;
};

TEST(RegionSimulationTest, RandomHistoriesKeepTheInvariantsAndSettle) {
  const char* one = std::getenv("KEYFERRY_SEED");
  const char* some = std::getenv("KEYFERRY_SEEDS");
  const uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const uint64_t count = one != nullptr ? 1 : some != nullptr ? std::strtoull(some, nullptr, 10) : 300;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    Simulation(seed).Run();
    ASSERT_FALSE(HasFailure()) << "run again with KEYFERRY_SEED=" << seed;
  }
}

}  // namespace
}  // namespace keyferry
