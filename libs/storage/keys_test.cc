// Golden bytes: a change here is a change of the disk format (docs/storage-format.md).
#include "libs/storage/keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "libs/storage/commit_rules.h"

namespace keyferry {
namespace {

using namespace std::string_literals;  // NOLINT: "a\0b"s

const ObjectId kSet{ObjectKind::kSecretSet, "acme", "web"};
const ObjectId kAgent{ObjectKind::kDeployment, "acme", "bot"};

TEST(KeysTest, BytesAreGolden) {
  const struct {
    RowKey key;
    Family family;
    std::string bytes;
  } golden[] = {
      {keys::Organization("acme"), Family::kMeta, "o\0acme"s},
      {keys::WrappedKey("acme"), Family::kKeys, "k\0acme"s},
      {keys::WrappedKey(""), Family::kKeys, "k\0"s},
      {keys::ApiKey("id1"), Family::kMeta, "a\0id1"s},
      {keys::ApiKeyOfOrganization("acme", "id1"), Family::kMeta, "b\0acme\0id1"s},
      {keys::Region("us-west"), Family::kMeta, "r\0us-west"s},
      {keys::RegionState("us-west"), Family::kMeta, "s\0us-west"s},
      {keys::SecretSet("acme", "web"), Family::kSets, "s\0acme\0web"s},
      {keys::Generation("acme", "u1", 258), Family::kGenerations, "g\0acme\0u1\0\0\0\0\0\0\0\1\2"s},
      {keys::Deployment("acme", "bot"), Family::kDeployments, "d\0acme\0bot"s},
      {keys::SetUses("acme", "web"), Family::kDeployments, "u\0acme\0web"s},
      {keys::SetUse("acme", "web", "bot"), Family::kDeployments, "v\0acme\0web\0bot"s},
      {keys::Desired("us-west", kSet), Family::kPlacements, "d\0us-west\0s\0acme\0web"s},
      {keys::Desired("us-west", kAgent), Family::kPlacements, "d\0us-west\0d\0acme\0bot"s},
      {keys::Observed("us-west", kSet), Family::kPlacements, "o\0us-west\0s\0acme\0web"s},
      {keys::Pending("us-west", 0x0001000000000203, kSet), Family::kPending,
       "q\0us-west\0\0\1\0\0\0\0\2\3s\0acme\0web"s},
      {keys::Retry("us-west", 5, 7, kAgent), Family::kPending,
       "t\0us-west\0\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\7d\0acme\0bot"s},
      {keys::Request("acme", "r 1"), Family::kRequests, "i\0acme\0r 1"s},
  };
  for (const auto& row : golden) {
    EXPECT_EQ(row.key.family, row.family);
    EXPECT_EQ(row.key.bytes, row.bytes) << Printable(row.key);
  }
}

TEST(KeysTest, PrefixesCoverTheirKeysAndNoNeighbours) {
  const struct {
    RowKey prefix, inside, outside;
  } cases[] = {
      {keys::Organizations(), keys::Organization("acme"), keys::Region("acme")},
      {keys::ApiKeysOfOrganization("acme"), keys::ApiKeyOfOrganization("acme", "x"),
       keys::ApiKeyOfOrganization("acme2", "x")},
      {keys::Regions(), keys::Region("us-west"), keys::RegionState("us-west")},
      {keys::SecretSets("acme"), keys::SecretSet("acme", "web"), keys::SecretSet("acme-2", "web")},
      {keys::Generations("acme", "u1"), keys::Generation("acme", "u1", INT64_MAX), keys::Generation("acme", "u10", 1)},
      {keys::Deployments("acme"), keys::Deployment("acme", "bot"), keys::SetUses("acme", "bot")},
      {keys::SetUsesOf("acme", "web"), keys::SetUse("acme", "web", "bot"), keys::SetUse("acme", "web.b", "bot")},
      {keys::DesiredIn("us-west"), keys::Desired("us-west", kSet), keys::Desired("us-west-2", kSet)},
      {keys::PendingIn("us-west"), keys::Pending("us-west", ~Revision{0}, kSet), keys::Retry("us-west", 1, 1, kSet)},
      {keys::RetriesIn("us-west"), keys::Retry("us-west", INT64_MAX, ~Revision{0}, kSet),
       keys::Retry("us", 1, 1, kSet)},
  };
  const auto covers = [](const RowKey& prefix, const RowKey& key) {
    return key.family == prefix.family && key.bytes >= prefix.bytes && key.bytes < PrefixEnd(prefix.bytes);
  };
  for (const auto& row : cases) {
    EXPECT_TRUE(covers(row.prefix, row.inside)) << Printable(row.inside);
    EXPECT_FALSE(covers(row.prefix, row.outside)) << Printable(row.outside);
  }
}

TEST(KeysTest, NamesSortAsNamesDo) {
  const std::vector<std::string> names = {"a", "a-b", "a.b", "a0", "ab", "b"};
  std::vector<RowKey> sorted;
  for (const std::string& name : names) sorted.push_back(keys::SecretSet("acme", name));
  EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end()));
}

TEST(KeysTest, PartsComeBackOutOfTheirKeys) {
  EXPECT_EQ(keys::LastPart(keys::SecretSet("acme", "web")), "web");
  EXPECT_EQ(keys::LastPart(keys::SetUse("acme", "web", "bot")), "bot");
  EXPECT_EQ(keys::GenerationOf(keys::Generation("acme", "u1", 258)), 258);
  EXPECT_EQ(keys::ObjectOf(keys::Desired("us-west", kSet)), kSet);
  EXPECT_EQ(keys::ObjectOf(keys::Observed("us-west", kAgent)), kAgent);
  const auto pending = keys::ParsePending(keys::Pending("us-west", 0x0001000000000000, kSet));
  ASSERT_TRUE(pending);
  EXPECT_EQ(pending->region, "us-west");
  EXPECT_EQ(pending->revision, 0x0001000000000000u);
  EXPECT_EQ(pending->object, kSet);
  const auto retry = keys::ParseRetry(keys::Retry("us-west", 1'700'000'000'000, 9, kAgent));
  ASSERT_TRUE(retry);
  EXPECT_EQ(retry->due_unix_millis, 1'700'000'000'000);
  EXPECT_EQ(retry->revision, 9u);
  EXPECT_EQ(retry->object, kAgent);
}

TEST(KeysTest, KeysOfAnotherKindDoNotParse) {
  EXPECT_FALSE(keys::ObjectOf(keys::SecretSet("acme", "web")));
  EXPECT_FALSE(keys::GenerationOf(keys::SecretSet("acme", "web")));
  EXPECT_FALSE(keys::GenerationOf(keys::Generations("acme", "u1")));
  EXPECT_FALSE(keys::ParsePending(keys::Retry("us-west", 1, 1, kSet)));
  EXPECT_FALSE(keys::ParsePending(keys::PendingIn("us-west")));
  EXPECT_FALSE(keys::ParseRetry(keys::Pending("us-west", 1, kSet)));
  EXPECT_FALSE(keys::ParseRetry({Family::kPending, "t\0us-west\0short"s}));
  EXPECT_FALSE(keys::ObjectOf({Family::kPlacements, "d\0us-west\0x\0acme\0web"s}));
}

TEST(KeysTest, ARetryThatWasDueBeforeTheEpochSortsFirst) {
  EXPECT_EQ(keys::Retry("us-west", -5, 1, kSet), keys::Retry("us-west", 0, 1, kSet));
}

TEST(KeysTest, TheRevisionOfAPendingKeyIsAtItsOffset) {
  const RowKey key = keys::Pending("us-west", 0, kSet);
  const Mutation mutation{.key = key, .value = "", .revision_offset = keys::PendingRevisionOffset("us-west")};
  EXPECT_EQ(StampedKey(mutation, 42), keys::Pending("us-west", 42, kSet));
}

TEST(KeysTest, RowsAreSealedUnderTheirOrganizationOrTheSystem) {
  for (const RowKey& key :
       {keys::SecretSet("acme", "web"), keys::Generation("acme", "u1", 1), keys::Deployment("acme", "bot"),
        keys::SetUses("acme", "web"), keys::SetUse("acme", "web", "bot"), keys::Request("acme", "r1")}) {
    EXPECT_EQ(keys::BarrierOwner(key), "acme") << Printable(key);
  }
  for (const RowKey& key : {keys::Organization("acme"), keys::ApiKey("id1"), keys::ApiKeyOfOrganization("acme", "id1"),
                            keys::Region("us-west"), keys::RegionState("us-west"), keys::Pending("us-west", 1, kSet),
                            keys::Desired("us-west", kSet), keys::Observed("us-west", kAgent)}) {
    EXPECT_EQ(keys::BarrierOwner(key), "") << Printable(key);
  }
  EXPECT_EQ(keys::BarrierOwner(keys::WrappedKey("acme")), std::nullopt);
}

TEST(KeysTest, ThePrefixEndIsTheSmallestKeyAboveThePrefix) {
  EXPECT_EQ(PrefixEnd("a"), "b");
  EXPECT_EQ(PrefixEnd("a\xff"), "b");
  EXPECT_EQ(PrefixEnd("a\0"s), "a\1");
  EXPECT_EQ(PrefixEnd("\xff\xff"), "");
  EXPECT_EQ(PrefixEnd(""), "");
}

}  // namespace
}  // namespace keyferry
