#include "services/gateway/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "libs/common/limits.h"
#include "services/gateway/error_answer.h"
#include "services/gateway/routes.h"

namespace keyferry::gateway {
namespace {

using nlohmann::json;
using ::testing::IsSubsetOf;

constexpr std::string_view kShort = "/v1/";
constexpr std::string_view kLong = "/v1/organizations/{org}/";
constexpr char kOrganizationParameter[] = "#/components/parameters/org";
// Only an answer to a method that no operation has.
constexpr char kUnused[] = "#/components/responses/MethodNotAllowed";
// For one old client in one place (secret_routes.cc), and of no status.
constexpr char kCodeForOldClient[] = "400";

class OpenApiTest : public testing::Test {
 protected:
  const json& Resolve(const json& node) const {
    if (!node.contains("$ref")) return node;
    return document_.at(json::json_pointer(node["$ref"].get<std::string>().substr(1)));
  }

  using Visit = std::function<void(const std::string& name, const json& operation)>;
  // `GET /v1/secrets`, as the routes have it.
  void ForEachOperation(const Visit& visit) const {
    for (const auto& [path, item] : document_["paths"].items()) {
      for (const auto& [method, operation] : item.items()) {
        std::string name = method;
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
        visit(name + " " + path, operation);
      }
    }
  }

  const json& Schema(const std::string& name) const { return document_["components"]["schemas"][name]; }

  const json document_ = json::parse(OpenApiDocument());
};

std::set<std::string> PlaceholdersOf(std::string_view name) {
  std::set<std::string> found;
  for (size_t begin = name.find('{'); begin != std::string_view::npos; begin = name.find('{', begin + 1)) {
    found.emplace(name.substr(begin + 1, name.find('}', begin) - begin - 1));
  }
  return found;
}

void CollectReferences(const json& node, std::set<std::string>& found) {
  if (node.is_object() && node.contains("$ref")) found.insert(node["$ref"].get<std::string>());
  if (!node.is_structured()) return;
  for (const json& child : node) CollectReferences(child, found);
}

// What both forms of a route must have in common.
json WithoutOrganization(json operation) {
  operation.erase("operationId");
  json& parameters = operation["parameters"];
  parameters.erase(std::remove(parameters.begin(), parameters.end(), json{{"$ref", kOrganizationParameter}}),
                   parameters.end());
  return operation;
}

TEST_F(OpenApiTest, ItsOperationsAreTheRoutes) {
  std::set<std::string> described;
  ForEachOperation([&](const std::string& name, const json&) { described.insert(name); });
  std::set<std::string> served;
  for (const Route& route : Routes()) served.insert(std::string(route.method) + " " + std::string(route.pattern));
  EXPECT_EQ(described, served);
}

TEST_F(OpenApiTest, BothFormsOfARouteSayTheSame) {
  int twin_count = 0;
  for (const auto& [path, item] : document_["paths"].items()) {
    if (!path.starts_with(kLong)) continue;
    const auto twin = document_["paths"].find(std::string(kShort) + path.substr(kLong.size()));
    if (twin == document_["paths"].end()) continue;
    ++twin_count;
    for (const auto& [method, operation] : item.items()) {
      json here = WithoutOrganization(operation);
      json there = WithoutOrganization(twin->at(method));
      if (path.ends_with("/agents/{agent}") && method == "get") {
        // The one difference that the contract knows: the answer is wrapped.
        here["responses"].erase("200");
        there["responses"].erase("200");
      }
      EXPECT_EQ(here, there) << method << " " << path;
    }
  }
  EXPECT_EQ(twin_count, 14);
}

TEST_F(OpenApiTest, OperationIdsAreUnique) {
  std::set<std::string> ids;
  ForEachOperation([&](const std::string& name, const json& operation) {
    EXPECT_TRUE(ids.insert(operation["operationId"]).second) << name;
    EXPECT_EQ(operation["tags"].size(), 1U) << name;
    EXPECT_FALSE(operation["summary"].get<std::string>().empty()) << name;
  });
}

TEST_F(OpenApiTest, EveryOperationHasOneSuccessAndTheFailuresThatItCanHave) {
  ForEachOperation([&](const std::string& name, const json& operation) {
    const json& responses = operation["responses"];
    int success_count = 0;
    for (const auto& [status, response] : responses.items()) success_count += status.starts_with('2');
    EXPECT_EQ(success_count, 1) << name;
    for (const char* status : {"400", "414", "431", "default"})
      EXPECT_TRUE(responses.contains(status)) << name << ": " << status;
    EXPECT_EQ(operation.contains("requestBody"), responses.contains("413") && responses.contains("415")) << name;
    const bool is_open = operation.contains("security");
    EXPECT_EQ(is_open, name.find(" /v1/") == std::string::npos) << name;
    EXPECT_EQ(operation.value("security", json::array()), json::array()) << name;
    for (const char* status : {"401", "404", "429", "500", "504"})
      EXPECT_EQ(responses.contains(status), !is_open) << name << ": " << status;
  });
  EXPECT_EQ(document_["security"], json::parse(R"([{"apiKey": []}])"));
  EXPECT_EQ(document_["components"]["securitySchemes"]["apiKey"]["scheme"], "bearer");
}

TEST_F(OpenApiTest, EveryAnswerHasARequestIdASchemaAndAnExample) {
  ForEachOperation([&](const std::string& name, const json& operation) {
    for (const auto& [status, reference] : operation["responses"].items()) {
      const json& response = Resolve(reference);
      EXPECT_TRUE(response["headers"].contains("X-Request-Id")) << name << ": " << status;
      EXPECT_EQ(response.contains("content"), status != "304") << name << ": " << status;
      if (!response.contains("content")) continue;
      for (const json& content : response["content"]) {
        EXPECT_TRUE(content.contains("schema")) << name << ": " << status;
        EXPECT_TRUE(content.contains("example") || content.contains("examples")) << name << ": " << status;
      }
    }
  });
}

TEST_F(OpenApiTest, EveryPlaceholderOfAPathIsAParameterAndNoOther) {
  ForEachOperation([&](const std::string& name, const json& operation) {
    std::set<std::string> declared;
    for (const json& reference : operation["parameters"]) {
      const json& parameter = Resolve(reference);
      if (parameter["in"] != "path") continue;
      EXPECT_EQ(parameter["required"], true) << name;
      declared.insert(parameter["name"].get<std::string>());
    }
    EXPECT_EQ(declared, PlaceholdersOf(name)) << name;
  });
}

TEST_F(OpenApiTest, TheReasonsAreThoseOfTheErrorTable) {
  std::set<std::string> reasons;
  for (const ErrorRule& rule : ErrorTable()) reasons.emplace(rule.reason);
  EXPECT_EQ(Schema("Error")["properties"]["reason"]["enum"].get<std::set<std::string>>(), reasons);
}

TEST_F(OpenApiTest, TheCodesAreThoseThatAnErrorCanHave) {
  std::set<std::string> codes = {kCodeForOldClient};
  for (const ErrorRule& rule : ErrorTable()) codes.emplace(CodeOf(rule.http));
  for (int code = 1; code <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++code) {
    codes.emplace(CodeOf(StockHttpStatus(static_cast<absl::StatusCode>(code))));
  }
  EXPECT_EQ(Schema("Error")["properties"]["code"]["enum"].get<std::set<std::string>>(), codes);
}

TEST_F(OpenApiTest, TheExamplesOfErrorsAreErrorsOfTheTable) {
  std::map<std::string, int> table;
  for (const ErrorRule& rule : ErrorTable()) table[std::string(rule.reason)] = rule.http;
  ForEachOperation([&](const std::string& name, const json& operation) {
    for (const auto& [status, reference] : operation["responses"].items()) {
      if (status.starts_with('2') || status.starts_with('3')) continue;
      for (const json& example : Resolve(reference)["content"]["application/json"]["examples"]) {
        const int http = table[example["value"]["reason"]];
        EXPECT_EQ(example["value"]["code"], CodeOf(http)) << name;
        EXPECT_TRUE(status == "default" || status == std::to_string(http)) << name << ": " << status;
      }
    }
  });
}

TEST_F(OpenApiTest, EveryReferenceLeadsSomewhereAndNoComponentIsLeftOver) {
  std::set<std::string> references;
  CollectReferences(document_, references);
  std::set<std::string> components = {};
  for (const auto& [kind, members] : document_["components"].items()) {
    if (kind == "securitySchemes") continue;
    for (const auto& [name, component] : members.items()) components.insert("#/components/" + kind + "/" + name);
  }
  EXPECT_THAT(references, IsSubsetOf(components));
  references.insert(kUnused);
  EXPECT_EQ(references, components);
}

TEST_F(OpenApiTest, TheLimitsAreThoseOfTheProduct) {
  EXPECT_EQ(Schema("SetName")["minLength"], kMinSetNameLength);
  EXPECT_EQ(Schema("SetName")["maxLength"], kMaxSetNameLength);
  EXPECT_EQ(Schema("SecretKey")["maxLength"], kMaxKeyLength);
  EXPECT_EQ(Schema("SecretValue")["maxLength"], kMaxValueBytes);
  EXPECT_EQ(Schema("RegionCode")["maxLength"], kMaxDnsLabelLength);
  EXPECT_EQ(Schema("OrganizationName")["maxLength"], kMaxDnsLabelLength);
  EXPECT_EQ(Schema("AgentName")["maxLength"], kMaxAgentNameLength);
  EXPECT_EQ(Schema("SecretsWrite")["properties"]["secrets"]["maxItems"], kMaxKeysPerSet);
  EXPECT_EQ(Schema("ImagePullSecretWrite")["properties"]["host"]["maxLength"], kMaxHostLength);
  EXPECT_EQ(Schema("ImagePullSecretWrite")["properties"]["secretValue"]["maxLength"], kMaxPullAuthBytes);
  EXPECT_EQ(Schema("GenerationList")["properties"]["generations"]["maxItems"], kMaxGenerationsKept);
  EXPECT_EQ(Schema("ApiKeyCreation")["properties"]["name"]["maxLength"], kMaxDisplayNameLength);
  EXPECT_EQ(Schema("AgentCreation")["properties"]["image"]["maxLength"], kMaxImageLength);
  EXPECT_EQ(Schema("AgentCreation")["properties"]["requiredKeys"]["maxItems"], kMaxKeysPerSet);
  const json& parameters = document_["components"]["parameters"];
  EXPECT_EQ(parameters["idempotencyKey"]["schema"]["maxLength"], kMaxRequestIdLength);
  EXPECT_EQ(parameters["requestId"]["schema"]["maxLength"], kMaxRequestIdLength);
  EXPECT_EQ(parameters["limit"]["schema"]["maximum"], kMaxPageSize);
}

}  // namespace
}  // namespace keyferry::gateway
