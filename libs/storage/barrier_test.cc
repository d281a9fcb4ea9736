#include "libs/storage/barrier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/keys.h"
#include "libs/storage/testing/faulty_store.h"
#include "libs/storage/testing/memory_store.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class BarrierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    term_ = *beneath_->AcquireWriter(Lineage::kKeep);
    barrier_ = *Barrier::Open(*beneath_, *root_keys_, term_);
    AddOrganization("acme");
    AddOrganization("rival");
  }
  void AddOrganization(const std::string& name) {
    ASSERT_THAT(CommitAndWait(barrier_->store(), {.term = term_, .mutations = {*barrier_->NewOrganizationKey(name)}}),
                IsOk());
  }
  absl::StatusOr<Revision> Put(const RowKey& key, const std::string& value) {
    return CommitAndWait(barrier_->store(), {.term = term_, .mutations = {{.key = key, .value = value}}});
  }
  // As a thief or a broken disk would.
  void PutBeneath(const RowKey& key, const std::string& bytes) {
    ASSERT_THAT(CommitAndWait(*beneath_, {.term = term_, .mutations = {{.key = key, .value = bytes}}}), IsOk());
  }
  std::string Beneath(const RowKey& key) { return (*beneath_->Get(key))->value; }

  const std::unique_ptr<Store> beneath_ = NewMemoryStore();
  const std::unique_ptr<RootKeys> root_keys_ = KeyringRootKeys::Create(Keyring::ForTest());
  Term term_;
  std::unique_ptr<Barrier> barrier_;
};

TEST_F(BarrierTest, WhatIsStoredShowsNothingOfTheValue) {
  const RowKey key = keys::SecretSet("acme", "web");
  ASSERT_THAT(Put(key, "a telling value"), IsOk());
  EXPECT_THAT(Beneath(key), Not(HasSubstr("telling")));
  EXPECT_EQ((*barrier_->store().Get(key))->value, "a telling value");
}

TEST_F(BarrierTest, EmptyValuesAndWrappedKeysAreStoredAsTheyAre) {
  ASSERT_THAT(Put(keys::SetUse("acme", "web", "bot"), ""), IsOk());
  EXPECT_EQ(Beneath(keys::SetUse("acme", "web", "bot")), "");
  EXPECT_EQ((*barrier_->store().Get(keys::WrappedKey("acme")))->value, Beneath(keys::WrappedKey("acme")));
}

TEST_F(BarrierTest, ARowThatWasMovedDoesNotOpen) {
  const RowKey from = keys::SecretSet("acme", "web");
  ASSERT_THAT(Put(from, "value"), IsOk());
  for (const RowKey& to : {keys::SecretSet("acme", "web2"), keys::SecretSet("rival", "web"), keys::Region("web"),
                           RowKey{Family::kDeployments, from.bytes}}) {
    PutBeneath(to, Beneath(from));
    EXPECT_THAT(barrier_->store().Get(to), StatusIs(absl::StatusCode::kDataLoss)) << to.bytes;
    EXPECT_THAT(barrier_->store().Scan(to, "", 10), StatusIs(absl::StatusCode::kDataLoss)) << to.bytes;
  }
}

TEST_F(BarrierTest, RandomFlippedBitsNeverOpen) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const RowKey key = keys::SecretSet("acme", "web");
  ASSERT_THAT(Put(key, std::string(300, 'v')), IsOk());
  const std::string sealed = Beneath(key);
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = sealed;
    const size_t at = random() % damaged.size();
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
    PutBeneath(key, damaged);
    ASSERT_THAT(barrier_->store().Get(key), StatusIs(absl::StatusCode::kDataLoss)) << "byte " << at;
  }
}

TEST_F(BarrierTest, TheErrorNamesTheRowAndNoBytesOfIt) {
  const RowKey key = keys::SecretSet("acme", "web");
  PutBeneath(key, "never sealed");
  const absl::Status status = barrier_->store().Get(key).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("sets s/acme/web"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("never sealed")));
}

TEST_F(BarrierTest, AnotherBarrierOverTheSameStoreAndKeyringReadsEverything) {
  ASSERT_THAT(Put(keys::SecretSet("acme", "web"), "value"), IsOk());
  ASSERT_THAT(Put(keys::Organization("acme"), "record"), IsOk());
  const auto again = Barrier::Open(*beneath_, *root_keys_, term_);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ((*(*again)->store().Get(keys::SecretSet("acme", "web")))->value, "value");
  EXPECT_EQ((*(*again)->store().Get(keys::Organization("acme")))->value, "record");
}

TEST_F(BarrierTest, AnotherKeyringIsRefused) {
  const auto wrong = KeyringRootKeys::Create(Keyring::ForTest());
  const auto opened = Barrier::Open(*beneath_, *wrong, term_);
  EXPECT_THAT(opened, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("keyring"));
}

TEST_F(BarrierTest, AStoreThatLostItsSystemKeyIsRefusedAndNotGivenANewOne) {
  ASSERT_THAT(CommitAndWait(*beneath_, {.term = term_, .mutations = {{.key = keys::WrappedKey("")}}}), IsOk());
  EXPECT_THAT(Barrier::Open(*beneath_, *root_keys_, term_), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(BarrierTest, AWrappedKeyOpensOnlyForItsOwner) {
  PutBeneath(keys::WrappedKey("rival"), Beneath(keys::WrappedKey("acme")));
  const auto again = Barrier::Open(*beneath_, *root_keys_, term_);
  ASSERT_THAT(again, IsOk());
  EXPECT_THAT((*again)->KeysOf("acme"), IsOk());
  EXPECT_THAT((*again)->KeysOf("rival"), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(BarrierTest, EachOrganizationHasKeysOfItsOwnAndTheyStay) {
  const auto acme = *barrier_->KeysOf("acme"), rival = *barrier_->KeysOf("rival");
  EXPECT_FALSE(acme->escrow().Equals(rival->escrow()));
  EXPECT_FALSE(acme->fingerprint.Equals(acme->escrow()));
  EXPECT_FALSE(acme->derived.back().barrier.Equals(acme->escrow()));
  const auto again = *Barrier::Open(*beneath_, *root_keys_, term_);
  EXPECT_TRUE((*again->KeysOf("acme"))->escrow().Equals(acme->escrow()));
}

TEST_F(BarrierTest, AnOrganizationWithoutAKeyHoldsNoRows) {
  EXPECT_THAT(barrier_->KeysOf("nobody"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Put(keys::SecretSet("nobody", "web"), "value"), StatusIs(absl::StatusCode::kFailedPrecondition));
  PutBeneath(keys::SecretSet("nobody", "web"), "value");
  EXPECT_THAT(barrier_->store().Get(keys::SecretSet("nobody", "web")), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(BarrierTest, AStampedRowCarriesNoValue) {
  const ObjectId object{ObjectKind::kSecretSet, "acme", "web"};
  const auto stamped = [&](const std::string& value) {
    return CommitAndWait(barrier_->store(),
                         {.term = term_,
                          .mutations = {{.key = keys::Pending("us-west", 0, object),
                                         .value = value,
                                         .revision_offset = keys::PendingRevisionOffset("us-west")}}});
  };
  EXPECT_THAT(stamped("value"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(stamped(""), IsOk());
}

TEST_F(BarrierTest, AStoreThatCannotBeReadDoesNotRaiseABarrier) {
  FaultyStore faulty(*beneath_);
  faulty.Inject({.kind = FaultyStore::Kind::kFailGet});
  EXPECT_THAT(Barrier::Open(faulty, *root_keys_, term_), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(Barrier::Open(faulty, *root_keys_, term_), IsOk());
}

}  // namespace
}  // namespace keyferry
