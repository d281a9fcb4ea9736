#include "services/api/deployments.h"

#include <gtest/gtest.h>

#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/rpc/sealed_object_codec.h"
#include "libs/storage/keys.h"
#include "services/api/deployment_gate.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DeploymentsTest : public testing::Test {
 protected:
  void PullReady(const std::string& name, const std::string& region = "") {
    ASSERT_THAT(scene_.SetPull(scene_.Write(name), "ghcr.io", "user:token", region), IsOk());
    ASSERT_TRUE(scene_.Ack(name));
  }
  bool Exists(const std::string& agent) { return scene_.deployments->Get("acme", agent).ok(); }

  ApiScene scene_;
};

TEST_F(DeploymentsTest, DeployBindsTheGenerationThatTheRegionProved) {
  scene_.SetReady("app", {{"A", "1"}, {"B", "two"}});
  const auto view = scene_.Deploy(
      {.agent = "bot", .image = "img:1", .secret_set = "app", .required_keys = {"A"}, .client_data = "mine"});
  ASSERT_THAT(view, IsOk());
  EXPECT_EQ(view->deployment.region, "us-west");
  EXPECT_EQ(view->deployment.generation, 1);
  EXPECT_EQ(view->deployment.secret_set_generation, 1);
  EXPECT_THAT(view->deployment.keys, ElementsAre("A", "B"));
  EXPECT_EQ(view->deployment.client_data, "mine");
  EXPECT_EQ(view->status.readiness, Readiness::kPending);
  EXPECT_EQ(scene_.OpenDeployment("bot"), (Opened{{"A", "1"}, {"B", "two"}}));
}

TEST_F(DeploymentsTest, ADeploymentIsPlacedInItsRegionAndReadyOnceThatAcked) {
  scene_.SetReady("app", {{"A", "1"}});
  ASSERT_THAT(scene_.Deploy({.agent = "bot", .secret_set = "app"}), IsOk());
  ASSERT_TRUE(scene_.Ack("us-west", AgentObject("bot")));
  const auto view = scene_.deployments->Get("acme", "bot");
  EXPECT_EQ(view->status.readiness, Readiness::kReady);
  EXPECT_EQ(view->status.ready_generation, 1);
}

TEST_F(DeploymentsTest, ADeploymentCarriesItsPullSecret) {
  scene_.SetReady("app", {{"A", "1"}});
  PullReady("hub");
  ASSERT_THAT(scene_.Deploy({.agent = "bot", .secret_set = "app", .image_pull_secret = "hub"}), IsOk());
  EXPECT_EQ(scene_.OpenDeployment("bot"), (Opened{{"A", "1"}, {"pull ghcr.io/", "dXNlcjp0b2tlbg=="}}));
  const SealedObject object = *ParseSealedObject(scene_.deployments->Get("acme", "bot")->deployment.sealed_object);
  EXPECT_EQ(object.image_pull_secret_name, "hub");
  EXPECT_EQ(object.secret_set, "app");
  EXPECT_EQ(object.secret_set_generation, 1);
}

TEST_F(DeploymentsTest, ADeploymentNeedsNoSets) {
  const auto view = scene_.Deploy({.agent = "bot"});
  ASSERT_THAT(view, IsOk());
  EXPECT_EQ(view->deployment.region, "us-west");
  EXPECT_THAT(scene_.OpenDeployment("bot"), IsEmpty());
}

TEST_F(DeploymentsTest, APendingSetIsRefusedWithWhenToTryAgain) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  const absl::Status refused = scene_.Deploy({.agent = "bot", .secret_set = "app"}).status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
  EXPECT_EQ(DetailsOf(refused)->retry_after, absl::Seconds(1));
  EXPECT_EQ(MetadataOf(refused, "state"), "pending");
  EXPECT_EQ(MetadataOf(refused, "region"), "us-west");
  EXPECT_EQ(MetadataOf(refused, "generation"), "1");
  EXPECT_EQ(MetadataOf(refused, "secretSet"), "app");
  EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr("app"), HasSubstr("us-west"), HasSubstr("try again")));
  EXPECT_FALSE(Exists("bot"));
}

TEST_F(DeploymentsTest, AnUpdatedSetIsPendingUntilItsNewestGenerationIsProved) {
  scene_.SetReady("app", {{"A", "1"}});
  ASSERT_THAT(scene_.Set("app", {{"A", "2"}}), IsOk());
  const absl::Status refused = scene_.Deploy({.agent = "bot", .secret_set = "app"}).status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
  EXPECT_EQ(MetadataOf(refused, "generation"), "2");
}

TEST_F(DeploymentsTest, APendingSetOfARegionThatIsAwaySaysSo) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  scene_.deps->region_connected = [](const std::string&) { return false; };
  const Deployments deployments(*scene_.deps);
  const auto refused = Await<absl::StatusOr<DeploymentView>>([&](Deployments::Done done) {
    deployments.Deploy({.wanted = {.organization = "acme", .agent = "bot", .secret_set = "app"}}, std::move(done));
  });
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("no provisioner is connected"));
}

TEST_F(DeploymentsTest, AFailedSetIsRefusedWithoutRetry) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  ASSERT_TRUE(scene_.Nack("us-west", SetObject("app"), "the disk is full"));
  const absl::Status refused = scene_.Deploy({.agent = "bot", .secret_set = "app"}).status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kAborted, "SECRET_SET_FAILED"));
  EXPECT_EQ(DetailsOf(refused)->retry_after, std::nullopt);
  EXPECT_EQ(MetadataOf(refused, "state"), "failed");
  EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr("the disk is full"), HasSubstr("write it again")));
}

TEST_F(DeploymentsTest, APullSecretGatesToo) {
  scene_.SetReady("app", {{"A", "1"}});
  ASSERT_THAT(scene_.SetPull(scene_.Write("hub"), "ghcr.io", "user:token"), IsOk());
  const absl::Status refused =
      scene_.Deploy({.agent = "bot", .secret_set = "app", .image_pull_secret = "hub"}).status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
  EXPECT_EQ(MetadataOf(refused, "secretSet"), "hub");
}

TEST_F(DeploymentsTest, AWipedRegionClosesTheGate) {
  scene_.SetReady("app", {{"A", "1"}});
  scene_.WipeRegion("us-west");
  EXPECT_THAT(scene_.Deploy({.agent = "bot", .secret_set = "app"}),
              FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
}

TEST_F(DeploymentsTest, MissingKeysAreNamedAllAtOnce) {
  scene_.SetReady("app", {{"A", "1"}});
  const absl::Status refused =
      scene_.Deploy({.agent = "bot", .secret_set = "app", .required_keys = {"Z", "A", "Y"}}).status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kAborted, "MISSING_REQUIRED_KEYS"));
  EXPECT_THAT(DetailsOf(refused)->blockers, ElementsAre("Z", "Y"));
  EXPECT_THAT(scene_.Deploy({.agent = "bot", .required_keys = {"A"}}),
              FailsWith(StatusCode::kAborted, "MISSING_REQUIRED_KEYS"));
}

TEST_F(DeploymentsTest, AllProblemsOfADeploymentAreInOneAnswer) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  ASSERT_THAT(scene_.SetPull(scene_.Write("hub"), "ghcr.io", "user:token"), IsOk());
  const absl::Status refused =
      scene_.Deploy({.agent = "bot", .secret_set = "app", .image_pull_secret = "hub", .required_keys = {"Z"}}).status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
  EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr("app"), HasSubstr("hub"), HasSubstr("Z")));
  EXPECT_EQ(DetailsOf(refused)->retry_after, std::nullopt) << "waiting alone would not help";
}

SecretSetView ViewOfBytes(int value_bytes) {
  SecretSetView view;
  view.set = {.name = "app", .generation = 1, .entries = {{.key = "KEY", .value_bytes = value_bytes}}};
  view.status = {.readiness = Readiness::kReady, .observed_generation = 1};
  return view;
}

TEST_F(DeploymentsTest, AnEnvironmentHoldsOneMebibyteAndNotOneByteMore) {
  const int fits = static_cast<int>(kMaxEnvironmentBytes) - 3 - 2;
  EXPECT_EQ(EnvironmentBytes(ViewOfBytes(fits).set.entries), kMaxEnvironmentBytes);
  EXPECT_THAT(CheckGate({.secret_set = ViewOfBytes(fits)}, {}), IsOk());
  EXPECT_THAT(CheckGate({.secret_set = ViewOfBytes(fits + 1)}, {}),
              FailsWith(StatusCode::kAborted, "ENVIRONMENT_TOO_LARGE"));
}

TEST_F(DeploymentsTest, APlacementOfAnotherGenerationNeverVouches) {
  SecretSetView view = ViewOfBytes(1);
  view.status.observed_generation = 2;
  EXPECT_THAT(CheckGate({.secret_set = view}, {}), FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
}

TEST_F(DeploymentsTest, AnUnknownSetIsNotFound) {
  const absl::Status refused = scene_.Deploy({.agent = "bot", .secret_set = "nothing"}).status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  const absl::Status both =
      scene_.Deploy({.agent = "bot", .secret_set = "nothing", .image_pull_secret = "neither"}).status();
  EXPECT_THAT(both, FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  EXPECT_THAT(std::string(both.message()), AllOf(HasSubstr("nothing"), HasSubstr("neither")));
  EXPECT_THAT(FieldsOf(both), ElementsAre("deployment.secret_set", "deployment.image_pull_secret"));
  const absl::Status pull = scene_.Deploy({.agent = "bot", .image_pull_secret = "neither"}).status();
  EXPECT_THAT(pull, FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  EXPECT_EQ(pull.message(), "image pull secret \"neither\" does not exist in this organization");
  EXPECT_THAT(FieldsOf(pull), ElementsAre("deployment.image_pull_secret"));
  EXPECT_EQ(MetadataOf(pull, "resource"), "neither");
}

TEST_F(DeploymentsTest, SetsOfTheWrongTypeAreRefused) {
  scene_.SetReady("app", {{"A", "1"}});
  PullReady("hub");
  const absl::Status refused =
      scene_.Deploy({.agent = "bot", .secret_set = "hub", .image_pull_secret = "app"}).status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_TYPE"));
  EXPECT_THAT(FieldsOf(refused), ElementsAre("deployment.secret_set", "deployment.image_pull_secret"));
}

TEST_F(DeploymentsTest, AnAgentAndItsSetsMustBeInOneRegion) {
  scene_.SetReady("app", {{"A", "1"}}, "us-west");
  PullReady("hub", "us-east");
  const absl::Status refused = scene_.Deploy({.agent = "bot", .region = "us-east", .secret_set = "app"}).status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "REGION_MISMATCH"));
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("us-west"), HasSubstr("us-east"), HasSubstr("same region")));
  EXPECT_THAT(scene_.Deploy({.agent = "bot", .secret_set = "app", .image_pull_secret = "hub"}),
              FailsWith(StatusCode::kInvalidArgument, "REGION_MISMATCH"));
  EXPECT_THAT(scene_.Deploy({.agent = "bot", .region = "eu-north"}),
              FailsWith(StatusCode::kInvalidArgument, "UNKNOWN_REGION"));
}

TEST_F(DeploymentsTest, TheRegionFollowsFromTheSets) {
  scene_.SetReady("app", {{"A", "1"}}, "us-east");
  PullReady("hub", "us-east");
  EXPECT_EQ(scene_.Deploy({.agent = "ant", .secret_set = "app"})->deployment.region, "us-east");
  EXPECT_EQ(scene_.Deploy({.agent = "bot", .image_pull_secret = "hub"})->deployment.region, "us-east");
}

TEST_F(DeploymentsTest, AnAgentNeverMoves) {
  ASSERT_THAT(scene_.Deploy({.agent = "bot", .region = "us-west"}), IsOk());
  const absl::Status refused = scene_.Deploy({.agent = "bot", .region = "us-east"}, IfExists::kRequire).status();
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "REGION_MISMATCH"));
  EXPECT_THAT(FieldsOf(refused), ElementsAre("deployment.region"));
  EXPECT_EQ(scene_.Deploy({.agent = "bot"}, IfExists::kRequire)->deployment.region, "us-west");
}

TEST_F(DeploymentsTest, CreateRefusesAnAgentThatExistsUnlessThatIsAllowed) {
  const auto first = scene_.Deploy({.agent = "bot"});
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(scene_.Deploy({.agent = "bot"}), FailsWith(StatusCode::kAlreadyExists, "DEPLOYMENT_EXISTS"));
  const auto second = scene_.Deploy({.agent = "bot"}, IfExists::kUpdate);
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(second->deployment.generation, 2);
  EXPECT_EQ(second->deployment.uid, first->deployment.uid);
  EXPECT_THAT(scene_.Deploy({.agent = "ant"}, IfExists::kUpdate), IsOk());
  EXPECT_THAT(scene_.Deploy({.agent = "cat"}, IfExists::kRequire),
              FailsWith(StatusCode::kNotFound, "DEPLOYMENT_NOT_FOUND"));
}

TEST_F(DeploymentsTest, ADeploymentKeepsItsValuesUntilItIsDeployedAgain) {
  scene_.SetReady("app", {{"A", "old"}});
  ASSERT_THAT(scene_.Deploy({.agent = "bot", .secret_set = "app"}), IsOk());
  scene_.SetReady("app", {{"A", "new"}});
  EXPECT_EQ(scene_.OpenDeployment("bot"), (Opened{{"A", "old"}}));
  const auto again = scene_.Deploy({.agent = "bot", .secret_set = "app"}, IfExists::kRequire);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->deployment.secret_set_generation, 2);
  EXPECT_EQ(scene_.OpenDeployment("bot"), (Opened{{"A", "new"}}));
}

TEST_F(DeploymentsTest, AnEtagMustBeTheDeploymentsOwn) {
  const auto first = scene_.Deploy({.agent = "bot"});
  const std::string etag = first->deployment.Etag();
  ASSERT_THAT(scene_.Deploy({.agent = "bot"}, IfExists::kRequire, {.etag = etag}), IsOk());
  EXPECT_THAT(scene_.Deploy({.agent = "bot"}, IfExists::kRequire, {.etag = etag}),
              FailsWith(StatusCode::kAborted, "ETAG_MISMATCH"));
  EXPECT_THAT(scene_.DeleteDeployment("bot", {.etag = etag}), FailsWith(StatusCode::kAborted, "ETAG_MISMATCH"));
}

TEST_F(DeploymentsTest, ValidateOnlyAsksTheGateAndBindsNothing) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  EXPECT_THAT(scene_.Deploy({.agent = "bot", .secret_set = "app"}, IfExists::kRefuse, {.validate_only = true}),
              FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
  ASSERT_TRUE(scene_.Ack("app"));
  const Revision before = scene_.memory->Head();
  const auto view = scene_.Deploy({.agent = "bot", .secret_set = "app"}, IfExists::kRefuse,
                                  {.request_id = "r", .validate_only = true});
  ASSERT_THAT(view, IsOk());
  EXPECT_EQ(view->deployment.secret_set_generation, 1);
  EXPECT_EQ(scene_.memory->Head(), before);
  EXPECT_FALSE(Exists("bot"));
}

TEST_F(DeploymentsTest, FieldsHaveTheirLimits) {
  const auto deploy = [&](Deployment wanted) { return scene_.Deploy(wanted, IfExists::kUpdate).status(); };
  EXPECT_THAT(deploy({.agent = std::string(kMaxAgentNameLength, 'a')}), IsOk());
  EXPECT_THAT(deploy({.agent = std::string(kMaxAgentNameLength + 1, 'a')}),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_AGENT_NAME"));
  EXPECT_THAT(deploy({.agent = "bot", .image = std::string(kMaxImageLength, 'i')}), IsOk());
  EXPECT_THAT(deploy({.agent = "bot", .image = std::string(kMaxImageLength + 1, 'i')}),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_IMAGE"));
  EXPECT_THAT(deploy({.agent = "bot", .client_data = std::string(kMaxClientDataBytes, 'c')}), IsOk());
  EXPECT_THAT(deploy({.agent = "bot", .client_data = std::string(kMaxClientDataBytes + 1, 'c')}),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_CLIENT_DATA"));
  EXPECT_THAT(deploy({.agent = "bot", .required_keys = std::vector<std::string>(kMaxKeysPerSet, "K")}),
              FailsWith(StatusCode::kAborted, "MISSING_REQUIRED_KEYS"));
  EXPECT_THAT(deploy({.agent = "bot", .required_keys = std::vector<std::string>(kMaxKeysPerSet + 1, "K")}),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_REQUIRED_KEYS"));
  const absl::Status many = deploy({.agent = "Bot", .secret_set = "X", .required_keys = {"A", "B C"}});
  EXPECT_THAT(FieldsOf(many), ElementsAre("deployment.agent", "deployment.secret_set", "deployment.required_keys[1]"));
}

TEST_F(DeploymentsTest, TheSameRequestAgainGetsTheFirstAnswer) {
  scene_.SetReady("app", {{"A", "1"}});
  const auto first = scene_.Deploy({.agent = "bot", .secret_set = "app"}, IfExists::kRefuse, {.request_id = "r"});
  ASSERT_THAT(first, IsOk());
  const auto again = scene_.Deploy({.agent = "bot", .secret_set = "app"}, IfExists::kRefuse, {.request_id = "r"});
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->deployment.Etag(), first->deployment.Etag());
  EXPECT_EQ(again->deployment.agent, "bot");
  EXPECT_THAT(scene_.Deploy({.agent = "ant"}, IfExists::kRefuse, {.request_id = "r"}),
              FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
  ASSERT_THAT(scene_.DeleteDeployment("bot", {.request_id = "d"}), IsOk());
  EXPECT_THAT(scene_.DeleteDeployment("bot", {.request_id = "d"}), IsOk());
  EXPECT_THAT(scene_.DeleteDeployment("bot"), FailsWith(StatusCode::kNotFound, "DEPLOYMENT_NOT_FOUND"));
}

TEST_F(DeploymentsTest, ARequestIdStandsForItsContentWhereThatIsGiven) {
  const auto deploy = [&](const std::string& image, const std::string& content) {
    const DeployRequest request{.wanted = {.organization = "acme", .agent = "bot", .image = image},
                                .if_exists = IfExists::kUpdate,
                                .conditions = {.request_id = "r"},
                                .request_content = content};
    return Await<absl::StatusOr<DeploymentView>>(
        [&](Deployments::Done done) { scene_.deployments->Deploy(request, std::move(done)); });
  };
  const auto first = deploy("img:1", "what was asked");
  ASSERT_THAT(first, IsOk());
  const auto again = deploy("img:2", "what was asked");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->deployment.image, "img:1");
  EXPECT_EQ(again->deployment.Etag(), first->deployment.Etag());
  EXPECT_EQ(again->status.last_transition_time, first->status.last_transition_time);
  EXPECT_THAT(deploy("img:1", "something else"), FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
  EXPECT_THAT(deploy("img:1", ""), FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
}

TEST_F(DeploymentsTest, DeleteTakesTheDeploymentOutOfItsRegion) {
  ASSERT_THAT(scene_.Deploy({.agent = "bot"}), IsOk());
  ASSERT_THAT(scene_.DeleteDeployment("bot"), IsOk());
  EXPECT_FALSE(Exists("bot"));
  const auto desired = scene_.barrier->store().Get(keys::Desired("us-west", AgentObject("bot")));
  EXPECT_EQ(Decode<DesiredState>((*desired)->value)->operation, Operation::kDelete);
  EXPECT_THAT(scene_.Deploy({.agent = "bot", .region = "us-east"}), IsOk());
}

TEST_F(DeploymentsTest, ListGivesDeploymentsInOrderOfAgentPageByPage) {
  for (const char* agent : {"cat", "ant", "bee"}) ASSERT_THAT(scene_.Deploy({.agent = agent}), IsOk());
  ASSERT_THAT(scene_.Deploy({.agent = "dog", .region = "us-east"}), IsOk());
  const auto first = scene_.deployments->List({.organization = "acme", .page_size = 2});
  ASSERT_EQ(first->deployments.size(), 2);
  EXPECT_EQ(first->deployments[1].deployment.agent, "bee");
  EXPECT_THAT(first->deployments[1].deployment.sealed_object, IsEmpty());
  const auto second =
      scene_.deployments->List({.organization = "acme", .page_size = 2, .page_token = first->next_page_token});
  ASSERT_EQ(second->deployments.size(), 2);
  EXPECT_THAT(second->next_page_token, IsEmpty());
  EXPECT_EQ(scene_.deployments->List({.organization = "acme", .region = "us-east"})->deployments.size(), 1);
}

TEST_F(DeploymentsTest, AStoreThatFailsLeavesNoDeployment) {
  scene_.SetReady("app", {{"A", "1"}});
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailCommitBefore});
  EXPECT_THAT(scene_.Deploy({.agent = "bot", .secret_set = "app"}), StatusIs(StatusCode::kUnavailable));
  EXPECT_FALSE(Exists("bot"));
  EXPECT_THAT(scene_.Delete(scene_.Write("app")), IsOk());
}

class UnchangedDeploymentTest : public DeploymentsTest {
 protected:
  void SetUp() override {
    scene_.SetReady("app", {{"A", "1"}});
    PullReady("hub");
    first_ = *scene_.Deploy(Wanted());
    ASSERT_TRUE(scene_.Ack("us-west", AgentObject("bot")));
  }
  static Deployment Wanted() {
    return {.agent = "bot",
            .image = "img:1",
            .secret_set = "app",
            .image_pull_secret = "hub",
            .required_keys = {"A"},
            .client_data = "mine"};
  }
  absl::StatusOr<DeploymentView> DeployUnchanged(const Deployment& wanted, WriteConditions conditions = {}) {
    return scene_.Deploy(wanted, IfExists::kRequireSkipUnchanged, std::move(conditions));
  }

  DeploymentView first_;
};

TEST_F(UnchangedDeploymentTest, IsAnsweredAsItIsAndNothingIsWritten) {
  const Revision before = scene_.memory->Head();
  const auto again = DeployUnchanged(Wanted());
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->deployment.Etag(), first_.deployment.Etag());
  EXPECT_EQ(again->status.readiness, Readiness::kReady);
  EXPECT_EQ(again->status.ready_generation, 1);
  EXPECT_TRUE(again->unchanged);
  EXPECT_FALSE(first_.unchanged);
  EXPECT_EQ(scene_.memory->Head(), before);
  Deployment named = Wanted();
  named.region = "us-west";
  EXPECT_EQ(DeployUnchanged(named)->deployment.generation, 1);
  EXPECT_EQ(DeployUnchanged(Wanted(), {.validate_only = true})->deployment.generation, 1);
}

TEST_F(UnchangedDeploymentTest, IsWrittenWhereNobodyAskedToSkipIt) {
  EXPECT_EQ(scene_.Deploy(Wanted(), IfExists::kRequire)->deployment.generation, 2);
  EXPECT_EQ(scene_.Deploy(Wanted(), IfExists::kUpdate)->deployment.generation, 3);
}

TEST_F(UnchangedDeploymentTest, AnyOtherFieldIsAChange) {
  int64_t generation = 1;
  Deployment wanted = Wanted();
  for (const auto& change : std::vector<std::function<void(Deployment&)>>{
           [](Deployment& next) { next.image = "img:2"; }, [](Deployment& next) { next.client_data = "other"; },
           [](Deployment& next) { next.required_keys.clear(); }, [](Deployment& next) { next.secret_set.clear(); },
           [](Deployment& next) { next.image_pull_secret.clear(); }}) {
    change(wanted);
    EXPECT_EQ(DeployUnchanged(wanted)->deployment.generation, ++generation);
    EXPECT_EQ(DeployUnchanged(wanted)->deployment.generation, generation);
  }
}

TEST_F(UnchangedDeploymentTest, ANewGenerationOfASetIsAChangeThatTheGateIsAskedFor) {
  ASSERT_THAT(scene_.Set("app", {{"A", "2"}}), IsOk());
  EXPECT_THAT(DeployUnchanged(Wanted()), FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
  ASSERT_TRUE(scene_.Ack("app"));
  EXPECT_EQ(DeployUnchanged(Wanted())->deployment.secret_set_generation, 2);
  ASSERT_THAT(scene_.SetPull(scene_.Write("hub"), "ghcr.io", "user:other"), IsOk());
  EXPECT_THAT(DeployUnchanged(Wanted()), FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
}

TEST_F(UnchangedDeploymentTest, ASetThatWasDeletedAndMadeAgainIsAChange) {
  ASSERT_THAT(scene_.Delete(scene_.Write("app"), /*force=*/true), IsOk());
  EXPECT_THAT(DeployUnchanged(Wanted()), FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  scene_.SetReady("app", {{"A", "1"}});
  const auto again = DeployUnchanged(Wanted());
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->deployment.generation, 2);
  EXPECT_NE(again->deployment.secret_set_uid, first_.deployment.secret_set_uid);
}

TEST_F(UnchangedDeploymentTest, AWipedRegionRefusesNothingThatIsBoundAlready) {
  scene_.WipeRegion("us-west");
  const auto again = DeployUnchanged(Wanted());
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->deployment.generation, 1);
  EXPECT_EQ(again->status.readiness, Readiness::kPending);
  EXPECT_THAT(scene_.Deploy(Wanted(), IfExists::kRequire), FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
}

TEST_F(UnchangedDeploymentTest, AFailedOneIsDeployedAnew) {
  ASSERT_THAT(scene_.Deploy(Wanted(), IfExists::kRequire), IsOk());
  ASSERT_TRUE(scene_.Nack("us-west", AgentObject("bot"), "the disk is full"));
  EXPECT_EQ(DeployUnchanged(Wanted())->deployment.generation, 3);
}

TEST_F(UnchangedDeploymentTest, EtagsAndExistenceAreCheckedAllTheSame) {
  EXPECT_THAT(DeployUnchanged(Wanted(), {.etag = "stale"}), FailsWith(StatusCode::kAborted, "ETAG_MISMATCH"));
  EXPECT_THAT(DeployUnchanged(Wanted(), {.etag = first_.deployment.Etag()}), IsOk());
  EXPECT_THAT(DeployUnchanged({.agent = "ant"}), FailsWith(StatusCode::kNotFound, "DEPLOYMENT_NOT_FOUND"));
  Deployment moved = Wanted();
  moved.region = "us-east";
  EXPECT_THAT(DeployUnchanged(moved), FailsWith(StatusCode::kInvalidArgument, "REGION_MISMATCH"));
}

TEST_F(UnchangedDeploymentTest, TheSameRequestAgainGetsTheFirstAnswer) {
  ASSERT_THAT(DeployUnchanged(Wanted(), {.request_id = "r"}), IsOk());
  scene_.SetReady("app", {{"A", "2"}});
  const auto again = DeployUnchanged(Wanted(), {.request_id = "r"});
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->deployment.Etag(), first_.deployment.Etag());
  EXPECT_EQ(again->status.readiness, Readiness::kReady);
  EXPECT_THAT(scene_.Deploy(Wanted(), IfExists::kRequire, {.request_id = "r"}),
              FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
}

}  // namespace
}  // namespace keyferry
