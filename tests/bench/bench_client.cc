// Closed-loop load for the benchmarks. Arguments: load.h.
//   gate   CreateDeployment, validate_only, of the set `bench-0`
//   set    SetSecrets of 4 keys of 1 KiB, each client its own set, fresh values every time
//   ready  SetSecrets, then WaitUntilReady: one client, the time for both
//   get    GetSecretSet of `bench-0`
//   fill   COUNT sets of one small key each, once
// Prints calls_per_second, p50_us, p99_us and errors.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "keyferry/v1/deployments.grpc.pb.h"
#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "libs/rpc/callback_pulse.h"
#include "libs/rpc/credentials.h"
#include "tests/bench/load.h"

namespace keyferry {
namespace {

using Clock = Load::Clock;
constexpr int kChannels = 8;

class Client {
 public:
  Client(const LoadOptions& options, int number, const std::shared_ptr<grpc::Channel>& channel, Load& load)
      : options_(options),
        load_(load),
        sets_(v1::SecretSets::NewStub(channel)),
        deployments_(v1::Deployments::NewStub(channel)) {
    set_request_.set_secret_set("bench-" + std::to_string(number));
    for (int i = 0; i < (options.mode == "fill" ? 1 : 4); ++i) {
      v1::SecretEntry* entry = set_request_.add_entries();
      entry->set_key("KEY_" + std::to_string(i));
      entry->set_value(std::string(options.mode == "fill" ? 32 : 1024, 'x'));
    }
    gate_request_.set_validate_only(true);
    gate_request_.set_allow_existing(true);
    gate_request_.mutable_deployment()->set_agent("bench");
    gate_request_.mutable_deployment()->set_secret_set("bench-0");
    wait_request_.set_secret_set(set_request_.secret_set());
    get_request_.set_secret_set("bench-0");
  }

  void Next() {
    if (!load_.Goes()) return load_.ClientEnded();
    context_ = std::make_unique<grpc::ClientContext>();
    context_->AddMetadata("authorization", "Bearer " + options_.api_key);
    begin_ = Clock::now();
    if (options_.mode == "gate") {
      return deployments_->async()->CreateDeployment(context_.get(), &gate_request_, &deployment_,
                                                     [this](auto status) { End(status); });
    }
    if (options_.mode == "get") {
      return sets_->async()->GetSecretSet(context_.get(), &get_request_, &set_, [this](auto status) { End(status); });
    }
    Freshen();
    sets_->async()->SetSecrets(context_.get(), &set_request_, &set_response_, [this](auto status) { Written(status); });
  }

 private:
  // Values that were never written, so that each call makes a generation.
  void Freshen() {
    const std::string stamp = std::to_string(begin_.time_since_epoch().count());
    for (v1::SecretEntry& entry : *set_request_.mutable_entries())
      std::copy(stamp.begin(), stamp.end(), entry.mutable_value()->begin());
    if (options_.mode == "fill") set_request_.set_secret_set("fill-" + std::to_string(load_.next()) + "-" + stamp);
  }

  void Written(const grpc::Status& status) {
    if (options_.mode != "ready" || !status.ok()) return End(status);
    context_ = std::make_unique<grpc::ClientContext>();
    context_->AddMetadata("authorization", "Bearer " + options_.api_key);
    wait_request_.set_generation(set_response_.secret_set().generation());
    sets_->async()->WaitUntilReady(context_.get(), &wait_request_, &set_, [this](auto waited) { End(waited); });
  }

  void End(const grpc::Status& status) {
    load_.Done(begin_, status.ok() ? "" : status.error_message());
    Next();
  }

  const LoadOptions& options_;
  Load& load_;
  std::unique_ptr<v1::SecretSets::Stub> sets_;
  std::unique_ptr<v1::Deployments::Stub> deployments_;
  std::unique_ptr<grpc::ClientContext> context_;
  Clock::time_point begin_;
  v1::SetSecretsRequest set_request_;
  v1::SetSecretsResponse set_response_;
  v1::CreateDeploymentRequest gate_request_;
  v1::Deployment deployment_;
  v1::WaitUntilReadyRequest wait_request_;
  v1::GetSecretSetRequest get_request_;
  v1::SecretSet set_;
};

int Run(const LoadOptions& options) {
  const auto credentials =
      TlsChannelCredentials({.certificate_chain = "", .private_key = "", .roots = options.ca_file});
  if (!credentials.ok()) return std::fprintf(stderr, "%s\n", credentials.status().ToString().c_str()), 1;
  const auto pulse = CallbackPulse::Start();
  grpc::ChannelArguments own_connection;
  own_connection.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  own_connection.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < std::min(kChannels, options.clients); ++i) {
    channels.push_back(grpc::CreateCustomChannel(options.target, *credentials, own_connection));
    if (!channels.back()->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10))) {
      return std::fprintf(stderr, "no connection to %s\n", options.target.c_str()), 1;
    }
  }
  Load load(options);
  std::vector<std::unique_ptr<Client>> clients;
  const auto begin = Clock::now();
  for (int i = 0; i < options.clients; ++i)
    clients.push_back(std::make_unique<Client>(options, i, channels[i % channels.size()], load));
  for (const auto& client : clients) client->Next();
  return load.Report(begin);
}

}  // namespace
}  // namespace keyferry

int main(int count, char** arguments) { return keyferry::Run(keyferry::LoadOptions::Parse(count, arguments)); }
