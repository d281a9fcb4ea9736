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
