#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/secret_routes.h"
#include "services/gateway/testing/fake_api_calls.h"

namespace keyferry::gateway {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

v1::SetSecretsResponse Written() {
  v1::SetSecretsResponse written;
  written.mutable_secret_set()->set_region("us-west");
  written.mutable_secret_set()->set_generation(7);
  written.mutable_secret_set()->set_etag("abc.7");
  written.set_changed(true);
  return written;
}

class SecretWriteRoutesTest : public testing::Test {
 protected:
  SecretWriteRoutesTest() {
    api_.On<v1::SetSecretsRequest, v1::SetSecretsResponse>(kSetSecrets,
                                                           [this](const auto& call) { return Answering(set_ = call); });
    api_.On<v1::SetImagePullSecretRequest, v1::SetSecretsResponse>(
        kSetImagePullSecret, [this](const auto& call) { return Answering(pull_ = call); });
    api_.On<v1::UnsetSecretRequest, v1::SetSecretsResponse>(
        kUnsetSecret, [this](const auto& call) { return Answering(unset_ = call); });
    api_.On<v1::RollbackSecretSetRequest, v1::SetSecretsResponse>(
        kRollbackSecretSet, [this](const auto& call) { return Answering(rollback_ = call); });
    api_.On<v1::DeleteSecretSetRequest, v1::DeleteSecretSetResponse>(
        kDeleteSecretSet, [this](const auto& call) -> absl::StatusOr<v1::DeleteSecretSetResponse> {
          delete_ = call;
          if (!api_status_.ok()) return api_status_;
          return v1::DeleteSecretSetResponse();
        });
    request_.id = "r1";
    request_.parameters = {{"set", "app"}};
    request_.headers = {{"Content-Type", "application/json"}};
  }

  absl::StatusOr<v1::SetSecretsResponse> Answering(const google::protobuf::Message&) const {
    if (!api_status_.ok()) return api_status_;
    return Written();
  }

  absl::StatusOr<Answer> Put(const std::string& body) {
    request_.body = body;
    return RunTask(PutSecrets(request_, api_));
  }
  // Every violation's field; the answer must be a refusal without a call.
  std::vector<std::string> Refused(const std::string& body) {
    const absl::StatusOr<Answer> answer = Put(body);
    EXPECT_THAT(answer, FailsWith(StatusCode::kInvalidArgument, "INVALID_BODY")) << body;
    EXPECT_THAT(api_.called, IsEmpty()) << body;
    return FieldsOf(answer.status());
  }
  static std::vector<std::string> FieldsOf(const absl::Status& status) {
    std::vector<std::string> fields;
    const std::optional<ErrorDetails> details = DetailsOf(status);
    if (!details) return fields;
    for (const FieldViolation& violation : details->violations) fields.push_back(violation.field);
    return fields;
  }

  FakeApiCalls api_;
  absl::Status api_status_;
  Request request_;
  v1::SetSecretsRequest set_;
  v1::SetImagePullSecretRequest pull_;
  v1::UnsetSecretRequest unset_;
  v1::RollbackSecretSetRequest rollback_;
  v1::DeleteSecretSetRequest delete_;
};

TEST_F(SecretWriteRoutesTest, ListOfSecretsIsOneCall) {
  const auto answer =
      Put(R"({"secrets":[{"secretKey":"A","secretValue":"1"},{"secretKey":"B","secretValue":" =\u00e9\u0000\n"}]})");
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->status, 202);
  EXPECT_EQ(answer->body, R"({"status":"OK","region":"us-west","generation":7,"etag":"abc.7","changed":true})");
  ASSERT_EQ(answer->headers.size(), 1);
  EXPECT_EQ(answer->headers[0].name, "ETag");
  EXPECT_EQ(answer->headers[0].value, "\"abc.7\"");
  EXPECT_THAT(api_.called, ElementsAre("/keyferry.v1.SecretSets/SetSecrets"));
  EXPECT_EQ(set_.secret_set(), "app");
  EXPECT_EQ(set_.organization(), "");
  ASSERT_EQ(set_.entries_size(), 2);
  EXPECT_EQ(set_.entries(0).key(), "A");
  EXPECT_EQ(set_.entries(0).value(), "1");
  EXPECT_EQ(set_.entries(1).value(), std::string(" =\xC3\xA9\0\n", 6));
  EXPECT_FALSE(set_.replace_all());
  EXPECT_EQ(set_.region(), "");
}

TEST_F(SecretWriteRoutesTest, EverythingThatAWriteMaySayGoesAlong) {
  request_.parameters["org"] = "acme";
  request_.headers.push_back({"if-match", "\"abc.6-00ff\""});
  request_.headers.push_back({"idempotency-key", "once"});
  ASSERT_THAT(
      Put(R"({"secrets":[{"secretKey":"A","secretValue":""}],"region":"eu-1","replaceAll":true,"validateOnly":true})"),
      IsOk());
  EXPECT_EQ(set_.organization(), "acme");
  EXPECT_EQ(set_.region(), "eu-1");
  EXPECT_TRUE(set_.replace_all());
  EXPECT_TRUE(set_.validate_only());
  EXPECT_EQ(set_.etag(), "abc.6");
  EXPECT_EQ(set_.request_id(), "once");
}

TEST_F(SecretWriteRoutesTest, OlderFormSetsOneKey) {
  ASSERT_THAT(Put(R"({"name":"app","isImagePullSecret":false,"secretKey":"A","secretValue":"1","region":"us-west"})"),
              IsOk());
  ASSERT_EQ(set_.entries_size(), 1);
  EXPECT_EQ(set_.entries(0).key(), "A");
  EXPECT_EQ(set_.entries(0).value(), "1");
  EXPECT_EQ(set_.region(), "us-west");
  ASSERT_THAT(Put(R"({"secretKey":"B","secretValue":"2","secrets":null,"name":null,"region":null})"), IsOk());
  EXPECT_EQ(set_.entries(0).key(), "B");
}

TEST_F(SecretWriteRoutesTest, ImagePullSecretIsItsOwnCall) {
  request_.headers.push_back({"If-Match", "abc.6"});
  const auto answer = Put(
      R"({"isImagePullSecret":true,"host":"https://ghcr.io","secretValue":"dTp0","region":"eu-1","name":"app","validateOnly":true})");
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->status, 202);
  EXPECT_THAT(api_.called, ElementsAre("/keyferry.v1.SecretSets/SetImagePullSecret"));
  EXPECT_EQ(pull_.secret_set(), "app");
  EXPECT_EQ(pull_.host(), "https://ghcr.io");
  EXPECT_EQ(pull_.auth(), "dTp0");
  EXPECT_EQ(pull_.region(), "eu-1");
  EXPECT_EQ(pull_.etag(), "abc.6");
  EXPECT_TRUE(pull_.validate_only());
  EXPECT_THAT(answer->body, HasSubstr(R"("changed":true,"validateOnly":true})"));
}

TEST_F(SecretWriteRoutesTest, MixedFormsAreRefused) {
  EXPECT_THAT(Refused(R"({"secrets":[{"secretKey":"A","secretValue":"1"}],"secretKey":"B","secretValue":"2"})"),
              ElementsAre("secretKey", "secretValue"));
  EXPECT_THAT(Refused(R"({"isImagePullSecret":false,"host":"ghcr.io","secretKey":"A","secretValue":"1"})"),
              ElementsAre("host"));
  EXPECT_THAT(Refused(R"({"host":"ghcr.io","secretValue":"u:t"})"), ElementsAre("host", "secretKey"));
  EXPECT_THAT(Refused(R"({"isImagePullSecret":true,"host":"h","secretValue":"u:t","secrets":[]})"),
              ElementsAre("secrets"));
  EXPECT_THAT(Refused(R"({"isImagePullSecret":true,"host":"h","secretValue":"u:t","secretKey":"A","replaceAll":true})"),
              ElementsAre("secretKey", "replaceAll"));
}

TEST_F(SecretWriteRoutesTest, MissingMembersAreNamed) {
  EXPECT_THAT(Refused("{}"), ElementsAre("secrets"));
  EXPECT_THAT(Refused(R"({"secrets":null})"), ElementsAre("secrets"));
  EXPECT_THAT(Refused(R"({"secrets":[]})"), ElementsAre("secrets"));
  EXPECT_THAT(Refused(R"({"secretKey":"A"})"), ElementsAre("secretValue"));
  EXPECT_THAT(Refused(R"({"secretKey":"A","secretValue":null})"), ElementsAre("secretValue"));
  EXPECT_THAT(Refused(R"({"secretValue":"1"})"), ElementsAre("secretKey"));
  EXPECT_THAT(Refused(R"({"isImagePullSecret":true})"), ElementsAre("host", "secretValue"));
  EXPECT_THAT(
      Refused(R"({"secrets":[{"secretKey":"A"},{"secretValue":null},"A=1",{"secretKey":"B","secretValue":"2"}]})"),
      ElementsAre("secrets[0].secretValue", "secrets[1].secretKey", "secrets[1].secretValue", "secrets[2]"));
}

TEST_F(SecretWriteRoutesTest, WrongTypesAreNamedOnce) {
  EXPECT_THAT(Refused(R"({"secrets":{"A":"1"}})"), ElementsAre("secrets"));
  EXPECT_THAT(Refused(R"({"secrets":[{"secretKey":"A","secretValue":1}]})"), ElementsAre("secrets[0].secretValue"));
  EXPECT_THAT(Refused(R"({"secretKey":"A","secretValue":true,"region":5})"), ElementsAre("region", "secretValue"));
  EXPECT_THAT(Refused(R"({"isImagePullSecret":"true","secretKey":"A","secretValue":"1"})"),
              ElementsAre("isImagePullSecret"));
}

TEST_F(SecretWriteRoutesTest, UnknownMembersAreRefused) {
  EXPECT_THAT(Refused(R"({"secrets":[{"secretKey":"A","secretValue":"1","note":"x"}],"regoin":"eu-1"})"),
              testing::UnorderedElementsAre("secrets[0].note", "regoin"));
}

TEST_F(SecretWriteRoutesTest, NameMustBeTheAddressesSet) {
  EXPECT_THAT(Refused(R"({"name":"other","secretKey":"A","secretValue":"1"})"), ElementsAre("name"));
}

TEST_F(SecretWriteRoutesTest, EmptyRegionIsNotTheDefaultRegion) {
  EXPECT_THAT(Refused(R"({"secretKey":"A","secretValue":"1","region":""})"), ElementsAre("region"));
}

TEST_F(SecretWriteRoutesTest, QueryOnPutIsRefused) {
  request_.query = {{"region", "eu-1"}};
  EXPECT_THAT(Put(R"({"secretKey":"A","secretValue":"1"})"), FailsWith(StatusCode::kInvalidArgument, "INVALID_QUERY"));
  EXPECT_THAT(api_.called, IsEmpty());
}

TEST_F(SecretWriteRoutesTest, MoreKeysThanASetHoldsAreNotRead) {
  std::string items;
  for (int i = 0; i < 256; ++i)
    absl::StrAppend(&items, i > 0 ? "," : "", R"({"secretKey":"K)", i, R"(","secretValue":""})");
  ASSERT_THAT(Put(absl::StrCat(R"({"secrets":[)", items, "]}")), IsOk());
  EXPECT_EQ(set_.entries_size(), 256);
  const auto answer = Put(absl::StrCat(R"({"secrets":[)", items, ",0]}"));
  EXPECT_THAT(answer, FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_SIZE"));
  EXPECT_EQ(answer.status().message(), "secrets: must be at most 256 keys; found 257");
}

TEST_F(SecretWriteRoutesTest, NoValueIsInARefusal) {
  const auto answer = Put(
      R"({"secrets":[{"secretKey":"A","secretValue":"s3ntinel"}],"secretValue":"s3ntinel","host":"s3ntinel","region":""})");
  EXPECT_THAT(answer.status().ToString(), Not(HasSubstr("s3ntinel")));
}

TEST_F(SecretWriteRoutesTest, ViolationsHaveTheNamesOfTheirForm) {
  api_status_ = InvalidFields("INVALID_SECRET_KEY",
                              {{"entries[0].key", "is bad"}, {"entries[0].value", "has a NUL"}, {"region", "x"}});
  EXPECT_THAT(FieldsOf(Put(R"({"secrets":[{"secretKey":"A ","secretValue":"1"}]})").status()),
              ElementsAre("secrets[0].secretKey", "secrets[0].secretValue", "region"));
  EXPECT_EQ(Put(R"({"secretKey":"A ","secretValue":"1"})").status().message(),
            "secretKey: is bad; secretValue: has a NUL; region: x");
  api_status_ =
      InvalidFields("INVALID_CREDENTIALS", {{"auth", "x"}, {"host", "x"}, {"secret_set", "x"}, {"request_id", "x"}});
  EXPECT_THAT(FieldsOf(Put(R"({"isImagePullSecret":true,"host":"h","secretValue":"1"})").status()),
              ElementsAre("secretValue", "host", "set", "Idempotency-Key"));
}

TEST_F(SecretWriteRoutesTest, ConditionsThatCannotBeKeptAreRefused) {
  for (const char* value : {"*", "W/\"a\"", "\"a\", \"b\"", "", "\"\"", "\"-00ff\""}) {
    request_.headers = {{"Content-Type", "application/json"}, {"If-Match", value}};
    EXPECT_THAT(Put(R"({"secretKey":"A","secretValue":"1"})"),
                FailsWith(StatusCode::kInvalidArgument, "INVALID_HEADER"))
        << value;
  }
  request_.headers = {{"If-Match", "a"}, {"If-Match", "b"}};
  EXPECT_THAT(RunTask(DeleteSecretSet(request_, api_)), FailsWith(StatusCode::kInvalidArgument, "INVALID_HEADER"));
  request_.headers = {{"If-None-Match", "*"}};
  const auto created_only = RunTask(UnsetSecret(request_, api_));
  EXPECT_THAT(created_only, FailsWith(StatusCode::kInvalidArgument, "INVALID_HEADER"));
  EXPECT_THAT(created_only.status().message(), HasSubstr("send If-Match with the `etag`"));
  request_.headers = {{"If-Match", "*"}};
  EXPECT_THAT(RunTask(UnsetSecret(request_, api_)).status().message(), HasSubstr("send the `etag`"));
  EXPECT_THAT(api_.called, IsEmpty());
}

TEST_F(SecretWriteRoutesTest, HeadersThatAreNotPrintableAsciiAreRefusedAndNotShown) {
  for (const char* name : {"If-Match", "Idempotency-Key"}) {
    for (const char* value : {"s3ntinel\xC3\xA9", "s3ntinel\t1", "\"s3ntinel\x7F\"", "s3ntinel\x01", "\xFF"}) {
      request_.headers = {{"Content-Type", "application/json"}, {name, value}};
      const auto answer = Put(R"({"secretKey":"A","secretValue":"1"})");
      EXPECT_THAT(answer, FailsWith(StatusCode::kInvalidArgument, "INVALID_HEADER")) << name;
      EXPECT_EQ(answer.status().message(), absl::StrCat(name, ": must be printable ASCII"));
    }
  }
  EXPECT_THAT(api_.called, IsEmpty());
}

TEST_F(SecretWriteRoutesTest, DeleteSaysForceOnlyWhenAsked) {
  request_.query = {{"force", "true"}};
  request_.headers = {{"If-Match", "abc.7"}, {"Idempotency-Key", "once"}};
  const auto answer = RunTask(DeleteSecretSet(request_, api_));
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, R"({"status":"OK"})");
  EXPECT_TRUE(delete_.force());
  EXPECT_EQ(delete_.etag(), "abc.7");
  EXPECT_EQ(delete_.request_id(), "once");
  request_.query = {{"validateOnly", "true"}};
  const auto validated = RunTask(DeleteSecretSet(request_, api_));
  ASSERT_THAT(validated, IsOk());
  EXPECT_EQ(validated->body, R"({"status":"OK","validateOnly":true})");
  EXPECT_FALSE(delete_.force());
  EXPECT_TRUE(delete_.validate_only());
}

TEST_F(SecretWriteRoutesTest, DeleteRefusesAQueryThatItDoesNotKnow) {
  for (const auto& query : {std::pair{"force", "yes"}, std::pair{"dryRun", "true"}}) {
    request_.query = {{query.first, query.second}};
    EXPECT_THAT(RunTask(DeleteSecretSet(request_, api_)), FailsWith(StatusCode::kInvalidArgument, "INVALID_QUERY"));
  }
  EXPECT_THAT(api_.called, IsEmpty());
}

TEST_F(SecretWriteRoutesTest, AbsenceIsInTheContractsWords) {
  api_status_ = NotFound("SECRET_SET_NOT_FOUND", "secret set \"app\" does not exist", "app");
  const absl::Status absent = RunTask(DeleteSecretSet(request_, api_)).status();
  EXPECT_THAT(absent, FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  EXPECT_EQ(absent.message(), "Set not found");
  EXPECT_EQ(DetailsOf(absent)->metadata.at("resource"), "app");
  api_status_ = NotFound("SECRET_NOT_FOUND", "no such key", "A");
  EXPECT_EQ(RunTask(UnsetSecret(request_, api_)).status().message(), "Secret not found");
  api_status_ = NotFound("ORGANIZATION_NOT_FOUND", "no such organization", "acme");
  EXPECT_EQ(RunTask(DeleteSecretSet(request_, api_)).status().message(), "no such organization");
}

TEST_F(SecretWriteRoutesTest, RequestIdThatWasUsedIsCalledByItsHeader) {
  api_status_ = MakeError(StatusCode::kAlreadyExists, "this request id was used for another request",
                          {.reason = "REQUEST_ID_REUSED", .metadata = {{"idempotencyKey", "once"}}});
  for (const absl::Status& reused :
       {Put(R"({"secretKey":"A","secretValue":"1"})").status(), RunTask(DeleteSecretSet(request_, api_)).status(),
        RunTask(UnsetSecret(request_, api_)).status()}) {
    EXPECT_THAT(reused, FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
    EXPECT_THAT(reused.message(), HasSubstr("this Idempotency-Key was used"));
    EXPECT_EQ(DetailsOf(reused)->metadata.at("idempotencyKey"), "once");
  }
}

TEST_F(SecretWriteRoutesTest, SetInUseKeepsItsDeployments) {
  api_status_ = MakeError(StatusCode::kAborted, "bound", {.reason = "SECRET_SET_IN_USE", .blockers = {"bot"}});
  const absl::Status refused = RunTask(DeleteSecretSet(request_, api_)).status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kAborted, "SECRET_SET_IN_USE"));
  EXPECT_THAT(DetailsOf(refused)->blockers, ElementsAre("bot"));
}

TEST_F(SecretWriteRoutesTest, UnsetRemovesOneKey) {
  request_.parameters["key"] = "A";
  request_.query = {{"validateOnly", "true"}};
  const auto answer = RunTask(UnsetSecret(request_, api_));
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body,
            R"({"status":"OK","region":"us-west","generation":7,"etag":"abc.7","changed":true,"validateOnly":true})");
  EXPECT_EQ(answer->headers[0].value, "\"abc.7\"");
  EXPECT_EQ(unset_.secret_set(), "app");
  EXPECT_EQ(unset_.key(), "A");
  EXPECT_TRUE(unset_.validate_only());
}

TEST_F(SecretWriteRoutesTest, RollbackAnswersAsAPutDoes) {
  request_.body = R"({"generation":3})";
  request_.headers.push_back({"If-Match", "\"abc.6\""});
  const auto answer = RunTask(RollbackSecretSet(request_, api_));
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->status, 202);
  EXPECT_EQ(answer->body, R"({"status":"OK","region":"us-west","generation":7,"etag":"abc.7","changed":true})");
  EXPECT_EQ(rollback_.generation(), 3);
  EXPECT_EQ(rollback_.etag(), "abc.6");
}

TEST_F(SecretWriteRoutesTest, RollbackRefusesAGenerationThatIsNone) {
  for (const char* body :
       {"{}", R"({"generation":null})", R"({"generation":0})", R"({"generation":"3"})", R"({"generation":3,"x":1})"}) {
    request_.body = body;
    EXPECT_THAT(RunTask(RollbackSecretSet(request_, api_)), FailsWith(StatusCode::kInvalidArgument, "INVALID_BODY"))
        << body;
  }
  for (const char* body : {R"({"generation":0})", R"({"generation":"2"})", R"({"generation":1e300})"}) {
    request_.body = body;
    EXPECT_THAT(RunTask(RollbackSecretSet(request_, api_)).status().message(),
                HasSubstr("generation: must be an integer of 1 or more"));
  }
  EXPECT_THAT(api_.called, IsEmpty());
}

}  // namespace
}  // namespace keyferry::gateway
