#include "services/gateway/agent_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace keyferry::gateway {
namespace {

using nlohmann::json;
using testing::MatchesRegex;

constexpr char kUid[] = "0123456789abcdef0123456789abcdef";
constexpr char kServiceId[] = "01234567-89ab-8def-8123-456789abcdef";
constexpr char kFirstId[] = "01234566-89ab-8def-8123-456789abcdef";
constexpr char kSecondId[] = "01234565-89ab-8def-8123-456789abcdef";

// As the API says it.
void SetProvisioned(const char* status, const char* reason, const char* message, int64_t observed_generation,
                    v1::Deployment& bot) {
  bot.clear_conditions();
  v1::Condition& provisioned = *bot.add_conditions();
  provisioned.set_type("Provisioned");
  provisioned.set_status(status);
  provisioned.set_reason(reason);
  provisioned.set_message(message);
  provisioned.set_observed_generation(observed_generation);
  *provisioned.mutable_last_transition_time() = bot.update_time();
}

// Created at 2025-04-19T01:20:27.564Z, updated one minute later.
v1::Deployment Bot() {
  v1::Deployment bot;
  bot.set_agent("bot");
  bot.set_organization("acme");
  bot.set_uid(kUid);
  bot.set_region("us-west");
  bot.set_image("img:1");
  bot.set_generation(1);
  bot.set_etag("e1");
  bot.set_readiness(v1::READINESS_PENDING);
  bot.mutable_create_time()->set_seconds(1745025627);
  bot.mutable_create_time()->set_nanos(564000000);
  bot.mutable_update_time()->set_seconds(1745025687);
  SetProvisioned("False", "Pending", "accepted", 0, bot);
  return bot;
}

v1::Deployment ReadyBot() {
  v1::Deployment bot = Bot();
  bot.set_readiness(v1::READINESS_READY);
  bot.set_ready_generation(1);
  SetProvisioned("True", "Proved", "proved", 1, bot);
  return bot;
}

v1::Deployment UpdatedBot() {
  v1::Deployment bot = ReadyBot();
  bot.set_readiness(v1::READINESS_PENDING);
  bot.set_generation(2);
  SetProvisioned("False", "Pending", "accepted", 1, bot);
  return bot;
}

json DetailsOf(const v1::Deployment& deployment) { return json::parse(JsonLine(AgentDetails(deployment))); }

// What the published clients (0.6.0 and 1.4.0) wait for.
bool IsReadyToClients(const json& details) {
  return details.at("reconciledDeploymentId") == details.at("desiredDeploymentId") && details.at("available") &&
         (details.at("ready") || details.at("activeDeploymentReady"));
}

const json& Condition(const json& details, const std::string& type) {
  for (const json& condition : details.at("conditions")) {
    if (condition.at("type") == type) return condition;
  }
  ADD_FAILURE() << "no condition " << type;
  return details;
}

TEST(AgentViewsTest, APendingAgentInFull) {
  v1::Deployment bot = Bot();
  bot.set_secret_set("app");
  bot.set_secret_set_generation(3);
  bot.set_image_pull_secret("hub");
  bot.set_image_pull_secret_generation(2);
  bot.add_required_keys("A");
  v1::Condition& connected = *bot.add_conditions();
  connected.set_type("RegionConnected");
  connected.set_status("True");
  connected.set_reason("Connected");
  connected.set_message("connected");
  bot.set_client_data(
      R"({"agentProfile":"agent-1x","architecture":"arm64","autoScaling":{"maxAgents":20,"minAgents":1},"maxSessionDuration":7200,"nodeType":"arm"})");
  EXPECT_EQ(DetailsOf(bot), json::parse(R"({
    "name": "bot", "id": "01234567-89ab-8def-8123-456789abcdef", "organizationId": "acme", "region": "us-west",
    "createdAt": "2025-04-19T01:20:27.564Z", "updatedAt": "2025-04-19T01:21:27.000Z",
    "deletedAt": null, "ready": false, "available": false, "status": "pending",
    "desiredDeploymentId": "01234566-89ab-8def-8123-456789abcdef",
    "activeDeploymentId": "01234566-89ab-8def-8123-456789abcdef", "activeDeploymentReady": false,
    "reconciledDeploymentId": null,
    "currentRevision": {"phase": "Pending", "deploymentID": "01234566-89ab-8def-8123-456789abcdef"},
    "conditions": [
      {"type": "Provisioned", "status": "False", "reason": "Pending", "message": "accepted",
       "observedGeneration": 0, "lastTransitionTime": "2025-04-19T01:21:27.000Z"},
      {"type": "RegionConnected", "status": "True", "reason": "Connected", "message": "connected", "observedGeneration": 0},
      {"type": "Progressing", "status": "True", "reason": "Pending", "message": "accepted",
       "observedGeneration": 0, "lastTransitionTime": "2025-04-19T01:21:27.000Z"},
      {"type": "Degraded", "status": "False", "reason": "NoFailure",
       "message": "region us-west has reported no failure of this generation",
       "observedGeneration": 0, "lastTransitionTime": "2025-04-19T01:21:27.000Z"}],
    "errors": [], "generation": 1, "readyGeneration": 0, "etag": "e1",
    "image": "img:1", "autoScaling": {"minReplicas": 1, "maxReplicas": 20},
    "deployment": {
      "id": "01234566-89ab-8def-8123-456789abcdef", "serviceId": "01234567-89ab-8def-8123-456789abcdef",
      "createdAt": "2025-04-19T01:21:27.000Z", "updatedAt": "2025-04-19T01:21:27.000Z",
      "manifest": {"apiVersion": "pipecatcloud.daily.co/v1", "kind": "PCService",
                   "metadata": {"name": "bot", "namespace": "acme"},
                   "spec": {"dailyNodeType": "arm", "image": "img:1", "autoScaling": {"minReplicas": 1, "maxReplicas": 20},
                            "envFromSecretNames": ["app"], "imagePullSecretName": "hub", "arch": "arm64", "maxSessionDurationSeconds": 7200}}},
    "activeSessionCount": 0,
    "secretSet": {"name": "app", "generation": 3}, "imagePullSecretSet": {"name": "hub", "generation": 2},
    "requiredKeys": ["A"],
    "agentProfile": "agent-1x", "architecture": "arm64", "maxSessionDuration": 7200, "nodeType": "arm"})"));
}

TEST(AgentViewsTest, AReadyAgentIsReadyToThePublishedClients) {
  const json details = DetailsOf(ReadyBot());
  EXPECT_TRUE(IsReadyToClients(details));
  EXPECT_EQ(details["ready"], true);
  EXPECT_EQ(details["available"], true);
  EXPECT_EQ(details["status"], "ready");
  EXPECT_EQ(details["reconciledDeploymentId"], kFirstId);
  EXPECT_EQ(details["desiredDeploymentId"], kFirstId);
  EXPECT_EQ(details["currentRevision"]["phase"], "Ready");
  EXPECT_FALSE(details.contains("previousRevision"));
  EXPECT_EQ(details["errors"], json::array());
  EXPECT_EQ(Condition(details, "Provisioned")["status"], "True");
  EXPECT_EQ(Condition(details, "Provisioned")["observedGeneration"], 1);
  EXPECT_EQ(Condition(details, "Progressing")["status"], "False");
  for (const char* type : {"Provisioned", "Progressing", "Degraded"})
    EXPECT_EQ(Condition(details, type)["lastTransitionTime"], "2025-04-19T01:21:27.000Z") << type;
  EXPECT_EQ(Condition(details, "Progressing")["reason"], "Proved");
  EXPECT_EQ(Condition(details, "Degraded")["reason"], "NoFailure");
}

TEST(AgentViewsTest, AnUpdateIsNotReadyWhileTheOlderOneIsAvailable) {
  const json details = DetailsOf(UpdatedBot());
  EXPECT_FALSE(IsReadyToClients(details));
  EXPECT_EQ(details["ready"], false);
  EXPECT_EQ(details["available"], true);
  EXPECT_EQ(details["activeDeploymentReady"], false);
  EXPECT_EQ(details["desiredDeploymentId"], kSecondId);
  EXPECT_EQ(details["activeDeploymentId"], kSecondId);
  EXPECT_EQ(details["deployment"]["id"], kSecondId);
  EXPECT_EQ(details["reconciledDeploymentId"], kFirstId);
  EXPECT_EQ(details["currentRevision"], json({{"phase", "Pending"}, {"deploymentID", kSecondId}}));
  EXPECT_EQ(details["previousRevision"], json({{"phase", "Ready"}, {"deploymentID", kFirstId}}));
  EXPECT_EQ(Condition(details, "Progressing")["status"], "True");
  EXPECT_EQ(Condition(details, "Progressing")["observedGeneration"], 1);
}

TEST(AgentViewsTest, AFailedAgentHasAnErrorThatEndsTheClientsWait) {
  v1::Deployment bot = UpdatedBot();
  bot.set_readiness(v1::READINESS_FAILED);
  bot.set_error_message("write it again");
  SetProvisioned("False", "Failed", "write it again", 2, bot);
  const json details = DetailsOf(bot);
  EXPECT_FALSE(IsReadyToClients(details));
  EXPECT_EQ(details["status"], "failed");
  EXPECT_EQ(details["currentRevision"]["phase"], "Failed");
  EXPECT_EQ(details["available"], true);
  EXPECT_EQ(details["errors"],
            json::parse(R"([{"code": "DEPLOYMENT_FAILED", "error": "write it again", "message": "write it again"}])"));
  EXPECT_EQ(Condition(details, "Progressing")["status"], "False");
  EXPECT_EQ(Condition(details, "Degraded")["status"], "True");
  EXPECT_EQ(Condition(details, "Degraded")["reason"], "Failed");
  EXPECT_EQ(Condition(details, "Degraded")["message"], "write it again");
  EXPECT_EQ(Condition(details, "Degraded")["observedGeneration"], 2);
}

TEST(AgentViewsTest, AWipedRegionIsNotReadyThoughItHadProvedTheNewestGeneration) {
  v1::Deployment bot = ReadyBot();
  bot.set_readiness(v1::READINESS_PENDING);
  const json details = DetailsOf(bot);
  EXPECT_FALSE(IsReadyToClients(details));
  EXPECT_EQ(details["ready"], false);
}

TEST(AgentViewsTest, WhatIsNotBoundIsNullAndWhatIsListedByTheClientIsThere) {
  const json details = DetailsOf(Bot());
  EXPECT_TRUE(details["secretSet"].is_null());
  EXPECT_TRUE(details["imagePullSecretSet"].is_null());
  EXPECT_EQ(details["requiredKeys"], json::array());
  EXPECT_EQ(details["autoScaling"], json::parse(R"({"minReplicas": 0})"));
  EXPECT_EQ(details["deployment"]["manifest"]["spec"]["envFromSecretNames"], json::array());
  EXPECT_FALSE(details["deployment"]["manifest"]["spec"].contains("imagePullSecretName"));
  for (const char* name : {"name", "region", "id", "activeDeploymentId", "createdAt", "updatedAt"}) {
    EXPECT_TRUE(details[name].is_string()) << name;
  }
}

TEST(AgentViewsTest, ABuildStandsWhereClientsLookForIt) {
  v1::Deployment bot = Bot();
  bot.clear_image();
  bot.set_client_data(R"({"buildId":"b-1"})");
  const json details = DetailsOf(bot);
  EXPECT_EQ(details["buildId"], "b-1");
  EXPECT_EQ(details["deployment"]["buildId"], "b-1");
  EXPECT_FALSE(details["deployment"]["manifest"]["spec"].contains("image"));
  EXPECT_FALSE(details.contains("image"));
}

TEST(AgentViewsTest, KeptMembersNeverStandForTheGatewaysOwn) {
  v1::Deployment bot = Bot();
  bot.set_client_data(R"({"ready":true,"warning":"w","errors":[{}],"mine":1})");
  const json details = DetailsOf(bot);
  EXPECT_EQ(details["ready"], false);
  EXPECT_EQ(details["errors"], json::array());
  EXPECT_FALSE(details.contains("warning"));
  EXPECT_EQ(details["mine"], 1);
}

TEST(AgentViewsTest, ClientDataOfSomethingElseIsNoPartOfTheDetails) {
  const json expected = DetailsOf(Bot());
  for (const char* data : {"\xFF", "[1]", "not json", "7", "{\"a\":1} x"}) {
    v1::Deployment bot = Bot();
    bot.set_client_data(data);
    EXPECT_EQ(KeptMembers(bot), std::nullopt) << data;
    EXPECT_EQ(DetailsOf(bot), expected) << data;
  }
}

TEST(AgentViewsTest, EveryMemberThatTheGatewayMakesIsReserved) {
  const json details = DetailsOf(Bot());
  for (const auto& [name, value] : details.items()) EXPECT_TRUE(IsDetail(name)) << name;
  for (const char* name : {"warning", "serviceName", "previousRevision", "validateOnly"})
    EXPECT_TRUE(IsDetail(name)) << name;
  for (const char* name : {"agentProfile", "krispViva", "nodeType", "buildId", "git", "resources", ""}) {
    EXPECT_FALSE(IsDetail(name)) << name;
  }
}

TEST(AgentViewsTest, EachGenerationHasAnIdOfItsOwn) {
  EXPECT_EQ(DeploymentId(kUid, 0), kServiceId);
  std::set<std::string> ids;
  for (int64_t generation = 0; generation < 1000; ++generation) {
    const std::string id = DeploymentId(kUid, generation);
    EXPECT_THAT(id, MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
    EXPECT_TRUE(ids.insert(id.substr(0, 8)).second) << generation;
  }
  EXPECT_NE(DeploymentId("fedcba98765432100123456789abcdef", 1), kFirstId);
  EXPECT_EQ(DeploymentId("not-hex", 2), "not-hex-2");
}

}  // namespace
}  // namespace keyferry::gateway
