#include "libs/storage/row_frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/crc32c.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;

const RowKey kKey{Family::kSets, std::string("s\0acme\0web", 10)};
constexpr Revision kRevision = (Revision{1} << 48) | 77;

TEST(Crc32cTest, GivesTheVectorsOfRfc3720) {
  EXPECT_EQ(ExtendCrc32c(0, std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(ExtendCrc32c(0, std::string(32, '\xff')), 0x62a8ab43u);
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending.push_back(c);
  EXPECT_EQ(ExtendCrc32c(0, ascending), 0x46dd794eu);
  EXPECT_EQ(ExtendCrc32c(0, "123456789"), 0xe3069283u);
  EXPECT_EQ(ExtendCrc32c(ExtendCrc32c(0, "1234"), "56789"), 0xe3069283u);
}

TEST(RowFrameTest, BytesAreGolden) {
  EXPECT_EQ(absl::BytesToHexString(FrameRow(kKey, kRevision, "value")), "01000100000000004d1c39726176616c7565");
}

TEST(RowFrameTest, AFrameGivesValueAndRevisionBack) {
  for (const std::string& value : {std::string(), std::string("value"), std::string(70'000, '\xff')}) {
    const auto row = UnframeRow(kKey, FrameRow(kKey, kRevision, value));
    ASSERT_THAT(row, IsOk());
    EXPECT_EQ(row->value, value);
    EXPECT_EQ(row->revision, kRevision);
  }
}

TEST(RowFrameTest, EveryFlippedBitIsDataLoss) {
  const std::string frame = FrameRow(kKey, kRevision, "a value of some length");
  for (size_t i = 0; i < frame.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = frame;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_THAT(UnframeRow(kKey, damaged), StatusIs(absl::StatusCode::kDataLoss)) << "byte " << i << " bit " << bit;
    }
  }
}

TEST(RowFrameTest, AFrameCutAnywhereIsDataLoss) {
  const std::string frame = FrameRow(kKey, kRevision, "value");
  for (size_t size = 0; size < frame.size(); ++size) {
    EXPECT_THAT(UnframeRow(kKey, frame.substr(0, size)), StatusIs(absl::StatusCode::kDataLoss)) << size;
  }
  EXPECT_THAT(UnframeRow(kKey, frame + "x"), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(RowFrameTest, AFrameAtAnotherRowsPlaceIsDataLoss) {
  const std::string frame = FrameRow(kKey, kRevision, "value");
  EXPECT_THAT(UnframeRow({Family::kSets, kKey.bytes + "x"}, frame), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(UnframeRow({Family::kDeployments, kKey.bytes}, frame), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(RowFrameTest, TheErrorNamesFamilyAndKeyReadably) {
  const absl::Status status = UnframeRow(kKey, "damaged").status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("sets s/acme/web"));
}

}  // namespace
}  // namespace keyferry
