// keys, orgs quota, admin identities
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/testing/keyferry_fixture.h"
#include "keyferry/v1/identities.pb.h"
#include "keyferry/v1/organizations.pb.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Json = nlohmann::json;

constexpr int64_t kDay = 24 * 3600;

class OrganizationCommandsTest : public KeyferryTest {
 protected:
  OrganizationCommandsTest() {
    api_.On<v1::CreateApiKeyRequest, v1::CreateApiKeyResponse>("Organizations/CreateApiKey",
                                                               [this](const auto& request, auto& response) {
                                                                 created_ = request;
                                                                 response.set_key("kf_new");
                                                                 return absl::OkStatus();
                                                               });
    api_.On<v1::RotateApiKeyRequest, v1::CreateApiKeyResponse>("Organizations/RotateApiKey",
                                                               [this](const auto& request, auto& response) {
                                                                 rotated_ = request;
                                                                 response.set_key("kf_new");
                                                                 return absl::OkStatus();
                                                               });
    api_.On<v1::UpdateQuotaRequest, v1::Quota>("Organizations/UpdateQuota",
                                               [this](const auto& request, auto& response) {
                                                 quota_ = request;
                                                 response.set_max_secret_sets(7);
                                                 response.set_secret_set_count(3);
                                                 return absl::OkStatus();
                                               });
  }

  v1::CreateApiKeyRequest created_;
  v1::RotateApiKeyRequest rotated_;
  v1::UpdateQuotaRequest quota_;
};

TEST_F(OrganizationCommandsTest, AKeyExpiresInDaysOrAnyUnitAndNeverUnlessTold) {
  EXPECT_EQ(Run({"keys", "create", "ci", "--role", "viewer", "--expires", "90d"}).output, "kf_new\n");
  EXPECT_EQ(created_.time_to_live().seconds(), 90 * kDay);
  EXPECT_EQ(Run({"keys", "create", "ci", "--role", "viewer", "--expires", "1h30m"}).exit_code, 0);
  EXPECT_EQ(created_.time_to_live().seconds(), 5400);
  EXPECT_EQ(Run({"keys", "create", "ci", "--role", "viewer"}).exit_code, 0);
  EXPECT_FALSE(created_.has_time_to_live());
}

TEST_F(OrganizationCommandsTest, ATimeWithoutAUnitIsRefusedUnsent) {
  for (const char* text : {"90", "d", "9x", "-", "90 d"}) {
    const Outcome refused = Run({"keys", "create", "ci", "--role", "viewer", std::string("--expires=") + text});
    EXPECT_EQ(refused.exit_code, 2) << text;
    EXPECT_THAT(refused.error, HasSubstr("--expires takes a time with its unit")) << text;
  }
  EXPECT_THAT(api_.calls(), IsEmpty());
}

TEST_F(OrganizationCommandsTest, ARotationPrintsTheNewKeyAlone) {
  EXPECT_EQ(Run({"keys", "rotate", "0123456789"}).output, "kf_new\n");
  EXPECT_EQ(rotated_.id(), "0123456789");
  EXPECT_FALSE(rotated_.has_overlap());
  EXPECT_FALSE(rotated_.has_time_to_live());
  EXPECT_EQ(Run({"keys", "rotate", "0123456789", "--overlap", "0s", "--expires", "30d"}).exit_code, 0);
  EXPECT_TRUE(rotated_.has_overlap());
  EXPECT_EQ(rotated_.overlap().seconds(), 0);
  EXPECT_EQ(rotated_.time_to_live().seconds(), 30 * kDay);
  EXPECT_EQ(Run({"keys", "rotate", "kf_0123456789_and_more"}).exit_code, 2);
  EXPECT_THAT(api_.calls(), SizeIs(2));
}

TEST_F(OrganizationCommandsTest, TheListShowsExpiryLastUseAndSuccessor) {
  api_.On<v1::ListApiKeysRequest, v1::ListApiKeysResponse>("Organizations/ListApiKeys",
                                                           [](const auto&, auto& response) {
                                                             v1::ApiKey& key = *response.add_api_keys();
                                                             key.set_id("0123456789");
                                                             key.mutable_expire_time()->set_seconds(86'400);
                                                             key.mutable_last_use_time()->set_seconds(3600);
                                                             key.set_replaced_by("9876543210");
                                                             return absl::OkStatus();
                                                           });
  EXPECT_THAT(Run({"keys", "list"}).output, HasSubstr("LAST USED"));
  const Json key = Json::parse(Run({"keys", "list", "-o", "json"}).output)["keys"][0];
  EXPECT_THAT(key["expiresAt"].get<std::string>(), HasSubstr("1970-01-02"));
  EXPECT_THAT(key["lastUsedAt"].get<std::string>(), HasSubstr("1970-01-01"));
  EXPECT_EQ(key["replacedBy"], "9876543210");
  EXPECT_FALSE(key.contains("revokedAt"));
}

TEST_F(OrganizationCommandsTest, OnlyQuotasThatAreGivenAreSent) {
  const Json json =
      Json::parse(Run({"orgs", "quota", "set", "--max-secret-sets", "7", "--max-api-keys", "0", "-o", "json"}).output);
  EXPECT_EQ(json["maxSecretSets"], 7);
  EXPECT_EQ(json["secretSetCount"], 3);
  EXPECT_EQ(quota_.max_secret_sets(), 7);
  EXPECT_TRUE(quota_.has_max_api_keys());
  EXPECT_FALSE(quota_.has_max_deployments());
  EXPECT_FALSE(quota_.has_max_calls_per_second());
}

TEST_F(OrganizationCommandsTest, AnIdentityIsRevokedWithItsNoteAndListed) {
  const std::string id = "spiffe://d/operator/bob";
  api_.On<v1::RevokeIdentityRequest, v1::RevokedIdentity>("Identities/RevokeIdentity",
                                                          [](const auto& request, auto& response) {
                                                            response.set_spiffe_id(request.spiffe_id());
                                                            response.set_note(request.note());
                                                            return absl::OkStatus();
                                                          });
  api_.On<v1::ListRevokedIdentitiesRequest, v1::ListRevokedIdentitiesResponse>(
      "Identities/ListRevokedIdentities", [&](const auto& request, auto& response) {
        response.add_identities()->set_spiffe_id(id + (request.page_token().empty() ? "1" : "2"));
        if (request.page_token().empty()) response.set_next_page_token("more");
        return absl::OkStatus();
      });
  EXPECT_EQ(Run({"admin", "identities", "revoke", id, "--note", "left", "--skip-confirm"}).output,
            "revoked: " + id + "\n");
  const Json listed = Json::parse(Run({"admin", "identities", "list", "-o", "json"}).output)["identities"];
  ASSERT_THAT(listed, SizeIs(2));
  EXPECT_EQ(listed[1]["spiffeId"], id + "2");
}

}  // namespace
}  // namespace keyferry
