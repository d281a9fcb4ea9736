#include "libs/rpc/spiffe_id.h"

#include <gtest/gtest.h>

#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

constexpr char kDomain[] = "keyferry.test";

TEST(SpiffeIdTest, ParsesAProvisioner) {
  const auto id = ParseSpiffeId("spiffe://keyferry.test/region/us-west/provisioner/p1", kDomain);
  ASSERT_THAT(id, IsOk());
  EXPECT_EQ(id->kind, SpiffeKind::kProvisioner);
  EXPECT_EQ(id->region, "us-west");
  EXPECT_EQ(id->id, "p1");
  EXPECT_EQ(id->text, "spiffe://keyferry.test/region/us-west/provisioner/p1");
}

TEST(SpiffeIdTest, ParsesAnOperator) {
  const auto id = ParseSpiffeId("spiffe://keyferry.test/operator/ada", kDomain);
  ASSERT_THAT(id, IsOk());
  EXPECT_EQ(id->kind, SpiffeKind::kOperator);
  EXPECT_EQ(id->id, "ada");
}

TEST(SpiffeIdTest, ParsesAServiceWithItsOrganizationAndRole) {
  for (const std::string role : {"admin", "member", "deployer", "viewer"}) {
    const auto id = ParseSpiffeId("spiffe://keyferry.test/organization/acme/role/" + role + "/service/ci", kDomain);
    ASSERT_THAT(id, IsOk());
    EXPECT_EQ(id->kind, SpiffeKind::kService);
    EXPECT_EQ(id->organization, "acme");
    EXPECT_EQ(id->role, role);
    EXPECT_EQ(id->id, "ci");
  }
}

class SpiffeIdRefusalTest : public testing::TestWithParam<std::string> {};

TEST_P(SpiffeIdRefusalTest, IsRefusedAndNotRepeated) {
  const auto id = ParseSpiffeId(GetParam(), kDomain);
  EXPECT_THAT(id, StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_EQ(std::string(id.status().message()).find("us-1"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All, SpiffeIdRefusalTest,
    testing::Values(
        "", "spiffe://", "spiffe://keyferry.test", "spiffe://keyferry.test/", "SPIFFE://keyferry.test/operator/a",
        "https://keyferry.test/operator/a", "spiffe://KEYFERRY.test/operator/a", "spiffe://other.test/operator/a",
        "spiffe://keyferry.test.evil/operator/a", "spiffe://user@keyferry.test/operator/a",
        "spiffe://keyferry.test:1/operator/a", "spiffe://keyferry.test/operator", "spiffe://keyferry.test/operator/",
        "spiffe://keyferry.test//operator/a", "spiffe://keyferry.test/operator/a/",
        "spiffe://keyferry.test/operator/a/b", "spiffe://keyferry.test/operator/A", "spiffe://keyferry.test/operator/.",
        "spiffe://keyferry.test/operator/..", "spiffe://keyferry.test/operator/a?x",
        "spiffe://keyferry.test/operator/a#x", "spiffe://keyferry.test/operator/%61",
        "spiffe://keyferry.test/operator/a b", std::string("spiffe://keyferry.test/operator/a\0", 34),
        std::string("spiffe://keyferry.test/operator/a\0b", 35),
        "spiffe://keyferry.test/region/eu-1/../us-1/provisioner/p",
        "spiffe://keyferry.test/region/eu-1/provisioner/p/../../us-1", "spiffe://keyferry.test/region/us-1/operator/a",
        "spiffe://keyferry.test/region//provisioner/p", "spiffe://keyferry.test/region/-us/provisioner/p",
        "spiffe://keyferry.test/region/us-1/provisioner", "spiffe://keyferry.test/region/us-1/deploy/p",
        "spiffe://keyferry.test/organization/acme/role/owner/service/ci",
        "spiffe://keyferry.test/organization/acme/role/Admin/service/ci",
        "spiffe://keyferry.test/organization/acme/service/ci",
        "spiffe://keyferry.test/organization//role/admin/service/ci",
        "spiffe://keyferry.test/organization/acme/role/admin/service/ci/extra"));

TEST(SpiffeIdTest, RefusesOneByteMoreThanTheLimitAndALabelOfSixtyFour) {
  const std::string prefix = "spiffe://keyferry.test/operator/";
  EXPECT_THAT(ParseSpiffeId(prefix + std::string(63, 'a'), kDomain), IsOk());
  EXPECT_THAT(ParseSpiffeId(prefix + std::string(64, 'a'), kDomain), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(ParseSpiffeId(std::string(kMaxSpiffeIdBytes + 1, 'a'), kDomain),
              StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST(SpiffeIdTest, TrustDomainIsLowerCaseLabels) {
  for (const char* good : {"keyferry", "keyferry.test", "a-b.c1"}) EXPECT_THAT(CheckTrustDomain(good), IsOk()) << good;
  for (const char* bad : {"", "Keyferry", "a..b", ".a", "a.", "-a", "a_b", "a/b", "a:1"}) {
    EXPECT_THAT(CheckTrustDomain(bad), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
}

}  // namespace
}  // namespace keyferry
