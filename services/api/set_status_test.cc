// What readers see: get, list, pages.
#include "services/api/set_status.h"

#include <gtest/gtest.h>

#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "services/api/paging.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;

class SetStatusTest : public testing::Test {
 protected:
  absl::StatusOr<SecretSetPage> List(SecretSetListing listing) {
    listing.organization = "acme";
    return ListSets(*scene_.deps, listing);
  }
  static std::vector<std::string> NamesOf(const absl::StatusOr<SecretSetPage>& page) {
    std::vector<std::string> names;
    for (const SecretSetView& view : page->sets) names.push_back(view.set.name);
    return names;
  }

  ApiScene scene_;
};

TEST_F(SetStatusTest, GetRefusesNamesThatAreNoneAndFindsNoForeignSets) {
  scene_.AddOrganization("other");
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  EXPECT_THAT(scene_.Get(std::string("app\0x", 5)), FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_NAME"));
  EXPECT_THAT(GetSet(*scene_.deps, "other", "app"), FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  EXPECT_THAT(GetSet(*scene_.deps, "nobody", "app"), FailsWith(StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND"));
  EXPECT_THAT(GetSet(*scene_.deps, std::string("a\0b", 3), "app"),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_ORGANIZATION"));
}

TEST_F(SetStatusTest, AFailedSetTellsItsOwnerWhatToDo) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  ASSERT_TRUE(scene_.Nack("us-west", SetObject("app"), "the disk is full"));
  const auto view = scene_.Get("app");
  EXPECT_EQ(view->status.readiness, Readiness::kFailed);
  EXPECT_THAT(FailureText(view->status),
              testing::AllOf(testing::HasSubstr("the disk is full"), testing::HasSubstr("write it again")));
}

// A campaign saw generation 1 READY beside a ready generation 2: the set's row was read before a write, its placement after it.
TEST_F(SetStatusTest, AViewOfASetThatWasWrittenMeanwhileIsOfTheLaterGeneration) {
  scene_.SetReady("app", {{"A", "1"}});
  const SecretSet stale = scene_.Get("app")->set;
  scene_.SetReady("app", {{"A", "2"}});
  const auto view = CurrentView(*scene_.deps, stale);
  ASSERT_THAT(view, IsOk());
  EXPECT_EQ((*view)->set.generation, 2);
  EXPECT_EQ((*view)->status.readiness, Readiness::kReady);
}

TEST_F(SetStatusTest, AViewOfASetThatWasDeletedMeanwhileIsNone) {
  scene_.SetReady("app", {{"A", "1"}});
  const SecretSet stale = scene_.Get("app")->set;
  ASSERT_THAT(scene_.Delete(scene_.Write("app")), IsOk());
  EXPECT_FALSE(CurrentView(*scene_.deps, stale)->has_value());
}

TEST_F(SetStatusTest, AWipedRegionMakesItsSetsPending) {
  scene_.SetReady("app", {{"A", "1"}});
  scene_.WipeRegion("us-west");
  EXPECT_EQ(scene_.Get("app")->status.readiness, Readiness::kPending);
}

TEST_F(SetStatusTest, ListGivesSetsInOrderOfNamePageByPage) {
  for (const char* name : {"delta", "alpha", "charlie", "bravo", "echo"})
    ASSERT_THAT(scene_.Set(name, {{"A", "1"}}), IsOk());
  const auto first = List({.page_size = 2});
  EXPECT_THAT(NamesOf(first), ElementsAre("alpha", "bravo"));
  const auto second = List({.page_size = 2, .page_token = first->next_page_token});
  EXPECT_THAT(NamesOf(second), ElementsAre("charlie", "delta"));
  const auto third = List({.page_size = 2, .page_token = second->next_page_token});
  EXPECT_THAT(NamesOf(third), ElementsAre("echo"));
  EXPECT_THAT(third->next_page_token, IsEmpty());
}

TEST_F(SetStatusTest, APageThatEndsExactlyAtTheLastSetHasNoNextOne) {
  for (const char* name : {"alpha", "bravo"}) ASSERT_THAT(scene_.Set(name, {{"A", "1"}}), IsOk());
  EXPECT_THAT(List({.page_size = 2})->next_page_token, IsEmpty());
}

TEST_F(SetStatusTest, ListShowsOneRegionAndNoOtherOrganization) {
  scene_.AddOrganization("acme-2");
  ASSERT_THAT(scene_.Set("west", {{"A", "1"}}), IsOk());
  ASSERT_THAT(scene_.Set("east", {{"A", "1"}}, "us-east"), IsOk());
  SetWrite foreign = scene_.Write("foreign");
  foreign.organization = "acme-2";
  ASSERT_THAT(scene_.Set(foreign, {{"A", "1"}}), IsOk());
  EXPECT_THAT(NamesOf(List({.region = "us-east"})), ElementsAre("east"));
  EXPECT_THAT(NamesOf(List({})), ElementsAre("east", "west"));
  EXPECT_THAT(NamesOf(List({.region = "nowhere"})), IsEmpty());
}

TEST_F(SetStatusTest, ATokenOfAnotherListingIsRefused) {
  scene_.AddOrganization("other");
  for (const char* name : {"alpha", "bravo", "charlie"}) ASSERT_THAT(scene_.Set(name, {{"A", "1"}}), IsOk());
  const std::string token = List({.page_size = 1})->next_page_token;
  ASSERT_FALSE(token.empty());
  const auto refused = FailsWith(StatusCode::kInvalidArgument, "INVALID_PAGE_TOKEN");
  EXPECT_THAT(List({.region = "us-west", .page_token = token}), refused);
  EXPECT_THAT(ListSets(*scene_.deps, {.organization = "other", .page_token = token}), refused);
  EXPECT_THAT(scene_.deployments->List({.organization = "acme", .page_token = token}), refused);
  EXPECT_THAT(List({.page_token = token + "A"}), refused);
  EXPECT_THAT(List({.page_token = "*"}), refused);
  EXPECT_THAT(List({.page_size = 3, .page_token = token}), IsOk());
}

TEST_F(SetStatusTest, PageSizesAreOneToAThousandAndMoreIsCut) {
  EXPECT_THAT(PageSizeOf(0), IsOkAndHolds(static_cast<size_t>(kDefaultPageSize)));
  EXPECT_THAT(PageSizeOf(1), IsOkAndHolds(1u));
  EXPECT_THAT(PageSizeOf(kMaxPageSize), IsOkAndHolds(static_cast<size_t>(kMaxPageSize)));
  EXPECT_THAT(PageSizeOf(kMaxPageSize + 1), IsOkAndHolds(static_cast<size_t>(kMaxPageSize)));
  EXPECT_THAT(PageSizeOf(-1), FailsWith(StatusCode::kInvalidArgument, "INVALID_PAGE_SIZE"));
}

TEST_F(SetStatusTest, ListGoesOnBeyondOneScan) {
  for (int i = 0; i < 100; ++i) ASSERT_THAT(scene_.Set("set-" + std::to_string(i), {{"A", "1"}}), IsOk());
  EXPECT_EQ(NamesOf(List({.page_size = 1000})).size(), 100);
}

TEST_F(SetStatusTest, SaysWhetherTheRegionIsConnectedWhereThatIsKnown) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  EXPECT_EQ(scene_.Get("app")->region_connected, std::nullopt);
  scene_.deps->region_connected = [](const std::string& region) { return region != "us-west"; };
  EXPECT_EQ(scene_.Get("app")->region_connected, false);
}

}  // namespace
}  // namespace keyferry
