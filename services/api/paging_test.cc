// Where pages end.
#include "services/api/paging.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/keys.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {
namespace {

using testing::IsEmpty;

RowKey RowOf(size_t number) { return keys::Deployment("acme", "bot-" + std::to_string(number)); }

TEST(PageBudgetTest, EndsBehindTheLastObjectOfThePageSize) {
  PageBudget budget(2);
  for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(budget.Look(RowOf(i)) && budget.Admit(1));
  EXPECT_THAT(budget.last_name(), IsEmpty());
  EXPECT_TRUE(budget.Look(RowOf(2)));
  EXPECT_FALSE(budget.Admit(1));
  EXPECT_EQ(budget.last_name(), "bot-1");
}

TEST(PageBudgetTest, HoldsExactlyItsBytesAndNotOneMore) {
  PageBudget exact(10);
  EXPECT_TRUE(exact.Look(RowOf(0)) && exact.Admit(1));
  EXPECT_TRUE(exact.Look(RowOf(1)) && exact.Admit(kMaxPageBytes - 1));
  PageBudget more(10);
  EXPECT_TRUE(more.Look(RowOf(0)) && more.Admit(1));
  EXPECT_TRUE(more.Look(RowOf(1)));
  EXPECT_FALSE(more.Admit(kMaxPageBytes));
  EXPECT_EQ(more.last_name(), "bot-0");
}

TEST(PageBudgetTest, AlwaysAdmitsTheFirstObject) {
  PageBudget budget(10);
  EXPECT_TRUE(budget.Look(RowOf(0)) && budget.Admit(2 * kMaxPageBytes));
  EXPECT_TRUE(budget.Look(RowOf(1)));
  EXPECT_FALSE(budget.Admit(0));
}

TEST(PageBudgetTest, LooksAtSoManyRowsAndNotOneMore) {
  PageBudget budget(10);
  for (size_t i = 0; i < kMaxPageRows; ++i) ASSERT_TRUE(budget.Look(RowOf(i)));
  EXPECT_THAT(budget.last_name(), IsEmpty());
  EXPECT_FALSE(budget.Look(RowOf(kMaxPageRows)));
  EXPECT_EQ(budget.last_name(), "bot-" + std::to_string(kMaxPageRows - 1));
}

class ListingTest : public testing::Test {
 protected:
  // Rows as Deploy and Set leave them, without what a listing does not read; all in one commit.
  void AddDeployments(size_t count, const std::string& region) {
    ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
      for (size_t i = 0; i < count; ++i) {
        transaction.Put(RowOf(i), Encode(Deployment{.uid = "u", .region = region, .generation = 1}));
      }
      return absl::OkStatus();
    }),
                IsOk());
  }
  void AddSets(size_t count, const SecretSet& set) {
    ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
      for (size_t i = 0; i < count; ++i) {
        transaction.Put(keys::SecretSet("acme", "set-" + std::to_string(i)), Encode(set));
      }
      return absl::OkStatus();
    }),
                IsOk());
  }

  ApiScene scene_;
};

TEST_F(ListingTest, DeploymentsOfAnotherRegionEndAPageThatIsEmptyAndGoesOn) {
  AddDeployments(kMaxPageRows, "us-west");
  DeploymentListing listing{.organization = "acme", .region = "us-east"};
  EXPECT_THAT(scene_.deployments->List(listing)->next_page_token, IsEmpty());
  ASSERT_THAT(scene_.Deploy({.agent = "zoe", .region = "us-east"}), IsOk());
  const auto first = scene_.deployments->List(listing);
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(first->deployments, IsEmpty());
  listing.page_token = first->next_page_token;
  const auto second = scene_.deployments->List(listing);
  ASSERT_EQ(second->deployments.size(), 1);
  EXPECT_EQ(second->deployments[0].deployment.agent, "zoe");
  EXPECT_THAT(second->next_page_token, IsEmpty());
}

TEST_F(ListingTest, SetsOfAnotherRegionEndAPageThatIsEmptyAndGoesOn) {
  AddSets(kMaxPageRows, {.uid = "u", .region = "us-west", .generation = 1});
  ASSERT_THAT(scene_.Set("zoe", {{"A", "1"}}, "us-east"), IsOk());
  SecretSetListing listing{.organization = "acme", .region = "us-east"};
  const auto first = ListSets(*scene_.deps, listing);
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(first->sets, IsEmpty());
  listing.page_token = first->next_page_token;
  const auto second = ListSets(*scene_.deps, listing);
  ASSERT_EQ(second->sets.size(), 1);
  EXPECT_EQ(second->sets[0].set.name, "zoe");
  EXPECT_THAT(second->next_page_token, IsEmpty());
}

TEST_F(ListingTest, LargeSetsListCompletelyOverSeveralPages) {
  constexpr size_t kSets = 200;
  SecretSet large{.uid = "u", .region = "us-west", .generation = 1};
  for (size_t i = 0; i < kMaxKeysPerSet; ++i) {
    std::string key = "K" + std::to_string(i);
    key.resize(kMaxKeyLength, 'x');
    large.entries.push_back({.key = key});
  }
  AddSets(kSets, large);
  SecretSetListing listing{.organization = "acme", .page_size = kMaxPageSize};
  std::vector<std::string> names;
  size_t pages = 0;
  do {
    const auto page = ListSets(*scene_.deps, listing);
    ASSERT_THAT(page, IsOk());
    for (const SecretSetView& view : page->sets) names.push_back(view.set.name);
    listing.page_token = page->next_page_token;
    ++pages;
  } while (!listing.page_token.empty());
  EXPECT_EQ(names.size(), kSets);
  EXPECT_TRUE(std::ranges::is_sorted(names));
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
  EXPECT_GE(pages, kSets * kMaxKeysPerSet * kMaxKeyLength / kMaxPageBytes);
  EXPECT_LE(pages, 6);
}

}  // namespace
}  // namespace keyferry
