#include "services/api/region_authority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "libs/common/testing/temp_dir.h"
#include "services/api/region_authority_roots.h"
#include "services/api/testing/enrollment_scene.h"

namespace keyferry {
namespace {

std::string ReadWhole(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void WriteWhole(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::trunc) << text; }

class RegionAuthorityTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<RegionAuthority>> Create(absl::Duration ttl) {
    return RegionAuthority::Create(scene_.deps->writer, scene_.clock,
                                   {.trust_domain = "keyferry.test", .certificate_ttl = ttl});
  }

  EnrollmentScene scene_;
};

TEST_F(RegionAuthorityTest, IsMadeOnceAndFoundAgain) {
  const auto again = Create(absl::Hours(1));
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ((*again)->certificate_pem(), scene_.authority->certificate_pem());
}

TEST_F(RegionAuthorityTest, ItsRowIsSealed) {
  const RowKey key = keys::RegionAuthority();
  bool found = false;
  for (const KeyedRow& row : scene_.RawRows()) {
    if (row.key.family != key.family || row.key.bytes != key.bytes) continue;
    found = true;
    EXPECT_EQ(row.row.value.find("BEGIN CERTIFICATE"), std::string::npos);
  }
  EXPECT_TRUE(found);
}

TEST_F(RegionAuthorityTest, CertificatesLiveTenSecondsToThirtyDays) {
  for (const absl::Duration good : {absl::Seconds(10), absl::Hours(720)}) EXPECT_THAT(Create(good), IsOk());
  for (const absl::Duration bad : {absl::Seconds(9), absl::Hours(720) + absl::Seconds(1), absl::ZeroDuration()}) {
    EXPECT_THAT(Create(bad), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

class RegionAuthorityRootsTest : public RegionAuthorityTest {
 protected:
  TempDir directory_;
  const std::string client_ca_ = directory_.File("client-ca.pem");
  const std::string first_ = CertificateAuthority::Make("first", absl::Now())->certificate_pem();
  const std::string second_ = CertificateAuthority::Make("second", absl::Now())->certificate_pem();
};

TEST_F(RegionAuthorityRootsTest, HoldsBothAndFollowsTheFile) {
  WriteWhole(client_ca_, first_);
  const auto roots =
      RegionAuthorityRoots::Create(directory_.File("trust"), client_ca_, scene_.authority->certificate_pem());
  ASSERT_THAT(roots, IsOk());
  EXPECT_EQ((*roots)->path(), directory_.File("trust") + "/inner-roots.pem");
  EXPECT_EQ(ReadWhole((*roots)->path()), first_ + scene_.authority->certificate_pem());
  WriteWhole(client_ca_, second_ + first_);
  ASSERT_THAT((*roots)->Refresh(), IsOk());
  EXPECT_EQ(ReadWhole((*roots)->path()), second_ + first_ + scene_.authority->certificate_pem());
}

TEST_F(RegionAuthorityRootsTest, AFileWithoutALastNewlineIsJoinedCleanly) {
  WriteWhole(client_ca_, first_.substr(0, first_.size() - 1));
  const auto roots = RegionAuthorityRoots::Create(directory_.File("trust"), client_ca_, second_);
  ASSERT_THAT(roots, IsOk());
  EXPECT_EQ(ReadWhole((*roots)->path()), first_ + second_);
}

TEST_F(RegionAuthorityRootsTest, ABrokenFileLeavesTheRootsAsTheyAre) {
  WriteWhole(client_ca_, first_);
  const auto roots = RegionAuthorityRoots::Create(directory_.File("trust"), client_ca_, second_);
  WriteWhole(client_ca_, "half of a certif");
  EXPECT_THAT((*roots)->Refresh(), StatusIs(absl::StatusCode::kFailedPrecondition));
  std::filesystem::remove(client_ca_);
  EXPECT_THAT((*roots)->Refresh(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(ReadWhole((*roots)->path()), first_ + second_);
}

TEST_F(RegionAuthorityRootsTest, RootsOfAnEarlierProcessAreReplaced) {
  WriteWhole(client_ca_, first_);
  ASSERT_THAT(RegionAuthorityRoots::Create(directory_.File("trust"), client_ca_, second_), IsOk());
  WriteWhole(client_ca_, second_);
  const auto roots = RegionAuthorityRoots::Create(directory_.File("trust"), client_ca_, first_);
  EXPECT_EQ(ReadWhole((*roots)->path()), second_ + first_);
}

TEST_F(RegionAuthorityRootsTest, WithoutAClientCaThereAreNone) {
  EXPECT_THAT(RegionAuthorityRoots::Create(directory_.File("trust"), "/nowhere.pem", first_),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace keyferry
