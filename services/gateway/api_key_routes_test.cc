#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/testing/status_matchers.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/organization_routes.h"
#include "services/gateway/testing/fake_api_calls.h"

namespace keyferry::gateway {
namespace {

using ::testing::HasSubstr;

constexpr char kKey[] = "kf_abcdefghij_thirtycharactersandachecksum";

v1::ApiKey Key(const std::string& id, v1::Role role) {
  v1::ApiKey key;
  key.set_id(id);
  key.set_display_name("laptop");
  key.set_role(role);
  key.set_author("apiKey:0123456789");
  key.mutable_create_time()->set_seconds(1'763'859'723);
  return key;
}

class ApiKeyRoutesTest : public testing::Test {
 protected:
  ApiKeyRoutesTest() {
    api_.On<v1::CreateApiKeyRequest, v1::CreateApiKeyResponse>(
        kCreateApiKey, [this](const v1::CreateApiKeyRequest& request) -> absl::StatusOr<v1::CreateApiKeyResponse> {
          creation_ = request;
          if (!created_.ok()) return created_;
          v1::CreateApiKeyResponse response;
          *response.mutable_api_key() = Key("abcdefghij", request.role());
          response.set_key(kKey);
          return response;
        });
  }

  absl::StatusOr<Answer> Create(const std::string& body) {
    return RunTask(gateway::CreateApiKey(
        Request{.headers = {{"Content-Type", "application/json"}}, .body = body, .parameters = {{"org", "acme"}}},
        api_));
  }

  FakeApiCalls api_;
  v1::CreateApiKeyRequest creation_;
  absl::Status created_;
};

TEST_F(ApiKeyRoutesTest, APublicKeyIsAViewersAndIsShownWholeOnce) {
  const auto created = Create(R"({"name": "laptop", "type": "public"})");
  ASSERT_THAT(created, IsOk());
  EXPECT_EQ(created->status, 200);
  EXPECT_EQ(nlohmann::json::parse(created->body), nlohmann::json::parse(R"({
      "id": "abcdefghij", "key": "kf_abcdefghij_thirtycharactersandachecksum", "type": "public", "role": "viewer",
      "metadata": {"name": "laptop"}, "author": "apiKey:0123456789", "createdAt": "2025-11-23T01:02:03.000Z", "revoked": false})"));
  EXPECT_EQ(creation_.organization(), "acme");
  EXPECT_EQ(creation_.display_name(), "laptop");
  EXPECT_EQ(creation_.role(), v1::ROLE_VIEWER);
}

TEST_F(ApiKeyRoutesTest, APrivateKeyIsAMembers) {
  ASSERT_THAT(Create(R"({"name": "ci", "type": "private"})"), IsOk());
  EXPECT_EQ(creation_.role(), v1::ROLE_MEMBER);
}

TEST_F(ApiKeyRoutesTest, ARoleSaysItExactlyAndATypeMustNotContradictIt) {
  struct Case {
    const char* word;
    v1::Role role;
    const char* type;
    const char* contradiction;
  };
  for (const Case& each :
       {Case{"admin", v1::ROLE_ADMIN, "private", "public"}, Case{"member", v1::ROLE_MEMBER, "private", "public"},
        Case{"deployer", v1::ROLE_DEPLOYER, "private", "public"},
        Case{"viewer", v1::ROLE_VIEWER, "public", "private"}}) {
    const auto body = [&](const char* type) {
      return absl::StrCat(R"({"name": "ci", "type": ")", type, R"(", "role": ")", each.word, R"("})");
    };
    ASSERT_THAT(Create(absl::StrCat(R"({"name": "ci", "role": ")", each.word, R"("})")), IsOk());
    EXPECT_EQ(creation_.role(), each.role);
    ASSERT_THAT(Create(body(each.type)), IsOk());
    EXPECT_EQ(creation_.role(), each.role);
    const auto refused = Create(body(each.contradiction));
    EXPECT_THAT(refused, FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_BODY"));
    EXPECT_EQ(refused.status().message(),
              absl::StrCat("type: contradicts the role; a key with role ", each.word, " is ", each.type));
  }
}

TEST_F(ApiKeyRoutesTest, AKeyMustHaveAName) {
  for (const char* body :
       {R"({"type": "public"})", R"({"name": "", "type": "public"})", R"({"name": null, "type": "public"})"}) {
    const auto refused = Create(body);
    EXPECT_THAT(refused, FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_BODY")) << body;
    EXPECT_EQ(refused.status().message(), "name: must be given: what the key is for");
  }
  EXPECT_TRUE(api_.called.empty());
}

TEST_F(ApiKeyRoutesTest, QueriesAreRefused) {
  for (const auto handler : {gateway::ListApiKeys, gateway::CreateApiKey, gateway::RevokeApiKey}) {
    EXPECT_THAT(RunTask(handler(Request{.query = {{"type", "public"}}}, api_)),
                FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_QUERY"));
  }
  EXPECT_TRUE(api_.called.empty());
}

TEST_F(ApiKeyRoutesTest, AnUnknownTypeOrRoleIsRefusedWithTheKnownOnes) {
  const auto type = Create(R"({"name": "ci", "type": "secret", "role": "admin"})");
  EXPECT_THAT(type, FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_BODY"));
  EXPECT_THAT(std::string(type.status().message()), HasSubstr("public"));
  const auto role = Create(R"({"name": "ci", "type": "private", "role": "operator"})");
  EXPECT_THAT(role, FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_BODY"));
  EXPECT_THAT(std::string(role.status().message()), HasSubstr("admin, member, deployer or viewer"));
  EXPECT_TRUE(api_.called.empty());
}

TEST_F(ApiKeyRoutesTest, ABodyWithoutTypeOrWithOtherMembersIsRefused) {
  for (const char* body : {"{}", R"({"name": "ci"})", R"({"name": "ci", "type": 1})",
                           R"({"name": 1, "type": "public"})", R"({"name": "ci", "type": "public", "scope": "all"})"}) {
    EXPECT_THAT(Create(body), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_BODY")) << body;
  }
}

TEST_F(ApiKeyRoutesTest, TheApisWordForTheNameIsReplaced) {
  created_ = InvalidFields("INVALID_API_KEY", {{"display_name", "must have at most 128 bytes, not 129"}});
  const auto refused = Create(R"({"name": "ci", "type": "public"})");
  EXPECT_THAT(refused, FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_API_KEY"));
  EXPECT_EQ(DetailsOf(refused.status())->violations[0].field, "name");
}

TEST_F(ApiKeyRoutesTest, TheListHasBothTypesAndOnlyThePublicPartOfEachKey) {
  api_.On<v1::ListApiKeysRequest, v1::ListApiKeysResponse>(kListApiKeys, [](const v1::ListApiKeysRequest& request) {
    EXPECT_EQ(request.organization(), "acme");
    v1::ListApiKeysResponse listed;
    *listed.add_api_keys() = Key("aaaaaaaaaa", v1::ROLE_ADMIN);
    *listed.add_api_keys() = Key("bbbbbbbbbb", v1::ROLE_VIEWER);
    listed.mutable_api_keys(1)->mutable_revoke_time()->set_seconds(1'763'859'724);
    return listed;
  });
  const auto listed = RunTask(gateway::ListApiKeys(Request{.parameters = {{"org", "acme"}}}, api_));
  ASSERT_THAT(listed, IsOk());
  const nlohmann::json body = nlohmann::json::parse(listed->body);
  ASSERT_EQ(body["public"].size(), 1U);
  ASSERT_EQ(body["private"].size(), 1U);
  EXPECT_EQ(body["private"][0]["key"], "kf_aaaaaaaaaa_***");
  EXPECT_EQ(body["private"][0]["role"], "admin");
  EXPECT_EQ(body["private"][0]["revoked"], false);
  EXPECT_FALSE(body["private"][0].contains("revokedAt"));
  EXPECT_EQ(body["public"][0]["id"], "bbbbbbbbbb");
  EXPECT_EQ(body["public"][0]["metadata"]["name"], "laptop");
  EXPECT_EQ(body["public"][0]["revoked"], true);
  EXPECT_EQ(body["public"][0]["revokedAt"], "2025-11-23T01:02:04.000Z");
}

TEST_F(ApiKeyRoutesTest, NoKeysAreTwoEmptyLists) {
  api_.On<v1::ListApiKeysRequest, v1::ListApiKeysResponse>(
      kListApiKeys, [](const v1::ListApiKeysRequest&) { return v1::ListApiKeysResponse(); });
  EXPECT_EQ(RunTask(gateway::ListApiKeys(Request{}, api_))->body, R"({"public":[],"private":[]})");
}

TEST_F(ApiKeyRoutesTest, AKeyIsRevokedByItsId) {
  v1::RevokeApiKeyRequest revocation;
  api_.On<v1::RevokeApiKeyRequest, v1::RevokeApiKeyResponse>(kRevokeApiKey,
                                                             [&](const v1::RevokeApiKeyRequest& request) {
                                                               revocation = request;
                                                               return v1::RevokeApiKeyResponse();
                                                             });
  const auto revoked =
      RunTask(gateway::RevokeApiKey(Request{.parameters = {{"org", "acme"}, {"id", "abcdefghij"}}}, api_));
  ASSERT_THAT(revoked, IsOk());
  EXPECT_EQ(revoked->body, R"({"status":"OK"})");
  EXPECT_EQ(revocation.organization(), "acme");
  EXPECT_EQ(revocation.id(), "abcdefghij");
}

}  // namespace
}  // namespace keyferry::gateway
