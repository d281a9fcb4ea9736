// Streams over gRPC: handshake, delivery, drain, and ends of every kind at every moment.
#include "services/api/provisioning_service.h"

#include <gtest/gtest.h>

#include <grpcpp/grpcpp.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "keyferry/v1/provisioning.grpc.pb.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/sealed_box.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"
#include "libs/storage/testing/memory_store.h"
#include "services/api/placement_rows.h"
#include "services/api/placements.h"
#include "services/api/testing/fake_region.h"

namespace keyferry {
namespace {

constexpr char kRegion[] = "us-west";

// Lets everybody in as a provisioner of the region, or nobody.
class OpenGuard final : public Guard {
 public:
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext*, std::string_view, const std::string&, Body) override { return nullptr; }
  absl::StatusOr<Caller> Admit(const grpc::CallbackServerContext&, std::string_view, const std::string&) override {
    if (closed) return absl::PermissionDeniedError("closed");
    return Caller{.kind = CallerKind::kProvisioner, .region = kRegion, .provisioner_id = absl::StrCat("p", next_id++)};
  }
  std::atomic<bool> closed{false};
  std::atomic<int> next_id{0};
};

class ProvisioningServiceTest : public ::testing::Test {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::ProvisionerMessage, v1::ApiMessage>;

  ProvisioningServiceTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    stub_ = v1::Provisioning::NewStub(grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
    EXPECT_THAT(CommitNow([](Transaction& transaction) {
      transaction.Put(keys::Region(kRegion), Encode(RegionRow{.sealing_key = SealingKeyOf(kRegion)}));
      return absl::OkStatus();
    }), IsOk());
  }
  ~ProvisioningServiceTest() override {
    directory_->DrainAll(absl::ZeroDuration());
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
    server_.reset();
  }

  absl::Status CommitNow(TransactionPlan plan) {
    absl::Notification done;
    absl::Status status;
    RunTransaction(writer_, std::move(plan), [&](absl::StatusOr<Revision> committed) {
      status = committed.status();
      done.Notify();
    });
    done.WaitForNotification();
    return status;
  }
  void Write(const std::string& name, const std::string& payload) {
    const std::string uid = NewUid();
    EXPECT_THAT(CommitNow([&](Transaction& transaction) {
      transaction.Put(keys::Generation("acme", uid, 1), Encode(Generation{.number = 1, .sealed_object = payload}));
      return DesireApply(transaction, kRegion, SetNamed(name), uid, 1, Sha256(payload), absl::Now());
    }), IsOk());
  }
  bool IsReady(const std::string& name) {
    const PlacementRows rows = *PeekPlacementRows(*store_, kRegion, SetNamed(name), term_.lineage);
    return rows.desired && ReadinessOf(*rows.desired, rows.observed, std::string(16, 'i')) == Readiness::kReady;
  }
  void SayHello(Stream& stream, const std::string& id) {
    v1::ProvisionerMessage message;
    v1::Hello& hello = *message.mutable_hello();
    hello.set_protocol_version(1);
    hello.set_region(kRegion);
    hello.set_provisioner_id(id);
    hello.set_boot_id(std::string(16, 'b'));
    hello.set_target_incarnation(std::string(16, 'i'));
    hello.set_max_inflight_objects(64);
    hello.set_max_inflight_bytes(1 << 20);
    hello.set_sealing_key_id(SealingKeyId(SealingKeyOf(kRegion)));
    stream.Write(message);
  }
  static void AckAll(Stream& stream, FakeRegion& region, const v1::EventBatch& batch) {
    v1::ProvisionerMessage acks;
    for (const v1::Event& event : batch.events()) {
      if (event.operation() != v1::OPERATION_RETAIN) *acks.mutable_acks()->add_acks() = region.Apply(event);
    }
    if (acks.has_acks()) stream.Write(acks);
  }

  const std::unique_ptr<Store> store_ = NewMemoryStore();
  const Term term_ = *store_->AcquireWriter(Lineage::kKeep);
  const std::unique_ptr<Executor> executor_ = NewThreadPool(2);
  const Writer writer_{.store = *store_, .executor = *executor_, .term = [this] { return term_; }};
  const std::unique_ptr<RegionDirectory> directory_ = std::make_unique<RegionDirectory>(
      RegionDirectory::Options{.writer = writer_, .clock = SystemClock(), .on_rewind = [] {}});
  OpenGuard guard_;
  const std::unique_ptr<grpc::Service> service_ = NewProvisioningService(guard_, *directory_);
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::Provisioning::Stub> stub_;
};

TEST_F(ProvisioningServiceTest, AWriteTravelsToTheRegionAndBecomesReady) {
  FakeRegion region(kRegion);
  grpc::ClientContext context;
  const auto stream = stub_->Sync(&context);
  SayHello(*stream, "p0");
  Write("my-set", "payload");
  v1::ApiMessage message;
  while (!IsReady("my-set") && stream->Read(&message)) {
    if (message.has_events()) AckAll(*stream, region, message.events());
    for (int i = 0; i < 100 && region.Held(SetNamed("my-set")) && !IsReady("my-set"); ++i) absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_TRUE(IsReady("my-set"));
  EXPECT_EQ(region.Held(SetNamed("my-set")), "payload");
  context.TryCancel();
  stream->Finish();
}

TEST_F(ProvisioningServiceTest, WhoIsNotAdmittedIsToldSo) {
  guard_.closed = true;
  grpc::ClientContext context;
  const auto stream = stub_->Sync(&context);
  v1::ApiMessage message;
  EXPECT_FALSE(stream->Read(&message));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(ProvisioningServiceTest, ABadHelloEndsTheStreamWithItsReason) {
  grpc::ClientContext context;
  const auto stream = stub_->Sync(&context);
  SayHello(*stream, "somebody-else");
  v1::ApiMessage message;
  EXPECT_FALSE(stream->Read(&message));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_NE(status.error_message().find("somebody-else"), std::string::npos);
}

TEST_F(ProvisioningServiceTest, DrainReachesTheProvisionerAndTheStreamFinishesWell) {
  grpc::ClientContext context;
  const auto stream = stub_->Sync(&context);
  SayHello(*stream, "p0");
  v1::ApiMessage message;
  while (stream->Read(&message) && !message.has_sync_end()) {
  }
  directory_->DrainAll(absl::ZeroDuration());
  while (stream->Read(&message) && !message.has_drain()) {
  }
  EXPECT_TRUE(message.has_drain());
  EXPECT_FALSE(stream->Read(&message));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(directory_->AwaitEmpty(absl::Seconds(5)));
}

TEST_F(ProvisioningServiceTest, StreamsMayEndAtAnyMoment) {
  for (int i = 0; i < 20; ++i) Write(absl::StrCat("set-", i), "payload");
  for (int round = 0; round < 100; ++round) {
    grpc::ClientContext context;
    const auto stream = stub_->Sync(&context);
    if (round % 5 != 0) SayHello(*stream, absl::StrCat("p", round));
    v1::ApiMessage message;
    for (int read = 0; read < round % 7 && round % 5 != 0; ++read) stream->Read(&message);
    if (round % 3 == 0) stream->WritesDone();
    context.TryCancel();
    stream->Finish();
  }
  EXPECT_TRUE(directory_->AwaitEmpty(absl::Seconds(10)));
}

}  // namespace
}  // namespace keyferry
