#include "services/gateway/agent_bodies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/common/error.h"
#include "libs/common/testing/status_matchers.h"
#include "services/gateway/agent_views.h"

namespace keyferry::gateway {
namespace {

using absl::StatusCode;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Request With(const std::string& body, const std::string& agent = "") {
  Request request{.method = "POST", .headers = {{"Content-Type", "application/json"}}, .body = body};
  if (!agent.empty()) request.parameters["agent"] = agent;
  return request;
}

std::vector<std::string> FieldsOf(const absl::Status& status) {
  std::vector<std::string> fields;
  for (const FieldViolation& violation : DetailsOf(status).value_or(ErrorDetails()).violations)
    fields.push_back(violation.field);
  return fields;
}

v1::Deployment Made(const std::string& body) {
  const auto parsed = ParseNewAgent(With(body));
  EXPECT_THAT(parsed, IsOk());
  v1::Deployment deployment;
  if (parsed.ok()) LayOver(*parsed, deployment);
  return deployment;
}

v1::Deployment Updated(v1::Deployment deployment, const std::string& body) {
  const auto parsed = ParseAgentUpdate(With(body, "bot"));
  EXPECT_THAT(parsed, IsOk());
  if (parsed.ok()) LayOver(*parsed, deployment);
  return deployment;
}

v1::Deployment FullBot() {
  return Made(
      R"({"serviceName": "bot", "image": "img:1", "region": "us-east", "secretSet": "app", "imagePullSecretSet": "hub",
                  "requiredKeys": ["A", "B"], "autoScaling": {"minAgents": 1, "maxAgents": 20}, "agentProfile": "agent-1x",
                  "krispViva": {"audioFilter": "tel"}, "nodeType": "arm"})");
}

TEST(AgentBodiesTest, EveryMemberOfTheContractFindsItsPlace) {
  const v1::Deployment bot = FullBot();
  EXPECT_EQ(bot.agent(), "bot");
  EXPECT_EQ(bot.image(), "img:1");
  EXPECT_EQ(bot.region(), "us-east");
  EXPECT_EQ(bot.secret_set(), "app");
  EXPECT_EQ(bot.image_pull_secret(), "hub");
  EXPECT_THAT(bot.required_keys(), ElementsAre("A", "B"));
  EXPECT_EQ(json::parse(bot.client_data()),
            json::parse(R"({"autoScaling": {"minAgents": 1, "maxAgents": 20}, "agentProfile": "agent-1x",
                            "krispViva": {"audioFilter": "tel"}, "nodeType": "arm"})"));
}

TEST(AgentBodiesTest, TheSmallestBodyKeepsNothing) {
  EXPECT_THAT(Made(R"({"serviceName": "bot", "image": "img:1"})").client_data(), IsEmpty());
  EXPECT_THAT(
      Made(R"({"serviceName": "bot", "image": "img:1", "forceRedeploy": true, "agentProfile": null})").client_data(),
      IsEmpty());
}

TEST(AgentBodiesTest, KeptMembersComeBackExactly) {
  const char kKept[] = R"({"a":[1,-2,1.5,1e3,18446744073709551615,-9223372036854775808,true,false,null,"x",{"n":null}],
      "deep":{"er":{"est":["\u0001","\"\\","Grüße 🚢","\ud83d\udea2",""]}},"enableKrisp":false,"empty":{},"list":[],"":0})";
  json body = json::parse(kKept);
  body["serviceName"] = "bot";
  body["image"] = "img:1";
  const json details = json::parse(JsonLine(AgentDetails(Made(body.dump()))));
  const json expected = json::parse(kKept);
  for (const auto& [name, value] : expected.items()) EXPECT_EQ(details.at(name).dump(), value.dump()) << name;
}

TEST(AgentBodiesTest, DetailsThatAreSentBackAreNotKept) {
  const v1::Deployment bot = Made(
      R"({"serviceName": "bot", "image": "i", "name": "x", "ready": true, "etag": "e", "deployment": {"id": "d"}, "conditions": [], "mine": 1})");
  EXPECT_EQ(bot.client_data(), R"({"mine":1})");
  EXPECT_THAT(bot.etag(), IsEmpty());
}

TEST(AgentBodiesTest, AnUpdateKeepsWhatItDoesNotName) {
  const v1::Deployment before = FullBot();
  const v1::Deployment after = Updated(before, R"({"image": "img:2", "serviceName": "bot"})");
  EXPECT_EQ(after.image(), "img:2");
  v1::Deployment expected = before;
  expected.set_image("img:2");
  EXPECT_EQ(after.SerializeAsString(), expected.SerializeAsString());
  EXPECT_EQ(Updated(before, "{}").SerializeAsString(), before.SerializeAsString());
}

TEST(AgentBodiesTest, NullTakesAway) {
  const v1::Deployment after =
      Updated(FullBot(), R"({"secretSet": null, "imagePullSecretSet": null, "requiredKeys": null,
                                                      "agentProfile": null, "region": null, "forceRedeploy": null})");
  EXPECT_THAT(after.secret_set(), IsEmpty());
  EXPECT_THAT(after.image_pull_secret(), IsEmpty());
  EXPECT_THAT(after.required_keys(), IsEmpty());
  EXPECT_EQ(after.region(), "us-east") << "an agent is always somewhere";
  EXPECT_EQ(
      json::parse(after.client_data()),
      json::parse(
          R"({"autoScaling": {"minAgents": 1, "maxAgents": 20}, "krispViva": {"audioFilter": "tel"}, "nodeType": "arm"})"));
}

TEST(AgentBodiesTest, MembersOfKeptObjectsAreLaidOverOneByOne) {
  const v1::Deployment after = Updated(
      FullBot(),
      R"({"autoScaling": {"minAgents": 0}, "krispViva": {"audioFilter": null}, "new": {"a": {"b": 1, "c": null}}})");
  EXPECT_EQ(
      json::parse(after.client_data()),
      json::parse(R"({"autoScaling": {"minAgents": 0, "maxAgents": 20}, "agentProfile": "agent-1x", "krispViva": {},
                            "nodeType": "arm", "new": {"a": {"b": 1}}})"));
  EXPECT_EQ(Updated(FullBot(), R"({"krispViva": {}})").client_data(), FullBot().client_data()) << "as 1.4.0 sends it";
}

TEST(AgentBodiesTest, AnImageAndABuildReplaceEachOther) {
  const v1::Deployment built = Updated(FullBot(), R"({"buildId": "b-1"})");
  EXPECT_THAT(built.image(), IsEmpty());
  EXPECT_EQ(json::parse(built.client_data())["buildId"], "b-1");
  const v1::Deployment pulled = Updated(built, R"({"image": "img:3"})");
  EXPECT_EQ(pulled.image(), "img:3");
  EXPECT_EQ(pulled.client_data(), FullBot().client_data());
}

TEST(AgentBodiesTest, AProfileAndResourcesReplaceEachOther) {
  const v1::Deployment sized = Updated(FullBot(), R"({"resources": {"cpu": "1"}})");
  EXPECT_FALSE(json::parse(sized.client_data()).contains("agentProfile"));
  EXPECT_EQ(Updated(sized, R"({"agentProfile": "agent-1x"})").client_data(), FullBot().client_data());
  const v1::Deployment both = Updated(FullBot(), R"({"resources": {"cpu": "1"}, "agentProfile": "p"})");
  EXPECT_EQ(json::parse(both.client_data())["agentProfile"], "p");
  EXPECT_EQ(json::parse(both.client_data())["resources"], json::parse(R"({"cpu": "1"})"));
}

TEST(AgentBodiesTest, ClientDataOfSomethingElseStaysUntilMembersAreKept) {
  v1::Deployment foreign;
  foreign.set_client_data("\xFF raw");
  EXPECT_EQ(Updated(foreign, R"({"image": "i"})").client_data(), "\xFF raw");
  EXPECT_EQ(Updated(foreign, R"({"mine": 1})").client_data(), R"({"mine":1})");
}

TEST(AgentBodiesTest, WrongTypesAreNamedAllAtOnceAndNeverShown) {
  const absl::Status refused =
      ParseNewAgent(With(R"({"serviceName": 1, "image": ["s3cret"], "buildId": {}, "region": 2, "secretSet": ["s3cret"],
                             "imagePullSecretSet": true, "forceRedeploy": "s3cret", "requiredKeys": ["A", 7, null],
                             "autoScaling": {"minAgents": "s3cret", "maxAgents": 1.5}, "mine": 7})"))
          .status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "INVALID_BODY"));
  EXPECT_THAT(FieldsOf(refused), ElementsAre("serviceName", "image", "buildId", "region", "secretSet",
                                             "imagePullSecretSet", "forceRedeploy", "requiredKeys[1]",
                                             "requiredKeys[2]", "autoScaling.minAgents", "autoScaling.maxAgents"));
  EXPECT_THAT(std::string(refused.message()), Not(HasSubstr("s3cret")));
  EXPECT_THAT(FieldsOf(ParseAgentUpdate(With(R"({"requiredKeys": "A", "autoScaling": 3})", "bot")).status()),
              ElementsAre("requiredKeys", "autoScaling"));
}

TEST(AgentBodiesTest, ANewAgentNeedsANameAndASource) {
  EXPECT_THAT(FieldsOf(ParseNewAgent(With("{}")).status()), ElementsAre("serviceName", "image"));
  EXPECT_THAT(FieldsOf(ParseNewAgent(With(R"({"serviceName": null, "image": null})")).status()),
              ElementsAre("serviceName", "image"));
  EXPECT_THAT(FieldsOf(ParseNewAgent(With(R"({"serviceName": "bot", "image": "i", "buildId": "b"})")).status()),
              ElementsAre("buildId"));
  for (const char* body : {R"({"serviceName": "bot", "image": ""})", R"({"serviceName": "bot", "buildId": ""})"})
    EXPECT_THAT(FieldsOf(ParseNewAgent(With(body)).status()), ElementsAre("image")) << body;
  EXPECT_THAT(ParseNewAgent(With(R"({"serviceName": "bot", "buildId": "b"})")), IsOk());
  EXPECT_THAT(ParseNewAgent(With(R"({"serviceName": "bot", "image": "", "buildId": "b"})")), IsOk());
  EXPECT_THAT(ParseNewAgent(With(R"({"serviceName": "bot", "git": {"repoFullName": "a/b", "branch": "main"}})")),
              IsOk());
}

TEST(AgentBodiesTest, AnEmptyRegionIsNone) {
  EXPECT_THAT(Made(R"({"serviceName": "bot", "image": "i", "region": ""})").region(), IsEmpty());
  EXPECT_EQ(Updated(FullBot(), R"({"region": ""})").region(), "us-east");
}

TEST(AgentBodiesTest, NumbersOfAgentsHaveTheirLimits) {
  const auto scaled = [](const std::string& scaling) {
    return ParseAgentUpdate(With(R"({"autoScaling": )" + scaling + "}", "bot")).status();
  };
  for (const char* fits : {R"({"minAgents": 0, "maxAgents": 0})", R"({"minAgents": 10000, "maxAgents": 10000})",
                           R"({"minAgents": 5})", R"({"maxAgents": null, "minAgents": 1})", "{}", "null"}) {
    EXPECT_THAT(scaled(fits), IsOk()) << fits;
  }
  EXPECT_THAT(FieldsOf(scaled(R"({"minAgents": -1, "maxAgents": 10001})")),
              ElementsAre("autoScaling.minAgents", "autoScaling.maxAgents"));
  const absl::Status crossed = scaled(R"({"minAgents": 3, "maxAgents": 2})");
  EXPECT_THAT(crossed, FailsWith(StatusCode::kInvalidArgument, "INVALID_BODY"));
  EXPECT_THAT(FieldsOf(crossed), ElementsAre("autoScaling.maxAgents"));
}

TEST(AgentBodiesTest, WhatAnUpdateEndsInIsCheckedToo) {
  EXPECT_THAT(CheckLaidOver(FullBot()), IsOk());
  EXPECT_THAT(FieldsOf(CheckLaidOver(Updated(FullBot(), R"({"image": ""})"))), ElementsAre("image"));
  EXPECT_THAT(FieldsOf(CheckLaidOver(Updated(FullBot(), R"({"autoScaling": {"minAgents": 21}})"))),
              ElementsAre("autoScaling.maxAgents"));
  EXPECT_THAT(CheckLaidOver(Updated(FullBot(), R"({"image": null, "git": {"branch": "main"}})")), IsOk());
  v1::Deployment foreign;
  foreign.set_image("i");
  foreign.set_client_data("\xFF raw");
  EXPECT_THAT(CheckLaidOver(foreign), IsOk());
}

TEST(AgentBodiesTest, TheContentOfARequestIsItsMembersInAnyOrder) {
  const auto content = [](const std::string& body) { return ContentOf(*ParseAgentUpdate(With(body, "bot"))); };
  EXPECT_EQ(content(R"({"image": "i", "secretSet": "s"})"), content(R"({ "secretSet":"s","image":"i" })"));
  EXPECT_NE(content(R"({"image": "i"})"), content(R"({"image": "j"})"));
  EXPECT_NE(content("{}"), "");
}

TEST(AgentBodiesTest, AnUpdatesNameIsThePathsOrTheBodys) {
  EXPECT_EQ(ParseAgentUpdate(With("{}", "bot"))->agent, "bot");
  EXPECT_EQ(ParseAgentUpdate(With(R"({"serviceName": "bot"})", "bot"))->agent, "bot");
  EXPECT_EQ(ParseAgentUpdate(With(R"({"serviceName": "bot"})"))->agent, "bot");
  EXPECT_THAT(FieldsOf(ParseAgentUpdate(With(R"({"serviceName": "ant"})", "bot")).status()),
              ElementsAre("serviceName"));
  EXPECT_THAT(FieldsOf(ParseAgentUpdate(With("{}")).status()), ElementsAre("serviceName"));
  EXPECT_TRUE(ParseAgentUpdate(With(R"({"forceRedeploy": true})", "bot"))->force_redeploy);
  EXPECT_FALSE(ParseAgentUpdate(With("{}", "bot"))->force_redeploy);
}

TEST(AgentBodiesTest, ABodyThatIsNoJsonObjectIsRefused) {
  EXPECT_THAT(ParseNewAgent(With("[]")), FailsWith(StatusCode::kInvalidArgument, "INVALID_BODY"));
  EXPECT_THAT(ParseNewAgent(With("{")), FailsWith(StatusCode::kInvalidArgument, "INVALID_JSON"));
  EXPECT_THAT(ParseNewAgent(With("")), FailsWith(StatusCode::kInvalidArgument, "INVALID_JSON"));
}

TEST(AgentBodiesTest, TheApisViolationsSpeakOfTheBody) {
  const absl::Status refused = InvalidFields("INVALID_REQUEST", {{"deployment.agent", "a"},
                                                                 {"deployment.secret_set", "b"},
                                                                 {"deployment.image_pull_secret", "c"},
                                                                 {"deployment.required_keys[3]", "d"},
                                                                 {"deployment.client_data", "e"},
                                                                 {"deployment.image", "f"},
                                                                 {"deployment.region", "g"},
                                                                 {"agent", "h"}});
  EXPECT_THAT(FieldsOf(InBodyWords(With("{}"), refused)),
              ElementsAre("serviceName", "secretSet", "imagePullSecretSet", "requiredKeys[3]", "body", "image",
                          "region", "serviceName"));
  EXPECT_EQ(FieldsOf(InBodyWords(With("{}", "Bot"), refused)).back(), "agent");
}

}  // namespace
}  // namespace keyferry::gateway
