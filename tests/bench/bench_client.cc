// Closed-loop load for the benchmarks. Arguments: load.h, and
//   set=NAME       the set of `gate` and `get`; `bench-0` where absent
//   spread=N       instead, of each call another one of the sets that `fill` made as 0 to N-1
//   region=CODE    where `set` and `fill` make their sets; regions=N: in CODE-0 to CODE-(N-1) in turns
//   from=N         number of the first set of `fill`; entries=N, bytes=N: of each set
// Modes:
//   gate   CreateDeployment, validate_only
//   set    SetSecrets of 4 keys of 1 KiB, each client its own set, fresh values every time
//   ready  SetSecrets, then WaitUntilReady: one client, the time for both
//   get    GetSecretSet
//   list   ListSecretSets, the first page of 100
//   fill   count=N sets, once, of one key of 32 bytes
// Prints what load.h says.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "keyferry/v1/deployments.grpc.pb.h"
#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "libs/rpc/callback_pulse.h"
#include "libs/rpc/credentials.h"
#include "tests/bench/channels.h"
#include "tests/bench/load.h"

namespace keyferry {
namespace {

using Clock = Load::Clock;
// Odd, so that multiples of it meet every number below a power of ten.
constexpr long kStride = 7'919;

std::string FilledName(long number) { return "fill-" + std::to_string(number); }

class Client {
 public:
  Client(const LoadOptions& options, int number, const std::shared_ptr<grpc::Channel>& channel, Load& load)
      : options_(options),
        spread_(options.Number("spread", 0)),
        is_fill_(options.mode == "fill"),
        load_(load),
        sets_(v1::SecretSets::NewStub(channel)),
        deployments_(v1::Deployments::NewStub(channel)) {
    const long entries = options.Number("entries", is_fill_ ? 1 : 4);
    const std::string value(static_cast<size_t>(options.Number("bytes", is_fill_ ? 32 : 1024)), 'x');
    for (long i = 0; i < entries; ++i) {
      v1::SecretEntry* entry = set_request_.add_entries();
      entry->set_key("KEY_" + std::to_string(i));
      entry->set_value(value);
    }
    PlaceIn(number);
    const std::string& region = set_request_.region();
    set_request_.set_secret_set("bench-" + region + (region.empty() ? "" : "-") + std::to_string(number));
    wait_request_.set_secret_set(set_request_.secret_set());
    gate_request_.set_validate_only(true);
    gate_request_.set_allow_existing(true);
    gate_request_.mutable_deployment()->set_agent("bench");
    AskFor(options.Text("set").empty() ? "bench-0" : options.Text("set"));
  }

  void Next() {
    const long number = load_.Next();
    if (number < 0) return load_.ClientEnded();
    if (spread_ > 0) AskFor(FilledName(number * kStride % spread_));
    context_ = std::make_unique<grpc::ClientContext>();
    context_->AddMetadata("authorization", "Bearer " + options_.api_key);
    begin_ = Clock::now();
    const auto end = [this](const grpc::Status& status) { End(status); };
    if (options_.mode == "gate")
      return deployments_->async()->CreateDeployment(context_.get(), &gate_request_, &deployment_, end);
    if (options_.mode == "get") return sets_->async()->GetSecretSet(context_.get(), &get_request_, &set_, end);
    if (options_.mode == "list") return sets_->async()->ListSecretSets(context_.get(), &list_request_, &page_, end);
    Freshen(number);
    sets_->async()->SetSecrets(context_.get(), &set_request_, &set_response_,
                               [this](const grpc::Status& status) { Written(status); });
  }

 private:
  void AskFor(const std::string& set) {
    get_request_.set_secret_set(set);
    gate_request_.mutable_deployment()->set_secret_set(set);
  }

  void PlaceIn(long number) {
    const long regions = options_.Number("regions", 0);
    set_request_.set_region(options_.Text("region") + (regions > 0 ? "-" + std::to_string(number % regions) : ""));
  }

  // Values that were never written, so that each call makes a generation.
  void Freshen(long number) {
    const std::string stamp = std::to_string(begin_.time_since_epoch().count());
    for (v1::SecretEntry& entry : *set_request_.mutable_entries())
      std::copy_n(stamp.begin(), std::min(stamp.size(), entry.value().size()), entry.mutable_value()->begin());
    if (!is_fill_) return;
    number += options_.Number("from", 0);
    set_request_.set_secret_set(FilledName(number));
    PlaceIn(number);
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
  const long spread_;
  const bool is_fill_;
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
  v1::ListSecretSetsRequest list_request_;
  v1::ListSecretSetsResponse page_;
  v1::SecretSet set_;
};

int Run(const LoadOptions& options) {
  const auto credentials =
      TlsChannelCredentials({.certificate_chain = "", .private_key = "", .roots = options.ca_file});
  if (!credentials.ok()) return std::fprintf(stderr, "%s\n", credentials.status().ToString().c_str()), 1;
  const auto pulse = CallbackPulse::Start();
  const auto channels = OpenChannels(options.target, *credentials, options.clients);
  if (channels.empty()) return 1;
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
