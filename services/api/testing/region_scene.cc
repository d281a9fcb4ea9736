#include "services/api/testing/region_scene.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "libs/crypto/aead.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"

namespace keyferry {

std::string SealingKeyOf(const std::string& region) { return Sha256(region); }

ObjectId SetNamed(const std::string& name) { return {.kind = ObjectKind::kSecretSet, .organization = "acme", .name = name}; }

RegionScene::RegionScene(ManualExecutor::Pick pick)
    : executor_(clock_, std::move(pick)),
      store_(executor_),
      term_(*store_.AcquireWriter(Lineage::kKeep)),
      writer_{.store = store_, .executor = executor_, .term = [this] { return term_; }} {
  OpenDirectory();
}

RegionScene::~RegionScene() { EndDirectory(); }

void RegionScene::EndDirectory() {
  store_.dead = true;
  executor_.RunUntilIdle();
  directory_.reset();
  executor_.RunUntilIdle();
  executor_.DropTimers();
  store_.dead = false;
}

void RegionScene::OpenDirectory() {
  directory_ = std::make_unique<RegionDirectory>(RegionDirectory::Options{.writer = {.store = store_, .executor = background_, .term = writer_.term},
                                                                          .clock = clock_,
                                                                          .prompt = &prompt_,
                                                                          .on_rewind =
                                                                              [this] {
                                                                                ++rewind_count_;
                                                                                term_ = *store_.AcquireWriter(Lineage::kNext);
                                                                              },
                                                                          .random = [this] { return random; },
                                                                          .is_revoked = [this](const std::string& id) { return revoked.contains(id); }});
}

void RegionScene::CrashApi() {
  EndDirectory();
  term_ = *store_.AcquireWriter(Lineage::kKeep);
  OpenDirectory();
}

void RegionScene::CreateRegion(const std::string& code) {
  const absl::Status committed = Commit([&](Transaction& transaction) {
    transaction.Put(keys::Region(code), Encode(RegionRow{.sealing_key = SealingKeyOf(code), .create_time = clock_.Now()}));
    return absl::OkStatus();
  });
  ASSERT_TRUE(committed.ok()) << committed;
}

absl::Status RegionScene::Commit(TransactionPlan plan) {
  std::optional<absl::Status> result;
  RunTransaction(writer_, std::move(plan), [&](absl::StatusOr<Revision> committed) { result = committed.status(); });
  while (!result) {
    if (!executor_.RunOne()) executor_.Advance(absl::Milliseconds(1));
  }
  return *result;
}

void RegionScene::CommitLater(TransactionPlan plan) {
  RunTransaction(writer_, std::move(plan), [](absl::StatusOr<Revision>) {});
}

TransactionPlan RegionScene::WritePlan(const std::string& region, const ObjectId& object, const std::string& payload,
                                       const std::string& uid) {
  const int64_t number = ++generation_;
  return [=, now = clock_.Now()](Transaction& transaction) {
    transaction.Put(keys::Generation(object.organization, uid, number), Encode(Generation{.number = number, .sealed_object = payload}));
    return DesireApply(transaction, region, object, uid, number, Sha256(payload), now);
  };
}

std::string RegionScene::Write(const std::string& region, const std::string& name, size_t bytes) {
  const PlacementRows rows = Rows(region, SetNamed(name));
  const bool live = rows.desired && rows.desired->operation == Operation::kApply;
  std::string payload = absl::StrCat(name, "#", generation_ + 1);
  payload.resize(std::max(payload.size(), bytes), '.');
  const absl::Status committed = Commit(WritePlan(region, SetNamed(name), payload, live ? rows.desired->uid : NewUid()));
  EXPECT_TRUE(committed.ok()) << committed;
  return payload;
}

void RegionScene::Erase(const std::string& region, const std::string& name) {
  const absl::Status committed = Commit(
      [&](Transaction& transaction) { return DesireDelete(transaction, region, SetNamed(name), clock_.Now()); });
  EXPECT_TRUE(committed.ok()) << committed;
}

PlacementRows RegionScene::Rows(const std::string& region, const ObjectId& object) {
  return *PeekPlacementRows(store_, region, object, lineage());
}

std::optional<Readiness> RegionScene::ReadinessOf(const std::string& region, const ObjectId& object) {
  const PlacementRows rows = Rows(region, object);
  if (!rows.desired) return std::nullopt;
  return keyferry::ReadinessOf(*rows.desired, rows.observed, State(region).target_incarnation);
}

RegionStateRow RegionScene::State(const std::string& region) {
  const std::optional<Row> row = *store_.Get(keys::RegionState(region));
  return row ? *Decode<RegionStateRow>(row->value) : RegionStateRow{};
}

}  // namespace keyferry
