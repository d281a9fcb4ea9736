#include "libs/storage/commit_watermark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"

namespace keyferry {
namespace {

constexpr absl::Duration kInterval = absl::Milliseconds(1);

class CommitWatermarkTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_THAT(CommitWatermark::Create(path_, 5), IsOk()); }

  Revision Recovered() {
    const auto watermark = CommitWatermark::Open(path_, kInterval);
    EXPECT_THAT(watermark, IsOk());
    return watermark.ok() ? (*watermark)->recovered() : 0;
  }
  void AdvanceTo(Revision revision) {
    const auto watermark = CommitWatermark::Open(path_, kInterval);
    ASSERT_THAT(watermark, IsOk());
    (*watermark)->Advance(revision);
  }
  std::string Bytes() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void SetBytes(const std::string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }

  TempDir directory_;
  const std::string path_ = directory_.File("watermark");
};

TEST_F(CommitWatermarkTest, SaysWhatItWasCreatedWithAndThenWhatItWasLastTold) {
  EXPECT_EQ(Recovered(), 5u);
  AdvanceTo(6);
  EXPECT_EQ(Recovered(), 6u);
  AdvanceTo(9);
  EXPECT_EQ(Recovered(), 9u);
}

TEST_F(CommitWatermarkTest, IsWrittenSoonWithoutBeingClosed) {
  const auto watermark = CommitWatermark::Open(path_, kInterval);
  ASSERT_THAT(watermark, IsOk());
  for (Revision revision = 6; revision < 9; ++revision) {
    (*watermark)->Advance(revision);
    while (Recovered() != revision) absl::SleepFor(kInterval);
  }
}

TEST_F(CommitWatermarkTest, ATornWriteLeavesTheSlotBefore) {
  AdvanceTo(6);
  AdvanceTo(7);
  const std::string whole = Bytes();
  int survived_with_6 = 0, survived_with_7 = 0;
  for (const size_t slot : {size_t{0}, size_t{4096}}) {
    for (size_t i = slot; i < slot + 32; ++i) {
      std::string torn = whole;
      torn[i] = static_cast<char>(torn[i] ^ 0x10);
      SetBytes(torn);
      const Revision recovered = Recovered();
      ASSERT_TRUE(recovered == 6 || recovered == 7) << "byte " << i;
      (recovered == 6 ? survived_with_6 : survived_with_7) += 1;
    }
  }
  EXPECT_EQ(survived_with_6, 32);
  EXPECT_EQ(survived_with_7, 32);
}

TEST_F(CommitWatermarkTest, TwoDamagedSlotsAreDataLoss) {
  std::string bytes = Bytes();
  bytes[20] = bytes[4096 + 20] = 'x';
  SetBytes(bytes);
  EXPECT_THAT(CommitWatermark::Open(path_, kInterval), StatusIs(absl::StatusCode::kDataLoss));
  SetBytes("");
  EXPECT_THAT(CommitWatermark::Open(path_, kInterval), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(CommitWatermarkTest, IsCreatedOnceAndOpenedOnlyWhereItIs) {
  EXPECT_THAT(CommitWatermark::Create(path_, 1), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(CommitWatermark::Open(directory_.File("none"), kInterval), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace keyferry
