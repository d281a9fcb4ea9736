#include "libs/storage/testing/faulty_store.h"

#include <gtest/gtest.h>

#include "libs/common/testing/status_matchers.h"
#include "libs/storage/testing/memory_store.h"

namespace keyferry {
namespace {

using Kind = FaultyStore::Kind;

class FaultyStoreTest : public ::testing::Test {
 protected:
  absl::StatusOr<Revision> Put(const std::string& value) {
    return CommitAndWait(faulty_, {.term = term_, .mutations = {{.key = key_, .value = value}}});
  }
  std::string Value() {
    const auto row = *beneath_->Get(key_);
    return row ? row->value : "";
  }

  const RowKey key_{Family::kSets, "a"};
  const std::unique_ptr<Store> beneath_ = NewMemoryStore();
  FaultyStore faulty_{*beneath_};
  const Term term_ = *beneath_->AcquireWriter(Lineage::kKeep);
};

TEST_F(FaultyStoreTest, ACommitThatFailsBeforeWritesNothing) {
  faulty_.Inject({.kind = Kind::kFailCommitBefore, .status = absl::AbortedError("injected")});
  EXPECT_THAT(Put("1"), StatusIs(absl::StatusCode::kAborted));
  EXPECT_EQ(Value(), "");
  EXPECT_THAT(Put("2"), IsOk());
}

TEST_F(FaultyStoreTest, ACommitThatFailsAfterIsWritten) {
  faulty_.Inject({.kind = Kind::kFailCommitAfter});
  EXPECT_THAT(Put("1"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(Value(), "1");
}

TEST_F(FaultyStoreTest, FaultsComeInTheirOrderEachOnce) {
  faulty_.Inject({.kind = Kind::kFailGet, .skip = 1});
  faulty_.Inject({.kind = Kind::kFailCommitBefore});
  faulty_.Inject({.kind = Kind::kFailScan});
  EXPECT_THAT(Put("1"), IsOk());
  EXPECT_THAT(faulty_.Get(key_), IsOk());
  EXPECT_THAT(faulty_.Get(key_), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(faulty_.Scan(key_, "", 1), IsOk());
  EXPECT_THAT(Put("2"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(faulty_.Scan(key_, "", 1), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(faulty_.FaultsLeft(), 0u);
  EXPECT_THAT(faulty_.Get(key_), IsOk());
}

TEST_F(FaultyStoreTest, ADelayedAnswerComesWhenReleased) {
  faulty_.Inject({.kind = Kind::kDelayCommit});
  std::atomic<bool> answered = false;
  faulty_.CommitAsync({.term = term_, .mutations = {{.key = key_, .value = "1"}}},
                      [&](const auto&) { answered = true; });
  ASSERT_THAT(CommitAndWait(*beneath_, {.term = term_}), IsOk());
  EXPECT_EQ(Value(), "1");
  EXPECT_FALSE(answered);
  faulty_.ReleaseDelayed();
  EXPECT_TRUE(answered);
}

}  // namespace
}  // namespace keyferry
