// Rotation of an owner's keys: barrier.h's AddKey, Reseal, RetireOlderKeys and Rewrap.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/aead.h"
#include "libs/storage/barrier.h"
#include "libs/storage/codec.h"
#include "libs/storage/keys.h"
#include "libs/storage/row_sealer.h"
#include "libs/storage/sealed_store.h"
#include "libs/storage/testing/faulty_store.h"
#include "libs/storage/testing/memory_store.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;

// Does something between a caller and its store.
class HookedStore final : public Store {
 public:
  explicit HookedStore(Store& beneath) : beneath_(beneath) {}

  // Once each, on the thread of the caller: before the next commit gets in; after the next read of a row of this family, before its reader has it; after the next scan of it.
  void BeforeCommit(std::function<void()> hook) { Set(before_commit_, std::move(hook)); }
  void AfterGet(Family family, std::function<void()> hook) { family_ = family, Set(after_get_, std::move(hook)); }
  void AfterScan(Family family, std::function<void()> hook) { family_ = family, Set(after_scan_, std::move(hook)); }

  absl::StatusOr<Term> AcquireWriter(Lineage lineage) override { return beneath_.AcquireWriter(lineage); }
  void CommitAsync(Commit commit, CommitDone done) override {
    Call(before_commit_);
    beneath_.CommitAsync(std::move(commit), std::move(done));
  }
  absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const override {
    auto row = beneath_.Get(key);
    if (key.family == family_) Call(after_get_);
    return row;
  }
  absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end, size_t limit) const override {
    auto rows = beneath_.Scan(begin, end, limit);
    if (begin.family == family_) Call(after_scan_);
    return rows;
  }
  std::unique_ptr<Subscription> Ring(const RowKey& begin, const std::string& end, std::function<void()> ring) override {
    return beneath_.Ring(begin, end, std::move(ring));
  }
  Revision Head() const override { return beneath_.Head(); }
  Revision Ceiling() const override { return beneath_.Ceiling(); }
  absl::Status Backup(const std::string& directory) override { return beneath_.Backup(directory); }
  absl::Status Purge(const std::vector<KeyRange>& ranges) override { return beneath_.Purge(ranges); }

 private:
  void Set(std::function<void()>& hook, std::function<void()> to) {
    absl::MutexLock lock(&mutex_);
    hook = std::move(to);
  }
  void Call(std::function<void()>& hook) const {
    std::function<void()> taken;
    {
      absl::MutexLock lock(&mutex_);
      taken.swap(hook);
    }
    if (taken) taken();
  }

  Store& beneath_;
  mutable absl::Mutex mutex_;
  std::atomic<Family> family_ = Family::kMeta;
  mutable std::function<void()> before_commit_, after_get_, after_scan_;
};

class RotationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    term_ = *memory_->AcquireWriter(Lineage::kKeep);
    Restart();
    AddOrganization("acme");
    AddOrganization("rival");
  }
  // As a new process would.
  void Restart() { barrier_ = *Barrier::Open(hooked_, *root_keys_, term_); }
  void AddOrganization(const std::string& name) {
    ASSERT_THAT(Commit1(*barrier_->NewOrganizationKey(name)), IsOk());
    ASSERT_THAT(Put(keys::Organization(name), Encode(OrganizationRow{.uid = name + "-uid"})), IsOk());
  }
  absl::StatusOr<Revision> Commit1(Mutation mutation) {
    return CommitAndWait(barrier_->store(), {.term = term_, .mutations = {std::move(mutation)}});
  }
  absl::StatusOr<Revision> Put(const RowKey& key, const std::string& value) { return Commit1({.key = key, .value = value}); }
  std::string Beneath(const RowKey& key) { return (*memory_->Get(key))->value; }
  std::string Read(const RowKey& key) {
    const auto row = barrier_->store().Get(key);
    EXPECT_THAT(row, IsOk()) << key.bytes;
    return row.ok() && *row ? (*row)->value : "";
  }
  Revision RevisionOf(const RowKey& key) { return (*memory_->Get(key))->revision; }

  // Steps until done; how many rows moved.
  absl::StatusOr<int64_t> ResealAll(const std::string& owner, size_t limit = 3) {
    ResealStep total;
    for (std::optional<ResealCursor> at = ResealCursor(); at;) {
      auto step = barrier_->Reseal(owner, *at, limit, term_);
      if (!step.ok()) return step.status();
      total.visited_count += step->visited_count;
      total.moved_count += step->moved_count;
      at = step->next;
    }
    visited_count_ = total.visited_count;
    return total.moved_count;
  }
  absl::Status Rotate(const std::string& owner) {
    if (auto added = barrier_->AddKey(owner, term_); !added.ok()) return added.status();
    if (auto moved = ResealAll(owner); !moved.ok()) return moved.status();
    return barrier_->RetireOlderKeys(owner, term_);
  }
  size_t KeyCount(const std::string& owner) { return barrier_->StoredKeysOf(owner)->first.keys.size(); }

  // One row of each kind that acme's key seals, and of others beside them.
  std::vector<RowKey> FillAcme() {
    const std::vector<RowKey> keys = {keys::SecretSet("acme", "web"), keys::SecretSet("acme", "web2"), keys::SecretSet("acme", "web3"),
                                      keys::Request("acme", "r0"),    keys::Request("acme", "r1"),     keys::Request("acme", "r2")};
    for (const RowKey& key : keys) EXPECT_THAT(Put(key, "value of " + key.bytes), IsOk());
    EXPECT_THAT(Put(keys::SetUse("acme", "web", "bot"), ""), IsOk());
    EXPECT_THAT(Put(keys::Desired("eu", {ObjectKind::kSecretSet, "rival", "web"}), "rival's"), IsOk());
    EXPECT_THAT(Put(keys::SecretSet("rival", "web"), "rival's"), IsOk());
    return keys;
  }

  const std::unique_ptr<Store> memory_ = NewMemoryStore();
  FaultyStore faulty_{*memory_};
  HookedStore hooked_{faulty_};
  const std::unique_ptr<KeyringRootKeys> root_keys_ = KeyringRootKeys::Create(Keyring::ForTest());
  Term term_;
  std::unique_ptr<Barrier> barrier_;
  int64_t visited_count_ = 0;
};

TEST_F(RotationTest, MovesEveryRowOfItsOwnerAndNoOther) {
  const std::vector<RowKey> rows = FillAcme();
  std::vector<std::string> before;
  std::vector<Revision> revisions;
  for (const RowKey& row : rows) before.push_back(Beneath(row)), revisions.push_back(RevisionOf(row));
  const std::string rivals = Beneath(keys::SecretSet("rival", "web"));

  EXPECT_THAT(barrier_->AddKey("acme", term_), IsOkAndHolds(2));
  EXPECT_THAT(ResealAll("acme"), IsOkAndHolds(static_cast<int64_t>(rows.size())));
  EXPECT_EQ(visited_count_, static_cast<int64_t>(rows.size()));
  EXPECT_THAT(barrier_->RetireOlderKeys("acme", term_), IsOk());

  EXPECT_EQ(KeyCount("acme"), 1u);
  EXPECT_EQ(Beneath(keys::SecretSet("rival", "web")), rivals);
  for (int restarted = 0; restarted < 2; ++restarted, Restart()) {
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_NE(Beneath(rows[i]), before[i]);
      EXPECT_EQ(RevisionOf(rows[i]), revisions[i]);
      EXPECT_EQ(Read(rows[i]), "value of " + rows[i].bytes);
    }
  }
}

// As versions before 0.4 did.
TEST_F(RotationTest, AnOlderPlacementUnderItsOrganizationsKeyOpensAndARotationGivesItToTheSystem) {
  const RowKey row = keys::Desired("eu", {ObjectKind::kSecretSet, "acme", "web"});
  const auto of_acme = barrier_->KeysOf("acme");
  ASSERT_THAT(of_acme, IsOk());
  RowSealer sealer((*of_acme)->derived.back().barrier, SystemClock());
  ASSERT_THAT(CommitAndWait(*memory_, {.term = term_, .mutations = {{.key = row, .value = sealer.Seal("older", RowContext(row))}}}), IsOk());
  const Revision revision = RevisionOf(row);
  EXPECT_EQ(Read(row), "older");

  EXPECT_THAT(Rotate(""), IsOk());
  EXPECT_EQ(Read(row), "older");
  EXPECT_THAT(Rotate("acme"), IsOk());
  Restart();
  EXPECT_EQ(Read(row), "older");
  EXPECT_EQ(RevisionOf(row), revision);
  EXPECT_THAT(CommitAndWait(barrier_->store(), {.term = term_, .mutations = {{.key = keys::WrappedKey("acme")}}}), IsOk());
  EXPECT_EQ(Read(row), "older");
}

TEST_F(RotationTest, ASecondPassFindsNothingToMove) {
  FillAcme();
  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  ASSERT_THAT(ResealAll("acme"), IsOk());
  EXPECT_THAT(ResealAll("acme"), IsOkAndHolds(0));
}

TEST_F(RotationTest, TheSystemsRowsRotateTooWithAllThatIsBelowThem) {
  FillAcme();
  ASSERT_THAT(Put(keys::AuditHead(""), "head"), IsOk());
  ASSERT_THAT(Rotate(""), IsOk());
  Restart();
  EXPECT_EQ(Read(keys::AuditHead("")), "head");
  EXPECT_EQ(Decode<OrganizationRow>(Read(keys::Organization("acme")))->uid, "acme-uid");
}

TEST_F(RotationTest, NumbersGrowAndTheFingerprintKeyStays) {
  const auto first = *barrier_->KeysOf("acme");
  for (int number = 2; number <= 4; ++number) {
    EXPECT_THAT(barrier_->AddKey("acme", term_), IsOkAndHolds(number));
    ASSERT_THAT(ResealAll("acme"), IsOk());
    ASSERT_THAT(barrier_->RetireOlderKeys("acme", term_), IsOk());
  }
  for (int restarted = 0; restarted < 2; ++restarted, Restart()) {
    const auto keys = *barrier_->KeysOf("acme");
    EXPECT_EQ(keys->derived.size(), 1u);
    EXPECT_EQ(keys->derived.back().number, 4);
    EXPECT_TRUE(keys->fingerprint.Equals(first->fingerprint));
    EXPECT_FALSE(keys->escrow().Equals(first->escrow()));
    EXPECT_FALSE(keys->derived.back().barrier.Equals(first->derived.back().barrier));
    EXPECT_EQ(keys->revision, barrier_->StoredKeysOf("acme")->second);
  }
}

TEST_F(RotationTest, ASecondRotationWaitsForTheFirst) {
  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  EXPECT_THAT(barrier_->AddKey("acme", term_), FailsWith(absl::StatusCode::kFailedPrecondition, "ROTATION_RUNS"));
  EXPECT_THAT(barrier_->AddKey("rival", term_), IsOk());
  ASSERT_THAT(barrier_->RetireOlderKeys("acme", term_), IsOk());
  EXPECT_THAT(barrier_->AddKey("acme", term_), IsOkAndHolds(3));
}

TEST_F(RotationTest, OfTwoRotationsThatBeginAtOnceTheFirstOnesKeyStays) {
  hooked_.BeforeCommit([&] {
    ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
    ASSERT_THAT(Put(keys::SecretSet("acme", "web"), "under the first one's key"), IsOk());
  });
  EXPECT_THAT(barrier_->AddKey("acme", term_), FailsWith(absl::StatusCode::kFailedPrecondition, "ROTATION_RUNS"));
  Restart();
  EXPECT_EQ(Read(keys::SecretSet("acme", "web")), "under the first one's key");
}

TEST_F(RotationTest, RetiringTwiceIsNoError) {
  ASSERT_THAT(Rotate("acme"), IsOk());
  const Revision revision = barrier_->StoredKeysOf("acme")->second;
  EXPECT_THAT(barrier_->RetireOlderKeys("acme", term_), IsOk());
  EXPECT_EQ(barrier_->StoredKeysOf("acme")->second, revision);
}

TEST_F(RotationTest, OwnersAreAllThatHaveKeysInOrder) {
  EXPECT_THAT(barrier_->Owners(), IsOkAndHolds(ElementsAre("", "acme", "rival")));
  for (int i = 0; i < 300; ++i) ASSERT_THAT(Commit1(*barrier_->NewOrganizationKey(absl::StrCat("o", i))), IsOk());
  EXPECT_EQ(barrier_->Owners()->size(), 303u);
}

TEST_F(RotationTest, NobodyHasKeysWhomTheStoreDoesNotKnow) {
  EXPECT_THAT(barrier_->StoredKeysOf("nobody"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(barrier_->AddKey("nobody", term_), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ResealAll("nobody"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(barrier_->Rewrap("nobody", term_), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(RotationTest, AStaleTermChangesNoKey) {
  const Term old = term_;
  term_ = *memory_->AcquireWriter(Lineage::kKeep);
  EXPECT_THAT(barrier_->AddKey("acme", old), FailsWith(absl::StatusCode::kAborted, "STALE_TERM"));
  EXPECT_THAT(Rotate("acme"), IsOk());
}

TEST_F(RotationTest, AStepLooksAtNoMoreRowsThanItsLimit) {
  for (int i = 0; i < 10; ++i) ASSERT_THAT(Put(keys::SecretSet("acme", absl::StrCat("s", i)), "value"), IsOk());
  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  const auto step = barrier_->Reseal("acme", {}, 4, term_);
  ASSERT_THAT(step, IsOk());
  EXPECT_EQ(step->visited_count, 4);
  EXPECT_EQ(step->moved_count, 4);
  ASSERT_TRUE(step->next);
  EXPECT_EQ(step->next->family, static_cast<int>(Family::kSets));
  const auto again = barrier_->Reseal("acme", *step->next, 100, term_);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->moved_count, 6);
  EXPECT_FALSE(again->next);
}

TEST_F(RotationTest, ARowThatDoesNotOpenStopsIt) {
  const std::vector<RowKey> rows = FillAcme();
  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  std::string damaged = Beneath(rows[1]);
  damaged.back() ^= 1;
  ASSERT_THAT(CommitAndWait(*memory_, {.term = term_, .mutations = {{.key = rows[1], .value = damaged}}}), IsOk());
  EXPECT_THAT(ResealAll("acme", 1), StatusIs(absl::StatusCode::kDataLoss));
  ASSERT_THAT(Put(rows[1], "whole again"), IsOk());
  EXPECT_THAT(ResealAll("acme"), IsOk());
}

// Writers and readers in the worst places.

TEST_F(RotationTest, AWriterThatSealedBeforeAWholeRotationIsNotLost) {
  const RowKey key = keys::SecretSet("acme", "web");
  hooked_.BeforeCommit([&] { ASSERT_THAT(Rotate("acme"), IsOk()); });
  const auto written = Put(key, "late");
  ASSERT_THAT(written, IsOk());
  EXPECT_EQ(RevisionOf(key), *written);
  EXPECT_EQ(Read(key), "late");
  Restart();
  EXPECT_EQ(Read(key), "late");
}

TEST_F(RotationTest, AWriterThatSleptThroughFourRotationsSealsUnderTheNewestKey) {
  const RowKey key = keys::SecretSet("acme", "web");
  hooked_.BeforeCommit([&] {
    for (int i = 0; i < 3; ++i) ASSERT_THAT(Rotate("acme"), IsOk());
    ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  });
  ASSERT_THAT(Put(key, "late"), IsOk());
  EXPECT_THAT(ResealAll("acme"), IsOkAndHolds(0));
  ASSERT_THAT(barrier_->RetireOlderKeys("acme", term_), IsOk());
  EXPECT_EQ(Read(key), "late");
}

TEST_F(RotationTest, AnOvertakenWriterStillLosesToAnotherWriterOfItsRow) {
  const RowKey key = keys::SecretSet("acme", "web");
  const auto first = Put(key, "1");
  ASSERT_THAT(first, IsOk());
  hooked_.BeforeCommit([&] {
    ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
    ASSERT_THAT(Put(key, "2"), IsOk());
  });
  Commit late{.term = term_, .preconditions = {{key, *first}}, .mutations = {{.key = key, .value = "late"}}};
  EXPECT_THAT(CommitAndWait(barrier_->store(), late), FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
  EXPECT_EQ(Read(key), "2");
}

TEST_F(RotationTest, AReaderThatReadBeforeTheKeyWasRetiredReadsAgain) {
  const RowKey key = keys::SecretSet("acme", "web");
  ASSERT_THAT(Put(key, "value"), IsOk());
  hooked_.AfterGet(Family::kSets, [&] { ASSERT_THAT(Rotate("acme"), IsOk()); });
  EXPECT_EQ(Read(key), "value");
  hooked_.AfterScan(Family::kSets, [&] { ASSERT_THAT(Rotate("acme"), IsOk()); });
  const auto rows = barrier_->store().Scan(keys::SecretSets("acme"), "", 10);
  ASSERT_THAT(rows, IsOk());
  EXPECT_EQ(rows->front().row.value, "value");
}

TEST_F(RotationTest, KeysThatAreBeingLoadedWhileOneIsAddedAreNotKept) {
  const RowKey key = keys::SecretSet("acme", "web");
  ASSERT_THAT(Put(key, "before"), IsOk());
  Restart();
  hooked_.AfterGet(Family::kKeys, [&] { ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk()); });
  EXPECT_EQ((*barrier_->KeysOf("acme"))->derived.size(), 2u);
  Restart();
  hooked_.AfterGet(Family::kKeys, [&] { ASSERT_THAT(barrier_->RetireOlderKeys("rival", term_), IsOk()); });
  EXPECT_EQ(Read(key), "before");
}

TEST_F(RotationTest, KeysOfGivesNoneOlderThanAsked) {
  const Revision before = (*barrier_->KeysOf("acme"))->revision;
  const auto another = *Barrier::Open(*memory_, *root_keys_, term_);
  ASSERT_THAT(another->AddKey("acme", term_), IsOk());
  const Revision now = barrier_->StoredKeysOf("acme")->second;
  EXPECT_EQ((*barrier_->KeysOf("acme", before))->revision, before);
  EXPECT_EQ((*barrier_->KeysOf("acme", now))->revision, now);
}

TEST_F(RotationTest, ABarrierWhoseKeysAreBehindFindsOut) {
  const RowKey key = keys::SecretSet("acme", "web");
  ASSERT_THAT(Put(key, "1"), IsOk());
  const auto another = *Barrier::Open(*memory_, *root_keys_, term_);
  ASSERT_THAT(another->AddKey("acme", term_), IsOk());
  ASSERT_THAT(CommitAndWait(another->store(), {.term = term_, .mutations = {{.key = key, .value = "2"}}}), IsOk());
  EXPECT_EQ(Read(key), "2");
  ASSERT_THAT(another->RetireOlderKeys("acme", term_), IsOk());
  if (const auto refused = Put(key, "3"); !refused.ok()) {
    EXPECT_THAT(refused, FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
  }
  EXPECT_THAT(Put(key, "3"), IsOk());
}

TEST_F(RotationTest, AnErasedKeyIsForgottenAtOnceAlsoByOneWhoLoadsIt) {
  const RowKey key = keys::SecretSet("acme", "web");
  ASSERT_THAT(Put(key, "value"), IsOk());
  hooked_.BeforeCommit([&] { ASSERT_THAT(Commit1({.key = keys::WrappedKey("acme")}), IsOk()); });
  EXPECT_THAT(Put(key, "late"), FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
  EXPECT_THAT(Put(key, "late"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(barrier_->KeysOf("acme"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(barrier_->store().Get(key), StatusIs(absl::StatusCode::kDataLoss));

  AddOrganization("acme");
  Restart();
  hooked_.AfterGet(Family::kKeys, [&] { ASSERT_THAT(Commit1({.key = keys::WrappedKey("acme")}), IsOk()); });
  EXPECT_THAT(barrier_->KeysOf("acme"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(RotationTest, ResealLeavesARowToItsWriter) {
  const RowKey key = keys::SecretSet("acme", "web");
  ASSERT_THAT(Put(key, "old"), IsOk());
  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  hooked_.BeforeCommit([&] { ASSERT_THAT(Put(key, "new"), IsOk()); });
  EXPECT_THAT(ResealAll("acme"), IsOkAndHolds(1));
  ASSERT_THAT(barrier_->RetireOlderKeys("acme", term_), IsOk());
  EXPECT_EQ(Read(key), "new");
}

TEST_F(RotationTest, ResealUndoesNoWriteThatKeptItsRevision) {
  const RowKey key = keys::ApiKey("k1");
  const auto first = Put(key, "unused");
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(barrier_->AddKey("", term_), IsOk());
  absl::Notification written;
  hooked_.AfterScan(Family::kMeta, [&] {
    Commit use{.term = term_, .preconditions = {{key, *first}}};
    use.mutations.push_back({.key = key, .value = "used", .keep_revision = true});
    barrier_->store().CommitAsync(std::move(use), [&](const absl::StatusOr<Revision>& result) {
      EXPECT_THAT(result, IsOk());
      written.Notify();
    });
  });
  ASSERT_THAT(ResealAll("", 100), IsOk());
  written.WaitForNotification();
  ASSERT_THAT(barrier_->RetireOlderKeys("", term_), IsOk());
  EXPECT_EQ(Read(key), "used");
  EXPECT_EQ(RevisionOf(key), *first);
}

TEST_F(RotationTest, ResealLeavesARowThatIsGone) {
  const RowKey key = keys::SecretSet("acme", "web");
  ASSERT_THAT(Put(key, "old"), IsOk());
  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  hooked_.BeforeCommit([&] { ASSERT_THAT(Commit1({.key = key}), IsOk()); });
  EXPECT_THAT(ResealAll("acme"), IsOkAndHolds(1));
  EXPECT_FALSE((*barrier_->store().Get(key)).has_value());
}

TEST_F(RotationTest, AStepDuringWhichTheKeyRowChangesIsDoneAgain) {
  const std::vector<RowKey> rows = FillAcme();
  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  hooked_.BeforeCommit([&] {
    // As Rewrap does: another revision, the same keys.
    const Row row = **memory_->Get(keys::WrappedKey("acme"));
    ASSERT_THAT(Commit1({.key = keys::WrappedKey("acme"), .value = row.value}), IsOk());
  });
  EXPECT_THAT(ResealAll("acme"), FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
  EXPECT_THAT(ResealAll("acme"), IsOk());
  ASSERT_THAT(barrier_->RetireOlderKeys("acme", term_), IsOk());
  for (const RowKey& row : rows) EXPECT_EQ(Read(row), "value of " + row.bytes);
}

TEST_F(RotationTest, AnUnknownOutcomeOfAddKeyIsFoundOut) {
  const RowKey key = keys::SecretSet("acme", "web");
  ASSERT_THAT(Put(key, "1"), IsOk());
  faulty_.Inject({.kind = FaultyStore::Kind::kFailCommitAfter});
  EXPECT_THAT(barrier_->AddKey("acme", term_), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(KeyCount("acme"), 2u);
  EXPECT_THAT(Put(key, "2"), IsOk());
  EXPECT_THAT(ResealAll("acme"), IsOkAndHolds(0));
  ASSERT_THAT(barrier_->RetireOlderKeys("acme", term_), IsOk());
  EXPECT_EQ(Read(key), "2");
}

// After every n-th commit, before it or behind it, the process ends; the next one goes on from what is stored.
TEST_F(RotationTest, ACrashAtAnyCommitLosesNothing) {
  const std::vector<RowKey> rows = FillAcme();
  for (const auto kind : {FaultyStore::Kind::kFailCommitBefore, FaultyStore::Kind::kFailCommitAfter}) {
    for (int commit = 0; commit < 12; ++commit) {
      SCOPED_TRACE(absl::StrCat("commit ", commit));
      faulty_.Inject({.kind = kind, .skip = commit});
      const absl::Status interrupted = Rotate("acme");
      if (faulty_.FaultsLeft() > 0) {
        // A whole rotation has fewer commits.
        EXPECT_THAT(interrupted, IsOk());
        while (faulty_.FaultsLeft() > 0) (void)Put(keys::Region("eu"), "tick");
      }
      Restart();
      for (const RowKey& row : rows) ASSERT_EQ(Read(row), "value of " + row.bytes);
      if (KeyCount("acme") > 1) {
        ASSERT_THAT(ResealAll("acme"), IsOk());
        ASSERT_THAT(barrier_->RetireOlderKeys("acme", term_), IsOk());
      }
      Restart();
      for (const RowKey& row : rows) ASSERT_EQ(Read(row), "value of " + row.bytes);
      EXPECT_EQ(KeyCount("acme"), 1u);
    }
  }
}

}  // namespace
}  // namespace keyferry
