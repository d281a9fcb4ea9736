// The two services over a real gRPC server: what comes in reaches the use cases, what they answer reaches the wire, and
// the stream of changes lives and dies with its call.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "keyferry/v1/deployments.grpc.pb.h"
#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/rpc/status_conversion.h"
#include "services/api/call_slots.h"
#include "services/api/credential_watch.h"
#include "services/api/deployment_service.h"
#include "services/api/secret_set_service.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {
namespace {

using absl::StatusCode;
using testing::ElementsAre;

// Lets everybody in as a tester of the organization that the request names, or `acme`; remembers the methods.
class OpenGuard final : public Guard {
 public:
  explicit OpenGuard(Executor& executor) : executor_(executor) {}

  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, std::string_view method,
                                const std::string& organization, Body body) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    auto caller = std::make_shared<const Caller>(Remember(method, organization));
    executor_.Run([reactor, caller, body = std::move(body)] {
      body(*caller, [reactor, caller](const absl::Status& status) { reactor->Finish(ToGrpcStatus(status, "0")); });
    });
    return reactor;
  }

  absl::StatusOr<Caller> Admit(const grpc::CallbackServerContext&, std::string_view method,
                               const std::string& organization) override {
    if (closed) return absl::PermissionDeniedError("revoked");
    return Remember(method, organization);
  }

  absl::Status CheckCredential(const Caller&) override {
    return closed ? absl::PermissionDeniedError("revoked") : absl::OkStatus();
  }
  std::shared_ptr<void> OnCredentialEnd(const Caller& caller, std::function<void(const absl::Status&)> ended) override {
    return credentials_->OnEnd(caller, std::move(ended));
  }

  std::set<std::string> Methods() {
    const std::lock_guard lock(mutex_);
    return methods_;
  }

  std::atomic<bool> closed = false;

 private:
  Caller Remember(std::string_view method, const std::string& organization) {
    const std::lock_guard lock(mutex_);
    methods_.insert(std::string(method));
    return {.principal = "apiKey:tester", .organization = organization.empty() ? "acme" : organization};
  }

  Executor& executor_;
  std::mutex mutex_;
  std::set<std::string> methods_;
  const std::unique_ptr<CredentialWatch> credentials_ =
      CredentialWatch::Create(executor_, [this](const Caller& caller) { return CheckCredential(caller); });
};

class SetsServiceTest : public testing::Test {
 protected:
  SetsServiceTest() {
    scene_.deps->region_connected = [](const std::string&) { return true; };
    sets_service_ = NewSecretSetsService(guard_, *scene_.deps);
    deployments_service_ = NewDeploymentsService(guard_, *scene_.deps);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + directory_.File("api"), grpc::InsecureServerCredentials());
    builder.RegisterService(sets_service_.get());
    builder.RegisterService(deployments_service_.get());
    server_ = builder.BuildAndStart();
    const auto channel = grpc::CreateChannel("unix:" + directory_.File("api"), grpc::InsecureChannelCredentials());
    sets_ = v1::SecretSets::NewStub(channel);
    deployments_ = v1::Deployments::NewStub(channel);
  }
  ~SetsServiceTest() override { server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5)); }

  absl::StatusOr<v1::SetSecretsResponse> Set(const std::string& set, const KeyValues& values) {
    v1::SetSecretsRequest request;
    request.set_secret_set(set);
    for (const auto& [key, value] : values) {
      v1::SecretEntry& entry = *request.add_entries();
      entry.set_key(key);
      entry.set_value(value);
    }
    return Call<v1::SetSecretsResponse>(*sets_, &v1::SecretSets::Stub::SetSecrets, request);
  }
  v1::GetSecretSetRequest NamedApp() {
    v1::GetSecretSetRequest request;
    request.set_secret_set("app");
    return request;
  }

  template <typename Response, typename Stub, typename Request>
  absl::StatusOr<Response> Call(Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request) {
    grpc::ClientContext context;
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return response;
  }

  TempDir directory_;
  ApiScene scene_;
  OpenGuard guard_{*scene_.executor};
  std::unique_ptr<grpc::Service> sets_service_;
  std::unique_ptr<grpc::Service> deployments_service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::SecretSets::Stub> sets_;
  std::unique_ptr<v1::Deployments::Stub> deployments_;
};

TEST_F(SetsServiceTest, ASetGoesInAndItsStatusComesOut) {
  const auto answer = Set("app", {{"A", "a \xFF value"}});
  ASSERT_THAT(answer, IsOk());
  EXPECT_TRUE(answer->changed());
  EXPECT_EQ(answer->secret_set().readiness(), v1::READINESS_PENDING);
  EXPECT_EQ(scene_.Open("app"), (Opened{{"A", "a \xFF value"}}));
  ASSERT_TRUE(scene_.Ack("app"));
  const auto set = Call<v1::SecretSet>(*sets_, &v1::SecretSets::Stub::GetSecretSet, NamedApp());
  ASSERT_THAT(set, IsOk());
  EXPECT_EQ(set->readiness(), v1::READINESS_READY);
  EXPECT_EQ(set->ready_generation(), 1);
  EXPECT_THAT(set->keys(), ElementsAre("A"));
  EXPECT_EQ(set->type(), v1::SECRET_SET_TYPE_SECRET);
  EXPECT_FALSE(set->etag().empty());
  ASSERT_EQ(set->conditions_size(), 2);
  EXPECT_EQ(set->conditions(0).type(), "Provisioned");
  EXPECT_EQ(set->conditions(0).status(), "True");
  EXPECT_EQ(set->conditions(1).type(), "RegionConnected");
}

TEST_F(SetsServiceTest, ErrorsKeepTheirReasonsAndFields) {
  const auto refused = Set("app", {{"A B", "v"}});
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_KEY"));
  EXPECT_THAT(FieldsOf(refused.status()), ElementsAre("entries[0].key"));
}

TEST_F(SetsServiceTest, AnImagePullSecretShowsItsHostAndNoKeys) {
  v1::SetImagePullSecretRequest request;
  request.set_secret_set("hub");
  request.set_host("ghcr.io");
  request.set_auth("user:token");
  const auto answer = Call<v1::SetSecretsResponse>(*sets_, &v1::SecretSets::Stub::SetImagePullSecret, request);
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->secret_set().host(), "ghcr.io/");
  EXPECT_EQ(answer->secret_set().keys_size(), 0);
}

TEST_F(SetsServiceTest, EveryOtherRpcReachesItsUseCase) {
  ASSERT_THAT(Set("app", {{"A", "1"}, {"B", "2"}}), IsOk());
  v1::UnsetSecretRequest unset;
  unset.set_secret_set("app");
  unset.set_key("B");
  EXPECT_EQ(Call<v1::SetSecretsResponse>(*sets_, &v1::SecretSets::Stub::UnsetSecret, unset)->secret_set().generation(),
            2);
  v1::RollbackSecretSetRequest rollback;
  rollback.set_secret_set("app");
  rollback.set_generation(1);
  EXPECT_EQ(Call<v1::SetSecretsResponse>(*sets_, &v1::SecretSets::Stub::RollbackSecretSet, rollback)
                ->secret_set()
                .keys_size(),
            2);
  v1::ListGenerationsRequest generations;
  generations.set_secret_set("app");
  const auto listed = Call<v1::ListGenerationsResponse>(*sets_, &v1::SecretSets::Stub::ListGenerations, generations);
  ASSERT_EQ(listed->generations_size(), 3);
  EXPECT_EQ(listed->generations(0).generation(), 3);
  EXPECT_EQ(listed->generations(0).author(), "apiKey:tester");
  EXPECT_EQ(Call<v1::ListSecretSetsResponse>(*sets_, &v1::SecretSets::Stub::ListSecretSets, v1::ListSecretSetsRequest())
                ->secret_sets_size(),
            1);
  v1::WaitUntilReadyRequest wait;
  wait.set_secret_set("app");
  std::thread region([&] { scene_.Ack("app"); });
  EXPECT_EQ(Call<v1::SecretSet>(*sets_, &v1::SecretSets::Stub::WaitUntilReady, wait)->readiness(), v1::READINESS_READY);
  region.join();
  v1::DeleteSecretSetRequest erase;
  erase.set_secret_set("app");
  EXPECT_THAT(Call<v1::DeleteSecretSetResponse>(*sets_, &v1::SecretSets::Stub::DeleteSecretSet, erase), IsOk());
  EXPECT_THAT(guard_.Methods(),
              ElementsAre("SecretSets/DeleteSecretSet", "SecretSets/ListGenerations", "SecretSets/ListSecretSets",
                          "SecretSets/RollbackSecretSet", "SecretSets/SetSecrets", "SecretSets/UnsetSecret",
                          "SecretSets/WaitUntilReady"));
}

TEST_F(SetsServiceTest, DeploymentsAreMadeShownAndDeleted) {
  scene_.SetReady("app", {{"A", "1"}});
  v1::CreateDeploymentRequest create;
  create.mutable_deployment()->set_agent("bot");
  create.mutable_deployment()->set_secret_set("app");
  create.mutable_deployment()->set_client_data(std::string("\0\xFF", 2));
  const auto made = Call<v1::Deployment>(*deployments_, &v1::Deployments::Stub::CreateDeployment, create);
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(made->secret_set_generation(), 1);
  v1::UpdateDeploymentRequest update;
  *update.mutable_deployment() = *made;
  EXPECT_EQ(Call<v1::Deployment>(*deployments_, &v1::Deployments::Stub::UpdateDeployment, update)->generation(), 2);
  EXPECT_THAT(Call<v1::Deployment>(*deployments_, &v1::Deployments::Stub::UpdateDeployment, update),
              FailsWith(StatusCode::kAborted, "ETAG_MISMATCH"));
  update.set_skip_unchanged(true);
  update.mutable_deployment()->clear_etag();
  EXPECT_EQ(Call<v1::Deployment>(*deployments_, &v1::Deployments::Stub::UpdateDeployment, update)->generation(), 2);
  v1::GetDeploymentRequest get;
  get.set_agent("bot");
  EXPECT_EQ(Call<v1::Deployment>(*deployments_, &v1::Deployments::Stub::GetDeployment, get)->client_data(),
            std::string("\0\xFF", 2));
  EXPECT_EQ(Call<v1::ListDeploymentsResponse>(*deployments_, &v1::Deployments::Stub::ListDeployments,
                                              v1::ListDeploymentsRequest())
                ->deployments_size(),
            1);
  update.set_request_id("r");
  update.set_request_content("what was asked");
  const auto unchanged = Call<v1::Deployment>(*deployments_, &v1::Deployments::Stub::UpdateDeployment, update);
  EXPECT_TRUE(unchanged->unchanged());
  update.mutable_deployment()->set_image("img:2");
  const auto replayed = Call<v1::Deployment>(*deployments_, &v1::Deployments::Stub::UpdateDeployment, update);
  EXPECT_EQ(replayed->SerializeAsString(), unchanged->SerializeAsString());
  v1::DeleteDeploymentRequest erase;
  erase.set_agent("bot");
  EXPECT_THAT(Call<v1::DeleteDeploymentResponse>(*deployments_, &v1::Deployments::Stub::DeleteDeployment, erase),
              IsOk());
}

TEST_F(SetsServiceTest, ADeploymentHasTheConditionsOfASet) {
  v1::CreateDeploymentRequest create;
  create.mutable_deployment()->set_agent("bot");
  const auto made = Call<v1::Deployment>(*deployments_, &v1::Deployments::Stub::CreateDeployment, create);
  ASSERT_THAT(made, IsOk());
  ASSERT_EQ(made->conditions_size(), 2);
  EXPECT_EQ(made->conditions(0).type(), "Provisioned");
  EXPECT_EQ(made->conditions(0).status(), "False");
  EXPECT_EQ(made->conditions(0).last_transition_time().seconds(), made->create_time().seconds());
  EXPECT_EQ(made->conditions(1).type(), "RegionConnected");
  ASSERT_TRUE(scene_.Ack("us-west", AgentObject("bot")));
  v1::GetDeploymentRequest get;
  get.set_agent("bot");
  const auto ready = Call<v1::Deployment>(*deployments_, &v1::Deployments::Stub::GetDeployment, get);
  ASSERT_THAT(ready, IsOk());
  EXPECT_EQ(ready->conditions(0).status(), "True");
  EXPECT_EQ(ready->conditions(0).reason(), "Proved");
  EXPECT_EQ(ready->conditions(0).observed_generation(), 1);
  EXPECT_GT(ready->conditions(0).last_transition_time().seconds(), 0);
}

TEST_F(SetsServiceTest, TheGateTellsWhenToTryAgain) {
  ASSERT_THAT(Set("app", {{"A", "1"}}), IsOk());
  v1::CreateDeploymentRequest create;
  create.mutable_deployment()->set_agent("bot");
  create.mutable_deployment()->set_secret_set("app");
  const auto refused = Call<v1::Deployment>(*deployments_, &v1::Deployments::Stub::CreateDeployment, create);
  EXPECT_THAT(refused, FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
  EXPECT_EQ(DetailsOf(refused.status())->retry_after, absl::Seconds(1));
  EXPECT_EQ(MetadataOf(refused.status(), "generation"), "1");
}

TEST_F(SetsServiceTest, LargeDeploymentsListCompletelyOverSeveralPages) {
  constexpr int kDeployments = 300;
  std::vector<std::string> expected;
  for (int i = 0; i < kDeployments; ++i) {
    expected.push_back("bot-" + std::to_string(1000 + i));
    ASSERT_THAT(scene_.Deploy({.agent = expected.back(),
                               .image = std::string(kMaxImageLength, 'i'),
                               .client_data = std::string(kMaxClientDataBytes, 'c')}),
                IsOk());
  }
  v1::ListDeploymentsRequest request;
  request.set_page_size(kMaxPageSize);
  std::vector<std::string> agents;
  size_t pages = 0;
  do {
    const auto page =
        Call<v1::ListDeploymentsResponse>(*deployments_, &v1::Deployments::Stub::ListDeployments, request);
    ASSERT_THAT(page, IsOk());
    EXPECT_LE(page->ByteSizeLong(), kMaxPageBytes);
    for (const v1::Deployment& deployment : page->deployments()) agents.push_back(deployment.agent());
    request.set_page_token(page->next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(agents, expected);
  EXPECT_EQ(pages, 6);
}

class WatchStreamTest : public SetsServiceTest {
 protected:
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::WatchSecretSetsResponse>> reader;
    v1::WatchSecretSetsResponse last;
    bool Read() { return reader->Read(&last); }
  };
  std::unique_ptr<Stream> Watch(const v1::WatchSecretSetsRequest& request = {}) {
    auto stream = std::make_unique<Stream>();
    stream->reader = sets_->WatchSecretSets(&stream->context, request);
    return stream;
  }
};

TEST_F(WatchStreamTest, GivesTheSnapshotThenTheChanges) {
  ASSERT_THAT(Set("app", {{"A", "1"}}), IsOk());
  const auto stream = Watch();
  ASSERT_TRUE(stream->Read());
  EXPECT_EQ(stream->last.updated().name(), "app");
  ASSERT_TRUE(stream->Read());
  EXPECT_TRUE(stream->last.snapshot_complete());
  ASSERT_TRUE(scene_.Ack("app"));
  ASSERT_TRUE(stream->Read());
  EXPECT_EQ(stream->last.updated().readiness(), v1::READINESS_READY);
  ASSERT_THAT(scene_.Delete(scene_.Write("app")), IsOk());
  ASSERT_TRUE(stream->Read());
  EXPECT_EQ(stream->last.deleted(), "app");
  stream->context.TryCancel();
  EXPECT_FALSE(stream->Read());
}

TEST_F(WatchStreamTest, EndsWithTheErrorOfItsBeginning) {
  v1::WatchSecretSetsRequest request;
  request.set_organization("nobody");
  const auto stream = Watch(request);
  EXPECT_FALSE(stream->Read());
  EXPECT_THAT(FromGrpcStatus(stream->reader->Finish()), FailsWith(StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND"));
}

TEST_F(WatchStreamTest, ARevokedCallerHearsNothingMore) {
  const auto stream = Watch();
  ASSERT_TRUE(stream->Read());
  guard_.closed = true;
  const absl::Time closed = absl::Now();
  EXPECT_FALSE(stream->Read());
  EXPECT_LT(absl::Now() - closed, absl::Seconds(5));
  EXPECT_THAT(FromGrpcStatus(stream->reader->Finish()), StatusIs(StatusCode::kPermissionDenied));
}

TEST_F(WatchStreamTest, ManyStreamsCanBeCancelledAtAnyMoment) {
  constexpr int kStreams = 40;
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int n = 0; !stop; ++n) EXPECT_THAT(scene_.Set("app", {{"A", std::to_string(n)}}), IsOk());
  });
  for (int i = 0; i < kStreams; ++i) {
    const auto stream = Watch();
    for (int reads = i % 4; reads > 0; --reads) stream->Read();
    stream->context.TryCancel();
    while (stream->Read()) continue;
    EXPECT_EQ(stream->reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  stop = true;
  writer.join();
}

TEST_F(WatchStreamTest, ACallerHasSoManyStreamsAndGetsThemBack) {
  std::vector<std::unique_ptr<Stream>> streams;
  for (size_t i = 0; i < kWatchSlots.per_caller; ++i) {
    streams.push_back(Watch());
    ASSERT_TRUE(streams.back()->Read());
  }
  const auto refused = Watch();
  ASSERT_FALSE(refused->Read());
  const absl::Status status = FromGrpcStatus(refused->reader->Finish());
  EXPECT_THAT(status, FailsWith(StatusCode::kResourceExhausted, "TOO_MANY_WATCHES"));
  EXPECT_GT(DetailsOf(status)->retry_after, absl::ZeroDuration());

  streams.back()->context.TryCancel();
  while (streams.back()->Read()) continue;
  streams.back()->reader->Finish();
  // The server hears of it a moment later.
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (!Watch()->Read()) ASSERT_LT(absl::Now(), deadline);
}

TEST_F(WatchStreamTest, OneThatDoesNotReadHoldsUpNobodyAndGetsTheNewestOfEverythingInTheEnd) {
  constexpr int kSets = 4, kWrites = 60;
  // More than flow control lets pass unread.
  std::map<std::string, std::string> values;
  for (int i = 0; i < 250; ++i) values[absl::StrCat("KEY_", i, "_", std::string(50, 'X'))] = "1";
  const auto read_to_the_end = [](Stream& stream) {
    std::map<std::string, int64_t> newest;
    for (int finished = 0; finished < kSets && stream.Read();) {
      if (!stream.last.has_updated()) continue;
      int64_t& known = newest[stream.last.updated().name()];
      EXPECT_GE(stream.last.updated().generation(), known);
      if (known < kWrites && stream.last.updated().generation() == kWrites) ++finished;
      known = stream.last.updated().generation();
    }
    return newest;
  };
  const auto slow = Watch();
  std::vector<std::thread> readers;
  std::atomic<int> complete = 0;
  for (int i = 0; i < 8; ++i) {
    readers.emplace_back([&] {
      const auto stream = Watch();
      complete += read_to_the_end(*stream).size() == kSets ? 1 : 0;
    });
  }
  for (int n = 1; n <= kWrites; ++n) {
    values.begin()->second = std::to_string(n);
    for (int set = 0; set < kSets; ++set) EXPECT_THAT(scene_.Set(absl::StrCat("set-", set), {values.begin(), values.end()}), IsOk());
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(complete, 8);
  EXPECT_EQ(read_to_the_end(*slow).size(), kSets);
}

TEST_F(WatchStreamTest, AServerThatShutsDownEndsItsStreams) {
  const auto stream = Watch();
  ASSERT_TRUE(stream->Read());
  server_->Shutdown(std::chrono::system_clock::now());
  EXPECT_FALSE(stream->Read());
  EXPECT_FALSE(stream->reader->Finish().ok());
}

}  // namespace
}  // namespace keyferry
