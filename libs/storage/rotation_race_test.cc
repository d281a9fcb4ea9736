// Rotation under writers and readers that never stop, over the memory store and RocksDB.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/storage/barrier.h"
#include "libs/storage/keys.h"
#include "libs/storage/rocksdb_store.h"
#include "libs/storage/testing/memory_store.h"

namespace keyferry {
namespace {

constexpr int kWriters = 4;
constexpr int kRows = 12;

struct StoreToRotate {
  std::string name;
  int rotations;
  std::function<std::unique_ptr<Store>(const std::string& directory)> open;
};
void PrintTo(const StoreToRotate& store, std::ostream* out) { *out << store.name; }

class RotationRaceTest : public ::testing::TestWithParam<StoreToRotate> {
 protected:
  RotationRaceTest() {
    term_ = *store_->AcquireWriter(Lineage::kKeep);
    barrier_ = *Barrier::Open(*store_, *root_keys_, term_);
    for (const char* name : {"acme", "rival"})
      EXPECT_THAT(CommitAndWait(barrier_->store(), {.term = term_, .mutations = {*barrier_->NewOrganizationKey(name)}}),
                  IsOk());
    for (int i = 0; i < kRows; ++i)
      EXPECT_THAT(CommitAndWait(barrier_->store(), {.term = term_, .mutations = {{.key = KeyOf(i), .value = "0"}}}),
                  IsOk());
  }

  // Some are acme's, some rival's, some the system's; placements stand among each other.
  static RowKey KeyOf(int row) {
    const std::string organization = row % 2 == 0 ? "acme" : "rival", name = absl::StrCat("s", row);
    if (row % 4 == 0) return keys::SecretSet(organization, name);
    if (row % 4 == 3) return keys::Region(name);
    return keys::Desired("eu", {ObjectKind::kSecretSet, organization, name});
  }

  // Adds one to a row; false when another writer was first.
  bool Increment(const RowKey& key) {
    const auto row = barrier_->store().Get(key);
    EXPECT_THAT(row, IsOk());
    int count = 0;
    if (!row.ok() || !*row || !absl::SimpleAtoi((*row)->value, &count))
      return ADD_FAILURE() << "a counter does not read", false;
    const auto written =
        CommitAndWait(barrier_->store(), {.term = term_,
                                          .preconditions = {{key, (*row)->revision}},
                                          .mutations = {{.key = key, .value = absl::StrCat(count + 1)}}});
    if (written.ok()) return true;
    EXPECT_THAT(written, StatusIs(absl::StatusCode::kAborted));
    return false;
  }

  // As rotation jobs do: what is Aborted is done again.
  void Rotate(const std::string& owner) {
    const auto again = [](const absl::Status& status) {
      if (absl::IsAborted(status)) return true;
      EXPECT_THAT(status, IsOk());
      return false;
    };
    while (again(barrier_->AddKey(owner, term_).status())) {
    }
    for (std::optional<ResealCursor> at = ResealCursor(); at;) {
      const auto step = barrier_->Reseal(owner, *at, 5, term_);
      if (!again(step.status())) at = step.ok() ? step->next : std::nullopt;
    }
    while (again(barrier_->RetireOlderKeys(owner, term_))) {
    }
  }

  TempDir directory_;
  const std::unique_ptr<Store> store_ = GetParam().open(directory_.File("store"));
  const std::unique_ptr<RootKeys> root_keys_ = KeyringRootKeys::Create(Keyring::ForTest());
  Term term_;
  std::unique_ptr<Barrier> barrier_;
};

TEST_P(RotationRaceTest, RotationUnderWritersLosesNoWriteAndEveryRowOpensAtAnyTime) {
  std::atomic<bool> stop = false;
  std::vector<std::atomic<int>> counts(kRows);
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      std::mt19937 random(writer);
      while (!stop) {
        const int row = static_cast<int>(random() % kRows);
        if (Increment(KeyOf(row))) ++counts[row];
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop) EXPECT_THAT(barrier_->store().Scan(keys::DesiredIn("eu"), "", 100), IsOk());
  });
  threads.emplace_back([&] {
    while (!stop) EXPECT_THAT(barrier_->KeysOf("acme"), IsOk());
  });
  for (int i = 0; i < GetParam().rotations; ++i) {
    for (const char* owner : {"acme", "rival", ""}) Rotate(owner);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();

  const auto restarted = *Barrier::Open(*store_, *root_keys_, term_);
  for (Barrier* barrier : {barrier_.get(), restarted.get()}) {
    for (int i = 0; i < kRows; ++i) {
      const auto row = barrier->store().Get(KeyOf(i));
      ASSERT_THAT(row, IsOk());
      EXPECT_EQ((*row)->value, absl::StrCat(counts[i].load()));
    }
  }
  EXPECT_EQ(barrier_->StoredKeysOf("acme")->first.keys.back().number, 1 + GetParam().rotations);
}

// Nothing but the rotation writes there; writers come and go with their own sets.
TEST_P(RotationRaceTest, OrganizationsComeAndGoWhileOthersRotate) {
  std::atomic<bool> stop = false;
  std::thread comer([&] {
    for (int i = 0; !stop; ++i) {
      const std::string name = absl::StrCat("o", i);
      const RowKey set = keys::SecretSet(name, "web");
      ASSERT_THAT(CommitAndWait(barrier_->store(), {.term = term_, .mutations = {*barrier_->NewOrganizationKey(name)}}),
                  IsOk());
      ASSERT_THAT(CommitAndWait(barrier_->store(), {.term = term_, .mutations = {{.key = set, .value = "value"}}}),
                  IsOk());
      ASSERT_THAT(CommitAndWait(barrier_->store(),
                                {.term = term_, .mutations = {{.key = set}, {.key = keys::WrappedKey(name)}}}),
                  IsOk());
      ASSERT_THAT(CommitAndWait(barrier_->store(), {.term = term_, .mutations = {{.key = set, .value = "late"}}}),
                  StatusIs(absl::StatusCode::kFailedPrecondition));
    }
  });
  for (int i = 0; i < GetParam().rotations; ++i) Rotate("acme");
  stop = true;
  comer.join();
}

INSTANTIATE_TEST_SUITE_P(
    Stores, RotationRaceTest,
    ::testing::Values(StoreToRotate{"Memory", 60, [](const std::string&) { return NewMemoryStore(); }},
                      StoreToRotate{"RocksDb", 12,
                                    [](const std::string& directory) {
                                      return *OpenRocksDbStore({.path = directory, .disk = {.ballast_bytes = 0}});
                                    }}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace keyferry
