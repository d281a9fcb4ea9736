// T2: a sealed row at another row's place never opens, whoever it belongs to, and the answer does not tell why.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/barrier.h"
#include "libs/storage/commit_rules.h"
#include "libs/storage/keys.h"
#include "libs/storage/testing/memory_store.h"

namespace keyferry {
namespace {

// Of every kind that is sealed, of two organizations where it is of one.
std::vector<RowKey> AllKinds() {
  std::vector<RowKey> rows = {keys::RegionAuthority(), keys::AuditHead("")};
  for (const std::string n : {"1", "2", "3", "4"}) {
    for (const RowKey& row :
         {keys::Organization("o" + n), keys::ApiKey(n), keys::Region("r" + n), keys::RegionState("r" + n),
          keys::EnrollmentToken(n), keys::Provisioner("r1", n), keys::RevokedIdentity("spiffe://x/" + n),
          keys::Shred("u1", n), keys::OrganizationRotation("o" + n), keys::RegionRotation("r" + n),
          keys::AuditHead("o" + n), keys::AuditPending("o1", n), keys::AuditRecord("o1", n[0])}) {
      rows.push_back(row);
    }
    for (const std::string organization : {"acme", "rival"}) {
      const ObjectId set{ObjectKind::kSecretSet, organization, "s" + n},
          agent{ObjectKind::kDeployment, organization, "s" + n};
      for (const RowKey& row : {keys::SecretSet(organization, "s" + n), keys::Generation(organization, "u1", n[0]),
                                keys::Generation(organization, "u" + n, 1), keys::Deployment(organization, "s" + n),
                                keys::Desired("eu", set), keys::Observed("eu", set), keys::Desired("us", agent),
                                keys::Request(organization, "s" + n)}) {
        rows.push_back(row);
      }
    }
  }
  return rows;
}

class RelocationTest : public ::testing::Test {
 protected:
  RelocationTest() {
    for (const char* name : {"acme", "rival"})
      EXPECT_THAT(Put(barrier_->store(), *barrier_->NewOrganizationKey(name)), IsOk());
    for (const RowKey& row : AllKinds()) {
      if (!rows_.insert(row).second) continue;
      EXPECT_THAT(Put(barrier_->store(), {.key = row, .value = "value"}), IsOk());
    }
  }
  absl::Status Put(Store& store, Mutation mutation) {
    return CommitAndWait(store, {.term = term_, .mutations = {std::move(mutation)}}).status();
  }

  const std::unique_ptr<Store> beneath_ = NewMemoryStore();
  const std::unique_ptr<RootKeys> root_keys_ = KeyringRootKeys::Create(Keyring::ForTest());
  const Term term_ = *beneath_->AcquireWriter(Lineage::kKeep);
  const std::unique_ptr<Barrier> barrier_ = *Barrier::Open(*beneath_, *root_keys_, term_);
  std::set<RowKey> rows_;
};

TEST_F(RelocationTest, NoRowOpensAtAnotherRowsPlaceAndAllAnswerInTheSameWords) {
  std::vector<KeyedRow> sealed;
  for (const RowKey& row : rows_) sealed.push_back({row, **beneath_->Get(row)});
  std::set<std::string> answers;
  int64_t pair_count = 0;
  for (const KeyedRow& to : sealed) {
    for (const KeyedRow& from : sealed) {
      if (from.key == to.key) continue;
      ASSERT_THAT(Put(*beneath_, {.key = to.key, .value = from.row.value}), IsOk());
      const auto moved = barrier_->store().Get(to.key);
      ASSERT_THAT(moved, StatusIs(absl::StatusCode::kDataLoss))
          << Printable(from.key) << " opened as " << Printable(to.key);
      answers.insert(absl::StrReplaceAll(std::string(moved.status().message()), {{Printable(to.key), "ROW"}}));
      ++pair_count;
    }
    ASSERT_THAT(Put(*beneath_, {.key = to.key, .value = to.row.value}), IsOk());
    ASSERT_THAT(barrier_->store().Get(to.key), IsOk());
  }
  EXPECT_GE(pair_count, 10'000);
  EXPECT_EQ(answers.size(), 1u);
}

TEST_F(RelocationTest, NoRowOpensThereDuringARotationEither) {
  const RowKey from = keys::SecretSet("acme", "s1"), to = keys::SecretSet("acme", "s2"),
               of_rival = keys::SecretSet("rival", "s1");
  const std::string old = (**beneath_->Get(from)).value;
  ASSERT_THAT(barrier_->AddKey("acme", term_), IsOk());
  ASSERT_THAT(Put(barrier_->store(), {.key = from, .value = "newer"}), IsOk());
  for (const std::string& bytes : {old, (**beneath_->Get(from)).value}) {
    for (const RowKey& place : {to, of_rival}) {
      ASSERT_THAT(Put(*beneath_, {.key = place, .value = bytes}), IsOk());
      EXPECT_THAT(barrier_->store().Get(place), StatusIs(absl::StatusCode::kDataLoss));
    }
  }
}

}  // namespace
}  // namespace keyferry
