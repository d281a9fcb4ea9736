#include "tests/bench/bench_server.h"

#include <csignal>
#include <cstdio>

#include "libs/rpc/callback_pulse.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/server.h"

namespace keyferry {
namespace {

sigset_t Sigterm() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

void HoldSigterm() {
  const sigset_t signals = Sigterm();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

int ServeUntilTerminated(const std::string& certificate, const std::string& key,
                         const std::vector<grpc::Service*>& services) {
  const auto credentials = TlsServerCredentials({.certificate_chain = certificate, .private_key = key, .roots = ""});
  if (!credentials.ok()) return std::fprintf(stderr, "%s\n", credentials.status().ToString().c_str()), 1;
  const auto pulse = CallbackPulse::Start();
  const auto server =
      RpcServer::Start(services, {{.listener = {.address = "127.0.0.1:0"}, .credentials = *credentials}});
  if (!server.ok()) return std::fprintf(stderr, "%s\n", server.status().ToString().c_str()), 1;
  std::printf("%s\n", (*server)->addresses()[0].c_str());
  std::fflush(stdout);
  const sigset_t signals = Sigterm();
  int received = 0;
  sigwait(&signals, &received);
  (*server)->Shutdown(absl::Seconds(1));
  return 0;
}

}  // namespace keyferry
