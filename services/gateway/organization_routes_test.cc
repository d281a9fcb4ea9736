#include "services/gateway/organization_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "libs/common/error.h"
#include "libs/common/testing/status_matchers.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/testing/fake_api_calls.h"

namespace keyferry::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Request With(const std::string& body, const std::string& organization = "") {
  Request request{.headers = {{"Content-Type", "application/json"}}, .body = body, .id = "r-1"};
  if (!organization.empty()) request.parameters["org"] = organization;
  return request;
}

nlohmann::json BodyOf(const absl::StatusOr<Answer>& answer) {
  EXPECT_THAT(answer, IsOk());
  if (!answer.ok()) return {};
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->content_type, "application/json");
  return nlohmann::json::parse(answer->body);
}

class OrganizationRoutesTest : public testing::Test {
 protected:
  OrganizationRoutesTest() {
    properties_.set_default_region("us-east");
    properties_.add_available_regions("eu-1");
    properties_.add_available_regions("us-east");
    api_.On<v1::GetPropertiesRequest, v1::Properties>(kGetProperties, [this](const v1::GetPropertiesRequest& request) {
      organization_ = request.organization();
      return properties_;
    });
    api_.On<v1::UpdatePropertiesRequest, v1::Properties>(
        kUpdateProperties, [this](const v1::UpdatePropertiesRequest& request) {
          update_ = request;
          return updated_.ok() ? absl::StatusOr<v1::Properties>(properties_) : updated_;
        });
    api_.On<v1::WhoAmIRequest, v1::WhoAmIResponse>(kWhoAmI, [this](const v1::WhoAmIRequest&) { return caller_; });
  }

  absl::StatusOr<Answer> Patch(const std::string& body) { return RunTask(PatchProperties(With(body, "acme"), api_)); }

  FakeApiCalls api_;
  v1::Properties properties_;
  std::string organization_;
  v1::UpdatePropertiesRequest update_;
  absl::Status updated_;
  v1::WhoAmIResponse caller_;
};

TEST_F(OrganizationRoutesTest, ARegionWithoutADisplayNameIsCalledByItsCode) {
  api_.On<v1::ListRegionsRequest, v1::ListRegionsResponse>(kListRegions, [](const v1::ListRegionsRequest&) {
    v1::ListRegionsResponse listed;
    listed.add_regions()->set_code("eu-1");
    listed.add_regions()->set_code("us-east");
    listed.mutable_regions(1)->set_display_name("US East");
    return listed;
  });
  EXPECT_EQ(BodyOf(RunTask(ListRegions(With(""), api_))), nlohmann::json::parse(R"({"regions": [
      {"code": "eu-1", "display_name": "eu-1"}, {"code": "us-east", "display_name": "US East"}]})"));
}

TEST_F(OrganizationRoutesTest, NoRegionsAreAnEmptyList) {
  api_.On<v1::ListRegionsRequest, v1::ListRegionsResponse>(
      kListRegions, [](const v1::ListRegionsRequest&) { return v1::ListRegionsResponse(); });
  EXPECT_EQ(RunTask(ListRegions(With(""), api_))->body, R"({"regions":[]})");
}

TEST_F(OrganizationRoutesTest, PropertiesAreTheirValues) {
  EXPECT_EQ(RunTask(gateway::GetProperties(With("", "acme"), api_))->body,
            R"({"properties":{"defaultRegion":"us-east"}})");
  EXPECT_EQ(organization_, "acme");
}

TEST_F(OrganizationRoutesTest, TheShortRouteNamesNoOrganization) {
  EXPECT_THAT(RunTask(gateway::GetProperties(With(""), api_)), IsOk());
  EXPECT_EQ(organization_, "");
}

TEST_F(OrganizationRoutesTest, TheSchemaSaysWhatAPropertyMayBecome) {
  const nlohmann::json schema =
      BodyOf(RunTask(GetPropertiesSchema(With("", "acme"), api_)))["properties"]["defaultRegion"];
  EXPECT_EQ(schema["type"], "string");
  EXPECT_THAT(schema["description"].get<std::string>(), Not(IsEmpty()));
  EXPECT_EQ(schema["default"], "us-west");
  EXPECT_EQ(schema["currentValue"], "us-east");
  EXPECT_EQ(schema["readOnly"], false);
  EXPECT_EQ(schema["availableValues"], nlohmann::json({"eu-1", "us-east"}));
}

TEST_F(OrganizationRoutesTest, WithoutRegionsTheSchemaHasNoAvailableValues) {
  properties_.clear_available_regions();
  const nlohmann::json schema = BodyOf(RunTask(GetPropertiesSchema(With(""), api_)));
  EXPECT_EQ(schema["properties"]["defaultRegion"]["availableValues"], nlohmann::json::array());
}

TEST_F(OrganizationRoutesTest, AChangeIsAnsweredWithTheSchema) {
  const nlohmann::json changed = BodyOf(Patch(R"({"defaultRegion": "us-east"})"));
  EXPECT_EQ(changed, BodyOf(RunTask(GetPropertiesSchema(With("", "acme"), api_))));
  EXPECT_EQ(update_.organization(), "acme");
  EXPECT_EQ(update_.default_region(), "us-east");
}

TEST_F(OrganizationRoutesTest, AnUnknownPropertyIsRefusedAndTheKnownOnesAreNamed) {
  const auto refused = Patch(R"({"defaultRegion": "us-east", "colour": "red"})");
  EXPECT_THAT(refused, FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_PROPERTY"));
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("colour: is no property; the properties are: defaultRegion"));
  EXPECT_THAT(api_.called, IsEmpty());
}

TEST_F(OrganizationRoutesTest, AnUnknownPropertyIsRepeatedOnlyWhenItIsShortAndPlain) {
  const auto refused =
      Patch(R"({")" + std::string(24, 'n') + R"(": 1, ")" + std::string(25, 'l') + R"(": 1, "p@ss": 1})");
  ASSERT_THAT(refused, FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_PROPERTY"));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr(std::string(24, 'n')));
  EXPECT_THAT(std::string(refused.status().message()), Not(HasSubstr(std::string(25, 'l'))));
  EXPECT_THAT(std::string(refused.status().message()), Not(HasSubstr("p@ss")));
}

TEST_F(OrganizationRoutesTest, APropertyOfAnotherTypeIsRefused) {
  for (const char* body : {R"({"defaultRegion": 7})", R"({"defaultRegion": ["us-east"]})", R"([])", R"("us-east")"}) {
    EXPECT_THAT(Patch(body), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_BODY")) << body;
  }
  EXPECT_THAT(Patch("{"), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_JSON"));
}

TEST_F(OrganizationRoutesTest, AnEmptyChangeIsTheApisToRefuseInOurWords) {
  updated_ = InvalidFields("INVALID_PROPERTY", {{"default_region", "must be given"}});
  for (const char* body : {"{}", R"({"defaultRegion": null})"}) {
    const auto refused = Patch(body);
    EXPECT_THAT(refused, FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_PROPERTY"));
    EXPECT_EQ(refused.status().message(), "defaultRegion: must be given");
    EXPECT_FALSE(update_.has_default_region());
  }
}

TEST_F(OrganizationRoutesTest, AnEmptyRegionIsAskedForAndNotTakenForNone) {
  EXPECT_THAT(Patch(R"({"defaultRegion": ""})"), IsOk());
  EXPECT_TRUE(update_.has_default_region());
}

TEST_F(OrganizationRoutesTest, AnUnknownRegionNamesThePropertyAndTheRegions) {
  updated_ =
      MakeError(absl::StatusCode::kInvalidArgument, "there is no region \"mars\"; the regions are: eu-1, us-east",
                {.reason = "UNKNOWN_REGION", .violations = {{"default_region", "there is no region \"mars\""}}});
  const auto refused = Patch(R"({"defaultRegion": "mars"})");
  EXPECT_THAT(refused, FailsWith(absl::StatusCode::kInvalidArgument, "UNKNOWN_REGION"));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("eu-1, us-east"));
  EXPECT_EQ(DetailsOf(refused.status())->violations[0].field, "defaultRegion");
}

TEST_F(OrganizationRoutesTest, AKeyLearnsWhoItIs) {
  caller_.set_principal("apiKey:abcdefghij");
  caller_.set_organization("acme");
  caller_.set_role(v1::ROLE_DEPLOYER);
  EXPECT_EQ(BodyOf(RunTask(GetUser(With(""), api_))), nlohmann::json::parse(R"({
      "user": {"userId": "apiKey:abcdefghij", "emails": []},
      "principal": "apiKey:abcdefghij", "organization": "acme", "role": "deployer"})"));
}

TEST_F(OrganizationRoutesTest, ACallerWithoutOrganizationHasNeitherThatNorARole) {
  caller_.set_principal("spiffe://keyferry.test/operator/ada");
  const nlohmann::json who = BodyOf(RunTask(GetUser(With(""), api_)));
  EXPECT_FALSE(who.contains("organization"));
  EXPECT_FALSE(who.contains("role"));
  EXPECT_EQ(RunTask(ListOrganizations(With(""), api_))->body, R"({"organizations":[]})");
}

TEST_F(OrganizationRoutesTest, AnOrganizationWithoutADisplayNameIsCalledByItsName) {
  caller_.set_organization("acme");
  EXPECT_EQ(RunTask(ListOrganizations(With(""), api_))->body,
            R"({"organizations":[{"name":"acme","verboseName":"acme"}]})");
  caller_.set_organization_display_name("Acme Voices");
  EXPECT_EQ(RunTask(ListOrganizations(With(""), api_))->body,
            R"({"organizations":[{"name":"acme","verboseName":"Acme Voices"}]})");
}

TEST_F(OrganizationRoutesTest, QueriesOfPropertiesAreRefusedAndThoseOfPublishedClientsElsewhereAreNot) {
  FakeApiCalls silent;
  Request request = With("{}");
  request.query = {{"limit", "10"}};
  for (const auto handler : {gateway::GetProperties, GetPropertiesSchema, PatchProperties}) {
    EXPECT_THAT(RunTask(handler(request, silent)), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_QUERY"));
  }
  EXPECT_THAT(silent.called, IsEmpty());
  for (const auto handler : {ListRegions, GetUser, ListOrganizations}) {
    EXPECT_THAT(RunTask(handler(request, silent)), StatusIs(absl::StatusCode::kUnimplemented));
  }
}

TEST_F(OrganizationRoutesTest, WhatTheApiRefusesIsRefused) {
  FakeApiCalls silent;
  for (const auto handler : {ListRegions, gateway::GetProperties, GetPropertiesSchema, GetUser, ListOrganizations,
                             ListApiKeys, RevokeApiKey}) {
    EXPECT_THAT(RunTask(handler(With(""), silent)), StatusIs(absl::StatusCode::kUnimplemented));
  }
  EXPECT_THAT(silent.called, ElementsAre(kListRegions.path, kGetProperties.path, kGetProperties.path, kWhoAmI.path,
                                         kWhoAmI.path, kListApiKeys.path, kRevokeApiKey.path));
}

}  // namespace
}  // namespace keyferry::gateway
