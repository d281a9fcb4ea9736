#include "libs/storage/row_sealer.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "libs/common/testing/fake_clock.h"
#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

class RowSealerTest : public ::testing::Test {
 protected:
  static std::string SaltOf(const std::string& frame) { return frame.substr(2, kSaltBytes); }

  FakeClock clock_;
  const SecretBytes key_ = SecretBytes::Random(kKeyBytes);
  RowSealer sealer_{key_, clock_};
};

TEST_F(RowSealerTest, OpensWhatItSealedAndWhatAnotherSealerOfItsKeyDid) {
  const std::string frame = sealer_.Seal("value", "row");
  EXPECT_THAT(sealer_.Open(frame, "row"), IsOkAndHolds("value"));
  RowSealer another(key_, clock_);
  EXPECT_THAT(another.Open(frame, "row"), IsOkAndHolds("value"));
}

TEST_F(RowSealerTest, ItsFramesAreSuiteOnesFrames) {
  const auto opened = OpenFrame(key_, sealer_.Seal("value", "row"), "row");
  ASSERT_THAT(opened, IsOk());
  EXPECT_EQ(opened->Access(), "value");
  EXPECT_THAT(sealer_.Open(SealFrame(key_, "value", "row"), "row"), IsOkAndHolds("value"));
}

TEST_F(RowSealerTest, ASaltServesSixtySecondsAndNoLonger) {
  const std::string first = SaltOf(sealer_.Seal("a", ""));
  clock_.Advance(kMaxSaltAge - absl::Milliseconds(1));
  EXPECT_EQ(SaltOf(sealer_.Seal("a", "")), first);
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_NE(SaltOf(sealer_.Seal("a", "")), first);
}

TEST_F(RowSealerTest, ASaltServesItsCountOfSealsAndNoMore) {
  const std::string first = SaltOf(sealer_.Seal("a", ""));
  for (int i = 2; i < kMaxSealsPerSalt; ++i) sealer_.Seal("", "");
  EXPECT_EQ(SaltOf(sealer_.Seal("a", "")), first);
  EXPECT_NE(SaltOf(sealer_.Seal("a", "")), first);
}

TEST_F(RowSealerTest, OpensMoreSaltsThanItRemembers) {
  std::vector<std::string> frames;
  for (size_t i = 0; i < kMaxOpenedSalts + 20; ++i) {
    frames.push_back(sealer_.Seal("value", "row"));
    clock_.Advance(kMaxSaltAge);
  }
  for (int round = 0; round < 2; ++round) {
    for (const std::string& frame : frames) ASSERT_THAT(sealer_.Open(frame, "row"), IsOkAndHolds("value"));
  }
}

std::vector<SecretBytes> Both(const SecretBytes& older, const SecretBytes& newest) {
  std::vector<SecretBytes> keys;
  keys.push_back(older.Clone());
  keys.push_back(newest.Clone());
  return keys;
}

TEST_F(RowSealerTest, TheNewestKeySealsAndAllOpen) {
  const SecretBytes newest = SecretBytes::Random(kKeyBytes);
  RowSealer both(Both(key_, newest), clock_);
  const std::string old_frame = sealer_.Seal("old", "row"), new_frame = both.Seal("new", "row");
  // Twice: its salt is remembered then.
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(both.Open(old_frame, "row"), IsOkAndHolds("old"));
    EXPECT_FALSE(both.IsUnderNewest(old_frame));
    EXPECT_TRUE(both.IsUnderNewest(new_frame));
  }
  EXPECT_THAT(RowSealer(newest, clock_).Open(new_frame, "row"), IsOkAndHolds("new"));
  EXPECT_THAT(sealer_.Open(new_frame, "row"), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_FALSE(sealer_.IsUnderNewest(new_frame));
  EXPECT_FALSE(sealer_.IsUnderNewest("no frame"));
}

TEST_F(RowSealerTest, AnotherVersionSuiteSaltOrCommitmentOpensUnderNoKey) {
  RowSealer both(Both(SecretBytes::Random(kKeyBytes), key_), clock_);
  const std::string frame = sealer_.Seal("value", "row");
  const absl::Status refused = both.Open("", "row").status();
  for (const size_t at : {size_t{0}, size_t{1}, size_t{2}, 2 + kSaltBytes - 1, 2 + kSaltBytes, 2 + kSaltBytes + kCommitmentBytes - 1}) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = frame;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      EXPECT_EQ(both.Open(damaged, "row").status(), refused) << "byte " << at << " bit " << bit;
    }
  }
  EXPECT_THAT(both.Open(frame, "row"), IsOkAndHolds("value"));
}

TEST_F(RowSealerTest, NothingDamagedOpensAlsoWhenItsSaltIsKnown) {
  const std::string frame = sealer_.Seal("value", "row");
  for (size_t i = 0; i < frame.size(); ++i) {
    std::string damaged = frame;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_THAT(sealer_.Open(damaged, "row"), StatusIs(absl::StatusCode::kDataLoss)) << i;
    EXPECT_THAT(sealer_.Open(frame.substr(0, i), "row"), StatusIs(absl::StatusCode::kDataLoss)) << i;
  }
  EXPECT_THAT(sealer_.Open(frame, "another row"), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(RowSealer(SecretBytes::Random(kKeyBytes), clock_).Open(frame, "row"),
              StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace keyferry
