#include "services/gateway/agent_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/testing/status_matchers.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/testing/fake_api_calls.h"

namespace keyferry::gateway {
namespace {

using absl::StatusCode;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The API's deployments as far as the routes can tell: etags, request ids, and what skip_unchanged does.
class AgentRoutesTest : public testing::Test {
 protected:
  AgentRoutesTest() {
    api_.On<v1::CreateDeploymentRequest, v1::Deployment>(
        kCreateDeployment, [this](const v1::CreateDeploymentRequest& request) -> absl::StatusOr<v1::Deployment> {
          EXPECT_FALSE(request.allow_existing());
          if (!refusal_.ok()) return refusal_;
          organization_ = request.deployment().organization();
          if (!request.deployment().etag().empty()) return EtagMismatch("");
          return request.validate_only() ? request.deployment()
                                         : Remembered(request, [&]() -> absl::StatusOr<v1::Deployment> {
                                             return Store(request.deployment());
                                           });
        });
    api_.On<v1::GetPropertiesRequest, v1::Properties>(kGetProperties, [this](const v1::GetPropertiesRequest& request) {
      organization_ = request.organization();
      v1::Properties properties;
      properties.set_default_region("us-north");
      return properties;
    });
    api_.On<v1::UpdateDeploymentRequest, v1::Deployment>(
        kUpdateDeployment, [this](const v1::UpdateDeploymentRequest& request) { return Update(request); });
    api_.On<v1::GetDeploymentRequest, v1::Deployment>(
        kGetDeployment, [this](const v1::GetDeploymentRequest& request) -> absl::StatusOr<v1::Deployment> {
          organization_ = request.organization();
          const auto found = agents_.find(request.agent());
          if (found == agents_.end()) return NotFound("DEPLOYMENT_NOT_FOUND", "no such agent", request.agent());
          return found->second;
        });
    api_.On<v1::DeleteDeploymentRequest, v1::DeleteDeploymentResponse>(
        kDeleteDeployment,
        [this](const v1::DeleteDeploymentRequest& request) -> absl::StatusOr<v1::DeleteDeploymentResponse> {
          organization_ = request.organization();
          deleted_with_id_ = request.request_id();
          const auto found = agents_.find(request.agent());
          if (found == agents_.end()) return NotFound("DEPLOYMENT_NOT_FOUND", "no such agent", request.agent());
          if (!request.etag().empty() && request.etag() != found->second.etag())
            return EtagMismatch(found->second.etag());
          agents_.erase(found);
          return v1::DeleteDeploymentResponse();
        });
  }

  static Request With(const std::string& body, std::map<std::string, std::string> parameters = {},
                      const std::vector<Header>& headers = {}) {
    Request request{.headers = {{"Content-Type", "application/json"}},
                    .body = body,
                    .id = "r-1",
                    .parameters = std::move(parameters)};
    request.headers.insert(request.headers.end(), headers.begin(), headers.end());
    return request;
  }
  absl::StatusOr<Answer> Create(const std::string& body, const std::vector<Header>& headers = {}) {
    return RunTask(CreateAgent(With(body, {}, headers), api_));
  }
  absl::StatusOr<Answer> Post(const std::string& agent, const std::string& body,
                              const std::vector<Header>& headers = {}) {
    return RunTask(UpdateAgent(With(body, {{"agent", agent}}, headers), api_));
  }
  absl::StatusOr<Answer> Get(const std::vector<Header>& headers = {}) {
    return RunTask(GetAgent(With("", {{"agent", "bot"}}, headers), api_));
  }
  absl::StatusOr<Answer> Delete(const std::vector<Header>& headers = {}) {
    return RunTask(DeleteAgent(With("", {{"agent", "bot"}}, headers), api_));
  }
  static std::string HeaderOf(const absl::StatusOr<Answer>& answer, std::string_view name) {
    EXPECT_THAT(answer, IsOk());
    if (!answer.ok()) return "";
    for (const Header& header : answer->headers) {
      if (header.name == name) return header.value;
    }
    return "";
  }
  static json Details(const absl::StatusOr<Answer>& answer) {
    EXPECT_THAT(answer, IsOk());
    if (!answer.ok()) return json::object();
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->content_type, "application/json");
    return json::parse(answer->body);
  }

  static absl::Status EtagMismatch(const std::string& etag) {
    return MakeError(StatusCode::kAborted, "etag!", {.reason = "ETAG_MISMATCH", .metadata = {{"etag", etag}}});
  }
  // As the API does: the first answer to a request id, whatever its deployment is by now.
  template <typename RequestT, typename Write>
  absl::StatusOr<v1::Deployment> Remembered(const RequestT& request, Write write) {
    if (request.request_id().empty()) return write();
    EXPECT_THAT(request.request_content(), testing::Not(IsEmpty()));
    const auto found = remembered_.find(request.request_id());
    if (found == remembered_.end()) {
      const absl::StatusOr<v1::Deployment> written = write();
      if (written.ok()) remembered_[request.request_id()] = {request.request_content(), *written};
      return written;
    }
    if (found->second.first == request.request_content()) return found->second.second;
    return MakeError(StatusCode::kAlreadyExists, "reused", {.reason = "REQUEST_ID_REUSED"});
  }
  v1::Deployment Store(v1::Deployment wanted) {
    v1::Deployment& stored = agents_[wanted.agent()];
    const int64_t generation = stored.generation() + 1;
    stored = std::move(wanted);
    stored.set_uid("0123456789abcdef0123456789abcdef");
    stored.set_generation(generation);
    stored.set_etag(absl::StrCat("e", generation));
    return stored;
  }
  absl::StatusOr<v1::Deployment> Update(const v1::UpdateDeploymentRequest& request) {
    organization_ = request.deployment().organization();
    skip_unchanged_.push_back(request.skip_unchanged());
    const std::string& agent = request.deployment().agent();
    if (others_writes_-- > 0) Store(agents_[agent]);
    if (!refusal_.ok()) return refusal_;
    return Remembered(request, [&]() -> absl::StatusOr<v1::Deployment> {
      const v1::Deployment& stored = agents_[agent];
      if (request.deployment().etag() != stored.etag()) return EtagMismatch(stored.etag());
      v1::Deployment wanted = request.deployment();
      wanted.set_organization(stored.organization());
      if (request.validate_only()) return wanted;
      if (!request.skip_unchanged() || wanted.SerializeAsString() != stored.SerializeAsString())
        return Store(request.deployment());
      v1::Deployment unchanged = stored;
      unchanged.set_unchanged(true);
      return unchanged;
    });
  }

  FakeApiCalls api_;
  std::map<std::string, v1::Deployment> agents_;
  absl::Status refusal_;
  // How many updates find that somebody else wrote between their read and their write.
  int others_writes_ = 0;
  std::string organization_;
  std::string deleted_with_id_;
  std::vector<bool> skip_unchanged_;
  std::map<std::string, std::pair<std::string, v1::Deployment>> remembered_;
};

constexpr char kBot[] = R"({"serviceName": "bot", "image": "img:1", "region": "us-west", "secretSet": "app",
                            "agentProfile": "agent-1x"})";

TEST_F(AgentRoutesTest, CreateAnswersTheDetails) {
  const json details = Details(Create(kBot));
  EXPECT_EQ(details["name"], "bot");
  EXPECT_EQ(details["secretSet"]["name"], "app");
  EXPECT_EQ(details["agentProfile"], "agent-1x");
  EXPECT_EQ(details["ready"], false);
  EXPECT_FALSE(details.contains("warning"));
  EXPECT_THAT(organization_, IsEmpty());
  EXPECT_THAT(api_.callers, ElementsAre("r-1"));
}

TEST_F(AgentRoutesTest, ValidateOnlyAsksTheGateAndWritesNothing) {
  const std::string with_flag = R"({"serviceName": "bot", "image": "img:2", "validateOnly": true})";
  const auto asked = Create(with_flag);
  EXPECT_EQ(Details(asked)["validateOnly"], true);
  EXPECT_EQ(HeaderOf(asked, "ETag"), "");
  EXPECT_THAT(agents_, IsEmpty());
  EXPECT_FALSE(Details(Create(kBot)).contains("validateOnly"));
  const json updated = Details(Post("bot", with_flag));
  EXPECT_EQ(updated["image"], "img:2");
  EXPECT_EQ(updated["validateOnly"], true);
  EXPECT_EQ(agents_["bot"].image(), "img:1");
}

TEST_F(AgentRoutesTest, AnAgentWithoutARegionComesIntoTheOrganizationsDefaultRegion) {
  const Request request = With(R"({"serviceName": "bot", "image": "i", "secretSet": "app"})", {{"org", "acme"}});
  EXPECT_EQ(Details(RunTask(CreateAgent(request, api_)))["region"], "us-north");
  EXPECT_EQ(organization_, "acme");
  EXPECT_THAT(api_.called, ElementsAre(kGetProperties.path, kCreateDeployment.path));
  api_.called.clear();
  Details(Create(kBot));
  EXPECT_THAT(api_.called, ElementsAre(kCreateDeployment.path)) << "one call where it is named";
  EXPECT_EQ(Details(Post("bot", R"({"image": "i2"})"))["region"], "us-west") << "an update asks for none";
}

TEST_F(AgentRoutesTest, ARegionThatCannotBeAskedForIsNotGuessed) {
  api_.On<v1::GetPropertiesRequest, v1::Properties>(
      kGetProperties, [](const v1::GetPropertiesRequest&) { return absl::UnavailableError("away"); });
  EXPECT_THAT(Create(R"({"serviceName": "bot", "image": "i"})").status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(agents_, IsEmpty());
}

TEST_F(AgentRoutesTest, TheRoutesOfAnOrganizationNameIt) {
  Details(RunTask(CreateAgent(With(kBot, {{"org", "acme"}}), api_)));
  EXPECT_EQ(organization_, "acme");
  organization_.clear();
  const json updated =
      Details(RunTask(UpdateAgent(With(R"({"serviceName": "bot", "image": "img:2"})", {{"org", "acme"}}), api_)));
  EXPECT_EQ(organization_, "acme");
  EXPECT_EQ(updated["image"], "img:2") << "an update's answer is not wrapped";
}

TEST_F(AgentRoutesTest, ABadBodyReachesNoApi) {
  EXPECT_THAT(Create(R"({"image": 7})"), FailsWith(StatusCode::kInvalidArgument, "INVALID_BODY"));
  EXPECT_THAT(Post("bot", R"({"image": 7})"), FailsWith(StatusCode::kInvalidArgument, "INVALID_BODY"));
  EXPECT_THAT(Post("bot", "{"), FailsWith(StatusCode::kInvalidArgument, "INVALID_JSON"));
  EXPECT_THAT(api_.called, IsEmpty());
}

TEST_F(AgentRoutesTest, TheGatesRefusalComesThroughWithItsDetails) {
  refusal_ = MakeError(StatusCode::kAborted, "secret set \"app\" is pending",
                       {.reason = "SECRET_SET_PENDING", .retry_after = absl::Seconds(1)});
  const absl::Status created = Create(kBot).status();
  EXPECT_THAT(created, FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
  EXPECT_EQ(created.message(), "secret set \"app\" is pending");
  EXPECT_EQ(DetailsOf(created)->retry_after, absl::Seconds(1));
  agents_["bot"].set_image("i");
  EXPECT_THAT(Post("bot", "{}"), FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
  EXPECT_EQ(skip_unchanged_.size(), 1) << "nothing but a mismatch is tried again";
}

TEST_F(AgentRoutesTest, TheApisViolationsAreInWordsOfTheBody) {
  refusal_ = InvalidFields("INVALID_CLIENT_DATA", {{"deployment.client_data", "must be at most 16384 bytes"}});
  const absl::Status refused = Create(kBot).status();
  EXPECT_EQ(DetailsOf(refused)->violations.at(0).field, "body");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("body: must be at most"));
}

TEST_F(AgentRoutesTest, AnUpdateIsLaidOverWhatThereIs) {
  Details(Create(kBot));
  const json details = Details(Post("bot", R"({"image": "img:2", "autoScaling": {"minAgents": 1}})"));
  EXPECT_EQ(details["image"], "img:2");
  EXPECT_EQ(details["secretSet"]["name"], "app");
  EXPECT_EQ(details["agentProfile"], "agent-1x");
  EXPECT_EQ(details["autoScaling"], json::parse(R"({"minReplicas": 1})"));
  EXPECT_EQ(details["generation"], 2);
  EXPECT_FALSE(details.contains("warning"));
  EXPECT_THAT(skip_unchanged_, ElementsAre(true));
}

TEST_F(AgentRoutesTest, AnUpdateThatChangesNothingWarns) {
  Details(Create(kBot));
  const json same = Details(Post("bot", R"({"image": "img:1"})"));
  EXPECT_EQ(same["generation"], 1);
  EXPECT_THAT(same["warning"].get<std::string>(), testing::AllOf(HasSubstr("bot"), HasSubstr("forceRedeploy")));
  const json forced = Details(Post("bot", R"({"image": "img:1", "forceRedeploy": true})"));
  EXPECT_EQ(forced["generation"], 2);
  EXPECT_FALSE(forced.contains("warning"));
  EXPECT_FALSE(forced.contains("forceRedeploy"));
  EXPECT_THAT(skip_unchanged_, ElementsAre(true, false));
}

TEST_F(AgentRoutesTest, AnUpdateGoesThroughAfterSevenMismatches) {
  Details(Create(kBot));
  others_writes_ = 7;
  const json details = Details(Post("bot", R"({"image": "img:2"})"));
  EXPECT_EQ(details["image"], "img:2");
  EXPECT_EQ(details["secretSet"]["name"], "app");
  EXPECT_EQ(details["generation"], 9);
}

TEST_F(AgentRoutesTest, AnUpdateGivesUpAfterEightMismatches) {
  Details(Create(kBot));
  others_writes_ = 8;
  const absl::Status refused = Post("bot", R"({"image": "img:2"})").status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
  EXPECT_THAT(std::string(refused.message()), testing::AllOf(HasSubstr("bot"), HasSubstr("try again")));
  EXPECT_EQ(DetailsOf(refused)->metadata.at("agent"), "bot");
  EXPECT_EQ(DetailsOf(refused)->retry_after, absl::Seconds(1));
  EXPECT_EQ(skip_unchanged_.size(), 8);
}

TEST_F(AgentRoutesTest, AnUpdateThatEndsWithoutASourceIsRefused) {
  Details(Create(kBot));
  for (const char* body : {R"({"image": null})", R"({"image": ""})", R"({"image": "", "buildId": null})"}) {
    EXPECT_THAT(Post("bot", body), FailsWith(StatusCode::kInvalidArgument, "INVALID_BODY")) << body;
  }
  EXPECT_THAT(skip_unchanged_, IsEmpty());
  EXPECT_EQ(Details(Post("bot", R"({"image": null, "buildId": "b"})"))["buildId"], "b");
}

TEST_F(AgentRoutesTest, EveryAnswerOfAnAgentHasAnEtagThatGuardsWrites) {
  EXPECT_EQ(HeaderOf(Create(kBot), "ETag"), "\"e1\"");
  const std::string shown = HeaderOf(Get(), "ETag");
  EXPECT_THAT(shown, testing::MatchesRegex("\"e1-[0-9a-f]{16}\""));
  EXPECT_EQ(HeaderOf(Post("bot", R"({"image": "img:2"})", {{"If-Match", shown}}), "ETag"), "\"e2\"");
  EXPECT_THAT(Post("bot", R"({"image": "img:3"})", {{"If-Match", shown}}),
              FailsWith(StatusCode::kAborted, "ETAG_MISMATCH"));
  EXPECT_EQ(skip_unchanged_.size(), 2) << "nothing is laid over what the caller has not seen";
  EXPECT_THAT(Delete({{"If-Match", "\"e1\""}}), FailsWith(StatusCode::kAborted, "ETAG_MISMATCH"));
  EXPECT_EQ(agents_["bot"].image(), "img:2");
  EXPECT_THAT(Delete({{"If-Match", "e2"}}), IsOk());
  EXPECT_THAT(Create(kBot, {{"If-Match", "e2"}}), FailsWith(StatusCode::kAborted, "ETAG_MISMATCH"));
}

TEST_F(AgentRoutesTest, DetailsThatTheClientHasAreNotSentAgain) {
  Details(Create(kBot));
  const std::string etag = HeaderOf(Get(), "ETag");
  const auto same = Get({{"If-None-Match", etag}});
  EXPECT_EQ(same->status, 304);
  EXPECT_THAT(same->body, IsEmpty());
  agents_["bot"].set_readiness(v1::READINESS_READY);
  EXPECT_EQ(Get({{"If-None-Match", etag}})->status, 200) << "the same etag, in another state";
}

TEST_F(AgentRoutesTest, ConditionsThatCannotBeKeptReachNoApi) {
  for (const Header& header : {Header{"If-Match", "*"}, Header{"If-Match", "W/\"e1\""}, Header{"If-None-Match", "*"},
                               Header{"Idempotency-Key", ""}}) {
    EXPECT_THAT(Create(kBot, {header}), FailsWith(StatusCode::kInvalidArgument, "INVALID_HEADER")) << header.name;
    EXPECT_THAT(Post("bot", "{}", {header}), FailsWith(StatusCode::kInvalidArgument, "INVALID_HEADER")) << header.name;
    EXPECT_THAT(Delete({header}), FailsWith(StatusCode::kInvalidArgument, "INVALID_HEADER")) << header.name;
  }
  Request asking = With("", {{"agent", "bot"}});
  asking.query = {{"validateOnly", "true"}};
  EXPECT_THAT(RunTask(DeleteAgent(asking, api_)), FailsWith(StatusCode::kInvalidArgument, "INVALID_QUERY"));
  EXPECT_THAT(api_.called, IsEmpty());
}

TEST_F(AgentRoutesTest, ARequestThatComesAgainGetsTheFirstAnswer) {
  const std::vector<Header> first_id = {{"Idempotency-Key", "k-1"}};
  const auto created = Create(kBot, first_id);
  const std::vector<Header> second_id = {{"Idempotency-Key", "k-2"}};
  const char kUpdate[] = R"({"secretSet": "other", "forceRedeploy": true})";
  const auto updated = Post("bot", kUpdate, second_id);
  EXPECT_EQ(Details(updated)["generation"], 2);
  // Somebody else's write changes what the update would be laid over.
  Details(Post("bot", R"({"image": "img:9", "secretSet": "third"})"));
  EXPECT_EQ(Create(kBot, first_id)->body, created->body);
  EXPECT_EQ(Post("bot", kUpdate, second_id)->body, updated->body);
  EXPECT_EQ(Post("bot", R"({"forceRedeploy": true, "secretSet": "other"})", second_id)->body, updated->body);
  EXPECT_EQ(Post("bot", kUpdate, {{"Idempotency-Key", "k-2"}, {"If-Match", "e1"}})->body, updated->body);
  EXPECT_EQ(agents_["bot"].generation(), 3);
  const absl::Status reused = Post("bot", R"({"image": "img:4"})", second_id).status();
  EXPECT_THAT(reused, FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
  EXPECT_THAT(std::string(reused.message()), HasSubstr("Idempotency-Key"));
  EXPECT_THAT(Delete({{"Idempotency-Key", "k-3"}}), IsOk());
  EXPECT_EQ(deleted_with_id_, "k-3");
}

TEST_F(AgentRoutesTest, AnAgentThatIsNotThereIsNotFound) {
  EXPECT_THAT(Post("bot", "{}"), FailsWith(StatusCode::kNotFound, "DEPLOYMENT_NOT_FOUND"));
  const Request request = With("", {{"agent", "bot"}});
  EXPECT_THAT(RunTask(GetAgent(request, api_)), FailsWith(StatusCode::kNotFound, "DEPLOYMENT_NOT_FOUND"));
  EXPECT_THAT(RunTask(DeleteAgent(request, api_)), FailsWith(StatusCode::kNotFound, "DEPLOYMENT_NOT_FOUND"));
}

TEST_F(AgentRoutesTest, DetailsAreWrappedOnTheRoutesOfAnOrganization) {
  Details(Create(kBot));
  const json plain = Details(RunTask(GetAgent(With("", {{"agent", "bot"}}), api_)));
  EXPECT_EQ(plain["name"], "bot");
  const json wrapped = Details(RunTask(GetAgent(With("", {{"agent", "bot"}, {"org", "acme"}}), api_)));
  EXPECT_EQ(wrapped, json({{"body", plain}}));
  EXPECT_EQ(organization_, "acme");
}

TEST_F(AgentRoutesTest, DeleteAnswersOk) {
  Details(Create(kBot));
  const auto deleted = RunTask(DeleteAgent(With("", {{"agent", "bot"}, {"org", "acme"}}), api_));
  EXPECT_EQ(deleted->body, R"({"status":"OK"})");
  EXPECT_EQ(organization_, "acme");
  EXPECT_THAT(agents_, IsEmpty());
}

TEST_F(AgentRoutesTest, ListGivesTheAgentsOfAllPages) {
  std::vector<std::string> asked;
  api_.On<v1::ListDeploymentsRequest, v1::ListDeploymentsResponse>(
      kListDeployments, [&](const v1::ListDeploymentsRequest& request) {
        asked.push_back(absl::StrCat(request.organization(), "/", request.region(), "/", request.page_token()));
        v1::ListDeploymentsResponse page;
        // The page in the middle is empty and not the last one.
        if (request.page_token() != "2") page.add_deployments()->set_agent(absl::StrCat("bot", asked.size()));
        if (request.page_token().empty()) page.set_next_page_token("2");
        if (request.page_token() == "2") page.set_next_page_token("3");
        return page;
      });
  Request request = With("", {{"org", "acme"}});
  request.query = {{"region", "us-west"}, {"include", "git"}};
  const json listed = Details(RunTask(ListAgents(request, api_)));
  ASSERT_EQ(listed["services"].size(), 2);
  EXPECT_EQ(listed["services"][0]["name"], "bot1");
  EXPECT_EQ(listed["services"][1]["name"], "bot3");
  EXPECT_THAT(asked, ElementsAre("acme/us-west/", "acme/us-west/2", "acme/us-west/3"));
  request.query.push_back({"region", "us-east"});
  EXPECT_THAT(RunTask(ListAgents(request, api_)), FailsWith(StatusCode::kInvalidArgument, "INVALID_QUERY"));
  request.query = {{"regoin", "us-east"}};
  EXPECT_THAT(RunTask(ListAgents(request, api_)), FailsWith(StatusCode::kInvalidArgument, "INVALID_QUERY"));
}

class AgentListTest : public AgentRoutesTest {
 protected:
  // Pages of `on_page_` agents, `total_` in all; tokens say how many there were before.
  AgentListTest() {
    api_.On<v1::ListDeploymentsRequest, v1::ListDeploymentsResponse>(
        kListDeployments, [this](const v1::ListDeploymentsRequest& request) {
          sizes_.push_back(request.page_size());
          int64_t next = request.page_token().empty() ? 0 : std::stoll(request.page_token());
          v1::ListDeploymentsResponse page;
          for (int i = 0; i < on_page_ && next < total_; ++i, ++next) {
            v1::Deployment& deployment = *page.add_deployments();
            deployment.set_agent(absl::StrCat("bot", next));
            deployment.set_client_data(client_data_);
          }
          if (next < total_) page.set_next_page_token(absl::StrCat(next));
          return page;
        });
  }
  absl::StatusOr<Answer> List(std::vector<std::pair<std::string, std::string>> query = {}) {
    Request request = With("");
    request.query = std::move(query);
    return RunTask(ListAgents(request, api_));
  }

  int on_page_ = 1000;
  int64_t total_ = 0;
  std::string client_data_;
  std::vector<int> sizes_;
};

TEST_F(AgentListTest, OneAnswerHoldsFiveThousandAgentsAndNotOneMore) {
  total_ = 5000;
  EXPECT_EQ(Details(List())["services"].size(), 5000);
  total_ = 5001;
  const absl::Status refused = List().status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "LIST_TOO_LARGE"));
  EXPECT_THAT(std::string(refused.message()), testing::AllOf(HasSubstr("limit="), HasSubstr("after=")));
}

TEST_F(AgentListTest, OneAnswerHoldsNoMoreThanItsBytes) {
  total_ = 2000;
  client_data_ = "{\"mine\":\"" + std::string(16'000, 'x') + "\"}";
  EXPECT_THAT(List(), FailsWith(StatusCode::kInvalidArgument, "LIST_TOO_LARGE"));
}

TEST_F(AgentListTest, EmptyPagesDoNotGoOnForever) {
  on_page_ = 0;
  total_ = 1;
  EXPECT_THAT(List(), FailsWith(StatusCode::kInvalidArgument, "LIST_TOO_LARGE"));
  EXPECT_EQ(sizes_.size(), 2000);
}

TEST_F(AgentListTest, PagesAreReadOneByOne) {
  on_page_ = 2;
  total_ = 3;
  const json first = Details(List({{"limit", "2"}}));
  EXPECT_EQ(first["services"].size(), 2);
  EXPECT_EQ(first["nextPageToken"], "2");
  const json last = Details(List({{"limit", "2"}, {"after", "2"}}));
  EXPECT_EQ(last["services"][0]["name"], "bot2");
  EXPECT_FALSE(last.contains("nextPageToken"));
  EXPECT_THAT(sizes_, ElementsAre(2, 2));
  for (const char* limit : {"0", "1001", "x", "-1"})
    EXPECT_THAT(List({{"limit", limit}}), FailsWith(StatusCode::kInvalidArgument, "INVALID_QUERY")) << limit;
}

TEST_F(AgentRoutesTest, NoAgentsAreAnEmptyList) {
  api_.On<v1::ListDeploymentsRequest, v1::ListDeploymentsResponse>(
      kListDeployments, [](const v1::ListDeploymentsRequest&) { return v1::ListDeploymentsResponse(); });
  EXPECT_EQ(RunTask(ListAgents(With(""), api_))->body, R"({"services":[]})");
}

}  // namespace
}  // namespace keyferry::gateway
