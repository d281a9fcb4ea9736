#include "services/api/organizations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_format.h"
#include "libs/common/testing/status_matchers.h"
#include "services/api/testing/edge_scene.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class OrganizationsTest : public testing::Test {
 protected:
  Organizations& organizations() { return *scene_.organizations; }
  EdgeScene scene_;
};

TEST_F(OrganizationsTest, AMadeOrganizationHasAUidAndKeysOfItsOwn) {
  const auto made = scene_.MakeOrganization("acme");
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(made->row.uid.size(), 32U);
  EXPECT_EQ(made->row.create_time, scene_.clock.Now());
  EXPECT_THAT(scene_.barrier->KeysOf("acme"), IsOk());
}

TEST_F(OrganizationsTest, GetFindsOneByItsName) {
  const auto made = scene_.MakeOrganization("acme", "Acme Voices");
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(organizations().Get("acme")->row.uid, made->row.uid);
  EXPECT_EQ(organizations().Get("acme")->row.display_name, "Acme Voices");
  EXPECT_THAT(organizations().Get("ghost"), FailsWith(absl::StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND"));
}

TEST_F(OrganizationsTest, ANameIsTakenOnce) {
  const auto first = scene_.MakeOrganization("acme");
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(scene_.MakeOrganization("acme"), FailsWith(absl::StatusCode::kAlreadyExists, "ORGANIZATION_EXISTS"));
  EXPECT_EQ(organizations().List(0, "")->organizations[0].row.uid, first->row.uid);
}

TEST_F(OrganizationsTest, BadNamesAreRefused) {
  EXPECT_THAT(scene_.MakeOrganization(std::string(63, 'a')), IsOk());
  for (const std::string& name :
       {std::string(), std::string("Acme"), std::string("a/b"), std::string("a\0b", 3), std::string(64, 'a')}) {
    EXPECT_THAT(scene_.MakeOrganization(name), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_ORGANIZATION"))
        << name;
  }
}

TEST_F(OrganizationsTest, ADisplayNameHasAtMost128Bytes) {
  EXPECT_THAT(scene_.MakeOrganization("acme", std::string(128, 'n')), IsOk());
  EXPECT_THAT(scene_.MakeOrganization("other", std::string(129, 'n')),
              FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_ORGANIZATION"));
}

TEST_F(OrganizationsTest, ListGoesThroughAllOfThemInPages) {
  for (int i = 0; i < 7; ++i) ASSERT_THAT(scene_.MakeOrganization(absl::StrFormat("org-%d", i)), IsOk());
  std::vector<std::string> names;
  std::string token;
  int page_count = 0;
  do {
    const auto page = organizations().List(3, token);
    ASSERT_THAT(page, IsOk());
    for (const NamedOrganization& organization : page->organizations) names.push_back(organization.name);
    token = page->next_page_token;
    ++page_count;
  } while (!token.empty());
  EXPECT_THAT(names, ElementsAre("org-0", "org-1", "org-2", "org-3", "org-4", "org-5", "org-6"));
  EXPECT_EQ(page_count, 3);
}

TEST_F(OrganizationsTest, ListRefusesWhatIsNoPage) {
  EXPECT_THAT(organizations().List(-1, ""), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_PAGE_SIZE"));
  for (const char* token : {"org-1", "!", "b3JnLTE"}) {
    EXPECT_THAT(organizations().List(0, token), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_PAGE_TOKEN"))
        << token;
  }
}

TEST_F(OrganizationsTest, TheDefaultRegionIsUsWestUntilItIsSet) {
  ASSERT_THAT(scene_.MakeOrganization("acme"), IsOk());
  EXPECT_EQ(organizations().GetProperties("acme")->default_region, "us-west");
  EXPECT_THAT(organizations().GetProperties("acme")->available_regions, IsEmpty());
  scene_.PutRegion("us-east");
  scene_.PutRegion("eu-1");

  const auto updated = scene_.UpdateProperties("acme", "us-east");

  ASSERT_THAT(updated, IsOk());
  EXPECT_EQ(updated->default_region, "us-east");
  EXPECT_EQ(organizations().GetProperties("acme")->default_region, "us-east");
  EXPECT_THAT(organizations().GetProperties("acme")->available_regions, ElementsAre("eu-1", "us-east"));
}

TEST_F(OrganizationsTest, UpdateRefusesAnUnknownRegionAndNothingAtAll) {
  ASSERT_THAT(scene_.MakeOrganization("acme"), IsOk());
  scene_.PutRegion("us-east");
  EXPECT_THAT(scene_.UpdateProperties("acme", "mars"), FailsWith(absl::StatusCode::kInvalidArgument, "UNKNOWN_REGION"));
  EXPECT_THAT(scene_.UpdateProperties("acme", ""), FailsWith(absl::StatusCode::kInvalidArgument, "UNKNOWN_REGION"));
  EXPECT_THAT(scene_.UpdateProperties("acme", std::nullopt),
              FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_PROPERTY"));
  EXPECT_THAT(scene_.UpdateProperties("ghost", "us-east"),
              FailsWith(absl::StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND"));
  EXPECT_EQ(organizations().GetProperties("acme")->default_region, "us-west");
}

}  // namespace
}  // namespace keyferry
