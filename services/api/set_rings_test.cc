#include "services/api/set_rings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/keys.h"
#include "libs/storage/testing/memory_store.h"

namespace keyferry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class SetRingsTest : public testing::Test {
 protected:
  // Each in a commit of its own; all have rung when it returns.
  void Write(const std::vector<RowKey>& keys) {
    for (const RowKey& key : keys) CommitAll({{.key = key, .value = "value"}});
    CommitAll({});
  }
  void WriteSets(size_t count) {
    std::vector<Mutation> mutations;
    for (size_t i = 0; i < count; ++i)
      mutations.push_back({.key = keys::SecretSet("acme", absl::StrCat("set-", i)), .value = "value"});
    CommitAll(std::move(mutations));
    CommitAll({});
  }
  void CommitAll(std::vector<Mutation> mutations) {
    ASSERT_THAT(CommitAndWait(*store_, {.term = term_, .mutations = std::move(mutations)}), IsOk());
  }
  SetRings Rings(const std::string& name = "") {
    return SetRings(*store_, *executor_, "acme", name, [this] { ++wakes_; });
  }
  // The pool has done what it was given.
  int Wakes() {
    executor_ = nullptr;
    return wakes_;
  }

  std::unique_ptr<Store> store_ = NewMemoryStore();
  const Term term_ = *store_->AcquireWriter(Lineage::kKeep);
  std::unique_ptr<Executor> executor_ = NewThreadPool(1);
  std::atomic<int> wakes_ = 0;
};

TEST_F(SetRingsTest, ThoseThatRangComeOnceEachInOrder) {
  SetRings rings = Rings();
  EXPECT_TRUE(rings.empty());
  Write({keys::SecretSet("acme", "b"), keys::SecretSet("acme", "a"), keys::SecretSet("acme", "b"),
         keys::SecretSet("rival", "c")});
  EXPECT_FALSE(rings.empty());
  const SetRings::Rung rung = rings.Take(10);
  EXPECT_THAT(rung.names, ElementsAre("b", "a"));
  EXPECT_FALSE(rung.all);
  EXPECT_TRUE(rings.empty());
  EXPECT_EQ(Wakes(), 1);
}

TEST_F(SetRingsTest, WhatIsLeftOverIsTakenNextAndWakesNobody) {
  SetRings rings = Rings();
  WriteSets(3);
  EXPECT_THAT(rings.Take(2).names, SizeIs(2));
  Write({keys::SecretSet("acme", "later")});
  EXPECT_THAT(rings.Take(2).names, ElementsAre("set-2", "later"));
  EXPECT_EQ(Wakes(), 1);
}

TEST_F(SetRingsTest, SoManyAreNamedAndOneMoreIsAll) {
  SetRings rings = Rings();
  WriteSets(kMaxRungSets);
  SetRings::Rung rung = rings.Take(kMaxRungSets + 1);
  EXPECT_THAT(rung.names, SizeIs(kMaxRungSets));
  EXPECT_FALSE(rung.all);
  WriteSets(kMaxRungSets + 1);
  rung = rings.Take(kMaxRungSets + 1);
  EXPECT_THAT(rung.names, IsEmpty());
  EXPECT_TRUE(rung.all);
}

TEST_F(SetRingsTest, OneSetsRingsTellOfItAlone) {
  SetRings rings = Rings("mine");
  rings.WatchRegion("us-west");
  const ObjectId other{.kind = ObjectKind::kSecretSet, .organization = "acme", .name = "mine-too"};
  Write({keys::SecretSet("acme", "mine-too"), keys::Observed("us-west", other)});
  EXPECT_TRUE(rings.empty());
  const ObjectId mine{.kind = ObjectKind::kSecretSet, .organization = "acme", .name = "mine"};
  Write({keys::Observed("us-west", mine)});
  EXPECT_THAT(rings.Take(10).names, ElementsAre("mine"));
}

TEST_F(SetRingsTest, ARegionThatIsWatchedRingsForItsSetsAndItsStateForAll) {
  SetRings rings = Rings();
  const ObjectId set{.kind = ObjectKind::kSecretSet, .organization = "acme", .name = "a"};
  Write({keys::Observed("us-west", set), keys::RegionState("us-west")});
  EXPECT_TRUE(rings.empty());
  rings.WatchRegion("us-west");
  Write({keys::Observed("us-west", set)});
  const SetRings::Rung rung = rings.Take(10);
  EXPECT_THAT(rung.names, ElementsAre("a"));
  EXPECT_FALSE(rung.all);
  Write({keys::RegionState("us-west")});
  EXPECT_TRUE(rings.Take(10).all);
}

TEST_F(SetRingsTest, TheOrganizationsRowWakesWithoutASet) {
  SetRings rings = Rings();
  Write({keys::Organization("acme")});
  EXPECT_FALSE(rings.empty());
  const SetRings::Rung rung = rings.Take(10);
  EXPECT_THAT(rung.names, IsEmpty());
  EXPECT_FALSE(rung.all);
  EXPECT_TRUE(rings.empty());
  EXPECT_EQ(Wakes(), 1);
}

}  // namespace
}  // namespace keyferry
