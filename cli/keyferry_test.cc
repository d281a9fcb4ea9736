// Commands, from arguments to exit code, against an API whose answers each test writes.
#include "cli/keyferry.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/testing/fake_api.h"
#include "keyferry/v1/deployments.pb.h"
#include "keyferry/v1/organizations.pb.h"
#include "keyferry/v1/regions.pb.h"
#include "keyferry/v1/secret_sets.pb.h"
#include "libs/common/error.h"
#include "libs/common/testing/temp_dir.h"

namespace keyferry {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Json = nlohmann::json;

// Stands for every secret byte here: it may be in no output.
constexpr char kSentinel[] = "hunter2-sentinel";

v1::SecretSet Set(const std::string& name, v1::Readiness readiness = v1::READINESS_PENDING, int64_t generation = 1) {
  v1::SecretSet set;
  set.set_name(name);
  set.set_type(v1::SECRET_SET_TYPE_SECRET);
  set.set_region("us-west");
  set.set_readiness(readiness);
  set.set_generation(generation);
  set.set_ready_generation(readiness == v1::READINESS_READY ? generation : generation - 1);
  set.set_etag("e" + std::to_string(generation));
  set.mutable_update_time()->set_seconds(1'700'000'000);
  set.add_keys("A");
  return set;
}

struct Outcome {
  int exit_code;
  std::string output;
  std::string error;
};

class KeyferryTest : public testing::Test {
 protected:
  Outcome Run(const std::vector<std::string>& arguments, const std::string& input = "") {
    std::ofstream(directory_.File("stdin"), std::ios::binary) << input;
    const int descriptor = open(directory_.File("stdin").c_str(), O_RDONLY);
    std::ostringstream output, error;
    Console console{.input = descriptor, .output = output, .error = error};
    const std::vector<std::string_view> views(arguments.begin(), arguments.end());
    const int exit_code = RunKeyferry({.arguments = views, .environment = environment_, .console = console});
    close(descriptor);
    EXPECT_THAT(output.str() + error.str(), Not(HasSubstr(kSentinel)));
    return {exit_code, output.str(), error.str()};
  }

  // Answers SetSecrets with a pending set, and keeps the request.
  void AcceptSecrets() {
    api_.On<v1::SetSecretsRequest, v1::SetSecretsResponse>("SecretSets/SetSecrets", [this](const auto& request, auto& response) {
      written_ = request;
      *response.mutable_secret_set() = Set(request.secret_set(), v1::READINESS_PENDING, 3);
      response.set_changed(true);
      return absl::OkStatus();
    });
  }

  std::map<std::string, std::string> Written() const {
    std::map<std::string, std::string> entries;
    for (const v1::SecretEntry& entry : written_.entries()) entries[entry.key()] = entry.value();
    return entries;
  }

  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_.File(name), std::ios::binary) << text;
    return directory_.File(name);
  }

  TempDir directory_;
  FakeApi api_{directory_.File("api.sock")};
  std::vector<std::string> environment_ = {"KEYFERRY_ENDPOINT=unix:" + directory_.File("api.sock"), "KEYFERRY_API_KEY=kf_test", "KEYFERRY_ORG=acme"};
  v1::SetSecretsRequest written_;
};

TEST_F(KeyferryTest, SetSendsEveryKeyInOneWrite) {
  AcceptSecrets();
  const Outcome outcome = Run({"secrets", "set", "my-set", "A", kSentinel, "B=x=y", "--region", "eu", "--etag", "e2", "--replace-all"});
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
            "accepted: secret set my-set, region us-west, generation 3, status pending\nwait for it: keyferry secrets wait my-set\n"
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
  const Outcome outcome = Run({"secrets", "set", "my-set", "A=line", "--from-file", "F=" + Write("f", bytes), "--from-stdin", "S", "-f", dotenv}, bytes + "\n");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(Written(), (std::map<std::string, std::string>{{"A", "line"}, {"F", bytes}, {"S", bytes + "\n"}, {"E", "two\nlines"}}));
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
  EXPECT_THAT(pending.error, AllOf(HasSubstr("still pending in region us-west after 50ms"), HasSubstr("WAIT_TIMED_OUT")));
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
  api_.On<v1::ListSecretSetsRequest, v1::ListSecretSetsResponse>("SecretSets/ListSecretSets", [](const auto& request, auto& response) {
    EXPECT_EQ(request.region(), "us-west");
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
  api_.On<v1::ListSecretSetsRequest, v1::ListSecretSetsResponse>("SecretSets/ListSecretSets", [](const auto&, auto&) { return absl::OkStatus(); });
  EXPECT_EQ(Run({"secrets", "list", "-o", "json"}).output, "{\n  \"sets\": []\n}\n");
}

TEST_F(KeyferryTest, ListOfOneShowsItsKeysAndWhatWentWrong) {
  api_.On<v1::GetSecretSetRequest, v1::SecretSet>("SecretSets/GetSecretSet", [](const auto& request, auto& set) {
    set = Set(request.secret_set(), v1::READINESS_FAILED);
    set.add_keys("B");
    set.set_error_message("set it again");
    return absl::OkStatus();
  });
  EXPECT_THAT(Run({"secrets", "list", "my-set"}).output, AllOf(HasSubstr("failed"), HasSubstr("set it again"), HasSubstr("keys (2):\n  A\n  B\n")));
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
  api_.On<v1::DeleteSecretSetRequest, v1::DeleteSecretSetResponse>("SecretSets/DeleteSecretSet", [](const auto& request, auto&) {
    EXPECT_TRUE(request.force());
    return absl::OkStatus();
  });
  api_.On<v1::ListGenerationsRequest, v1::ListGenerationsResponse>("SecretSets/ListGenerations", [](const auto&, auto& response) {
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
  api_.On<v1::SetImagePullSecretRequest, v1::SetSecretsResponse>("SecretSets/SetImagePullSecret", [&](const auto& request, auto& response) {
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

class DeployTest : public KeyferryTest {
 protected:
  void Accept() {
    api_.On<v1::CreateDeploymentRequest, v1::Deployment>("Deployments/CreateDeployment", [this](const auto& request, auto& deployment) {
      asked_ = request;
      deployment = request.deployment();
      deployment.set_region("us-west");
      deployment.set_generation(2);
      deployment.set_readiness(v1::READINESS_PENDING);
      return absl::OkStatus();
    });
  }
  v1::CreateDeploymentRequest asked_;
};

TEST_F(DeployTest, TheFileGivesWhatTheLineLeavesOut) {
  Accept();
  const std::string file = Write("pcc-deploy.toml", "agent_name = 'file-agent'\nimage = 'file:1'\nimage_credentials = 'file-pull'\nsecret_set = 'file-set'\n"
                                                    "region = 'us-west'\nrequired_keys = ['A', 'B']\n");
  EXPECT_EQ(Run({"deploy", "--file", file, "--secrets", "line-set", "line-agent"}).exit_code, 0);
  const v1::Deployment& deployment = asked_.deployment();
  EXPECT_EQ(deployment.agent(), "line-agent");
  EXPECT_EQ(deployment.image(), "file:1");
  EXPECT_EQ(deployment.secret_set(), "line-set");
  EXPECT_EQ(deployment.image_pull_secret(), "file-pull");
  EXPECT_THAT(deployment.required_keys(), ElementsAre("A", "B"));
  EXPECT_TRUE(asked_.allow_existing());
  EXPECT_EQ(Run({"deploy", "--file", file, "--require", "C", "--require", "D"}).exit_code, 0);
  EXPECT_THAT(asked_.deployment().required_keys(), ElementsAre("C", "D"));
}

TEST_F(DeployTest, AnAgentIsNeeded) { EXPECT_EQ(Run({"deploy", "--file", Write("f.toml", "")}).exit_code, 2); }

TEST_F(DeployTest, AMissingFileIsAnErrorOnlyWhenNamed) {
  Accept();
  EXPECT_EQ(Run({"deploy", "--file", directory_.File("none")}).exit_code, 2);
  EXPECT_EQ(Run({"deploy", "agent", "image:1"}).exit_code, 0);
}

TEST_F(DeployTest, ARefusedGateTellsHowToWait) {
  api_.On<v1::CreateDeploymentRequest, v1::Deployment>("Deployments/CreateDeployment", [](const auto&, auto&) {
    return MakeError(absl::StatusCode::kAborted, "secret set my-set is being provisioned into us-west",
                     {.reason = "SECRET_SET_PENDING", .metadata = {{"secret_set", "my-set"}}, .retry_after = absl::Seconds(1)});
  });
  const Outcome outcome = Run({"deploy", "agent", "--secrets", "my-set"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.error, AllOf(HasSubstr("being provisioned"), HasSubstr("keyferry secrets wait my-set"), HasSubstr("retry after: 1s")));
}

TEST_F(DeployTest, WaitWaitsForTheSetsThenDeploysThenWaitsForTheRegion) {
  Accept();
  api_.On<v1::WaitUntilReadyRequest, v1::SecretSet>("SecretSets/WaitUntilReady", [](const auto& request, auto& set) {
    set = Set(request.secret_set(), v1::READINESS_READY);
    return absl::OkStatus();
  });
  int polls = 0;
  api_.On<v1::GetDeploymentRequest, v1::Deployment>("Deployments/GetDeployment", [&](const auto&, auto& deployment) {
    deployment = asked_.deployment();
    deployment.set_generation(2);
    // The older generation is ready; that is not what was asked for.
    deployment.set_readiness(++polls == 1 ? v1::READINESS_PENDING : v1::READINESS_READY);
    deployment.set_ready_generation(polls == 3 ? 2 : 1);
    return absl::OkStatus();
  });
  const Outcome outcome = Run({"deploy", "agent", "--secrets", "my-set", "--credentials", "pull", "--wait"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_THAT(outcome.output, HasSubstr("status ready"));
  std::vector<std::string> rpcs;
  for (const FakeApi::Call& call : api_.calls()) rpcs.push_back(call.rpc);
  EXPECT_THAT(rpcs, ElementsAre("SecretSets/WaitUntilReady", "SecretSets/WaitUntilReady", "Deployments/CreateDeployment", "Deployments/GetDeployment",
                                "Deployments/GetDeployment", "Deployments/GetDeployment"));
}

TEST_F(DeployTest, AgentsAreListedShownAndDeleted) {
  v1::Deployment deployment;
  deployment.set_agent("agent");
  deployment.set_secret_set("my-set");
  deployment.set_secret_set_generation(4);
  api_.On<v1::ListDeploymentsRequest, v1::ListDeploymentsResponse>("Deployments/ListDeployments", [&](const auto&, auto& response) {
    *response.add_deployments() = deployment;
    return absl::OkStatus();
  });
  api_.On<v1::GetDeploymentRequest, v1::Deployment>("Deployments/GetDeployment", [&](const auto&, auto& response) {
    response = deployment;
    return absl::OkStatus();
  });
  api_.On<v1::DeleteDeploymentRequest, v1::DeleteDeploymentResponse>("Deployments/DeleteDeployment", [](const auto&, auto&) { return absl::OkStatus(); });
  EXPECT_THAT(Run({"agents", "list"}).output, HasSubstr("my-set@4"));
  EXPECT_EQ(Json::parse(Run({"agents", "show", "agent", "-o", "json"}).output)["secretSet"]["generation"], 4);
  EXPECT_EQ(Run({"agents", "delete", "agent"}).output, "deleted: deployment agent\n");
}

TEST_F(KeyferryTest, ErrorsOfTheApiBecomeExitCodes) {
  absl::Status answer;
  api_.On<v1::GetSecretSetRequest, v1::SecretSet>("SecretSets/GetSecretSet", [&](const auto&, auto&) { return answer; });
  const std::pair<absl::Status, int> cases[] = {{NotFound("SECRET_SET_NOT_FOUND", "no secret set my-set", "my-set"), 1},
                                                {MakeError(absl::StatusCode::kAborted, "changed", {.reason = "ETAG_MISMATCH"}), 4},
                                                {MakeError(absl::StatusCode::kUnauthenticated, "no such key", {.reason = "INVALID_API_KEY"}), 5},
                                                {MakeError(absl::StatusCode::kPermissionDenied, "viewers may not", {.reason = "ROLE"}), 5}};
  for (const auto& [status, exit_code] : cases) {
    answer = status;
    const Outcome outcome = Run({"secrets", "list", "my-set"});
    EXPECT_EQ(outcome.exit_code, exit_code) << status;
    EXPECT_EQ(outcome.output, "");
    EXPECT_THAT(outcome.error, AllOf(HasSubstr("error: " + std::string(status.message())), HasSubstr("reason: " + ReasonOf(status))));
  }
}

TEST_F(KeyferryTest, UnavailableIsTriedThreeTimesWithTheSameRequestId) {
  std::vector<std::string> ids;
  api_.On<v1::SetSecretsRequest, v1::SetSecretsResponse>("SecretSets/SetSecrets", [&](const auto& request, auto&) {
    ids.push_back(request.request_id());
    return MakeError(absl::StatusCode::kUnavailable, "draining", {.reason = "DRAINING", .retry_after = absl::Milliseconds(1)});
  });
  EXPECT_EQ(Run({"secrets", "set", "my-set", "A=1"}).exit_code, 1);
  EXPECT_THAT(ids, AllOf(SizeIs(3), Each(ids[0])));
}

TEST_F(KeyferryTest, WhatMayNotComeTwiceIsTriedOnce) {
  api_.On<v1::CreateApiKeyRequest, v1::CreateApiKeyResponse>("Organizations/CreateApiKey", [](const auto&, auto&) {
    return MakeError(absl::StatusCode::kUnavailable, "draining", {.reason = "DRAINING", .retry_after = absl::Milliseconds(1)});
  });
  EXPECT_EQ(Run({"keys", "create", "ci", "--role", "deployer"}).exit_code, 1);
  EXPECT_THAT(api_.calls(), SizeIs(1));
}

TEST_F(KeyferryTest, ANewKeyIsAloneOnStandardOutput) {
  api_.On<v1::CreateApiKeyRequest, v1::CreateApiKeyResponse>("Organizations/CreateApiKey", [](const auto& request, auto& response) {
    EXPECT_EQ(request.role(), v1::ROLE_DEPLOYER);
    response.set_key("kf_new");
    response.mutable_api_key()->set_role(request.role());
    return absl::OkStatus();
  });
  EXPECT_EQ(Run({"keys", "create", "ci", "--role", "deployer"}).output, "kf_new\n");
  const Json json = Json::parse(Run({"keys", "create", "ci", "--role", "deployer", "-o", "json"}).output);
  EXPECT_EQ(json["key"], "kf_new");
  EXPECT_EQ(json["role"], "deployer");
}

TEST_F(KeyferryTest, OperatorsCommandsSendWhatWasTyped) {
  api_.On<v1::CreateRegionRequest, v1::Region>("Regions/CreateRegion", [](const auto& request, auto& region) {
    EXPECT_EQ(request.sealing_key(), std::string(32, 'k'));
    EXPECT_TRUE(request.blind());
    region.set_code(request.code());
    return absl::OkStatus();
  });
  api_.On<v1::ListRegionsRequest, v1::ListRegionsResponse>("Regions/ListRegions", [](const auto&, auto& response) {
    response.add_regions()->set_code("us-west");
    return absl::OkStatus();
  });
  api_.On<v1::ResyncRequest, v1::ResyncResponse>("Regions/Resync", [](const auto& request, auto& response) {
    response.set_retried_count(request.retry_failed() ? 7 : 0);
    return absl::OkStatus();
  });
  api_.On<v1::CreateOrganizationRequest, v1::Organization>("Organizations/CreateOrganization", [](const auto& request, auto& response) {
    response.set_name(request.name());
    return absl::OkStatus();
  });
  EXPECT_EQ(Run({"regions", "create", "eu-1", "--sealing-key", "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", "--blind"}).exit_code, 0);
  EXPECT_EQ(Run({"regions", "create", "eu-1", "--sealing-key", "c2hvcnQ="}).exit_code, 2);
  EXPECT_EQ(Run({"regions", "list"}).output, "CODE     NAME\nus-west\n");
  EXPECT_THAT(Run({"regions", "resync", "eu-1", "--retry-failed"}).output, HasSubstr("7 failed"));
  EXPECT_EQ(Run({"orgs", "create", "acme"}).output, "created: organization acme\n");
}

TEST_F(KeyferryTest, PropertiesAndWhoAmIAreShown) {
  const auto properties = [](const auto&, auto& response) {
    response.set_default_region("us-east");
    response.add_available_regions("us-east");
    return absl::OkStatus();
  };
  api_.On<v1::GetPropertiesRequest, v1::Properties>("Organizations/GetProperties", properties);
  api_.On<v1::UpdatePropertiesRequest, v1::Properties>("Organizations/UpdateProperties", properties);
  api_.On<v1::WhoAmIRequest, v1::WhoAmIResponse>("Organizations/WhoAmI", [](const auto&, auto& response) {
    response.set_principal("apiKey:abc");
    response.set_role(v1::ROLE_ADMIN);
    return absl::OkStatus();
  });
  EXPECT_THAT(Run({"orgs", "properties", "get"}).output, HasSubstr("us-east"));
  EXPECT_EQ(Run({"orgs", "properties", "set", "--default-region", "us-east"}).exit_code, 0);
  EXPECT_EQ(Json::parse(Run({"whoami", "-o", "json"}).output), Json({{"principal", "apiKey:abc"}, {"organization", ""}, {"role", "admin"}}));
}

TEST_F(KeyferryTest, WithoutAnEndpointNothingIsCalled) {
  environment_.clear();
  const Outcome outcome = Run({"whoami"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.error, HasSubstr("KEYFERRY_ENDPOINT"));
}

}  // namespace
}  // namespace keyferry
