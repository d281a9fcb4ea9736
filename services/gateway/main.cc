// keyferry-gateway: REST in, gRPC out. This file is the whole program, by hand: what there is, and who may use whom.
// Exit codes: 0 stopped as told; 78 configuration, certificates, addresses.
#include <google/protobuf/stubs/logging.h>

#include <cstdio>

#include "absl/cleanup/cleanup.h"
#include "libs/common/log.h"
#include "libs/common/process_hygiene.h"
#include "libs/common/ready_file.h"
#include "libs/common/stop_signal.h"
#include "libs/rpc/grpc_log.h"
#include "services/gateway/gateway.h"
#include "services/gateway/gateway_options.h"
#include "services/gateway/routes.h"

namespace keyferry::gateway {
namespace {

constexpr int kExitConfiguration = 78;
// Handlers have three of them; a `?wait=ready` that takes longer is answered 503, and its client asks again.
constexpr absl::Duration kDrainPatience = absl::Seconds(5);

int Fail(const absl::Status& status) {
  const absl::string_view message = status.message();
  std::fprintf(stderr, "keyferry-gateway: %.*s\n", static_cast<int>(message.size()), message.data());
  return kExitConfiguration;
}

absl::StatusOr<std::unique_ptr<HttpServer>> StartMetricsDoor(const GatewayOptions& options, const HttpServer& server,
                                                             const ApiCalls& api, Metrics& metrics) {
  if (options.metrics_door.address.empty()) return nullptr;
  return HttpServer::Start({.doors = {options.metrics_door},
                            .limits = {.body_bytes = 0, .connection_count = 16},
                            .thread_count = 1,
                            .handler = [&](Request& request) {
                              return AnswerMetrics(request, metrics, [&] {
                                metrics.SetConnectionCount(server.connection_count());
                                metrics.SetStreamCount(api.stream_count());
                              });
                            }});
}

// Until a signal to stop.
void Live(HttpServer& server, HttpServer* metrics_door) {
  for (;;) {
    const int signal = AwaitSignal(StopSignalsAndHangUp());
    if (signal != SIGHUP) return Log(Severity::kInfo, "draining", {{"signal", signal}});
    absl::Status reloaded = server.ReloadCertificates();
    if (metrics_door != nullptr) reloaded.Update(metrics_door->ReloadCertificates());
    Log(reloaded.ok() ? Severity::kInfo : Severity::kError, "certificates_reloaded", {{"status", reloaded}});
  }
}

int Serve(const GatewayOptions& options) {
  ReadyFile ready(options.ready_file);
  auto api = ApiCalls::Create(options.api);
  if (!api.ok()) return Fail(api.status());
  const auto metrics = Metrics::Create();
  Gateway gateway(Routes(), **api, *metrics);
  const auto server =
      HttpServer::Start({.doors = options.doors,
                         .thread_count = options.thread_count,
                         .handler = [&gateway](Request& request) { return gateway.Handle(request); },
                         .refuse_early = [&gateway](Request& request) { return gateway.RefuseEarly(request); },
                         .record = [&gateway](const ExchangeRecord& exchange) { gateway.Record(exchange); }});
  if (!server.ok()) return Fail(server.status());
  // A call that ends posts its task's next step to the server's threads: they must be there until no call is left.
  const absl::Cleanup end_calls = [&] {
    (*server)->Drain(absl::ZeroDuration());
    api->reset();
  };
  const auto metrics_door = StartMetricsDoor(options, **server, **api, *metrics);
  if (!metrics_door.ok()) return Fail(metrics_door.status());

  const std::vector<std::string> addresses = (*server)->addresses();
  std::map<std::string, std::string> places;
  for (size_t i = 0; i < addresses.size(); ++i)
    places[options.doors[i].certificate_chain.empty() ? "plain" : "tls"] = addresses[i];
  if (*metrics_door != nullptr) places["metrics"] = (*metrics_door)->addresses()[0];
  if (const absl::Status written = ready.Write(places); !written.ok()) return Fail(written);
  Log(Severity::kInfo, "serving", {{"tls", places["tls"]}, {"plain", places["plain"]}, {"metrics", places["metrics"]}});

  Live(**server, metrics_door->get());
  (*server)->Drain(kDrainPatience);
  if (*metrics_door != nullptr) (*metrics_door)->Drain(absl::ZeroDuration());
  Log(Severity::kInfo, "stopped");
  return 0;
}

int Main(int argc, char** argv) {
  BlockStopSignals();
  BlockHangUp();
  HardenProcess();
  SetLogProcess("keyferry-gateway");
  RedirectGrpcLog();
  google::protobuf::SetLogHandler(nullptr);
  const auto options = ParseCommandLine(argc, argv);
  if (!options.ok()) return Fail(options.status());
  if (const absl::Status level = SetLogLevel(options->log_level); !level.ok()) return Fail(level);
  return Serve(*options);
}

}  // namespace
}  // namespace keyferry::gateway

int main(int argc, char** argv) { return keyferry::gateway::Main(argc, argv); }
