#include "services/api/key_rotation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "libs/common/testing/temp_dir.h"
#include "libs/storage/rocksdb_store.h"
#include "services/api/call_scope.h"
#include "services/api/key_rotation_job.h"
#include "services/api/key_rotation_root.h"
#include "services/api/key_summary.h"
#include "services/api/testing/key_scene.h"

namespace keyferry {
namespace {

class KeyRotationTest : public testing::Test {
 protected:
  // Enough for some steps.
  void SetMany(int count) {
    for (int i = 0; i < count; ++i)
      ASSERT_THAT(scene_.Set(absl::StrCat("set-", i), {{"KEY", absl::StrCat("value ", i)}}), IsOk());
  }
  void ExpectMany(int count) {
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(scene_.Open(absl::StrCat("set-", i)), (Opened{{"KEY", absl::StrCat("value ", i)}})) << i;
    }
  }

  KeyScene scene_;
};

TEST_F(KeyRotationTest, AnOrganizationGetsANewKeyAndTheOldOneGoes) {
  SetMany(10);
  EXPECT_THAT(scene_.Rotate("acme"), IsOkAndHolds(2));
  ASSERT_TRUE(scene_.RotationsEnd());
  EXPECT_EQ(scene_.NewestKeyOf("acme"), 2);
  EXPECT_EQ(scene_.NewestKeyOf(""), 1);
  EXPECT_FALSE(scene_.HasRow(keys::OrganizationRotation("acme")));
  scene_.ExpectAllUnderOneKey();
  ExpectMany(10);
}

TEST_F(KeyRotationTest, TheSystemsRowsGetANewKeyToo) {
  EXPECT_THAT(scene_.Rotate(""), IsOkAndHolds(2));
  ASSERT_TRUE(scene_.RotationsEnd());
  EXPECT_EQ(scene_.NewestKeyOf(""), 2);
  scene_.ExpectAllUnderOneKey();
}

TEST_F(KeyRotationTest, WritesThatChangeNothingAreStillSeenAfterARotation) {
  SetMany(1);
  ASSERT_THAT(scene_.Rotate("acme"), IsOk());
  ASSERT_TRUE(scene_.RotationsEnd());
  EXPECT_FALSE(scene_.Set("set-0", {{"KEY", "value 0"}})->changed);
}

TEST_F(KeyRotationTest, ASecondRotationIsRefusedUntilTheFirstIsDone) {
  SetMany(1);
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailScan});
  ASSERT_THAT(scene_.Rotate("acme"), IsOk());
  EXPECT_THAT(scene_.Rotate("acme"), FailsWith(absl::StatusCode::kFailedPrecondition, "ROTATION_RUNS"));
  EXPECT_THAT(scene_.Rotate(""), IsOkAndHolds(2));
  ASSERT_TRUE(scene_.RotationsEnd());
  EXPECT_THAT(scene_.Rotate("acme"), IsOkAndHolds(3));
  EXPECT_TRUE(scene_.RotationsEnd());
}

TEST_F(KeyRotationTest, AnUnknownOrganizationIsNotFound) {
  EXPECT_THAT(scene_.Rotate("nobody"), FailsWith(absl::StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND"));
}

TEST_F(KeyRotationTest, ProgressCountsWhatWasSeenAndMoved) {
  SetMany(3);
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailCommitBefore, .skip = 3});
  ASSERT_THAT(scene_.Rotate("acme"), IsOk());
  std::vector<KeyRotationProgress> seen;
  EXPECT_TRUE(Eventually([&] {
    const auto running = scene_.rotation->Running();
    if (!running.empty()) seen = running;
    return running.empty();
  }));
  ASSERT_EQ(seen.size(), 1);
  EXPECT_EQ(seen[0].owner, "acme");
  EXPECT_EQ(seen[0].begin_time, scene_.clock.Now());
}

// Whatever commit does not come through, or comes through unanswered: a later process brings it to the end.
TEST_F(KeyRotationTest, ARotationSurvivesACrashAtEveryCommit) {
  SetMany(5);
  int rotated = 0;
  for (int skip = 0; skip < 8; ++skip) {
    for (const auto kind : {FaultyStore::Kind::kFailCommitBefore, FaultyStore::Kind::kFailCommitAfter}) {
      SCOPED_TRACE(
          absl::StrCat("commit ", skip, kind == FaultyStore::Kind::kFailCommitBefore ? " lost" : " unanswered"));
      scene_.faulty.Inject({.kind = kind, .skip = skip});
      const absl::StatusOr<int> begun = scene_.Rotate("acme");
      // As far as the fault.
      Eventually([&] { return scene_.faulty.FaultsLeft() == 0 || scene_.rotation->Running().empty(); });
      scene_.Restart();
      scene_.rotation->Start();
      ASSERT_TRUE(Eventually([&] { return !scene_.HasRow(keys::OrganizationRotation("acme")); }));
      ASSERT_TRUE(scene_.RotationsEnd());
      rotated += begun.ok();
      EXPECT_GE(scene_.NewestKeyOf("acme"), rotated + 1);
      scene_.ExpectAllUnderOneKey();
      ExpectMany(5);
      // What the rotation did not meet, another commit does.
      for (int i = 0; scene_.faulty.FaultsLeft() > 0; ++i) (void)scene_.Set("spare", {{"A", absl::StrCat(skip, i)}});
    }
  }
}

TEST_F(KeyRotationTest, AMarkWithoutItsKeyIsCarriedOut) {
  SetMany(1);
  ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
    transaction.Put(keys::OrganizationRotation("acme"), Encode(NewRotation(2, scene_.clock.Now())));
    return absl::OkStatus();
  }),
              IsOk());
  scene_.rotation->Start();
  ASSERT_TRUE(Eventually([&] { return !scene_.HasRow(keys::OrganizationRotation("acme")); }));
  EXPECT_EQ(scene_.NewestKeyOf("acme"), 2);
}

TEST_F(KeyRotationTest, AMarkWhoseKeyIsAllThereIsOnlyTakenAway) {
  ASSERT_THAT(scene_.Rotate("acme"), IsOk());
  ASSERT_TRUE(scene_.RotationsEnd());
  ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
    transaction.Put(keys::OrganizationRotation("acme"), Encode(NewRotation(2, scene_.clock.Now())));
    return absl::OkStatus();
  }),
              IsOk());
  scene_.Restart();
  scene_.rotation->Start();
  ASSERT_TRUE(Eventually([&] { return !scene_.HasRow(keys::OrganizationRotation("acme")); }));
  EXPECT_EQ(scene_.NewestKeyOf("acme"), 2);
}

// What a restart resumes may be what a caller has just begun, and be done before that caller's turn.
TEST_F(KeyRotationTest, ARotationThatAnotherHasEndedAnswersAndLeavesTheNextOnesRow) {
  ASSERT_THAT(scene_.Rotate("acme"), IsOk());
  ASSERT_TRUE(scene_.RotationsEnd());
  const RotationRow next = NewRotation(3, scene_.clock.Now());
  for (const bool next_began : {false, true}) {
    if (next_began) {
      ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
        transaction.Put(keys::OrganizationRotation("acme"), Encode(next));
        return absl::OkStatus();
      }),
                  IsOk());
    }
    const auto strand = Strand::Create(*scene_.processes.back());
    absl::Notification ended;
    const auto job =
        std::make_shared<KeyRotationJob>(KeyRotationParts{.writer = scene_.background_deps->writer,
                                                          .barrier = *scene_.barrier,
                                                          .root_keys = *scene_.root_keys,
                                                          .clock = scene_.clock},
                                         strand, "acme", NewRotation(2, scene_.clock.Now()), [&] { ended.Notify(); });
    EXPECT_THAT(Await<absl::StatusOr<int>>([&](std::function<void(absl::StatusOr<int>)> added) {
                  strand->Run([job, added] { job->Run(added); });
                }),
                IsOkAndHolds(2));
    ended.WaitForNotification();
    EXPECT_EQ(scene_.HasRow(keys::OrganizationRotation("acme")), next_began);
    const RowKey audits = keys::AuditPendings();
    EXPECT_EQ(scene_.barrier->store().Scan(audits, PrefixEnd(audits.bytes), 10)->size(), 1);
  }
}

TEST_F(KeyRotationTest, AnOrganizationThatIsDeletedMeanwhileEndsIt) {
  SetMany(2);
  const std::vector<KeyedRow> rows = scene_.Rows();
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailScan});
  ASSERT_THAT(scene_.Rotate("acme"), IsOk());
  ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
    for (const KeyedRow& row : rows) {
      if (keys::BarrierOwner(row.key) == "acme") transaction.Erase(row.key);
    }
    transaction.Erase(keys::Organization("acme"));
    transaction.Erase(keys::WrappedKey("acme"));
    return absl::OkStatus();
  }),
              IsOk());
  ASSERT_TRUE(scene_.RotationsEnd());
  EXPECT_FALSE(scene_.HasRow(keys::OrganizationRotation("acme")));
  EXPECT_FALSE(scene_.HasRow(keys::WrappedKey("acme")));
}

// Of an organization that was erased: its rotation's row must not come back with the next save.
TEST_F(KeyRotationTest, ARotationWhoseRowIsGoneEnds) {
  ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
    for (int i = 0; i < 4000; ++i) transaction.Put(keys::Request("acme", absl::StrCat(i)), "x");
    return absl::OkStatus();
  }),
              IsOk());
  ASSERT_THAT(scene_.Rotate("acme"), IsOk());
  ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
    transaction.Erase(keys::OrganizationRotation("acme"));
    return absl::OkStatus();
  }),
              IsOk());
  ASSERT_TRUE(scene_.RotationsEnd());
  EXPECT_FALSE(scene_.HasRow(keys::OrganizationRotation("acme")));
  // It did not go on to the end.
  EXPECT_EQ(scene_.barrier->StoredKeysOf("acme")->first.keys.size(), 2);
}

// Writers, deleters and deployers beside rotation upon rotation: nothing is lost, and nothing is left under an old key.
TEST_F(KeyRotationTest, EverythingOpensAfterManyRotationsUnderLoad) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::atomic<bool> stop = false;
  std::vector<std::map<std::string, std::string>> written(3);
  std::vector<std::thread> writers;
  for (size_t writer = 0; writer < written.size(); ++writer) {
    writers.emplace_back([&, writer] {
      std::minstd_rand random(seed + writer);
      for (int i = 0; !stop; ++i) {
        const std::string name = absl::StrCat("load-", writer, "-", random() % 5);
        if (random() % 10 == 0) {
          if (scene_.Delete(scene_.Write(name)).ok()) written[writer].erase(name);
          continue;
        }
        const std::string value = absl::StrCat("value ", i);
        const std::string key = absl::StrCat("KEY_", random() % 3);
        const auto set = scene_.Set(scene_.Write(name), {{key, value}, {"LAST", value}});
        EXPECT_THAT(set, IsOk());
        written[writer][name] = value;
      }
    });
  }
  int rotations = 0;
  for (const absl::Time end = absl::Now() + absl::Seconds(3); absl::Now() < end; ++rotations) {
    EXPECT_THAT(scene_.Rotate(rotations % 4 == 3 ? "" : "acme"), IsOk());
    ASSERT_TRUE(scene_.RotationsEnd());
    scene_.ExpectEscrowOpens();
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_GT(rotations, 10);
  scene_.ExpectAllUnderOneKey();
  scene_.ExpectEscrowOpens();
  for (const auto& sets : written) {
    for (const auto& [name, value] : sets) EXPECT_EQ(scene_.Open(name)["LAST"], value) << name;
  }
  // Escrow copies were moved as well: a region's new key can still be sealed to.
  scene_.ChangeSealingKey("us-west");
  scene_.reseal->Start();
  ASSERT_TRUE(Eventually([&] {
    scene_.clock.Advance(absl::Seconds(1));
    return scene_.RowOf("us-west").previous_sealing_keys.empty();
  }));
  for (const auto& sets : written) {
    for (const auto& [name, value] : sets) EXPECT_EQ(scene_.Open(name)["LAST"], value) << name;
  }
}

class RootRotationTest : public testing::Test {
 protected:
  using OpenStore = std::function<std::unique_ptr<Store>(const std::string& path)>;

  explicit RootRotationTest(const OpenStore& open = [](const std::string&) { return NewMemoryStore(); })
      : memory_(open(directory_.File("store"))) {
    path_ = directory_.path() + "/keyring";
    EXPECT_THAT(Keyring::Create(path_, {KeyPurpose::kRoot}), IsOk());
    root_keys_ = KeyringRootKeys::Create(*Keyring::Load(path_, ""));
    term_ = *memory_->AcquireWriter(Lineage::kKeep);
    barrier_ = *Barrier::Open(*memory_, *root_keys_, term_);
    for (const std::string name : {"acme", "bravo"}) {
      Commit commit{.term = term_};
      commit.mutations.push_back(*barrier_->NewOrganizationKey(name));
      EXPECT_THAT(CommitAndWait(*memory_, std::move(commit)), IsOk());
    }
    rotation_ = KeyRotation::Create(
        {.writer = {.store = barrier_->store(), .executor = *executor_, .term = [this] { return term_; }},
         .barrier = *barrier_,
         .root_keys = *root_keys_,
         .clock = clock_});
  }
  ~RootRotationTest() override {
    executor_->Close();
    (void)CommitAndWait(*memory_, {.term = term_});
  }

  std::string AddRoot() {
    const auto id = Keyring::AddKey(path_, KeyPurpose::kRoot);
    EXPECT_THAT(id, IsOk());
    EXPECT_THAT(root_keys_->Replace(*Keyring::Load(path_, "")), IsOk());
    return *id;
  }
  KeySummary Summary() { return *SummarizeKeys(*barrier_, *root_keys_); }
  bool Settles() {
    return Eventually([&] { return Summary().keys_under_old_root == 0; });
  }
  int64_t CountAuditRecords() {
    const RowKey records = keys::AuditPendings();
    return barrier_->store().Scan(records, PrefixEnd(records.bytes), 1000)->size();
  }

  TempDir directory_;
  std::string path_;
  FakeClock clock_;
  std::unique_ptr<Store> memory_;
  std::unique_ptr<KeyringRootKeys> root_keys_;
  Term term_;
  std::unique_ptr<Barrier> barrier_;
  std::unique_ptr<KeyRotation> rotation_;
  std::unique_ptr<ClosableExecutor> executor_ = std::make_unique<ClosableExecutor>(2);
};

TEST_F(RootRotationTest, ANewRootKeyWrapsEveryOwnersKey) {
  rotation_->Start();
  EXPECT_EQ(Summary().keys_under_old_root, 0);
  EXPECT_EQ(Summary().key_count, 3);
  const std::string id = AddRoot();
  EXPECT_EQ(Summary().keys_under_old_root, 3);
  rotation_->CheckRoot();
  ASSERT_TRUE(Settles());
  EXPECT_EQ(Summary().root_key_id, id);
  EXPECT_EQ(CountAuditRecords(), 1);
}

TEST_F(RootRotationTest, LooksThatComeTogetherLeaveOneRecord) {
  rotation_->Start();
  AddRoot();
  for (int i = 0; i < 20; ++i) rotation_->CheckRoot();
  ASSERT_TRUE(Settles());
  EXPECT_EQ(CountAuditRecords(), 1);
}

TEST_F(RootRotationTest, AStartFindsWhatAnotherRootKeyWraps) {
  AddRoot();
  rotation_->Start();
  EXPECT_TRUE(Settles());
}

TEST_F(RootRotationTest, AStartWithNothingToDoRecordsNothing) {
  rotation_->Start();
  const absl::Status asked =
      Await<absl::Status>([&](std::function<void(absl::Status)> done) { rotation_->Rewrap(std::move(done)); });
  EXPECT_THAT(asked, IsOk());
  // That of the call alone.
  EXPECT_EQ(CountAuditRecords(), 1);
}

TEST_F(RootRotationTest, AnOwnerThatIsNeverWrappedLeavesOneRecord) {
  WrappedKeysRow row = barrier_->StoredKeysOf("bravo")->first;
  row.keys[0].wrapped_key[5] ^= 1;
  ASSERT_THAT(CommitAndWait(*memory_, {.term = term_,
                                       .mutations = {{.key = keys::WrappedKey("bravo"), .value = Encode(row)}}}),
              IsOk());
  AddRoot();
  rotation_->Start();
  ASSERT_TRUE(Eventually([&] { return Summary().keys_under_old_root == 1; }));
  for (int i = 0; i < 5; ++i) {
    // A round of one owner.
    absl::SleepFor(5 * kRewrapInterval);
    rotation_->CheckRoot();
  }
  EXPECT_EQ(CountAuditRecords(), 1);
  AddRoot();
  EXPECT_TRUE(Eventually([&] {
    rotation_->CheckRoot();
    return CountAuditRecords() == 2;
  }));
}

class DestroyedKeysTest : public RootRotationTest {
 protected:
  DestroyedKeysTest()
      : RootRotationTest([](const std::string& path) {
          return *OpenRocksDbStore({.path = path, .disk = {.ballast_bytes = 0}});
        }) {}

  std::string WrappedKeyOf(const std::string& owner) { return barrier_->StoredKeysOf(owner)->first.keys[0].wrapped_key; }
  bool IsInAFile(const std::string& bytes) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.File("store"))) {
      // One that was purged meanwhile is none.
      std::error_code ignored;
      if (!entry.is_regular_file(ignored)) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string content{std::istreambuf_iterator<char>(file), {}};
      if (content.find(bytes) != std::string::npos) return true;
    }
    return false;
  }
};

TEST_F(DestroyedKeysTest, WhatAnOlderRootKeyWrappedIsInNoFileAfterARound) {
  const std::string old = WrappedKeyOf("acme");
  ASSERT_TRUE(IsInAFile(old));
  AddRoot();
  rotation_->Start();
  ASSERT_TRUE(Settles());
  EXPECT_TRUE(Eventually([&] { return !IsInAFile(old); }));
  EXPECT_TRUE(IsInAFile(WrappedKeyOf("acme")));
}

TEST_F(DestroyedKeysTest, ARetiredKeyIsInNoFileAfterItsRotation) {
  ASSERT_THAT(CommitAndWait(barrier_->store(), {.term = term_,
                                                .mutations = {{.key = keys::Organization("acme"),
                                                               .value = Encode(OrganizationRow{.uid = "acme-uid"})}}}),
              IsOk());
  const std::string old = WrappedKeyOf("acme");
  ASSERT_TRUE(IsInAFile(old));
  const auto number = Await<absl::StatusOr<int>>(
      [&](std::function<void(absl::StatusOr<int>)> done) { rotation_->Rotate("acme", std::move(done)); });
  ASSERT_THAT(number, IsOkAndHolds(2));
  ASSERT_TRUE(Eventually([&] { return rotation_->Running().empty(); }));
  EXPECT_EQ(barrier_->StoredKeysOf("acme")->first.keys.size(), 1);
  EXPECT_FALSE(IsInAFile(old));
  EXPECT_TRUE(IsInAFile(WrappedKeyOf("acme")));
}

TEST_F(RootRotationTest, TheOldRootKeyIsNotNeededAfterwards) {
  const std::string old = Summary().root_key_id;
  AddRoot();
  rotation_->Start();
  ASSERT_TRUE(Settles());
  executor_->Close();
  ASSERT_THAT(Keyring::Retire(path_, KeyPurpose::kRoot, old), IsOk());
  const auto alone = KeyringRootKeys::Create(*Keyring::Load(path_, ""));
  const auto fresh = Barrier::Open(*memory_, *alone, term_);
  ASSERT_THAT(fresh, IsOk());
  for (const std::string owner : {"", "acme", "bravo"}) EXPECT_THAT((*fresh)->KeysOf(owner), IsOk());
}

}  // namespace
}  // namespace keyferry
