#include "services/provisioner/environments_service.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "keyferry/v1/environments.grpc.pb.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/rpc/server.h"
#include "libs/rpc/status_conversion.h"
#include "services/provisioner/reconciler.h"
#include "services/provisioner/testing/object_sealer.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Runs nothing by itself: a test takes what it was given.
class WaitingExecutor final : public Executor {
 public:
  void Run(std::function<void()> work) override {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
    changed_.notify_all();
  }
  void RunAfter(absl::Duration, std::function<void()>) override { FAIL() << "no delays here"; }

  size_t waiting_count() {
    std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  // Waits for some.
  void RunNext() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(10), [this] { return !waiting_.empty(); }));
    const std::function<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
};

class EnvironmentsServiceTest : public ::testing::Test {
 protected:
  EnvironmentsServiceTest() {
    Serve(*environments_);
  }

  void Serve(EnvironmentsService& environments) {
    server_ = nullptr;
    std::vector<Door> doors;
    doors.push_back({.listener = {.address = "unix:" + directory_.File("agents.sock")},
                     .credentials = grpc::InsecureServerCredentials()});
    server_ = RpcServer::Start({&environments.service()}, std::move(doors)).value();
    stub_ = v1::Environments::NewStub(
        grpc::CreateChannel("unix:" + directory_.File("agents.sock"), grpc::InsecureChannelCredentials()));
  }

  static v1::GetEnvironmentRequest Request(const std::string& agent) {
    v1::GetEnvironmentRequest request;
    request.set_organization("acme");
    request.set_agent(agent);
    return request;
  }
  absl::StatusOr<v1::Environment> Get(const std::string& agent) {
    grpc::ClientContext context;
    v1::Environment environment;
    const grpc::Status status = stub_->GetEnvironment(&context, Request(agent), &environment);
    if (!status.ok()) return FromGrpcStatus(status);
    return environment;
  }
  void Apply(const RegionObject& event) { ASSERT_EQ(reconciler_.Apply({event}).at(0).result, AckResult::kReady); }

  TempDir directory_{"/dev/shm"};
  RegionKey key_ = RegionKey::Generate();
  RegionKeys keys_{*RegionKey::FromPrivate(key_.private_key().Clone())};
  ObjectSealer sealer_{key_};
  std::unique_ptr<RegionStore> store_ = RegionStore::Open(directory_.File("store"), "us-west").value();
  std::unique_ptr<Executor> executor_ = NewThreadPool(2);
  std::unique_ptr<EnvironmentsService> environments_ = EnvironmentsService::Create(*store_, keys_, *executor_);
  Reconciler reconciler_{{.store = *store_, .keys = keys_, .sinks = {}, .on_change = [this](const ObjectId& id) {
                            environments_->Changed(id);
                          }}};
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<v1::Environments::Stub> stub_;
};

TEST_F(EnvironmentsServiceTest, AnswersTheDeployedEnvironmentByteForByte) {
  const std::string odd = "spaces 'quotes' \"=\\\n\xff";
  Apply(sealer_.Deployment("agent", 4, {{"b", odd}, {"A", ""}}, "dTp0"));
  const auto environment = Get("agent");
  ASSERT_THAT(environment, IsOk());
  ASSERT_EQ(environment->variables_size(), 2) << "the pull secret is none of them";
  EXPECT_EQ(environment->variables(0).name(), "A");
  EXPECT_EQ(environment->variables(0).value(), "");
  EXPECT_EQ(environment->variables(1).value(), odd);
  EXPECT_EQ(environment->deployment_generation(), 4);
  EXPECT_EQ(environment->secret_set_generation(), 7);
  EXPECT_EQ(environment->image(), "image:1");
}

TEST_F(EnvironmentsServiceTest, KnowsOnlyWhatIsDeployed) {
  Apply(sealer_.Set("agent", 4, {{"A", "one"}}));
  EXPECT_THAT(Get("agent"), FailsWith(absl::StatusCode::kNotFound, "DEPLOYMENT_NOT_FOUND"));
  Apply(sealer_.Deployment("agent", 5, {}));
  EXPECT_THAT(Get("agent"), IsOk());
  Apply(Tombstone(AgentId("agent"), 6));
  EXPECT_THAT(Get("agent"), FailsWith(absl::StatusCode::kNotFound, "DEPLOYMENT_NOT_FOUND"));
}

TEST_F(EnvironmentsServiceTest, RefusesNamesThatAreNone) {
  EXPECT_THAT(Get("../agent"), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_NAME"));
  EXPECT_THAT(Get(""), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_NAME"));
}

TEST_F(EnvironmentsServiceTest, TellsNothingOfWhyAStoredObjectDoesNotOpen) {
  ObjectSealer other_region(RegionKey::Generate());
  ASSERT_THAT(store_->Commit({other_region.Deployment("agent", 4, {{"A", "one"}})}), IsOk());
  const auto environment = Get("agent");
  EXPECT_FALSE(environment.ok());
  EXPECT_THAT(std::string(environment.status().message()), HasSubstr("incident"));
}

TEST_F(EnvironmentsServiceTest, AWatcherIsToldOfEachDeploymentUntilTheLast) {
  Apply(sealer_.Deployment("agent", 4, {{"A", "one"}}));
  grpc::ClientContext context;
  const auto watch = stub_->WatchEnvironment(&context, Request("agent"));
  v1::Environment environment;
  ASSERT_TRUE(watch->Read(&environment));
  EXPECT_EQ(environment.deployment_generation(), 4);
  Apply(sealer_.Deployment("other", 5, {}));
  Apply(sealer_.Deployment("agent", 6, {{"A", "two"}}));
  ASSERT_TRUE(watch->Read(&environment));
  EXPECT_EQ(environment.deployment_generation(), 6);
  EXPECT_EQ(environment.variables(0).value(), "two");
  Apply(Tombstone(AgentId("agent"), 7));
  EXPECT_FALSE(watch->Read(&environment));
  EXPECT_THAT(FromGrpcStatus(watch->Finish()), FailsWith(absl::StatusCode::kNotFound, "DEPLOYMENT_NOT_FOUND"));
}

TEST_F(EnvironmentsServiceTest, AWatchOfNothingOrOfABadNameEndsAtOnce) {
  v1::Environment environment;
  grpc::ClientContext unknown;
  const auto watch_unknown = stub_->WatchEnvironment(&unknown, Request("agent"));
  EXPECT_FALSE(watch_unknown->Read(&environment));
  EXPECT_THAT(FromGrpcStatus(watch_unknown->Finish()), FailsWith(absl::StatusCode::kNotFound, "DEPLOYMENT_NOT_FOUND"));
  grpc::ClientContext bad;
  const auto watch_bad = stub_->WatchEnvironment(&bad, Request("a/b"));
  EXPECT_FALSE(watch_bad->Read(&environment));
  EXPECT_THAT(FromGrpcStatus(watch_bad->Finish()), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_NAME"));
}

TEST_F(EnvironmentsServiceTest, WatchersThatLeaveAreForgotten) {
  Apply(sealer_.Deployment("agent", 4, {}));
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    const auto watch = stub_->WatchEnvironment(&context, Request("agent"));
    v1::Environment environment;
    ASSERT_TRUE(watch->Read(&environment));
    context.TryCancel();
    watch->Finish();
  }
  Apply(sealer_.Deployment("agent", 5, {}));
  EXPECT_EQ(Get("agent")->deployment_generation(), 5);
}

TEST_F(EnvironmentsServiceTest, AWatchThatEndedLeavesNoWorkBehindThatTheServiceWouldHaveToOutlive) {
  WaitingExecutor executor;
  auto environments = EnvironmentsService::Create(*store_, keys_, executor);
  Serve(*environments);
  grpc::ClientContext context;
  const auto watch = stub_->WatchEnvironment(&context, Request("agent"));
  executor.RunNext();
  v1::Environment environment;
  EXPECT_FALSE(watch->Read(&environment));
  EXPECT_THAT(FromGrpcStatus(watch->Finish()), FailsWith(absl::StatusCode::kNotFound, "DEPLOYMENT_NOT_FOUND"));
  server_ = nullptr;
  environments = nullptr;
  EXPECT_EQ(executor.waiting_count(), 0u);
}

}  // namespace
}  // namespace keyferry
