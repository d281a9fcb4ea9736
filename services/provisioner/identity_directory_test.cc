#include "services/provisioner/identity_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "services/provisioner/testing/identity_authority.h"

namespace keyferry {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr absl::StatusCode kFailedPrecondition = absl::StatusCode::kFailedPrecondition;

class IdentityDirectoryTest : public ::testing::Test {
 protected:
  // `days`: of its certificate.
  absl::Status Write(int days) {
    const CertificateRequest request = NewCertificateRequest().value();
    const IssuedCertificate issued = authority_.Issue(request.csr, start_, absl::Hours(24 * days));
    return directory_.Write(issued.identity, issued.chain, request.private_key);
  }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

  const TempDir parent_;
  const std::string path_ = parent_.File("identity");
  const std::string roots_ = parent_.File("ca.pem");
  const absl::Time start_ = absl::FromUnixSeconds(1'700'000'000);
  const IdentityAuthority authority_{roots_};
  const IdentityDirectory directory_ = IdentityDirectory::Open(path_, roots_).value();
};

TEST_F(IdentityDirectoryTest, HoldsNothingAtFirst) {
  EXPECT_THAT(directory_.Read(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(directory_.Files(), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(IdentityDirectoryTest, ShowsWhatWasWritten) {
  ASSERT_THAT(Write(2), IsOk());
  const auto identity = IdentityDirectory::Open(path_ + "/", roots_)->Read();
  ASSERT_THAT(identity, IsOk());
  EXPECT_EQ(identity->region, "us-west");
  EXPECT_EQ(identity->provisioner_id, "us-west-1");
  EXPECT_EQ(identity->spiffe_id, "spiffe://keyferry.test/region/us-west/provisioner/us-west-1");
  EXPECT_EQ(identity->expire_time, start_ + absl::Hours(48));
  EXPECT_EQ(identity->renew_time, start_ + absl::Hours(24));
  EXPECT_THAT(CheckTlsFiles(directory_.Files().value()), IsOk());
}

TEST_F(IdentityDirectoryTest, NobodyElseMayReadTheKey) {
  ASSERT_THAT(Write(1), IsOk());
  struct stat found;
  ASSERT_EQ(stat(Path("current/tls.key").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700u);
}

TEST_F(IdentityDirectoryTest, CurrentAndTheOneBeforeStayAndOlderOnesGo) {
  for (int days = 1; days <= 3; ++days) ASSERT_THAT(Write(days), IsOk());
  EXPECT_EQ(fs::read_symlink(Path("current")), "v3");
  EXPECT_TRUE(fs::exists(Path("v2/tls.key")));
  EXPECT_FALSE(fs::exists(Path("v1")));
  EXPECT_EQ(directory_.Read()->expire_time, start_ + absl::Hours(72));
}

TEST_F(IdentityDirectoryTest, ACertificateOfAnotherKeyIsRefusedAndTheCurrentOneStays) {
  ASSERT_THAT(Write(1), IsOk());
  const IssuedCertificate issued = authority_.Issue(NewCertificateRequest()->csr, start_, absl::Hours(48));
  EXPECT_THAT(directory_.Write(issued.identity, issued.chain, NewCertificateRequest()->private_key),
              StatusIs(kFailedPrecondition));
  EXPECT_FALSE(fs::exists(Path("v2")));
  EXPECT_EQ(directory_.Read()->expire_time, start_ + absl::Hours(24));
  EXPECT_THAT(CheckTlsFiles(directory_.Files().value()), IsOk());
}

TEST_F(IdentityDirectoryTest, WhatACrashLeftInTheMiddleOfAWriteIsInNobodysWay) {
  ASSERT_THAT(Write(1), IsOk());
  fs::create_directory(Path("v2"));
  std::ofstream(Path("v2/tls.key")) << "half";
  fs::create_symlink("v2", Path(".next"));
  EXPECT_EQ(directory_.Read()->expire_time, start_ + absl::Hours(24));
  ASSERT_THAT(Write(3), IsOk());
  EXPECT_EQ(fs::read_symlink(Path("current")), "v3");
  EXPECT_FALSE(fs::exists(Path("v2")));
}

TEST_F(IdentityDirectoryTest, AWriteThatFailsLeavesNothingBehind) {
  ASSERT_THAT(Write(1), IsOk());
  fs::create_directories(Path(".next/full"));
  EXPECT_THAT(Write(2), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_FALSE(fs::exists(Path("v2")));
  EXPECT_EQ(directory_.Read()->expire_time, start_ + absl::Hours(24));
}

TEST_F(IdentityDirectoryTest, RefusesADirectoryThatOthersMayUse) {
  fs::permissions(path_, fs::perms::group_read, fs::perm_options::add);
  const auto opened = IdentityDirectory::Open(path_, roots_);
  EXPECT_THAT(opened, StatusIs(kFailedPrecondition));
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("chmod 700"));
}

TEST_F(IdentityDirectoryTest, RefusesALinkToADirectory) {
  fs::create_directory_symlink(path_, parent_.File("link"));
  EXPECT_THAT(IdentityDirectory::Open(parent_.File("link"), roots_), StatusIs(kFailedPrecondition));
}

TEST_F(IdentityDirectoryTest, ADescriptionThatIsNoneIsSaidToBeOne) {
  ASSERT_THAT(Write(1), IsOk());
  for (const std::string text : {"", "[]", "{}", "{\"region\":1}", "not json"}) {
    std::ofstream(Path("current/identity.json")) << text;
    EXPECT_THAT(directory_.Read(), StatusIs(kFailedPrecondition)) << text;
  }
}

TEST_F(IdentityDirectoryTest, ACurrentThatLeadsElsewhereIsNotFollowed) {
  fs::create_directory_symlink("../elsewhere", Path("current"));
  EXPECT_THAT(directory_.Read(), StatusIs(kFailedPrecondition));
  EXPECT_THAT(directory_.Files(), StatusIs(kFailedPrecondition));
}

}  // namespace
}  // namespace keyferry
