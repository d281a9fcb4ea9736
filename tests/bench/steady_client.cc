// Calls at a fixed rate, whether the server keeps up or not: a call's time runs from when it was due. Arguments: load.h
// (MODE `mix`; CLIENTS: connections; SECONDS is not used), and
//   gate=N, get=N, set=N, ready=N   calls a second of each kind
//   region=CODE[;CODE]..., regions=N   sets are made in CODE-0 to CODE-(N-1) of each code in turns
//   sets=N, name=TEXT               the sets of each kind, 64 where absent; what their names begin with, `steady`
// `gate` and `get` ask for sets that stay as they are; `ready` sets and waits until it is READY.
// On each line of its input it prints, of what ended since the line before: seconds=, errors=, unanswered= (that are
// under way now) and, of each kind, KIND_calls=, KIND_p50_us=, KIND_p99_us= and KIND_max_us=. It ends with its input.
#include <grpcpp/grpcpp.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "keyferry/v1/deployments.grpc.pb.h"
#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "libs/rpc/callback_pulse.h"
#include "libs/rpc/credentials.h"
#include "tests/bench/channels.h"
#include "tests/bench/load.h"

namespace keyferry {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::array<const char*, 4> kKinds = {"gate", "get", "set", "ready"};
enum Kind : size_t { kGate, kGet, kSet, kReady };
constexpr auto kPatience = std::chrono::seconds(30);
constexpr size_t kValueBytes = 1024;
constexpr int kEntries = 4;

// What ended since it was taken last.
class Ledger {
 public:
  void Began() { ++unanswered_; }
  void Ended(Kind kind, Clock::time_point due, const grpc::Status& status) {
    const auto now = Clock::now();
    std::lock_guard lock(mutex_);
    --unanswered_;
    micros_[kind].push_back(std::chrono::duration_cast<std::chrono::microseconds>(now - due).count());
    if (status.ok()) return;
    ++errors_;
    last_error_ = status.error_message();
  }
  bool has_unanswered() const { return unanswered_ > 0; }

  std::string Take() {
    std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    std::string line =
        "seconds=" + std::to_string(std::chrono::duration<double>(now - std::exchange(since_, now)).count());
    if (errors_ > 0) std::fprintf(stderr, "steady_client: %ld errors, the last: %s\n", errors_, last_error_.c_str());
    line += " errors=" + std::to_string(std::exchange(errors_, 0)) + " unanswered=" + std::to_string(unanswered_);
    for (size_t kind = 0; kind < kKinds.size(); ++kind) line += Describe(kKinds[kind], micros_[kind]);
    return line;
  }

 private:
  static std::string Describe(const std::string& kind, std::vector<long>& micros) {
    if (micros.empty()) return "";
    std::sort(micros.begin(), micros.end());
    const auto at = [&micros](size_t percent) { return std::to_string(micros[(micros.size() - 1) * percent / 100]); };
    std::string text = " " + kind + "_calls=" + std::to_string(micros.size());
    text += " " + kind + "_p50_us=" + at(50) + " " + kind + "_p99_us=" + at(99) + " " + kind + "_max_us=" + at(100);
    micros.clear();
    return text;
  }

  std::mutex mutex_;
  std::atomic<long> unanswered_ = 0;
  long errors_ = 0;
  std::string last_error_;
  Clock::time_point since_ = Clock::now();
  std::array<std::vector<long>, kKinds.size()> micros_;
};

// One call, or a set and the wait for it; deletes itself.
class Call {
 public:
  struct Servers {
    v1::SecretSets::Stub& sets;
    v1::Deployments::Stub& deployments;
  };
  struct Work {
    Kind kind;
    std::string set;
    // Where it is written.
    std::string region;
    Clock::time_point due;
  };

  static void Start(const LoadOptions& options, Ledger& ledger, Servers servers, Work work) {
    ledger.Began();
    (new Call(options, ledger, servers, std::move(work)))->Send();
  }

 private:
  Call(const LoadOptions& options, Ledger& ledger, Servers servers, Work work)
      : options_(options), ledger_(ledger), servers_(servers), work_(std::move(work)) {}

  void Send() {
    Prepare();
    if (work_.kind == kGate) return Ask();
    if (work_.kind != kGet) return Write();
    get_request_.set_secret_set(work_.set);
    servers_.sets.async()->GetSecretSet(context_.get(), &get_request_, &answer_, [this](auto status) { End(status); });
  }

  void Prepare() {
    context_ = std::make_unique<grpc::ClientContext>();
    context_->set_deadline(std::chrono::system_clock::now() + kPatience);
    context_->AddMetadata("authorization", "Bearer " + options_.api_key);
  }

  void Ask() {
    gate_request_.set_validate_only(true);
    gate_request_.set_allow_existing(true);
    gate_request_.mutable_deployment()->set_agent("steady");
    gate_request_.mutable_deployment()->set_secret_set(work_.set);
    servers_.deployments.async()->CreateDeployment(context_.get(), &gate_request_, &deployment_,
                                                   [this](auto status) { End(status); });
  }

  void Write() {
    set_request_.set_secret_set(work_.set);
    set_request_.set_region(work_.region);
    const std::string stamp = std::to_string(work_.due.time_since_epoch().count());
    for (int i = 0; i < kEntries; ++i) {
      v1::SecretEntry* entry = set_request_.add_entries();
      entry->set_key("KEY_" + std::to_string(i));
      entry->set_value(stamp + std::string(kValueBytes - stamp.size(), 'x'));
    }
    servers_.sets.async()->SetSecrets(context_.get(), &set_request_, &set_response_,
                                      [this](auto status) { Written(status); });
  }

  void Written(const grpc::Status& status) {
    if (work_.kind != kReady || !status.ok()) return End(status);
    Prepare();
    wait_request_.set_secret_set(work_.set);
    wait_request_.set_generation(set_response_.secret_set().generation());
    servers_.sets.async()->WaitUntilReady(context_.get(), &wait_request_, &answer_,
                                          [this](auto waited) { End(waited); });
  }

  void End(const grpc::Status& status) {
    ledger_.Ended(work_.kind, work_.due, status);
    delete this;
  }

  const LoadOptions& options_;
  Ledger& ledger_;
  const Servers servers_;
  const Work work_;
  std::unique_ptr<grpc::ClientContext> context_;
  v1::CreateDeploymentRequest gate_request_;
  v1::Deployment deployment_;
  v1::GetSecretSetRequest get_request_;
  v1::SetSecretsRequest set_request_;
  v1::SetSecretsResponse set_response_;
  v1::WaitUntilReadyRequest wait_request_;
  v1::SecretSet answer_;
};

// Lets calls begin when they are due.
class Pace {
 public:
  Pace(const LoadOptions& options, Ledger& ledger, const std::vector<std::shared_ptr<grpc::Channel>>& channels)
      : options_(options), ledger_(ledger), set_count_(options.Number("sets", 64)) {
    if (!options.Text("name").empty()) name_ = options.Text("name");
    std::istringstream codes(options.Text("region"));
    for (std::string code; std::getline(codes, code, ';');) codes_.push_back(code);
    for (const auto& channel : channels) {
      sets_.push_back(v1::SecretSets::NewStub(channel));
      deployments_.push_back(v1::Deployments::NewStub(channel));
    }
  }
  ~Pace() {
    ending_ = true;
    if (thread_.joinable()) thread_.join();
  }

  // Every set is there and READY.
  void MakeSets() {
    const bool reads = options_.Number("gate", 0) + options_.Number("get", 0) > 0;
    for (long number = 0; number < set_count_; ++number) {
      if (reads) Begin(kReady, NameOf(kGet, number), number, Clock::now());
      if (options_.Number("ready", 0) > 0) Begin(kReady, NameOf(kReady, number), number, Clock::now());
      if (options_.Number("set", 0) > 0) Begin(kSet, NameOf(kSet, number), number, Clock::now());
      while (ledger_.has_unanswered()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }

 private:
  std::string NameOf(Kind kind, long number) const {
    return name_ + "-" + kKinds[kind == kGate ? kGet : kind] + "-" + std::to_string(number);
  }

  // number: below set_count_; a set stays in its region.
  std::string RegionOf(long number) const {
    const long code = number % static_cast<long>(codes_.size());
    const long within = number / static_cast<long>(codes_.size()) % options_.Number("regions", 1);
    return codes_[static_cast<size_t>(code)] + "-" + std::to_string(within);
  }

  void Begin(Kind kind, std::string set, long number, Clock::time_point due) {
    const size_t channel = static_cast<size_t>(number) % sets_.size();
    Call::Start(options_, ledger_, {*sets_[channel], *deployments_[channel]},
                {kind, std::move(set), RegionOf(number), due});
  }

  void Run() {
    // Times between calls are exact, so that two kinds do not fall together at each beat, each begins somewhere else.
    std::array<Clock::time_point, kKinds.size()> due;
    std::array<std::chrono::nanoseconds, kKinds.size()> gap{};
    for (size_t kind = 0; kind < kKinds.size(); ++kind) {
      const long rate = options_.Number(kKinds[kind], 0);
      if (rate > 0) gap[kind] = std::chrono::nanoseconds(1'000'000'000 / rate);
      due[kind] = rate > 0 ? Clock::now() + gap[kind] * static_cast<long>(kind + 1) / 7 : Clock::time_point::max();
    }
    for (long number = 0; !ending_; ++number) {
      const auto next = std::min_element(due.begin(), due.end());
      const auto kind = static_cast<Kind>(next - due.begin());
      std::this_thread::sleep_until(*next);
      Begin(kind, NameOf(kind, number % set_count_), number % set_count_, *next);
      *next += gap[kind];
    }
  }

  const LoadOptions& options_;
  Ledger& ledger_;
  const long set_count_;
  std::string name_ = "steady";
  std::vector<std::string> codes_;
  std::vector<std::unique_ptr<v1::SecretSets::Stub>> sets_;
  std::vector<std::unique_ptr<v1::Deployments::Stub>> deployments_;
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

int Run(const LoadOptions& options) {
  const auto credentials =
      TlsChannelCredentials({.certificate_chain = "", .private_key = "", .roots = options.ca_file});
  if (!credentials.ok()) return std::fprintf(stderr, "%s\n", credentials.status().ToString().c_str()), 1;
  // Calls begin when they are due, not when the kernel finds it convenient.
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  const auto pulse = CallbackPulse::Start();
  const auto channels = OpenChannels(options.target, *credentials, options.clients);
  if (channels.empty()) return 1;
  Ledger ledger;
  {
    Pace pace(options, ledger, channels);
    pace.MakeSets();
    static_cast<void>(ledger.Take());
    pace.Start();
    std::printf("steady\n");
    std::fflush(stdout);
    for (std::string line; std::getline(std::cin, line);) {
      std::printf("%s\n", ledger.Take().c_str());
      std::fflush(stdout);
    }
  }
  while (ledger.has_unanswered()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return 0;
}

}  // namespace
}  // namespace keyferry

int main(int count, char** arguments) { return keyferry::Run(keyferry::LoadOptions::Parse(count, arguments)); }
