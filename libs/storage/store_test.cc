// Every store passes the same suite.
#include <gtest/gtest.h>

#include <memory>

#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/crypto/keyring.h"
#include "libs/storage/barrier.h"
#include "libs/storage/rocksdb_store.h"
#include "libs/storage/testing/faulty_store.h"
#include "libs/storage/testing/memory_store.h"
#include "libs/storage/testing/store_conformance.h"

namespace keyferry {
namespace {

class OpenedMemoryStore final : public OpenedStore {
 public:
  Store& store() override { return *store_; }

 private:
  const std::unique_ptr<Store> store_ = NewMemoryStore();
};

class OpenedRocksDbStore final : public OpenedStore {
 public:
  OpenedRocksDbStore() { Reopen(); }
  Store& store() override { return *store_; }
  void Reopen() override {
    store_ = nullptr;
    auto opened = OpenRocksDbStore({.path = directory_.File("store"), .disk = {.ballast_bytes = 0}});
    EXPECT_THAT(opened, IsOk());
    store_ = *std::move(opened);
  }

 private:
  const TempDir directory_;
  std::unique_ptr<Store> store_;
};

class OpenedFaultyStore final : public OpenedStore {
 public:
  Store& store() override { return faulty_; }

 private:
  const std::unique_ptr<Store> beneath_ = NewMemoryStore();
  FaultyStore faulty_{*beneath_};
};

// With a barrier of its own each time it is opened.
template <typename Beneath>
class OpenedBarrier final : public OpenedStore {
 public:
  OpenedBarrier() { Raise(); }
  Store& store() override { return barrier_->store(); }
  void Reopen() override {
    barrier_ = nullptr;
    beneath_.Reopen();
    Raise();
  }

 private:
  void Raise() {
    if (term_.number == 0) term_ = *beneath_.store().AcquireWriter(Lineage::kKeep);
    auto barrier = Barrier::Open(beneath_.store(), *root_keys_, term_);
    EXPECT_THAT(barrier, IsOk());
    barrier_ = *std::move(barrier);
  }

  Beneath beneath_;
  const std::unique_ptr<RootKeys> root_keys_ = KeyringRootKeys::Create(Keyring::ForTest());
  Term term_;
  std::unique_ptr<Barrier> barrier_;
};

template <typename Opened>
StoreUnderTest UnderTest(std::string name, bool reopen_between_operations = false) {
  return {.name = std::move(name),
          .open = [] { return std::make_unique<Opened>(); },
          .reopen_between_operations = reopen_between_operations};
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreConformanceTest,
                         ::testing::Values(UnderTest<OpenedMemoryStore>("Memory"),
                                           UnderTest<OpenedRocksDbStore>("RocksDb"),
                                           UnderTest<OpenedRocksDbStore>("RocksDbReopened", true),
                                           UnderTest<OpenedFaultyStore>("FaultyWithoutFaults"),
                                           UnderTest<OpenedBarrier<OpenedMemoryStore>>("BarrierOnMemory"),
                                           UnderTest<OpenedBarrier<OpenedRocksDbStore>>("BarrierOnRocksDb")),
                         NameOfStore);

}  // namespace
}  // namespace keyferry
