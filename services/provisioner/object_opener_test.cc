#include "services/provisioner/object_opener.h"

#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <random>

#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "services/provisioner/testing/object_sealer.h"

namespace keyferry {
namespace {

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;

class ObjectOpenerTest : public ::testing::Test {
 protected:
  RegionKey key_ = RegionKey::Generate();
  RegionKeys keys_{*RegionKey::FromPrivate(key_.private_key().Clone())};
  ObjectSealer sealer_{key_};
};

TEST_F(ObjectOpenerTest, OpensEveryValueOfASetSortedByKey) {
  const auto opened = OpenObject(*keys_.Get(), sealer_.Set("env", 3, {{"b", "two"}, {"A", "one"}, {"c-d_E", ""}}));
  ASSERT_THAT(opened, IsOk());
  EXPECT_EQ(opened->revision, 3u);
  ASSERT_EQ(opened->values.size(), 3u);
  EXPECT_EQ(opened->values[0].key, "A");
  EXPECT_EQ(opened->values[0].value.Access(), "one");
  EXPECT_EQ(opened->values[1].value.Access(), "two");
  EXPECT_TRUE(opened->values[2].value.empty());
  EXPECT_FALSE(opened->pull_credentials);
}

TEST_F(ObjectOpenerTest, OpensADeploymentWithItsPullSecret) {
  const auto opened = OpenObject(*keys_.Get(), sealer_.Deployment("agent", 4, {{"A", "one"}}, "dTp0"));
  ASSERT_THAT(opened, IsOk());
  EXPECT_EQ(opened->generation, 4);
  EXPECT_EQ(opened->secret_set_generation, 7);
  EXPECT_EQ(opened->image, "image:1");
  ASSERT_EQ(opened->values.size(), 1u);
  ASSERT_TRUE(opened->pull_credentials);
  EXPECT_EQ(DockerConfigJson(*opened->pull_credentials).Access(), R"({"auths":{"registry.example/":{"auth":"dTp0"}}})");
}

TEST_F(ObjectOpenerTest, OpensAPullSecret) {
  const auto opened = OpenObject(*keys_.Get(), sealer_.PullSecret("registry", 4, "ghcr.io/", "dTp0"));
  ASSERT_THAT(opened, IsOk());
  EXPECT_TRUE(opened->values.empty());
  EXPECT_EQ(opened->pull_credentials->host, "ghcr.io/");
}

TEST_F(ObjectOpenerTest, AnotherRegionsKeyOpensNothing) {
  EXPECT_THAT(OpenObject(*RegionKeys(RegionKey::Generate()).Get(), sealer_.Set("env", 1, {{"A", "one"}})),
              FailsWith(kDataLoss, kReasonCannotOpen));
}

TEST_F(ObjectOpenerTest, OpensWhatIsSealedToAnyOfTheKeys) {
  std::vector<RegionKey> keys;
  keys.push_back(RegionKey::Generate());
  keys.push_back(*RegionKey::FromPrivate(key_.private_key().Clone()));
  ObjectSealer with_current(keys[0]);
  const RegionKeySet both(std::move(keys));
  for (const RegionObject& object :
       {sealer_.Set("old", 1, {{"A", "one"}}), with_current.Set("new", 2, {{"A", "one"}})}) {
    const auto opened = OpenObject(both, object);
    ASSERT_THAT(opened, IsOk());
    EXPECT_EQ(opened->values[0].value.Access(), "one");
  }
}

TEST_F(ObjectOpenerTest, OpensAnObjectWhoseDataKeysAreSealedToDifferentKeys) {
  std::vector<RegionKey> keys;
  keys.push_back(RegionKey::Generate());
  keys.push_back(*RegionKey::FromPrivate(key_.private_key().Clone()));
  ObjectSealer with_current(keys[0]);
  SealedObject sealed = sealer_.SealValues(kSetUid, {{"A", "one"}});
  const SealedObject newer = with_current.SealValues(kSetUid, {{"B", "two"}});
  sealed.entries.push_back(newer.entries[0]);
  sealed.data_keys.push_back(newer.data_keys[0]);
  EXPECT_THAT(OpenObject(RegionKeySet(std::move(keys)), ObjectSealer::Wrap(SetId("env"), kSetUid, 1, sealed)), IsOk());
}

TEST_F(ObjectOpenerTest, SwappedEntriesDoNotOpen) {
  SealedObject sealed = sealer_.SealValues(kSetUid, {{"A", "one"}, {"B", "two"}});
  std::swap(sealed.entries[0].ciphertext, sealed.entries[1].ciphertext);
  EXPECT_THAT(OpenObject(*keys_.Get(), ObjectSealer::Wrap(SetId("env"), kSetUid, 1, sealed)),
              FailsWith(kDataLoss, kReasonCannotOpen));
}

TEST_F(ObjectOpenerTest, AnotherSetsValuesDoNotOpen) {
  const SealedObject sealed = sealer_.SealValues(kSetUid, {{"A", "one"}});
  EXPECT_THAT(OpenObject(*keys_.Get(), ObjectSealer::Wrap(SetId("env"), kPullUid, 1, sealed)),
              FailsWith(kDataLoss, kReasonCannotOpen));
  SealedObject named = sealed;
  named.secret_set_uid = kSetUid;
  EXPECT_THAT(OpenObject(*keys_.Get(), ObjectSealer::Wrap(SetId("env"), kPullUid, 1, named)),
              FailsWith(kDataLoss, kReasonBadPayload));
}

TEST_F(ObjectOpenerTest, RefusesWhatNoSinkCouldTake) {
  const auto refused = [&](const RegionObject& object) {
    return ReasonOf(OpenObject(*keys_.Get(), object).status()) == kReasonBadPayload;
  };
  EXPECT_TRUE(refused(sealer_.Set("..", 1, {})));
  EXPECT_TRUE(refused(sealer_.Set("env", 1, {{"../A", "one"}})));
  EXPECT_TRUE(refused(sealer_.Set("env", 1, {{"", "one"}})));
  EXPECT_TRUE(refused(sealer_.Set("env", 1, {{"A", std::string("o\0e", 3)}})));
  EXPECT_TRUE(refused(sealer_.PullSecret("registry", 1, "bad\"host", "dTp0")));
  EXPECT_TRUE(refused(sealer_.PullSecret("registry", 1, "ghcr.io/", "not base64")));
  SealedObject twice = sealer_.SealValues(kSetUid, {{"A", "one"}});
  twice.entries.push_back(twice.entries[0]);
  EXPECT_TRUE(refused(ObjectSealer::Wrap(SetId("env"), kSetUid, 1, twice)));
  SealedObject without_key = sealer_.SealValues(kSetUid, {{"A", "one"}});
  without_key.data_keys.clear();
  EXPECT_TRUE(refused(ObjectSealer::Wrap(SetId("env"), kSetUid, 1, without_key)));
}

TEST_F(ObjectOpenerTest, TakesValuesAndKeysUpToTheirLimits) {
  EXPECT_THAT(OpenObject(*keys_.Get(), sealer_.Set("env", 1, {{"A", std::string(kMaxValueBytes, 'x')}})), IsOk());
  EXPECT_THAT(OpenObject(*keys_.Get(), sealer_.Set("env", 1, {{"A", std::string(kMaxValueBytes + 1, 'x')}})),
              FailsWith(kDataLoss, kReasonBadPayload));
  Values values;
  for (size_t i = 0; i < kMaxKeysPerSet; ++i) values["K" + std::to_string(i)] = "v";
  EXPECT_THAT(OpenObject(*keys_.Get(), sealer_.Set("env", 1, values)), IsOk());
  values["ONE_MORE"] = "v";
  EXPECT_THAT(OpenObject(*keys_.Get(), sealer_.Set("env", 1, values)), FailsWith(kDataLoss, kReasonBadPayload));
}

TEST_F(ObjectOpenerTest, GarbageAndFlippedBitsAreRefusedAndNamedWithoutValues) {
  google::protobuf::SetLogHandler(nullptr);
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const RegionObject good = sealer_.Set("env", 1, {{"KEY", "sentinel-value"}});
  int opened = 0;
  for (int round = 0; round < 2000; ++round) {
    RegionObject bad = good;
    const size_t bit = random() % (8 * bad.sealed_object.size());
    bad.sealed_object[bit / 8] ^= static_cast<char>(1 << bit % 8);
    if (round % 4 == 0) {
      for (char& byte : bad.sealed_object) byte = static_cast<char>(random());
    }
    const auto result = OpenObject(*keys_.Get(), bad);
    opened += result.ok() && !result->values.empty() && result->values[0].value.Access() != "sentinel-value";
    EXPECT_EQ(result.status().ToString().find("sentinel"), std::string::npos);
  }
  EXPECT_EQ(opened, 0);
}

}  // namespace
}  // namespace keyferry
