#include "libs/rpc/server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <mutex>

#include "libs/common/limits.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

using grpc::experimental::ExternalConnectionAcceptor;
using ConnectionType = grpc::ServerBuilder::experimental_type::ExternalConnectionType;

constexpr int kMillis = 1000;

struct Argument {
  const char* name;
  int value;
};

constexpr Argument kArguments[] = {
    {GRPC_ARG_ALLOW_REUSEPORT, 0},
    {GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes},
    {GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxConcurrentStreams},
    {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10 * kMillis},
    {GRPC_ARG_KEEPALIVE_TIME_MS, 60 * kMillis},
    {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20 * kMillis},
    {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
    {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
    {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 20 * kMillis},
    // Certificates of idle peers age out; live streams stay, and drain on their own.
    {GRPC_ARG_MAX_CONNECTION_AGE_MS, 30 * 60 * kMillis},
    {GRPC_ARG_HTTP2_BDP_PROBE, 0},
    {GRPC_ARG_ENABLE_CHANNELZ, 0},
};

void Configure(grpc::ServerBuilder& builder) {
  for (const Argument& argument : kArguments) builder.AddChannelArgument(argument.name, argument.value);
  grpc::ResourceQuota quota("keyferry");
  quota.Resize(kMaxServerMemoryBytes);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kMaxReceiveMessageBytes);
  builder.SetMaxSendMessageSize(kMaxReceiveMessageBytes);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
}

void EnableHealthService() {
  static std::once_flag once;
  std::call_once(once, [] { grpc::EnableDefaultHealthCheckService(true); });
}

struct Entrance {
  // The loop ends before what it hands connections to.
  std::unique_ptr<ExternalConnectionAcceptor> connections;
  std::unique_ptr<Acceptor> acceptor;
};

class OwnAcceptServer final : public RpcServer {
 public:
  OwnAcceptServer(std::vector<Entrance> entrances, std::unique_ptr<grpc::Server> server)
      : entrances_(std::move(entrances)), server_(std::move(server)) {
    for (const Entrance& entrance : entrances_) {
      addresses_.push_back(entrance.acceptor->address());
      entrance.acceptor->Start([&connections = *entrance.connections](int descriptor) {
        ExternalConnectionAcceptor::NewConnectionParameters parameters;
        parameters.fd = descriptor;
        connections.HandleNewConnection(&parameters);
      });
    }
  }

  ~OwnAcceptServer() override { Shutdown(absl::ZeroDuration()); }

  std::vector<std::string> addresses() const override { return addresses_; }
  void SetServing(bool serving) override { server_->GetHealthCheckService()->SetServingStatus(serving); }
  void SetServing(const std::string& service, bool serving) override {
    server_->GetHealthCheckService()->SetServingStatus(service, serving);
  }

  void Shutdown(absl::Duration patience) override {
    if (shut_down_.exchange(true)) return;
    server_->GetHealthCheckService()->Shutdown();
    for (Entrance& entrance : entrances_) entrance.acceptor.reset();
    server_->Shutdown(absl::ToChronoTime(absl::Now() + patience));
    server_->Wait();
  }

 private:
  std::vector<Entrance> entrances_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::string> addresses_;
  std::atomic<bool> shut_down_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const std::vector<grpc::Service*>& services,
                                                            std::vector<Door> doors) {
  EnableHealthService();
  grpc::ServerBuilder builder;
  Configure(builder);
  std::vector<Entrance> entrances;
  for (Door& door : doors) {
    Entrance& entrance = entrances.emplace_back();
    ASSIGN_OR_RETURN(entrance.acceptor, Acceptor::Bind(std::move(door.listener)));
    entrance.connections =
        builder.experimental().AddExternalConnectionAcceptor(ConnectionType::FROM_FD, std::move(door.credentials));
  }
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return absl::InternalError("gRPC refused to start the server");
  return std::make_unique<OwnAcceptServer>(std::move(entrances), std::move(server));
}

}  // namespace keyferry
