// `deploy` and `agents`, and the commands of operators and admins.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/testing/keyferry_fixture.h"
#include "keyferry/v1/deployments.pb.h"
#include "keyferry/v1/organizations.pb.h"
#include "keyferry/v1/regions.pb.h"
#include "keyferry/v1/secret_sets.pb.h"
#include "libs/common/error.h"

namespace keyferry {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

class DeployTest : public KeyferryTest {
 protected:
  void Accept() {
    api_.On<v1::CreateDeploymentRequest, v1::Deployment>("Deployments/CreateDeployment",
                                                         [this](const auto& request, auto& deployment) {
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
  const std::string file =
      Write("pcc-deploy.toml",
            "agent_name = 'file-agent'\nimage = 'file:1'\nimage_credentials = 'file-pull'\nsecret_set = 'file-set'\n"
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
    return MakeError(
        absl::StatusCode::kAborted, "secret set my-set is being provisioned into us-west",
        {.reason = "SECRET_SET_PENDING", .metadata = {{"secretSet", "my-set"}}, .retry_after = absl::Seconds(1)});
  });
  const Outcome outcome = Run({"deploy", "agent", "--secrets", "my-set"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.error, AllOf(HasSubstr("being provisioned"), HasSubstr("keyferry secrets wait my-set"),
                                   HasSubstr("retry after: 1s")));
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
  EXPECT_THAT(rpcs,
              ElementsAre("SecretSets/WaitUntilReady", "SecretSets/WaitUntilReady", "Deployments/CreateDeployment",
                          "Deployments/GetDeployment", "Deployments/GetDeployment", "Deployments/GetDeployment"));
}

TEST_F(DeployTest, AgentsAreListedShownAndDeleted) {
  v1::Deployment deployment;
  deployment.set_agent("agent");
  deployment.set_secret_set("my-set");
  deployment.set_secret_set_generation(4);
  api_.On<v1::ListDeploymentsRequest, v1::ListDeploymentsResponse>("Deployments/ListDeployments",
                                                                   [&](const auto&, auto& response) {
                                                                     *response.add_deployments() = deployment;
                                                                     return absl::OkStatus();
                                                                   });
  api_.On<v1::GetDeploymentRequest, v1::Deployment>("Deployments/GetDeployment", [&](const auto&, auto& response) {
    response = deployment;
    return absl::OkStatus();
  });
  api_.On<v1::DeleteDeploymentRequest, v1::DeleteDeploymentResponse>(
      "Deployments/DeleteDeployment", [](const auto&, auto&) { return absl::OkStatus(); });
  EXPECT_THAT(Run({"agents", "list"}).output, HasSubstr("my-set@4"));
  EXPECT_EQ(Json::parse(Run({"agents", "show", "agent", "-o", "json"}).output)["secretSet"]["generation"], 4);
  EXPECT_EQ(Run({"agents", "delete", "agent"}).output, "deleted: deployment agent\n");
}

TEST_F(KeyferryTest, ANewKeyIsAloneOnStandardOutput) {
  api_.On<v1::CreateApiKeyRequest, v1::CreateApiKeyResponse>("Organizations/CreateApiKey",
                                                             [](const auto& request, auto& response) {
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
  api_.On<v1::CreateOrganizationRequest, v1::Organization>("Organizations/CreateOrganization",
                                                           [](const auto& request, auto& response) {
                                                             response.set_name(request.name());
                                                             return absl::OkStatus();
                                                           });
  EXPECT_EQ(
      Run({"regions", "create", "eu-1", "--sealing-key", "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", "--blind"})
          .exit_code,
      0);
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
  EXPECT_EQ(Json::parse(Run({"whoami", "-o", "json"}).output),
            Json({{"principal", "apiKey:abc"}, {"organization", ""}, {"role", "admin"}}));
}

}  // namespace
}  // namespace keyferry
