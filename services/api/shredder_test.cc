// On a real store: after a round no file of it holds a byte of what was deleted (T26).
#include "services/api/shredder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/time/clock.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/storage/keys.h"
#include "libs/storage/rocksdb_store.h"
#include "services/api/audit_trail.h"
#include "services/api/organization_deletion.h"
#include "services/api/organization_rows.h"
#include "services/api/organizations.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {
namespace {

// The ApiScene's use cases over RocksDB.
class ShredderTest : public testing::Test {
 protected:
  ShredderTest() {
    store_ = *OpenRocksDbStore({.path = directory_.File("store"), .disk = {.ballast_bytes = 0}});
    term_ = *store_->AcquireWriter(Lineage::kKeep);
    barrier_ = *Barrier::Open(*store_, *root_keys_, term_);
    deps_ = std::make_unique<UseCaseDeps>(UseCaseDeps{.writer = {.store = barrier_->store(), .executor = *executor_, .term = [this] { return term_; }},
                                                      .barrier = *barrier_,
                                                      .sender = *sender_,
                                                      .clock = clock_});
    organizations_ = Organizations::Create(*deps_);
    sets_ = std::make_unique<SecretSets>(*deps_);
    api_keys_ = ApiKeys::Create(deps_->writer, keyring_, clock_);
    deletion_ = OrganizationDeletion::Create({.deps = *deps_, .beneath = *store_, .api_keys = *api_keys_});
    for (const char* name : {"acme", "rival"}) {
      EXPECT_THAT(Await<absl::StatusOr<NamedOrganization>>(
                      [&](std::function<void(absl::StatusOr<NamedOrganization>)> done) { organizations_->Make(name, "", std::move(done)); }),
                  IsOk());
    }
    EXPECT_THAT(Commit([&](Transaction& transaction) {
                  transaction.Put(keys::Region("us-west"), Encode(RegionRow{.sealing_key = region_key_.public_key(), .create_time = clock_.Now()}));
                  return absl::OkStatus();
                }),
                IsOk());
    StartShredder({});
  }
  ~ShredderTest() override {
    shredder_.reset();
    executor_.reset();
  }

  void StartShredder(std::vector<std::string> copies, absl::Duration forget_after = absl::InfiniteDuration()) {
    shredder_.reset();
    shredder_ = Shredder::Start({.writer = deps_->writer,
                                 .clock = clock_,
                                 .interval = absl::Hours(1),
                                 .copies = std::move(copies),
                                 .forget_after = forget_after});
  }
  absl::Status Commit(const TransactionPlan& plan) {
    return Await<absl::StatusOr<Revision>>([&](std::function<void(absl::StatusOr<Revision>)> done) { RunTransaction(deps_->writer, plan, std::move(done)); })
        .status();
  }
  void Set(const std::string& organization, const std::string& name, const std::string& value) {
    ASSERT_THAT(Await<absl::StatusOr<SetWriteAnswer>>([&](SecretSets::Done done) {
                  sets_->Set({.organization = organization, .name = name, .author = "tester"}, "us-west", SetMode::kMerge, ToValues({{"KEY", value}}), std::move(done));
                }),
                IsOk());
  }
  absl::Status DeleteSet(const std::string& name) {
    return Await<absl::Status>(
        [&](std::function<void(absl::Status)> done) { sets_->Delete({.organization = "acme", .name = name, .author = "tester"}, false, std::move(done)); });
  }
  static std::vector<KeyedRow> Rows(const Store& store, const KeyRange& range) {
    return *store.Scan(range.begin, range.end, 10'000);
  }
  // What is stored beneath the barrier in these ranges: sealed rows, wrapped keys.
  std::vector<std::string> SealedIn(const std::vector<KeyRange>& ranges) {
    std::vector<std::string> sealed;
    for (const KeyRange& range : ranges) {
      for (const KeyedRow& row : Rows(*store_, range)) {
        if (row.row.value.size() >= 16) sealed.push_back(row.row.value);
      }
    }
    return sealed;
  }
  // The escrow copies of the organization's data keys, as they are wrapped.
  std::vector<std::string> WrappedDataKeys(const std::string& organization) {
    std::vector<std::string> wrapped;
    for (const KeyedRow& row : Rows(barrier_->store(), OwnedRanges(organization)[1])) {
      const absl::StatusOr<Generation> generation = Decode<Generation>(row.row.value);
      for (const EscrowedKey& key : generation->escrowed_keys) wrapped.push_back(key.wrapped_key);
    }
    return wrapped;
  }
  // How many of these a scan of every file of the store finds.
  size_t FoundOnDisk(const std::vector<std::string>& needles) const {
    std::string all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.File("store"))) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      all.append(std::istreambuf_iterator<char>(file), {});
    }
    return std::ranges::count_if(needles, [&](const std::string& needle) { return all.find(needle) != std::string::npos; });
  }
  std::vector<ShredRow> ShredRows() {
    std::vector<ShredRow> rows;
    for (const KeyedRow& row : Rows(barrier_->store(), RangeBelow(keys::Shreds()))) rows.push_back(*Decode<ShredRow>(row.row.value));
    return rows;
  }
  std::vector<AuditRow> Recorded() {
    std::vector<AuditRow> records;
    for (const KeyedRow& row : Rows(barrier_->store(), RangeBelow(keys::AuditPendings()))) {
      AuditRow record = *Decode<AuditRow>(row.row.value);
      if (record.method == "Shredder/Shred") records.push_back(std::move(record));
    }
    return records;
  }

  const TempDir directory_;
  FakeClock clock_;
  Keyring keyring_ = Keyring::ForTest();
  const std::unique_ptr<RootKeys> root_keys_ = KeyringRootKeys::Create(Keyring::ForTest());
  const std::unique_ptr<SealedBoxSender> sender_ = SealedBoxSender::Create(clock_);
  const RegionKey region_key_ = RegionKey::Generate();
  std::unique_ptr<Store> store_;
  Term term_;
  std::unique_ptr<Barrier> barrier_;
  std::unique_ptr<Executor> executor_ = NewThreadPool(2);
  std::unique_ptr<UseCaseDeps> deps_;
  std::unique_ptr<Organizations> organizations_;
  std::unique_ptr<SecretSets> sets_;
  std::unique_ptr<ApiKeys> api_keys_;
  std::unique_ptr<OrganizationDeletion> deletion_;
  std::unique_ptr<Shredder> shredder_;
};

TEST_F(ShredderTest, OfADeletedSetNoSealedRowAndNoWrappedKeyIsOnDiskAfterARound) {
  for (int i = 0; i < 12; ++i) Set("acme", "gone", "canary-" + std::to_string(i));
  Set("rival", "kept", "canary");
  const std::vector<KeyRange> ranges = OwnedRanges("acme");
  std::vector<std::string> needles = SealedIn(ranges);
  for (std::string& key : WrappedDataKeys("acme")) needles.push_back(std::move(key));
  ASSERT_GE(needles.size(), 11U);
  const std::vector<std::string> kept = SealedIn(OwnedRanges("rival"));
  ASSERT_THAT(DeleteSet("gone"), IsOk());
  // Sealed rows are; what is wrapped inside of them is sealed once more.
  ASSERT_GT(FoundOnDisk(needles), 0U);

  EXPECT_THAT(shredder_->ShredNow(), IsOkAndHolds(1));
  EXPECT_EQ(FoundOnDisk(needles), 0U);
  EXPECT_EQ(FoundOnDisk(kept), kept.size());
  ASSERT_EQ(ShredRows().size(), 1U);
  EXPECT_EQ(ShredRows()[0].shred_time, clock_.Now());
  ASSERT_EQ(Recorded().size(), 1U);
  EXPECT_EQ(Recorded()[0].object_kind, "secretSet");
  EXPECT_EQ(Recorded()[0].object_name, "gone");
  EXPECT_EQ(Recorded()[0].organization, "acme");
  EXPECT_EQ(Recorded()[0].principal, "system");
  // Once is enough.
  EXPECT_THAT(shredder_->ShredNow(), IsOkAndHolds(0));
  EXPECT_EQ(Recorded().size(), 1U);
}

TEST_F(ShredderTest, OfADeletedSetTheCopyThatADeploymentHadGoesToo) {
  Set("acme", "web", "value");
  const auto deploy = [&](const std::string& copy) {
    return Commit([&](Transaction& transaction) {
      transaction.Put(keys::Deployment("acme", "agent"), copy);
      return absl::OkStatus();
    });
  };
  ASSERT_THAT(deploy("a copy of the set's values, as a deployment has one"), IsOk());
  const std::vector<std::string> copy = SealedIn({RangeBelow(keys::Deployments("acme"))});
  ASSERT_EQ(copy.size(), 1u);
  // In a table of its own, before another deployment comes in its place.
  ASSERT_THAT(store_->Purge({{{Family::kMeta, ""}, ""}}), IsOk());
  ASSERT_THAT(deploy("of another set"), IsOk());
  ASSERT_THAT(DeleteSet("web"), IsOk());
  ASSERT_EQ(FoundOnDisk(copy), 1u);
  ASSERT_THAT(shredder_->ShredNow(), IsOkAndHolds(1));
  EXPECT_EQ(FoundOnDisk(copy), 0u);
}

TEST_F(ShredderTest, OfADeletedOrganizationTheKeysToo) {
  for (int i = 0; i < 20; ++i) Set("acme", "set-" + std::to_string(i), "canary");
  Set("rival", "kept", "canary");
  std::vector<KeyRange> ranges = OwnedRanges("acme");
  ranges.push_back(RangeOf(keys::WrappedKey("acme")));
  ranges.push_back(RangeOf(keys::Organization("acme")));
  std::vector<std::string> needles = SealedIn(ranges);
  const auto stored = barrier_->StoredKeysOf("acme");
  ASSERT_THAT(stored, IsOk());
  needles.push_back(stored->first.keys.back().wrapped_key);
  ASSERT_EQ(FoundOnDisk(needles), needles.size());
  ASSERT_THAT(Await<absl::Status>([&](std::function<void(absl::Status)> done) { deletion_->Delete("acme", "acme", std::move(done)); }), IsOk());
  const auto is_done = [&] { return IsRetired(*Decode<OrganizationRow>((*barrier_->store().Get(keys::Organization("acme")))->value)); };
  for (int i = 0; i < 10'000 && !is_done(); ++i) absl::SleepFor(absl::Milliseconds(2));
  ASSERT_TRUE(is_done());

  const absl::Time begin = absl::Now();
  EXPECT_THAT(shredder_->ShredNow(), IsOkAndHolds(1));
  RecordProperty("round_milliseconds", static_cast<int>(absl::ToInt64Milliseconds(absl::Now() - begin)));
  EXPECT_EQ(FoundOnDisk(needles), 0U);
  EXPECT_EQ(Recorded().back().object_kind, "organization");
  const std::vector<std::string> kept = SealedIn(OwnedRanges("rival"));
  EXPECT_EQ(FoundOnDisk(kept), kept.size());
}

TEST_F(ShredderTest, AnOrganizationWaitsUntilItsRowsAreGone) {
  Set("acme", "app", "canary");
  ASSERT_THAT(Commit([&](Transaction& transaction) -> absl::Status {
                ASSIGN_OR_RETURN(OrganizationRow row, ReadOrganization(transaction, "acme"));
                row.delete_time = clock_.Now();
                transaction.Put(keys::Organization("acme"), Encode(row));
                transaction.Put(keys::Shred(row.uid, ""), Encode(ShredRow{.organization = "acme", .delete_time = clock_.Now()}));
                return absl::OkStatus();
              }),
              IsOk());
  EXPECT_THAT(shredder_->ShredNow(), IsOkAndHolds(0));
  EXPECT_EQ(ShredRows()[0].shred_time, absl::InfiniteFuture());
}

TEST_F(ShredderTest, NothingCountsAsShreddedWhileABackupHoldsCopies) {
  const std::string checkpoint = directory_.File("checkpoint");
  StartShredder({checkpoint});
  Set("acme", "gone", "canary");
  ASSERT_THAT(DeleteSet("gone"), IsOk());
  ASSERT_THAT(store_->Backup(checkpoint), IsOk());
  EXPECT_THAT(shredder_->ShredNow(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ShredRows()[0].shred_time, absl::InfiniteFuture());
  std::filesystem::remove_all(checkpoint);
  EXPECT_THAT(shredder_->ShredNow(), IsOkAndHolds(1));
}

TEST_F(ShredderTest, TheShredRowKeepsItsRevision) {
  Set("acme", "gone", "canary");
  ASSERT_THAT(DeleteSet("gone"), IsOk());
  const Revision before = store_->Scan(keys::Shreds(), "", 1)->front().row.revision;
  ASSERT_THAT(shredder_->ShredNow(), IsOkAndHolds(1));
  EXPECT_EQ(store_->Scan(keys::Shreds(), "", 1)->front().row.revision, before);
}

TEST_F(ShredderTest, WithoutALedgerAShreddedRowIsDroppedAfterThirtyDays) {
  StartShredder({}, kShredRowLife);
  Set("acme", "gone", "canary");
  Set("acme", "later", "canary");
  ASSERT_THAT(DeleteSet("gone"), IsOk());
  ASSERT_THAT(shredder_->ShredNow(), IsOkAndHolds(1));
  clock_.Advance(kShredRowLife);
  EXPECT_THAT(shredder_->ShredNow(), IsOkAndHolds(0));
  EXPECT_EQ(ShredRows().size(), 1U);
  ASSERT_THAT(DeleteSet("later"), IsOk());
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(shredder_->ShredNow(), IsOkAndHolds(1));
  ASSERT_EQ(ShredRows().size(), 1U);
  EXPECT_EQ(ShredRows()[0].set, "later");
}

TEST_F(ShredderTest, WithoutALedgerARowThatIsNotShreddedYetStays) {
  const std::string checkpoint = directory_.File("checkpoint");
  StartShredder({checkpoint}, kShredRowLife);
  Set("acme", "gone", "canary");
  ASSERT_THAT(DeleteSet("gone"), IsOk());
  ASSERT_THAT(store_->Backup(checkpoint), IsOk());
  clock_.Advance(2 * kShredRowLife);
  EXPECT_THAT(shredder_->ShredNow(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ShredRows().size(), 1U);
}

TEST_F(ShredderTest, WithALedgerNoRowIsDropped) {
  Set("acme", "gone", "canary");
  ASSERT_THAT(DeleteSet("gone"), IsOk());
  ASSERT_THAT(shredder_->ShredNow(), IsOkAndHolds(1));
  clock_.Advance(absl::Hours(24 * 3650));
  EXPECT_THAT(shredder_->ShredNow(), IsOkAndHolds(0));
  EXPECT_EQ(ShredRows().size(), 1U);
}

TEST_F(ShredderTest, ManyDeletesAreOneRoundAndTheirNeighboursStay) {
  for (int i = 0; i < 40; ++i) Set("acme", "set-" + std::to_string(i), "canary");
  for (int i = 0; i < 40; i += 2) ASSERT_THAT(DeleteSet("set-" + std::to_string(i)), IsOk());
  const std::vector<std::string> kept = SealedIn(OwnedRanges("acme"));
  EXPECT_THAT(shredder_->ShredNow(), IsOkAndHolds(20));
  EXPECT_EQ(SealedIn(OwnedRanges("acme")), kept);
}

}  // namespace
}  // namespace keyferry
