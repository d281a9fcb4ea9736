// What the barrier does while the KMS is away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/storage/barrier.h"
#include "libs/storage/keys.h"
#include "libs/storage/testing/memory_store.h"
#include "services/api/kms_root_keys.h"
#include "services/api/testing/fake_kms.h"

namespace keyferry {
namespace {

constexpr absl::StatusCode kUnavailable = absl::StatusCode::kUnavailable;

class KmsOutageTest : public testing::Test {
 protected:
  KmsOutageTest() {
    EXPECT_THAT(root_keys_->Refresh(), IsOk());
    EXPECT_THAT(Start(), IsOk());
    EXPECT_THAT(CommitAndWait(barrier_->store(), {.term = term_, .mutations = {*barrier_->NewOrganizationKey("acme")}}),
                IsOk());
    EXPECT_THAT(Put("one"), IsOk());
  }

  // With nothing in memory.
  absl::Status Start() {
    auto opened = Barrier::Open(*beneath_, *root_keys_, term_);
    if (!opened.ok()) return opened.status();
    barrier_ = *std::move(opened);
    return absl::OkStatus();
  }
  absl::StatusOr<Revision> Put(const std::string& value) {
    return CommitAndWait(barrier_->store(), {.term = term_, .mutations = {{.key = kRow, .value = value}}});
  }
  absl::StatusOr<std::string> Get() {
    const auto row = barrier_->store().Get(kRow);
    if (!row.ok()) return row.status();
    return (*row)->value;
  }

  const RowKey kRow = keys::SecretSet("acme", "web");
  TempDir directory_;
  const std::unique_ptr<FakeKms> kms_ = FakeKms::Start(directory_.File("socket"));
  const std::unique_ptr<KmsClient> client_ = KmsClient::Create(directory_.File("socket"), absl::Milliseconds(300));
  const std::unique_ptr<KmsRootKeys> root_keys_ = KmsRootKeys::Create(*client_, {.keeps_asking = false});
  const std::unique_ptr<Store> beneath_ = NewMemoryStore();
  const Term term_ = *beneath_->AcquireWriter(Lineage::kKeep);
  std::unique_ptr<Barrier> barrier_;
};

TEST_F(KmsOutageTest, OrganizationsWhoseKeyIsInMemoryAreReadAndWritten) {
  kms_->Die();
  EXPECT_THAT(Get(), IsOkAndHolds("one"));
  EXPECT_THAT(Put("two"), IsOk());
  EXPECT_THAT(Get(), IsOkAndHolds("two"));
}

TEST_F(KmsOutageTest, TheKmsIsAskedForAKeyOnceAndNeverAgain) {
  const int before = kms_->CountOf("Decrypt");
  for (int i = 0; i < 100; ++i) EXPECT_THAT(Put("more"), IsOk());
  EXPECT_EQ(kms_->CountOf("Decrypt"), before);
}

TEST_F(KmsOutageTest, NewOrganizationsAreRefused) {
  kms_->Die();
  EXPECT_THAT(barrier_->NewOrganizationKey("rival"), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
}

TEST_F(KmsOutageTest, OrganizationsWhoseKeyIsNotInMemoryWaitForTheKmsAndNothingIsLost) {
  ASSERT_THAT(Start(), IsOk());
  kms_->Die();
  EXPECT_THAT(Get(), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
  EXPECT_THAT(Put("two"), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
  kms_->Return();
  EXPECT_THAT(Get(), IsOkAndHolds("one"));
  EXPECT_THAT(Put("two"), IsOk());
}

TEST_F(KmsOutageTest, NothingStartsWithoutTheSystemsKey) {
  kms_->Die();
  EXPECT_THAT(Start(), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
  kms_->Return();
  EXPECT_THAT(Start(), IsOk());
}

TEST_F(KmsOutageTest, AKeyOfOneOrganizationPutInAnothersPlaceDoesNotUnwrap) {
  ASSERT_THAT(CommitAndWait(barrier_->store(), {.term = term_, .mutations = {*barrier_->NewOrganizationKey("rival")}}),
              IsOk());
  const auto rivals = beneath_->Get(keys::WrappedKey("rival"));
  ASSERT_THAT(rivals, IsOk());
  ASSERT_THAT(CommitAndWait(*beneath_, {.term = term_,
                                        .mutations = {{.key = keys::WrappedKey("acme"), .value = (*rivals)->value}}}),
              IsOk());
  ASSERT_THAT(Start(), IsOk());
  EXPECT_THAT(Get(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(KmsOutageTest, AfterAChangeOfTheKmssKeyRewrapMovesEachOwnerOnce) {
  kms_->Rotate("key-2");
  ASSERT_THAT(root_keys_->Refresh(), IsOk());
  for (const std::string owner : {"", "acme"}) {
    EXPECT_THAT(barrier_->Rewrap(owner, term_), IsOkAndHolds(true));
    EXPECT_THAT(barrier_->Rewrap(owner, term_), IsOkAndHolds(false));
    EXPECT_EQ(barrier_->StoredKeysOf(owner)->first.keys.back().root_key_id, "kms:key-2");
  }
  ASSERT_THAT(Start(), IsOk());
  EXPECT_THAT(Get(), IsOkAndHolds("one"));
}

}  // namespace
}  // namespace keyferry
