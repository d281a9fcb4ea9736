#include "services/gateway/gateway_options.h"

#include <algorithm>
#include <thread>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "libs/common/flags.h"
#include "libs/common/status_macros.h"

ABSL_FLAG(std::string, listen, "", "host:port for HTTPS. Port 0: any. Empty: none.");
ABSL_FLAG(std::string, cert, "", "PEM certificate chain of --listen. Read again on SIGHUP.");
ABSL_FLAG(std::string, key, "", "PEM private key of --listen. Read again on SIGHUP.");
ABSL_FLAG(
    std::string, plain_listen, "",
    "loopback host:port for HTTP in the clear, for a proxy or a client on this machine. Port 0: any. Empty: none.");
ABSL_FLAG(
    std::string, metrics_listen, "",
    "host:port of GET /metrics: in the clear on loopback, elsewhere with the certificate of --listen. Empty: none.");
ABSL_FLAG(std::string, api, "", "host:port or unix:/path of the API's edge door, or of a proxy before it.");
ABSL_FLAG(std::string, api_ca, "", "PEM roots that the API's certificate must lead to. Needed for host:port.");
ABSL_FLAG(std::string, log_level, "info", "debug, info, warning or error.");
ABSL_FLAG(std::string, ready_file, "", "Where to write the addresses, as JSON, once the process serves.");
ABSL_FLAG(int, threads, 0, "Threads that serve HTTP, at most 1024. 0: one for each core, at least 2.");

namespace keyferry::gateway {
namespace {

constexpr char kUsage[] =
    "The Keyferry REST gateway: HTTP in, gRPC out. docs/gateway.md tells how to run it.\n"
    "  keyferry-gateway --listen HOST:PORT --cert FILE --key FILE --api HOST:PORT --api-ca FILE\n"
    "  keyferry-gateway --plain-listen 127.0.0.1:PORT --api unix:/PATH\n"
    "Flags may be written with hyphens. SIGHUP reads the certificates again; SIGTERM drains.\n"
    "Exit codes: 0 stopped as told; 78 flags, certificates, addresses.";
constexpr int kMinThreads = 2;
constexpr int kMaxThreads = 1024;

bool IsLoopback(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("localhost:") || address.starts_with("[::1]:");
}

absl::Status Check(const GatewayOptions& options, const HttpDoor& tls, const std::string& plain) {
  if (tls.address.empty() && plain.empty())
    return absl::InvalidArgumentError("missing: --listen or --plain-listen; see --help");
  if (!tls.address.empty() && (tls.certificate_chain.empty() || tls.private_key.empty()))
    return absl::InvalidArgumentError(
        "--listen speaks TLS: give --cert and --key; --plain-listen does without, on loopback");
  if (!plain.empty() && !IsLoopback(plain))
    return absl::InvalidArgumentError(
        "--plain-listen must be a loopback address: API keys may not travel in the clear");
  if (options.api.target.empty()) return absl::InvalidArgumentError("missing: --api; see --help");
  if (!options.api.target.starts_with("unix:") && options.api.roots.empty())
    return absl::InvalidArgumentError("--api is host:port, which is reached by TLS: give --api-ca");
  if (!options.metrics_door.address.empty() && !IsLoopback(options.metrics_door.address) &&
      tls.certificate_chain.empty())
    return absl::InvalidArgumentError("--metrics-listen is no loopback address: give --cert and --key too");
  if (options.thread_count < 1 || options.thread_count > kMaxThreads)
    return absl::InvalidArgumentError(absl::StrCat("--threads must be 0 to ", kMaxThreads));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GatewayOptions> ParseCommandLine(int argc, char** argv) {
  const std::vector<std::string> words = ParseFlags(argc, argv, kUsage, "services/gateway/");
  if (!words.empty()) return absl::InvalidArgumentError(absl::StrCat("what is `", words[0], "`? see --help"));
  const HttpDoor tls{absl::GetFlag(FLAGS_listen), absl::GetFlag(FLAGS_cert), absl::GetFlag(FLAGS_key)};
  const std::string plain = absl::GetFlag(FLAGS_plain_listen);
  GatewayOptions options{.metrics_door = {.address = absl::GetFlag(FLAGS_metrics_listen)},
                         .api = {.target = absl::GetFlag(FLAGS_api), .roots = absl::GetFlag(FLAGS_api_ca)},
                         .log_level = absl::GetFlag(FLAGS_log_level),
                         .ready_file = absl::GetFlag(FLAGS_ready_file),
                         .thread_count = absl::GetFlag(FLAGS_threads)};
  if (options.thread_count == 0)
    options.thread_count = std::max(kMinThreads, static_cast<int>(std::thread::hardware_concurrency()));
  RETURN_IF_ERROR(Check(options, tls, plain));
  if (!IsLoopback(options.metrics_door.address)) {
    options.metrics_door.certificate_chain = tls.certificate_chain;
    options.metrics_door.private_key = tls.private_key;
  }
  if (!tls.address.empty()) options.doors.push_back(tls);
  if (!plain.empty()) options.doors.push_back({.address = plain});
  return options;
}

}  // namespace keyferry::gateway
