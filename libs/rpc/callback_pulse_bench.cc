// Shows what CallbackPulse does: sparse calls to a callback server, in turns with and without it; prints quantiles and
// their ratio. usage: callback_pulse_bench [CALLS]    about 2 s a call
#include <grpcpp/security/server_credentials.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "absl/time/clock.h"
#include "keyferry/v1/environments.grpc.pb.h"
#include "libs/rpc/callback_pulse.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/server.h"

namespace keyferry {
namespace {

constexpr int kCallsPerTurn = 5;

class EchoService final : public v1::Environments::CallbackService {
  grpc::ServerUnaryReactor* GetEnvironment(grpc::CallbackServerContext* context, const v1::GetEnvironmentRequest*,
                                           v1::Environment*) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

double Quantile(std::vector<double> values, double quantile) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(quantile * static_cast<double>(values.size() - 1))];
}

int Run(int calls) {
  EchoService service;
  const auto server =
      RpcServer::Start({&service}, {Door{{.address = "127.0.0.1:0"}, grpc::InsecureServerCredentials()}});
  const auto stub =
      v1::Environments::NewStub(NewChannel((*server)->addresses()[0], grpc::InsecureChannelCredentials()));
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<int> pause_millis(1000, 3000);
  std::vector<double> millis[2];
  for (int i = 0; i < 2 * calls; ++i) {
    const bool pulsing = (i / kCallsPerTurn) % 2 == 1;
    const auto pulse = pulsing ? CallbackPulse::Start() : nullptr;
    absl::SleepFor(absl::Milliseconds(pause_millis(random)));
    grpc::ClientContext context;
    v1::Environment response;
    const absl::Time start = absl::Now();
    if (!stub->GetEnvironment(&context, {}, &response).ok()) return 1;
    millis[pulsing].push_back(absl::ToDoubleMilliseconds(absl::Now() - start));
  }
  for (const double quantile : {0.5, 0.95, 0.99, 1.0}) {
    const double without = Quantile(millis[0], quantile);
    const double with = Quantile(millis[1], quantile);
    std::printf("p%g  without %.2f ms  with %.2f ms  ratio %.2f\n", quantile * 100, without, with, with / without);
  }
  return 0;
}

}  // namespace
}  // namespace keyferry

int main(int argc, char** argv) { return keyferry::Run(argc > 1 ? std::atoi(argv[1]) : 100); }
