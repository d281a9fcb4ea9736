// Load and oracle of the crash campaign. Each worker owns some secret sets and one agent, is their only writer, and so knows after each
// acknowledgement exactly what the store must hold: every later answer is compared with that, and whatever is READY with what the region
// really serves. A call whose outcome is unknown is sent again under its request id until it is answered.
//
// usage: load_client EDGE CA_FILE API_KEY SEED WORKERS ACKS_FILE STOP_FILE REGION FILES_DIR AGENT_SOCKET EPOCH_FILE [REGION ...]...
// Each acknowledged write becomes a line of ACKS_FILE. EPOCH_FILE holds a number that whoever disturbs the region raises before and after:
// while it is odd or moves, what the region serves proves nothing. LOAD_PAUSE_MS, in the environment: of each worker between two steps. Ends after STOP_FILE appears and everything has settled and been
// compared; prints a line of counts and one line a violation; exit code 1 with violations.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "keyferry/v1/deployments.grpc.pb.h"
#include "keyferry/v1/environments.grpc.pb.h"
#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "tests/system/load_record.h"

namespace keyferry {
namespace {

using namespace v1;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct SetModel {
  std::string name;
  bool exists = false;
  int64_t generation = 0;
  Values values;
};

struct AgentModel {
  std::string name;
  bool exists = false;
  int64_t generation = 0;
  std::string set;
  Values values;
};

class Worker {
 public:
  Worker(int number, uint64_t seed, RegionView region, const std::string& edge,
         std::shared_ptr<grpc::ChannelCredentials> credentials, std::string token, Record& record)
      : random_(seed * 1000 + number), region_(std::move(region)), token_(std::move(token)), record_(record) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    auto channel = grpc::CreateCustomChannel(edge, credentials, arguments);
    sets_stub_ = SecretSets::NewStub(channel);
    deployments_stub_ = Deployments::NewStub(channel);
    environments_stub_ = Environments::NewStub(
        grpc::CreateCustomChannel("unix:" + region_.socket, grpc::InsecureChannelCredentials(), arguments));
    prefix_ = "w" + std::to_string(number) + "-" + region_.name;
    for (int i = 0; i < 3; ++i) sets_.push_back({prefix_ + "-" + std::to_string(i)});
    agent_.name = prefix_;
  }

  void Step() {
    SetModel& set = sets_[Draw(sets_.size())];
    const size_t choice = Draw(100);
    if (choice < 50) return Set(set, choice < 8);
    if (choice < 60) return Unset(set);
    if (choice < 66) return Delete(set);
    if (choice < 80) return Deploy(set);
    Compare(set);
    CompareAgent();
  }

  // After the faults: everything becomes READY, holds exactly what was acknowledged, and nothing else is there.
  void CompareSettled() {
    for (SetModel& set : sets_) {
      if (set.exists && !BecomesReady(set, seconds(60))) record_.Violation(set.name + " never became READY");
      Compare(set);
      if (!set.exists && !Eventually([&] { return region_.FilesOf(set.name).empty(); })) {
        record_.Violation(set.name + " is deleted and its files are still in the region");
      }
    }
    const bool settled = Eventually([&] { return !agent_.exists || FetchAgent().readiness() == READINESS_READY; });
    if (!settled) record_.Violation(agent_.name + " never became READY");
    CompareAgent();
  }

 private:
  size_t Draw(size_t below) { return random_() % below; }

  std::string NewValue() {
    std::string value(Draw(20) == 0 ? 4096 : 1 + Draw(120), '\0');
    for (char& c : value) c = static_cast<char>(1 + Draw(255));
    return value;
  }

  // Sends until the outcome is known.
  grpc::Status Call(const std::function<grpc::Status(grpc::ClientContext*)>& call) {
    for (int attempt = 0;; ++attempt) {
      grpc::ClientContext context;
      context.AddMetadata("authorization", "Bearer " + token_);
      context.set_deadline(std::chrono::system_clock::now() + seconds(5));
      context.set_wait_for_ready(true);
      grpc::Status status = call(&context);
      const bool unknown = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                           status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
      if (!unknown || attempt == 60) return status;
      std::this_thread::sleep_for(milliseconds(10));
    }
  }

  std::string NewRequestId() { return prefix_ + "-" + std::to_string(++requests_) + "-" + std::to_string(random_()); }

  void Refused(const std::string& what, const grpc::Status& status) {
    record_.Violation(what + ": code " + std::to_string(status.error_code()) + " " + status.error_message());
  }

  // The write was acknowledged and this is what the set must be from now on.
  void Written(const std::string& operation, SetModel& set, Values values, const SetSecretsResponse& response) {
    const bool changes = !set.exists || values != set.values;
    const int64_t generation = !set.exists ? 1 : set.generation + (changes ? 1 : 0);
    set.exists = true;
    set.generation = generation;
    set.values = std::move(values);
    record_.Acknowledged(operation + " " + set.name + " " + std::to_string(generation), set.values);
    CompareMetadata(operation, set, response.secret_set());
  }

  void CompareMetadata(const std::string& operation, const SetModel& set, const SecretSet& found) {
    if (found.generation() != set.generation) {
      record_.Violation(operation + " " + set.name + ": generation " + std::to_string(found.generation()) + " instead of " +
                        std::to_string(set.generation));
    }
    std::vector<std::string> keys;
    for (const auto& [key, value] : set.values) keys.push_back(key);
    if (keys != std::vector<std::string>(found.keys().begin(), found.keys().end())) {
      record_.Violation(operation + " " + set.name + ": other keys than were written");
    }
  }

  void Set(SetModel& set, bool replace_all) {
    SetSecretsRequest request;
    request.set_secret_set(set.name);
    request.set_region(region_.name);
    request.set_replace_all(replace_all);
    request.set_request_id(NewRequestId());
    Values values = replace_all || !set.exists ? Values() : set.values;
    Values entries;
    for (size_t i = 0, count = 1 + Draw(4); i < count; ++i) entries["KEY_" + std::to_string(Draw(8))] = NewValue();
    for (const auto& [key, value] : entries) {
      SecretEntry* entry = request.add_entries();
      entry->set_key(key);
      entry->set_value(value);
      values[key] = value;
    }
    SetSecretsResponse response;
    grpc::Status status = Call([&](auto* context) { return sets_stub_->SetSecrets(context, request, &response); });
    if (!status.ok()) return Refused("set " + set.name, status);
    Written("set", set, std::move(values), response);
  }

  void Unset(SetModel& set) {
    if (!set.exists || set.values.size() < 2) return;
    UnsetSecretRequest request;
    request.set_secret_set(set.name);
    request.set_key(std::next(set.values.begin(), static_cast<long>(Draw(set.values.size())))->first);
    request.set_request_id(NewRequestId());
    Values values = set.values;
    values.erase(request.key());
    SetSecretsResponse response;
    grpc::Status status = Call([&](auto* context) { return sets_stub_->UnsetSecret(context, request, &response); });
    if (!status.ok()) return Refused("unset " + set.name, status);
    Written("unset", set, std::move(values), response);
  }

  void Delete(SetModel& set) {
    if (!set.exists) return;
    DeleteSecretSetRequest request;
    request.set_secret_set(set.name);
    request.set_force(true);
    request.set_request_id(NewRequestId());
    DeleteSecretSetResponse response;
    grpc::Status status = Call([&](auto* context) { return sets_stub_->DeleteSecretSet(context, request, &response); });
    if (!status.ok()) return Refused("delete " + set.name, status);
    set = {set.name};
    record_.Acknowledged("delete " + set.name, {});
  }

  void Deploy(SetModel& set) {
    if (!set.exists || !BecomesReady(set, milliseconds(2000))) return;
    CreateDeploymentRequest request;
    request.mutable_deployment()->set_agent(agent_.name);
    request.mutable_deployment()->set_secret_set(set.name);
    request.mutable_deployment()->set_image("registry.example/agent:1");
    request.set_allow_existing(true);
    request.set_request_id(NewRequestId());
    Deployment response;
    grpc::Status status =
        Call([&](auto* context) { return deployments_stub_->CreateDeployment(context, request, &response); });
    if (status.error_code() == grpc::StatusCode::ABORTED) return;  // Not READY any more, which is a fair answer.
    if (!status.ok()) return Refused("deploy " + agent_.name, status);
    agent_ = {agent_.name, true, agent_.generation + 1, set.name, set.values};
    record_.Acknowledged("deploy " + agent_.name + " " + std::to_string(agent_.generation) + " " + set.name + " " +
                             std::to_string(response.secret_set_generation()),
                         agent_.values);
    if (response.generation() != agent_.generation || response.secret_set_generation() != set.generation) {
      record_.Violation("deploy " + agent_.name + ": other generations than were checked");
    }
  }

  bool BecomesReady(const SetModel& set, milliseconds timeout) {
    const auto end = std::chrono::steady_clock::now() + timeout;
    do {
      WaitUntilReadyRequest request;
      request.set_secret_set(set.name);
      request.mutable_timeout()->set_seconds(1);
      SecretSet found;
      grpc::Status status = Call([&](auto* context) { return sets_stub_->WaitUntilReady(context, request, &found); });
      if (!status.ok()) return Refused("wait " + set.name, status), false;
      if (found.readiness() == READINESS_READY) return true;
    } while (std::chrono::steady_clock::now() < end);
    return false;
  }

  // READY was read during `epoch`: the region serves exactly this now, unless it is disturbed. `served` answers nullopt when nobody did,
  // which on a starved machine proves nothing yet.
  void CompareServed(const std::string& what, long epoch, const Values& expected,
                     const std::function<std::optional<Values>()>& served) {
    if (epoch % 2 != 0) return;
    std::optional<Values> found;
    const auto same = [&] { return region_.Epoch() != epoch || ((found = served()) && *found == expected); };
    const bool matched = Eventually(same, milliseconds(500)) || (!found && Eventually(same));
    if (region_.Epoch() != epoch) return;
    record_.Compared();
    if (!matched) record_.Violation(what + (found ? " is READY and the region serves something else" : " is READY and the region does not answer"));
  }

  void Compare(const SetModel& set) {
    GetSecretSetRequest request;
    request.set_secret_set(set.name);
    SecretSet found;
    const long epoch = region_.Epoch();
    grpc::Status status = Call([&](auto* context) { return sets_stub_->GetSecretSet(context, request, &found); });
    if (!set.exists) {
      if (status.error_code() != grpc::StatusCode::NOT_FOUND) record_.Violation(set.name + " came back after its delete");
      return;
    }
    if (!status.ok()) return Refused("get " + set.name, status);
    CompareMetadata("get", set, found);
    if (found.readiness() == READINESS_FAILED) record_.Violation(set.name + " FAILED: " + found.error_message());
    if (found.readiness() != READINESS_READY) return;
    CompareServed(set.name, epoch, set.values, [&] { return region_.FilesOf(set.name); });
  }

  Deployment FetchAgent() {
    GetDeploymentRequest request;
    request.set_agent(agent_.name);
    Deployment found;
    grpc::Status status = Call([&](auto* context) { return deployments_stub_->GetDeployment(context, request, &found); });
    if (!status.ok()) Refused("get " + agent_.name, status);
    return found;
  }

  void CompareAgent() {
    if (!agent_.exists) return;
    const long epoch = region_.Epoch();
    const Deployment found = FetchAgent();
    if (found.generation() != agent_.generation) record_.Violation(agent_.name + ": another generation than was deployed");
    if (found.readiness() != READINESS_READY) return;
    CompareServed(agent_.name, epoch, agent_.values, [&] { return EnvironmentOf(agent_); });
  }

  std::optional<Values> EnvironmentOf(const AgentModel& agent) {
    GetEnvironmentRequest request;
    request.set_organization("acme");
    request.set_agent(agent.name);
    Environment environment;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + milliseconds(400));
    Values values;
    const grpc::Status status = environments_stub_->GetEnvironment(&context, request, &environment);
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED || status.error_code() == grpc::StatusCode::UNAVAILABLE) return std::nullopt;
    if (!status.ok()) return values;
    if (environment.deployment_generation() != agent.generation) return values;
    for (const EnvironmentVariable& variable : environment.variables()) values[variable.name()] = variable.value();
    return values;
  }

  std::mt19937_64 random_;
  const RegionView region_;
  const std::string token_;
  Record& record_;
  std::string prefix_;
  uint64_t requests_ = 0;
  std::unique_ptr<SecretSets::Stub> sets_stub_;
  std::unique_ptr<Deployments::Stub> deployments_stub_;
  std::unique_ptr<Environments::Stub> environments_stub_;
  std::vector<SetModel> sets_;
  AgentModel agent_;
};

}  // namespace
}  // namespace keyferry

int main(int count, char** arguments) {
  if (count < 12 || (count - 8) % 4 != 0) return std::fputs("load_client: see its first lines for the arguments\n", stderr), 2;
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = keyferry::ReadFile(arguments[2]);
  auto credentials = grpc::SslCredentials(options);
  keyferry::Record record(arguments[6]);
  const std::string stop_file = arguments[7];
  const char* given_pause = std::getenv("LOAD_PAUSE_MS");
  const std::chrono::milliseconds pause(given_pause ? std::atoi(given_pause) : 0);
  std::vector<keyferry::RegionView> regions;
  for (int i = 8; i < count; i += 4) {
    regions.push_back({arguments[i], arguments[i + 1], arguments[i + 2], arguments[i + 3]});
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < std::atoi(arguments[5]); ++i) {
    threads.emplace_back([&, i] {
      keyferry::Worker worker(i, std::strtoull(arguments[4], nullptr, 10), regions[i % regions.size()], arguments[1], credentials,
                    arguments[3], record);
      while (!std::filesystem::exists(stop_file)) {
        worker.Step();
        std::this_thread::sleep_for(pause);
      }
      worker.CompareSettled();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return record.Report();
}
