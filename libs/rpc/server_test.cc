#include "libs/rpc/server.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "keyferry/v1/environments.grpc.pb.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/peer_identities.h"
#include "libs/rpc/status_conversion.h"
#include "libs/rpc/testing/descriptor_hog.h"
#include "libs/rpc/testing/raw_connection.h"
#include "libs/rpc/testing/test_authority.h"

namespace keyferry {
namespace {

constexpr char kOperator[] = "spiffe://keyferry.test/operator/ada";

// Answers with who the peer is: agent `who`; agent `slow` waits until it is cancelled.
class WhoService final : public v1::Environments::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetEnvironment(grpc::CallbackServerContext* context,
                                           const v1::GetEnvironmentRequest* request,
                                           v1::Environment* response) override {
    if (request->agent() == "slow") {
      started.Notify();
      return new SlowReactor();
    }
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    const auto peer = peers_->Identify(*context->auth_context());
    if (peer.ok()) response->set_image(*peer == nullptr ? "nobody" : (*peer)->id.text);
    reactor->Finish(ToGrpcStatus(peer.status(), ""));
    return reactor;
  }

  absl::Notification started;

 private:
  struct SlowReactor final : grpc::ServerUnaryReactor {
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }
  };
  std::unique_ptr<PeerIdentities> peers_ = *PeerIdentities::Create("keyferry.test");
};

class ServerTest : public testing::Test {
 protected:
  std::unique_ptr<RpcServer> StartMutualTls(const TlsFiles& files) {
    auto server = RpcServer::Start({&service_}, {Door{{.address = "127.0.0.1:0"}, *MutualTlsServerCredentials(files)}});
    EXPECT_THAT(server, IsOk());
    return *std::move(server);
  }

  absl::StatusOr<std::string> AskWho(const std::string& address,
                                     std::shared_ptr<grpc::ChannelCredentials> credentials) {
    return AskWho(*v1::Environments::NewStub(NewChannel(address, std::move(credentials))));
  }

  absl::StatusOr<std::string> AskWho(v1::Environments::Stub& stub) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::GetEnvironmentRequest request;
    request.set_agent("who");
    v1::Environment response;
    const absl::Status status = FromGrpcStatus(stub.GetEnvironment(&context, request, &response));
    if (!status.ok()) return status;
    return response.image();
  }

  TempDir directory_;
  TestAuthority authority_{directory_.path(), "ca"};
  TestAuthority stranger_{directory_.path(), "stranger"};
  WhoService service_;
};

TEST_F(ServerTest, InnerDoorKnowsThePeerByItsCertificate) {
  const auto server = StartMutualTls(authority_.Issue({}));
  EXPECT_THAT(AskWho(server->addresses()[0], *TlsChannelCredentials(authority_.Issue({.uris = {kOperator}}))),
              IsOkAndHolds(kOperator));
}

TEST_F(ServerTest, InnerDoorIsShutWithoutACertificate) {
  const auto server = StartMutualTls(authority_.Issue({}));
  EXPECT_THAT(AskWho(server->addresses()[0], *TlsChannelCredentials({.roots = authority_.roots()})),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(AskWho(server->addresses()[0], grpc::InsecureChannelCredentials()),
              StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ServerTest, InnerDoorIsShutToAnotherAuthoritysCertificate) {
  const auto server = StartMutualTls(authority_.Issue({}));
  TlsFiles files = stranger_.Issue({.uris = {kOperator}});
  files.roots = authority_.roots();
  EXPECT_THAT(AskWho(server->addresses()[0], *TlsChannelCredentials(files)), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ServerTest, InnerDoorIsShutToAnExpiredCertificate) {
  const auto server = StartMutualTls(authority_.Issue({}));
  const TlsFiles files = authority_.Issue({.uris = {kOperator}, .not_after = absl::Now() - absl::Minutes(1)});
  EXPECT_THAT(AskWho(server->addresses()[0], *TlsChannelCredentials(files)), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ServerTest, ClientRefusesAServerOfAnotherAuthority) {
  const auto server = StartMutualTls(stranger_.Issue({}));
  EXPECT_THAT(AskWho(server->addresses()[0], *TlsChannelCredentials(authority_.Issue({.uris = {kOperator}}))),
              StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ServerTest, CertificateWithoutExactlyOneSpiffeUriIsNobody) {
  const auto server = StartMutualTls(authority_.Issue({}));
  const std::vector<std::vector<std::string>> cases = {{},
                                                       {"https://keyferry.test/operator/ada"},
                                                       {kOperator, "spiffe://keyferry.test/operator/eve"},
                                                       {kOperator, "https://keyferry.test/"}};
  for (const auto& uris : cases) {
    EXPECT_THAT(AskWho(server->addresses()[0], *TlsChannelCredentials(authority_.Issue({.uris = uris}))),
                StatusIs(absl::StatusCode::kUnauthenticated))
        << testing::PrintToString(uris);
  }
}

TEST_F(ServerTest, EdgeDoorsNeverTakeAnIdentityFromACertificate) {
  const auto server = RpcServer::Start(
      {&service_}, {Door{{.address = "127.0.0.1:0"}, *TlsServerCredentials(authority_.Issue({}))},
                    Door{{.address = "unix:" + directory_.File("edge")}, grpc::InsecureServerCredentials()}});
  ASSERT_THAT(server, IsOk());
  const auto addresses = (*server)->addresses();
  EXPECT_THAT(AskWho(addresses[0], *TlsChannelCredentials(authority_.Issue({.uris = {kOperator}}))),
              IsOkAndHolds("nobody"));
  EXPECT_THAT(AskWho(addresses[1], grpc::InsecureChannelCredentials()), IsOkAndHolds("nobody"));
}

TEST_F(ServerTest, SecondServerOnThePortIsRefused) {
  const auto server = StartMutualTls(authority_.Issue({}));
  WhoService another;
  EXPECT_THAT(
      RpcServer::Start({&another}, {Door{{.address = server->addresses()[0]}, grpc::InsecureServerCredentials()}}),
      StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ServerTest, CredentialsNameTheFileThatIsWrong) {
  TlsFiles files = authority_.Issue({});
  const TlsFiles other = authority_.Issue({});
  files.private_key = other.private_key;
  const auto mismatch = MutualTlsServerCredentials(files);
  EXPECT_THAT(mismatch, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(std::string(mismatch.status().message()), testing::HasSubstr(other.private_key));
  EXPECT_THAT(TlsServerCredentials({.certificate_chain = "/nowhere.pem"}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(TlsChannelCredentials({.roots = other.private_key}), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(ServerTest, AMessageOfMoreThanTheLimitIsRefused) {
  const auto server = StartMutualTls(authority_.Issue({}));
  const auto stub = v1::Environments::NewStub(
      grpc::CreateChannel(server->addresses()[0], *TlsChannelCredentials(authority_.Issue({.uris = {kOperator}}))));
  for (const auto& [excess, code] : {std::pair{0, grpc::StatusCode::OK}, {1, grpc::StatusCode::RESOURCE_EXHAUSTED}}) {
    grpc::ClientContext context;
    v1::GetEnvironmentRequest request;
    v1::Environment response;
    request.mutable_organization()->resize(kMaxReceiveMessageBytes - 5 + excess, 'a');
    ASSERT_EQ(request.ByteSizeLong(), static_cast<size_t>(kMaxReceiveMessageBytes + excess));
    EXPECT_EQ(stub->GetEnvironment(&context, request, &response).error_code(), code);
  }
}

TEST_F(ServerTest, MoreThanEightKibibytesOfMetadataAreRefused) {
  const auto server = StartMutualTls(authority_.Issue({}));
  const auto stub = v1::Environments::NewStub(
      NewChannel(server->addresses()[0], *TlsChannelCredentials(authority_.Issue({.uris = {kOperator}}))));
  for (const auto& [size, accepted] : {std::pair{7000, true}, {kMaxMetadataBytes, false}}) {
    grpc::ClientContext context;
    context.AddMetadata("x-large", std::string(static_cast<size_t>(size), 'a'));
    v1::Environment response;
    EXPECT_EQ(stub->GetEnvironment(&context, {}, &response).ok(), accepted) << size;
  }
}

TEST_F(ServerTest, ACompressedMessageIsRefused) {
  const auto server = StartMutualTls(authority_.Issue({}));
  const auto stub = v1::Environments::NewStub(
      NewChannel(server->addresses()[0], *TlsChannelCredentials(authority_.Issue({.uris = {kOperator}}))));
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  v1::GetEnvironmentRequest request;
  request.set_organization(std::string(100'000, 'a'));
  v1::Environment response;
  EXPECT_FALSE(stub->GetEnvironment(&context, request, &response).ok());
}

// field 1 of grpc.health.v1.HealthCheckResponse: 1 SERVING, 2 NOT_SERVING; -1 for an error.
int AskHealth(grpc::GenericStub& stub) {
  grpc::ClientContext context;
  grpc::ByteBuffer request(nullptr, 0);
  grpc::ByteBuffer response;
  absl::Notification done;
  int serving = -1;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request, &response,
                 [&](const grpc::Status& status) {
                   std::vector<grpc::Slice> slices;
                   if (status.ok() && response.Dump(&slices).ok() && !slices.empty() && slices[0].size() == 2)
                     serving = slices[0].begin()[1];
                   done.Notify();
                 });
  done.WaitForNotification();
  return serving;
}

TEST_F(ServerTest, HealthIsServingUntilSetOtherwise) {
  const auto server = StartMutualTls(authority_.Issue({}));
  grpc::GenericStub stub(
      NewChannel(server->addresses()[0], *TlsChannelCredentials(authority_.Issue({.uris = {kOperator}}))));
  EXPECT_EQ(AskHealth(stub), 1);
  server->SetServing(false);
  EXPECT_EQ(AskHealth(stub), 2);
}

TEST_F(ServerTest, ShutdownEndsCallsThatOutliveItsPatience) {
  const auto server = StartMutualTls(authority_.Issue({}));
  const auto stub = v1::Environments::NewStub(
      NewChannel(server->addresses()[0], *TlsChannelCredentials(authority_.Issue({.uris = {kOperator}}))));
  grpc::ClientContext context;
  v1::GetEnvironmentRequest request;
  request.set_agent("slow");
  v1::Environment response;
  absl::Notification done;
  grpc::Status status;
  stub->async()->GetEnvironment(&context, &request, &response, [&](grpc::Status answer) {
    status = std::move(answer);
    done.Notify();
  });
  service_.started.WaitForNotification();
  server->Shutdown(absl::Milliseconds(50));
  done.WaitForNotification();
  EXPECT_FALSE(status.ok());
}

TEST_F(ServerTest, ServesAgainAfterDescriptorsRanOut) {
  const auto server = StartMutualTls(authority_.Issue({}));
  const TlsFiles files = authority_.Issue({.uris = {kOperator}});
  ASSERT_THAT(AskWho(server->addresses()[0], *TlsChannelCredentials(files)), IsOk());
  Descriptor waiting;
  {
    DescriptorHog hog;
    hog.GiveOne();
    waiting = ConnectRaw(server->addresses()[0]);
    ASSERT_GE(waiting.get(), 0);
    // Long enough for accepts to fail: gRPC's own listener would be dead now.
    absl::SleepFor(absl::Milliseconds(100));
  }
  EXPECT_THAT(AskWho(server->addresses()[0], *TlsChannelCredentials(files)), IsOkAndHolds(kOperator));
}

}  // namespace
}  // namespace keyferry
