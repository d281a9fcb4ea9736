// `secrets`, and what all commands share.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/testing/keyferry_fixture.h"
#include "keyferry/v1/organizations.pb.h"
#include "keyferry/v1/secret_sets.pb.h"
#include "libs/common/error.h"

namespace keyferry {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Json = nlohmann::json;

TEST_F(KeyferryTest, SetSendsEveryKeyInOneWrite) {
  AcceptSecrets();
  const Outcome outcome =
      Run({"secrets", "set", "my-set", "A", kSentinel, "B=x=y", "--region", "eu", "--etag", "e2", "--replace-all"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(Written(), (std::map<std::string, std::string>{{"A", kSentinel}, {"B", "x=y"}}));
  EXPECT_EQ(written_.organization() + written_.secret_set() + written_.region() + written_.etag(), "acmemy-seteue2");
  EXPECT_TRUE(written_.replace_all());
  EXPECT_THAT(written_.request_id(), SizeIs(32));
  EXPECT_THAT(api_.calls(), ElementsAre(AllOf(Field(&FakeApi::Call::rpc, "SecretSets/SetSecrets"),
                                              Field(&FakeApi::Call::authorization, "Bearer kf_test"))));
}

TEST_F(KeyferryTest, SetTellsWhatWasAcceptedAndWhatComesNext) {
  AcceptSecrets();
  EXPECT_EQ(Run({"secrets", "set", "my-set", "A=1"}).output,
            "accepted: secret set my-set, region us-west, generation 3, status pending\nwait for it: keyferry secrets "
            "wait my-set\n"
            "deployments keep the values they were deployed with; redeploy to give them these\n");
}

TEST_F(KeyferryTest, SetAnswersInJsonAndYaml) {
  AcceptSecrets();
  const Json json = Json::parse(Run({"secrets", "set", "my-set", "A=1", "-o", "json"}).output);
  EXPECT_EQ(json["name"], "my-set");
  EXPECT_EQ(json["status"], "pending");
  EXPECT_EQ(json["generation"], 3);
  EXPECT_EQ(json["changed"], true);
  EXPECT_THAT(Run({"secrets", "set", "my-set", "A=1", "-o", "yaml"}).output, HasSubstr("status: \"pending\"\n"));
}

TEST_F(KeyferryTest, SetKeepsEveryByteOfFilesAndStandardInput) {
  AcceptSecrets();
  const std::string bytes = "line\r\n\xff\xc3\xa4 \n\n";
  const std::string dotenv = Write(".env", "A=from-file\nE='two\nlines'\n");
  const Outcome outcome = Run({"secrets", "set", "my-set", "A=line", "--from-file", "F=" + Write("f", bytes),
                               "--from-stdin", "S", "-f", dotenv},
                              bytes + "\n");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(Written(), (std::map<std::string, std::string>{
                           {"A", "line"}, {"F", bytes}, {"S", bytes + "\n"}, {"E", "two\nlines"}}));
}

TEST_F(KeyferryTest, SetRefusesAKeyFromTwoPlaces) {
  const Outcome outcome = Run({"secrets", "set", "my-set", "TWICE=1", "--from-file", "TWICE=" + Write("f", kSentinel)});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.error, HasSubstr("TWICE"));
}

TEST_F(KeyferryTest, SetRefusesNothingBadNamesAndNulBytesBeforeCalling) {
  EXPECT_EQ(Run({"secrets", "set", "my-set"}).exit_code, 2);
  EXPECT_EQ(Run({"secrets", "set", std::string("K=") + kSentinel, "A=1"}).exit_code, 2);
  EXPECT_EQ(Run({"secrets", "set", "my-set", "--from-stdin", "A"}, std::string(kSentinel) + '\0').exit_code, 2);
  EXPECT_EQ(Run({"secrets", "set", "my-set", "-f", Write(".env", std::string("A='") + kSentinel)}).exit_code, 2);
  EXPECT_EQ(Run({"secrets", "set", "my-set", "--from-file", "A=/no/such"}).exit_code, 2);
  EXPECT_THAT(api_.calls(), IsEmpty());
}

TEST_F(KeyferryTest, ValuesSetsAndKeysHaveTheirLimits) {
  AcceptSecrets();
  const std::string largest(64 * 1024, 'x');
  EXPECT_EQ(Run({"secrets", "set", "my-set", "--from-stdin", "A"}, largest).exit_code, 0);
  EXPECT_EQ(Run({"secrets", "set", "my-set", "--from-stdin", "A"}, largest + "x").exit_code, 2);
  EXPECT_EQ(Run({"secrets", "set", "my-set", "A=" + largest + "x"}).exit_code, 2);
  std::vector<std::string> eight = {"secrets", "set", "my-set"};
  for (char key = 'A'; key < 'I'; ++key) eight.push_back(std::string(1, key) + "=" + largest);
  EXPECT_EQ(Run(eight).exit_code, 0);
  eight.push_back("I=1");
  EXPECT_EQ(Run(eight).exit_code, 2);
  std::vector<std::string> keys = {"secrets", "set", "my-set"};
  for (int i = 0; i < 256; ++i) keys.push_back("K" + std::to_string(i) + "=");
  EXPECT_EQ(Run(keys).exit_code, 0);
  keys.push_back("ONE_MORE=");
  EXPECT_EQ(Run(keys).exit_code, 2);
}

TEST_F(KeyferryTest, AValueSpelledLikeAnOptionIsTakenWithAWarning) {
  AcceptSecrets();
  const Outcome outcome = Run({"secrets", "set", "my-set", "A", "--dry-run"});
  EXPECT_EQ(Written(), (std::map<std::string, std::string>{{"A", "--dry-run"}}));
  EXPECT_FALSE(written_.validate_only());
  EXPECT_THAT(outcome.error, AllOf(HasSubstr("warning"), HasSubstr("A")));
}

TEST_F(KeyferryTest, DryRunsOnlyValidate) {
  AcceptSecrets();
  EXPECT_THAT(Run({"secrets", "set", "my-set", "A=1", "--dry-run"}).output, HasSubstr("nothing written"));
  EXPECT_TRUE(written_.validate_only());
}

TEST_F(KeyferryTest, WaitReturnsWhenTheGenerationIsReady) {
  AcceptSecrets();
  int asked = 0;
  api_.On<v1::WaitUntilReadyRequest, v1::SecretSet>("SecretSets/WaitUntilReady", [&](const auto& request, auto& set) {
    EXPECT_EQ(request.generation(), 3);
    set = Set("my-set", ++asked < 2 ? v1::READINESS_PENDING : v1::READINESS_READY, 3);
    return absl::OkStatus();
  });
  const Outcome outcome = Run({"secrets", "set", "my-set", "A=1", "--wait"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_THAT(outcome.output, HasSubstr("status ready"));
}

TEST_F(KeyferryTest, WaitTellsPendingAndFailedWithExitCodeThree) {
  v1::Readiness readiness = v1::READINESS_PENDING;
  api_.On<v1::WaitUntilReadyRequest, v1::SecretSet>("SecretSets/WaitUntilReady", [&](const auto&, auto& set) {
    set = Set("my-set", readiness, 3);
    set.set_error_message("write it again");
    return absl::OkStatus();
  });
  const Outcome pending = Run({"secrets", "wait", "my-set", "--timeout", "50ms"});
  EXPECT_EQ(pending.exit_code, 3);
  EXPECT_THAT(pending.error,
              AllOf(HasSubstr("still pending in region us-west after 50ms"), HasSubstr("WAIT_TIMED_OUT")));
  readiness = v1::READINESS_FAILED;
  const Outcome failed = Run({"secrets", "wait", "my-set"});
  EXPECT_EQ(failed.exit_code, 3);
  EXPECT_THAT(failed.error, HasSubstr("write it again"));
}

TEST_F(KeyferryTest, AWaitThatFailsAfterAWriteStillTellsOfTheWrite) {
  AcceptSecrets();
  api_.On<v1::WaitUntilReadyRequest, v1::SecretSet>("SecretSets/WaitUntilReady", [](const auto&, auto& set) {
    set = Set("my-set", v1::READINESS_FAILED, 3);
    return absl::OkStatus();
  });
  const Outcome outcome = Run({"secrets", "set", "my-set", "A=1", "--wait", "-o", "json"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(Json::parse(outcome.output)["generation"], 3);
}

TEST_F(KeyferryTest, TheListFollowsPages) {
  api_.On<v1::ListSecretSetsRequest, v1::ListSecretSetsResponse>(
      "SecretSets/ListSecretSets", [](const auto& request, auto& response) {
        EXPECT_EQ(request.region(), "us-west");
        EXPECT_EQ(request.page_size(), 100);
        const bool first = request.page_token().empty();
        *response.add_secret_sets() = first ? Set("aaa", v1::READINESS_READY) : Set("bbb");
        if (first) response.set_next_page_token("t");
        return absl::OkStatus();
      });
  EXPECT_EQ(Run({"secrets", "list", "--region", "us-west"}).output,
            "NAME  TYPE    REGION   STATUS   GENERATION  KEYS  UPDATED\n"
            "aaa   secret  us-west  ready    1           1     2023-11-14T22:13:20Z\n"
            "bbb   secret  us-west  pending  1           1     2023-11-14T22:13:20Z\n");
  EXPECT_THAT(Json::parse(Run({"secrets", "list", "-r", "us-west", "-o", "json"}).output)["sets"], SizeIs(2));
}

TEST_F(KeyferryTest, AListOfNothingIsAnEmptyArray) {
  api_.On<v1::ListSecretSetsRequest, v1::ListSecretSetsResponse>("SecretSets/ListSecretSets",
                                                                 [](const auto&, auto&) { return absl::OkStatus(); });
  EXPECT_EQ(Run({"secrets", "list", "-o", "json"}).output, "{\n  \"sets\": []\n}\n");
}

TEST_F(KeyferryTest, ListOfOneShowsItsKeysAndWhatWentWrong) {
  api_.On<v1::GetSecretSetRequest, v1::SecretSet>("SecretSets/GetSecretSet", [](const auto& request, auto& set) {
    set = Set(request.secret_set(), v1::READINESS_FAILED);
    set.add_keys("B");
    set.set_error_message("set it again");
    return absl::OkStatus();
  });
  EXPECT_THAT(Run({"secrets", "list", "my-set"}).output,
              AllOf(HasSubstr("failed"), HasSubstr("set it again"), HasSubstr("keys (2):\n  A\n  B\n")));
  const Json json = Json::parse(Run({"secrets", "list", "my-set", "-o", "json"}).output);
  EXPECT_EQ(json["keys"], Json({"A", "B"}));
  EXPECT_EQ(json["errorMessage"], "set it again");
}

TEST_F(KeyferryTest, UnsetDeleteHistoryAndRollbackCallTheirRpc) {
  const auto answer = [](const auto& request, auto& response) {
    EXPECT_EQ(request.secret_set(), "my-set");
    EXPECT_EQ(request.etag(), "e1");
    *response.mutable_secret_set() = Set("my-set");
    response.set_changed(true);
    return absl::OkStatus();
  };
  api_.On<v1::UnsetSecretRequest, v1::SetSecretsResponse>("SecretSets/UnsetSecret", answer);
  api_.On<v1::RollbackSecretSetRequest, v1::SetSecretsResponse>("SecretSets/RollbackSecretSet", answer);
  api_.On<v1::DeleteSecretSetRequest, v1::DeleteSecretSetResponse>("SecretSets/DeleteSecretSet",
                                                                   [](const auto& request, auto&) {
                                                                     EXPECT_TRUE(request.force());
                                                                     return absl::OkStatus();
                                                                   });
  api_.On<v1::ListGenerationsRequest, v1::ListGenerationsResponse>("SecretSets/ListGenerations",
                                                                   [](const auto&, auto& response) {
                                                                     response.add_generations()->set_generation(2);
                                                                     return absl::OkStatus();
                                                                   });
  EXPECT_EQ(Run({"secrets", "unset", "my-set", "A", "--etag", "e1"}).exit_code, 0);
  EXPECT_EQ(Run({"secrets", "rollback", "my-set", "2", "--etag", "e1"}).exit_code, 0);
  EXPECT_EQ(Run({"secrets", "delete", "my-set", "--force"}).output, "deleted: secret set my-set\n");
  EXPECT_THAT(Run({"secrets", "history", "my-set"}).output, HasSubstr("GENERATION"));
}

TEST_F(KeyferryTest, PullCredentialsAreEncodedBeforeTheyAreSent) {
  std::string auth;
  api_.On<v1::SetImagePullSecretRequest, v1::SetSecretsResponse>("SecretSets/SetImagePullSecret",
                                                                 [&](const auto& request, auto& response) {
                                                                   EXPECT_EQ(request.host(), "ghcr.io");
                                                                   auth = request.auth();
                                                                   *response.mutable_secret_set() = Set("pull");
                                                                   return absl::OkStatus();
                                                                 });
  EXPECT_EQ(Run({"secrets", "image-pull-secret", "pull", "ghcr.io", "user:t:k"}).exit_code, 0);
  EXPECT_EQ(auth, "dXNlcjp0Oms=");
  EXPECT_EQ(Run({"secrets", "image-pull-secret", "pull", "ghcr.io"}, "user:t:k\n").exit_code, 0);
  EXPECT_EQ(auth, "dXNlcjp0Oms=");
  EXPECT_EQ(Run({"secrets", "image-pull-secret", "pull", "ghcr.io", "dXNlcjp0Oms="}).exit_code, 0);
  EXPECT_EQ(auth, "dXNlcjp0Oms=");
  EXPECT_EQ(Run({"secrets", "image-pull-secret", "pull", "ghcr.io", std::string(":") + kSentinel}).exit_code, 2);
  EXPECT_EQ(Run({"secrets", "image-pull-secret", "pull", "ghcr.io"}, "").exit_code, 2);
}

TEST_F(KeyferryTest, ErrorsOfTheApiBecomeExitCodes) {
  absl::Status answer;
  api_.On<v1::GetSecretSetRequest, v1::SecretSet>("SecretSets/GetSecretSet",
                                                  [&](const auto&, auto&) { return answer; });
  const std::pair<absl::Status, int> cases[] = {
      {NotFound("SECRET_SET_NOT_FOUND", "no secret set my-set", "my-set"), 1},
      {MakeError(absl::StatusCode::kAborted, "changed", {.reason = "ETAG_MISMATCH"}), 4},
      {MakeError(absl::StatusCode::kUnauthenticated, "no such key", {.reason = "INVALID_API_KEY"}), 5},
      {MakeError(absl::StatusCode::kPermissionDenied, "viewers may not", {.reason = "ROLE"}), 5}};
  for (const auto& [status, exit_code] : cases) {
    answer = status;
    const Outcome outcome = Run({"secrets", "list", "my-set"});
    EXPECT_EQ(outcome.exit_code, exit_code) << status;
    EXPECT_EQ(outcome.output, "");
    EXPECT_THAT(outcome.error, AllOf(HasSubstr("error: " + std::string(status.message())),
                                     HasSubstr("reason: " + ReasonOf(status)), HasSubstr("requestId: ")));
  }
}

TEST_F(KeyferryTest, UnavailableIsTriedThreeTimesWithTheSameRequestId) {
  std::vector<std::string> ids;
  api_.On<v1::SetSecretsRequest, v1::SetSecretsResponse>("SecretSets/SetSecrets", [&](const auto& request, auto&) {
    ids.push_back(request.request_id());
    return MakeError(absl::StatusCode::kUnavailable, "draining",
                     {.reason = "DRAINING", .retry_after = absl::Milliseconds(1)});
  });
  EXPECT_EQ(Run({"secrets", "set", "my-set", "A=1"}).exit_code, 1);
  EXPECT_THAT(ids, AllOf(SizeIs(3), Each(ids[0])));
}

TEST_F(KeyferryTest, WhatMayNotComeTwiceIsTriedOnce) {
  api_.On<v1::CreateApiKeyRequest, v1::CreateApiKeyResponse>("Organizations/CreateApiKey", [](const auto&, auto&) {
    return MakeError(absl::StatusCode::kUnavailable, "draining",
                     {.reason = "DRAINING", .retry_after = absl::Milliseconds(1)});
  });
  EXPECT_EQ(Run({"keys", "create", "ci", "--role", "deployer"}).exit_code, 1);
  EXPECT_THAT(api_.calls(), SizeIs(1));
}

TEST_F(KeyferryTest, AKeyIsRevokedByItsIdAndAWholeKeyIsRefusedUnseen) {
  api_.On<v1::RevokeApiKeyRequest, v1::RevokeApiKeyResponse>("Organizations/RevokeApiKey", [](const auto& request,
                                                                                              auto&) {
    EXPECT_EQ(request.id(), "0123456789");
    return absl::OkStatus();
  });
  for (const std::string& id : {std::string("kf_0123456789_") + kSentinel, std::string(kSentinel),
                                std::string("012345678"), std::string("01234567890"), std::string("012345678_")}) {
    const Outcome refused = Run({"keys", "revoke", id, "--skip-confirm"});
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_THAT(refused.error, HasSubstr("10 characters after kf_"));
  }
  EXPECT_THAT(api_.calls(), IsEmpty());
  EXPECT_EQ(Run({"keys", "revoke", "0123456789", "--skip-confirm"}).output, "revoked: API key 0123456789\n");
}

TEST_F(KeyferryTest, WithoutAnEndpointNothingIsCalled) {
  environment_.clear();
  const Outcome outcome = Run({"whoami"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.error, HasSubstr("KEYFERRY_ENDPOINT"));
}

}  // namespace
}  // namespace keyferry
