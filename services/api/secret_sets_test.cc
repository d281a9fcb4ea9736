#include "services/api/secret_sets.h"

#include <gtest/gtest.h>

#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/rpc/sealed_object_codec.h"
#include "libs/storage/keys.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class SecretSetsTest : public testing::Test {
 protected:
  std::vector<std::string> KeysOf(const std::string& set) {
    std::vector<std::string> keys;
    const auto view = scene_.Get(set);
    for (const SecretSetEntry& entry : view->set.entries) keys.push_back(entry.key);
    return keys;
  }
  // Of the newest generation.
  SealedObject SealedOf(const std::string& set) { return *ParseSealedObject(GenerationOf(set).sealed_object); }
  Generation GenerationOf(const std::string& set) {
    const SecretSetView view = *scene_.Get(set);
    Transaction reads(scene_.barrier->store());
    return (*reads.Get<Generation>(keys::Generation("acme", view.set.uid, view.set.generation)))->value;
  }

  ApiScene scene_;
};

TEST_F(SecretSetsTest, SetCreatesAPendingSetInTheDefaultRegion) {
  const auto answer = scene_.Set("app", {{"B", "2"}, {"A", "1"}});
  ASSERT_THAT(answer, IsOk());
  EXPECT_TRUE(answer->changed);
  EXPECT_EQ(answer->view.set.region, "us-west");
  EXPECT_EQ(answer->view.set.generation, 1);
  EXPECT_EQ(answer->view.set.last_author, "apiKey:tester");
  EXPECT_EQ(answer->view.status.readiness, Readiness::kPending);
  EXPECT_THAT(KeysOf("app"), ElementsAre("A", "B"));
  EXPECT_EQ(scene_.Get("app")->status.readiness, Readiness::kPending);
}

TEST_F(SecretSetsTest, SetUsesTheOrganizationsDefaultRegion) {
  scene_.AddOrganization("eastern", "us-east");
  SetWrite write = scene_.Write("app");
  write.organization = "eastern";
  EXPECT_EQ(scene_.Set(write, {{"A", "1"}})->view.set.region, "us-east");
}

TEST_F(SecretSetsTest, ASetIsReadyOnceItsRegionAckedAndPendingAgainAfterTheNextWrite) {
  scene_.SetReady("app", {{"A", "1"}});
  EXPECT_EQ(scene_.Get("app")->status.readiness, Readiness::kReady);
  ASSERT_THAT(scene_.Set("app", {{"A", "2"}}), IsOk());
  const auto view = scene_.Get("app");
  EXPECT_EQ(view->status.readiness, Readiness::kPending);
  EXPECT_EQ(view->status.ready_generation, 1);
  EXPECT_EQ(view->set.generation, 2);
}

TEST_F(SecretSetsTest, ValuesOfEveryKindReachTheRegionByteForByte) {
  const KeyValues values = {{"EMPTY", ""},
                            {"SPACES", "  value with spaces  "},
                            {"EQUALS", "=value=with=equals"},
                            {"QUOTES", "value with \"quotes\" and 'these'"},
                            {"BACKSLASHES", "value with \\backslashes\\\\n"},
                            {"NEWLINES", "-----BEGIN KEY-----\nabc\r\n\n-----END KEY-----\n"},
                            {"UTF8", "Grüße, 世界 \xF0\x9F\x9A\xA2"},
                            {"NOT-UTF8", "\xFF\xFE\x80"},
                            {"LARGE", std::string(kMaxValueBytes, 'x')}};
  ASSERT_THAT(scene_.Set("app", values), IsOk());
  EXPECT_EQ(scene_.Open("app"), Opened(values.begin(), values.end()));
}

TEST_F(SecretSetsTest, SetMergesAndKeepsTheOtherKeys) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}, {"B", "2"}}), IsOk());
  ASSERT_THAT(scene_.Set("app", {{"B", "changed"}, {"C", "3"}}), IsOk());
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "1"}, {"B", "changed"}, {"C", "3"}}));
}

TEST_F(SecretSetsTest, ReplaceAllSwapsTheWholeMap) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}, {"B", "2"}}), IsOk());
  ASSERT_THAT(scene_.Set(scene_.Write("app"), {{"C", "3"}}, SetMode::kReplaceAll), IsOk());
  EXPECT_EQ(scene_.Open("app"), (Opened{{"C", "3"}}));
}

TEST_F(SecretSetsTest, EachWriteHasItsOwnDataKeyAndKeysThatNoEntryNamesGo) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  ASSERT_THAT(scene_.Set("app", {{"B", "2"}}), IsOk());
  SealedObject object = SealedOf("app");
  ASSERT_EQ(object.data_keys.size(), 2);
  EXPECT_NE(object.entries[0].data_key_id, object.entries[1].data_key_id);
  EXPECT_EQ(GenerationOf("app").escrowed_keys.size(), 2);
  ASSERT_THAT(scene_.Set("app", {{"A", "new"}}), IsOk());
  object = SealedOf("app");
  EXPECT_EQ(object.data_keys.size(), 2);
  ASSERT_THAT(scene_.Set("app", {{"A", "newer"}, {"B", "newer"}}), IsOk());
  object = SealedOf("app");
  ASSERT_EQ(object.data_keys.size(), 1);
  EXPECT_EQ(object.data_keys[0].id, object.entries[0].data_key_id);
  EXPECT_EQ(GenerationOf("app").escrowed_keys.size(), 1);
}

TEST_F(SecretSetsTest, AWriteOfEveryKeyNeedsNotWhatItReplaces) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}, {"B", "2"}}), IsOk());
  const SecretSet before = scene_.Get("app")->set;
  ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
                transaction.Put(keys::Generation("acme", before.uid, before.generation), "damaged");
                return absl::OkStatus();
              }),
              IsOk());
  EXPECT_THAT(scene_.Set("app", {{"A", "new"}, {"C", "3"}}), StatusIs(StatusCode::kDataLoss));
  ASSERT_THAT(scene_.Set("app", {{"A", "new"}, {"B", "new"}, {"C", "3"}}), IsOk());
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "new"}, {"B", "new"}, {"C", "3"}}));
  const SecretSet after = scene_.Get("app")->set;
  EXPECT_EQ(after.generation, before.generation + 1);
  EXPECT_EQ(after.create_time, before.create_time);
  EXPECT_EQ(after.uid, before.uid);
}

TEST_F(SecretSetsTest, AWriteThatChangesNothingMakesNoGeneration) {
  scene_.SetReady("app", {{"A", "1"}, {"B", "2"}});
  for (const auto& [values, mode] : {std::pair<KeyValues, SetMode>{{{"A", "1"}}, SetMode::kMerge},
                                     std::pair<KeyValues, SetMode>{{{"B", "2"}, {"A", "1"}}, SetMode::kReplaceAll}}) {
    const auto answer = scene_.Set(scene_.Write("app"), values, mode);
    ASSERT_THAT(answer, IsOk());
    EXPECT_FALSE(answer->changed);
    EXPECT_EQ(answer->view.set.generation, 1);
    EXPECT_EQ(answer->view.status.readiness, Readiness::kReady);
  }
  EXPECT_EQ(scene_.Get("app")->status.readiness, Readiness::kReady);
}

TEST_F(SecretSetsTest, ReplaceAllByASubsetIsAChange) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}, {"B", "2"}}), IsOk());
  EXPECT_TRUE(scene_.Set(scene_.Write("app"), {{"A", "1"}}, SetMode::kReplaceAll)->changed);
}

TEST_F(SecretSetsTest, WritingTheSameAgainAsksAFailedRegionAgain) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  ASSERT_TRUE(scene_.Nack("us-west", SetObject("app"), "disk full"));
  ASSERT_EQ(scene_.Get("app")->status.readiness, Readiness::kFailed);
  const auto answer = scene_.Set("app", {{"A", "1"}});
  ASSERT_THAT(answer, IsOk());
  EXPECT_FALSE(answer->changed);
  EXPECT_EQ(answer->view.status.readiness, Readiness::kPending);
  EXPECT_EQ(scene_.Get("app")->status.readiness, Readiness::kPending);
  EXPECT_EQ(scene_.Get("app")->set.generation, 1);
  ASSERT_TRUE(scene_.Ack("app"));
  EXPECT_EQ(scene_.Get("app")->status.readiness, Readiness::kReady);
}

TEST_F(SecretSetsTest, ABlindRegionGetsNoEscrowAndNoFingerprintAndEveryWriteIsAChange) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}, "dark"), IsOk());
  EXPECT_TRUE(scene_.Get("app")->set.entries[0].fingerprint.empty());
  EXPECT_TRUE(GenerationOf("app").escrowed_keys.empty());
  EXPECT_TRUE(scene_.Set("app", {{"A", "1"}})->changed);
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "1"}}));
}

TEST_F(SecretSetsTest, FingerprintsDifferBetweenKeysAndSetsOfTheSameValue) {
  ASSERT_THAT(scene_.Set("one", {{"A", "same"}, {"B", "same"}}), IsOk());
  ASSERT_THAT(scene_.Set("two", {{"A", "same"}}), IsOk());
  const auto entries = scene_.Get("one")->set.entries;
  EXPECT_NE(entries[0].fingerprint, entries[1].fingerprint);
  EXPECT_NE(entries[0].fingerprint, scene_.Get("two")->set.entries[0].fingerprint);
}

TEST_F(SecretSetsTest, NoRowHoldsAValue) {
  ASSERT_THAT(scene_.Set(scene_.Write("app", {.request_id = "r1"}), {{"A", "sentinel-value-1"}}), IsOk());
  ASSERT_THAT(scene_.SetPull(scene_.Write("hub", {.request_id = "r2"}), "ghcr.io", "sentinel-user:sentinel-token"),
              IsOk());
  scene_.SetReady("app2", {{"A", "sentinel-value-1"}});
  ASSERT_THAT(scene_.Deploy({.agent = "bot", .secret_set = "app2"}), IsOk());
  for (const KeyedRow& row : scene_.Rows()) EXPECT_THAT(row.row.value, Not(HasSubstr("sentinel")));
  for (const KeyedRow& row : scene_.RawRows()) EXPECT_THAT(row.row.value, Not(HasSubstr("tester")));
}

TEST_F(SecretSetsTest, TheNameOfASetHasThreeToSixtyThreeCharacters) {
  EXPECT_THAT(scene_.Set("ab", {{"A", "1"}}), FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_NAME"));
  EXPECT_THAT(scene_.Set("abc", {{"A", "1"}}), IsOk());
  EXPECT_THAT(scene_.Set(std::string(kMaxSetNameLength, 'n'), {{"A", "1"}}), IsOk());
  EXPECT_THAT(scene_.Set(std::string(kMaxSetNameLength + 1, 'n'), {{"A", "1"}}),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_NAME"));
  EXPECT_THAT(scene_.Set("My_Set", {{"A", "1"}}), FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_NAME"));
}

TEST_F(SecretSetsTest, ARefusedWriteNamesAllFaultsAndChangesNothing) {
  const auto before = scene_.RawRows().size();
  const auto refused =
      scene_.Set(scene_.Write("X", {.request_id = std::string(kMaxRequestIdLength + 1, 'r')}), {{"A B", "sentinel"}});
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "INVALID_REQUEST"));
  EXPECT_THAT(FieldsOf(refused.status()), ElementsAre("secret_set", "request_id", "entries[0].key"));
  EXPECT_THAT(refused.status().ToString(), Not(HasSubstr("sentinel")));
  EXPECT_EQ(scene_.RawRows().size(), before);
}

TEST_F(SecretSetsTest, MergingCountsWithWhatTheSetHolds) {
  KeyValues many;
  for (size_t i = 0; i < kMaxKeysPerSet; ++i) many.push_back({"K" + std::to_string(i), "v"});
  ASSERT_THAT(scene_.Set("app", many), IsOk());
  EXPECT_THAT(scene_.Set("app", {{"K0", "again"}}), IsOk());
  EXPECT_THAT(scene_.Set("app", {{"ONE_MORE", "v"}}),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_SIZE"));
  KeyValues large;
  for (int i = 0; i < 8; ++i) large.push_back({"L" + std::to_string(i), std::string(kMaxValueBytes, 'v')});
  ASSERT_THAT(scene_.Set("large", large), IsOk());
  EXPECT_THAT(scene_.Set("large", {{"M", "v"}}), FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_SIZE"));
  EXPECT_EQ(scene_.Get("large")->set.generation, 1);
}

TEST_F(SecretSetsTest, ASetCannotMoveToAnotherRegion) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}, "us-west"), IsOk());
  const auto refused = scene_.Set("app", {{"A", "2"}}, "us-east");
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "REGION_MISMATCH"));
  EXPECT_THAT(std::string(refused.status().message()),
              AllOf(HasSubstr("us-west"), HasSubstr("us-east"), HasSubstr("cannot move")));
  EXPECT_THAT(scene_.Set("app", {{"A", "2"}}, "us-west"), IsOk());
}

TEST_F(SecretSetsTest, AnUnknownRegionIsRefusedWithTheRegionsThereAre) {
  for (const char* region : {"eu-north", "EU North!"}) {
    const auto refused = scene_.Set("app", {{"A", "1"}}, region);
    EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "UNKNOWN_REGION"));
    EXPECT_THAT(std::string(refused.status().message()), AllOf(HasSubstr("us-east"), HasSubstr("us-west")));
    EXPECT_THAT(FieldsOf(refused.status()), ElementsAre("region"));
  }
  EXPECT_THAT(scene_.Get("app"), FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  EXPECT_THAT(scene_.Set("app", {{"A", "1"}}, "eu-north"), FailsWith(StatusCode::kInvalidArgument, "UNKNOWN_REGION"));
}

TEST_F(SecretSetsTest, TheTypeOfASetNeverChanges) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  ASSERT_THAT(scene_.SetPull(scene_.Write("hub"), "ghcr.io", "user:token"), IsOk());
  const auto to_pull = scene_.SetPull(scene_.Write("app"), "ghcr.io", "user:token");
  EXPECT_THAT(to_pull, FailsWith(StatusCode::kInvalidArgument, "TYPE_IMMUTABLE"));
  EXPECT_THAT(std::string(to_pull.status().message()), HasSubstr("cannot become an image pull secret"));
  const auto to_regular = scene_.Set("hub", {{"A", "1"}});
  EXPECT_THAT(to_regular, FailsWith(StatusCode::kInvalidArgument, "TYPE_IMMUTABLE"));
  EXPECT_THAT(std::string(to_regular.status().message()), HasSubstr("cannot become a regular secret set"));
}

TEST_F(SecretSetsTest, AnImagePullSecretHoldsHostAndEncodedCredentials) {
  ASSERT_THAT(scene_.SetPull(scene_.Write("hub"), "ghcr.io", "user:token"), IsOk());
  EXPECT_EQ(scene_.Get("hub")->set.host, "ghcr.io/");
  EXPECT_EQ(scene_.Get("hub")->set.type, SecretSetType::kImagePullSecret);
  EXPECT_TRUE(SealedOf("hub").image_pull_secret);
  EXPECT_EQ(scene_.Open("hub"), (Opened{{kPullEntryKey, "dXNlcjp0b2tlbg=="}}));
}

TEST_F(SecretSetsTest, TheSameCredentialsAgainAreNoChangeInWhicheverFormTheyCome) {
  ASSERT_THAT(scene_.SetPull(scene_.Write("hub"), "ghcr.io", "user:token"), IsOk());
  EXPECT_FALSE(scene_.SetPull(scene_.Write("hub"), "ghcr.io/", "dXNlcjp0b2tlbg==")->changed);
  EXPECT_TRUE(scene_.SetPull(scene_.Write("hub"), "quay.io", "user:token")->changed);
  EXPECT_TRUE(scene_.SetPull(scene_.Write("hub"), "quay.io", "user:other")->changed);
  EXPECT_EQ(SealedOf("hub").entries.size(), 1);
  EXPECT_EQ(SealedOf("hub").data_keys.size(), 1);
}

TEST_F(SecretSetsTest, AnEtagMustBeTheSetsOwn) {
  const auto first = scene_.Set("app", {{"A", "1"}});
  const std::string etag = first->view.set.Etag();
  const auto second = scene_.Set(scene_.Write("app", {.etag = etag}), {{"A", "2"}});
  ASSERT_THAT(second, IsOk());
  const auto refused = scene_.Set(scene_.Write("app", {.etag = etag}), {{"A", "3"}});
  EXPECT_THAT(refused, FailsWith(StatusCode::kAborted, "ETAG_MISMATCH"));
  EXPECT_EQ(MetadataOf(refused.status(), "etag"), second->view.set.Etag());
  EXPECT_EQ(MetadataOf(refused.status(), "secretSet"), "app");
  EXPECT_THAT(refused.status().message(), AllOf(HasSubstr("secret set \"app\" has changed"), HasSubstr("again")));
  const auto absent = scene_.Set(scene_.Write("new-set", {.etag = etag}), {{"A", "1"}});
  EXPECT_THAT(absent, FailsWith(StatusCode::kAborted, "ETAG_MISMATCH"));
  EXPECT_THAT(absent.status().message(), HasSubstr("there is no secret set \"new-set\""));
}

TEST_F(SecretSetsTest, ValidateOnlyChecksEverythingAndWritesNothing) {
  const Revision before = scene_.memory->Head();
  const auto answer = scene_.Set(scene_.Write("app", {.request_id = "r", .validate_only = true}), {{"A", "1"}});
  ASSERT_THAT(answer, IsOk());
  EXPECT_TRUE(answer->changed);
  EXPECT_EQ(answer->view.set.generation, 1);
  EXPECT_THAT(scene_.Set(scene_.Write("app", {.validate_only = true}), {{"A", "1"}}, SetMode::kMerge, "eu-north"),
              FailsWith(StatusCode::kInvalidArgument, "UNKNOWN_REGION"));
  EXPECT_EQ(scene_.memory->Head(), before);
}

TEST_F(SecretSetsTest, ANameIsUniqueInItsOrganizationAloneAndNeverShowsAnother) {
  scene_.AddOrganization("other");
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  SetWrite foreign = scene_.Write("app");
  foreign.organization = "other";
  const auto answer = scene_.Set(foreign, {{"B", "2"}}, SetMode::kMerge, "us-east");
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->view.set.generation, 1);
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "1"}}));
}

TEST_F(SecretSetsTest, AnUnknownOrganizationIsNotFound) {
  SetWrite write = scene_.Write("app");
  write.organization = "nobody";
  EXPECT_THAT(scene_.Set(write, {{"A", "1"}}), FailsWith(StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND"));
}

TEST_F(SecretSetsTest, AStoreThatFailsLeavesTheSetAsItWas) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailCommitBefore});
  EXPECT_THAT(scene_.Set("app", {{"A", "2"}}), StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "1"}}));
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailGet, .status = absl::DataLossError("damaged")});
  EXPECT_THAT(scene_.Set("app", {{"A", "2"}}), StatusIs(StatusCode::kDataLoss));
  EXPECT_EQ(scene_.Get("app")->set.generation, 1);
}

TEST_F(SecretSetsTest, ARetryUnderItsRequestIdAfterAnUnknownOutcomeWritesOnce) {
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailCommitAfter});
  EXPECT_THAT(scene_.Set(scene_.Write("app", {.request_id = "r1"}), {{"A", "1"}}), StatusIs(StatusCode::kUnavailable));
  const auto retried = scene_.Set(scene_.Write("app", {.request_id = "r1"}), {{"A", "1"}});
  ASSERT_THAT(retried, IsOk());
  EXPECT_TRUE(retried->changed);
  EXPECT_EQ(scene_.Get("app")->set.generation, 1);
}

}  // namespace
}  // namespace keyferry
