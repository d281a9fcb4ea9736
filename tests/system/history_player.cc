#include "tests/system/history_player.h"

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "libs/common/error.h"
#include "libs/rpc/status_conversion.h"

namespace keyferry {
namespace {

using namespace v1;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr auto kDeadline = milliseconds(2000);
constexpr auto kPatience = std::chrono::seconds(120);
constexpr int kMostUnknown = 4;
constexpr size_t kNeverOf = 1 << 30;

// The server answered: as opposed to a call that may have been executed or may yet be.
bool IsAnswer(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::FAILED_PRECONDITION:
      return true;
    default:
      return false;
  }
}

}  // namespace

HistoryPlayer::HistoryPlayer(int number, uint64_t seed, const HistoryServer& server, Arena& arena, HistoryRecord& record,
                             Gate& gate)
    : client_("c" + std::to_string(number)),
      random_(seed * 1000 + number),
      token_(server.token),
      arena_(arena),
      record_(record),
      gate_(gate) {
  const auto channel = server.NewChannel();
  sets_ = SecretSets::NewStub(channel);
  deployments_ = Deployments::NewStub(channel);
}

void HistoryPlayer::Step() {
  Gate::Pass pass(gate_);
  const size_t choice = Draw(100);
  if (choice < 32) return Set();
  if (choice < 38) return Unset();
  if (choice < 44) return Rollback();
  if (choice < 48) return static_cast<void>(Delete(Draw(2) == 0));
  if (choice < 55) return Deploy();
  if (choice < 62) return static_cast<void>(WaitUntilReady()), Deploy();
  if (choice < 65) return static_cast<void>(Undeploy());
  if (choice < 70) return static_cast<void>(WaitUntilReady());
  if (choice < 76) return GetDeployment();
  if (choice < 80) return List();
  Get();
}

void HistoryPlayer::Close(bool remove) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    Gate::Pass pass(gate_);
    if (WaitUntilReady()) break;
  }
  Gate::Pass pass(gate_);
  GetDeployment();
  if (remove) {
    Undeploy();
    Delete(/*force=*/true);
  }
}

void HistoryPlayer::PrepareContext(grpc::ClientContext& context) const {
  context.AddMetadata("authorization", "Bearer " + token_);
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  context.set_wait_for_ready(true);
}

std::string HistoryPlayer::NewRequestId() {
  return client_ + "-" + std::to_string(++calls_) + "-" + std::to_string(random_());
}

std::string HistoryPlayer::EtagOrNone() { return Draw(10) < 3 ? etag_ : ""; }

HistoryPlayer::Answer HistoryPlayer::Call(const std::string& function, json arguments, bool write,
                                          const Attempt& attempt) {
  const int64_t begin = NowNanoseconds();
  const auto end = std::chrono::steady_clock::now() + kPatience;
  const bool patient = !write || Draw(10) < 8 || arena_.unknown >= kMostUnknown;
  for (bool doubtful = false;; doubtful = true) {
    grpc::ClientContext context;
    PrepareContext(context);
    Answer answer{.seen = json::object()};
    answer.status = attempt(&context, answer.seen);
    const bool answered = IsAnswer(answer.status);
    if (answered || !patient || std::chrono::steady_clock::now() > end) {
      // A refusal after a doubtful attempt: that attempt may be on its way still.
      const bool unknown = !answered || (write && doubtful && !answer.status.ok());
      if (unknown && write) ++arena_.unknown;
      Note(function, std::move(arguments), begin, answer, unknown);
      return answer;
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
}

void HistoryPlayer::Note(const std::string& function, json arguments, int64_t begin, const Answer& answer, bool unknown) {
  json line = {{"k", "call"}, {"h", arena_.name}, {"region", arena_.region.name}, {"c", client_}, {"f", function}, {"t0", begin}};
  line["a"] = std::move(arguments);
  line["t1"] = unknown ? json(nullptr) : json(NowNanoseconds());
  line["o"] = unknown ? "unknown" : answer.status.ok() ? "ok" : "no";
  if (!answer.status.ok()) {
    const absl::Status status = FromGrpcStatus(answer.status);
    line["code"] = static_cast<int>(answer.status.error_code());
    line["why"] = ReasonOf(status);
    line["text"] = answer.status.error_message();
  } else {
    line["r"] = answer.seen;
  }
  record_.Append(line);
}

json HistoryPlayer::Seen(const SecretSet& set) {
  etag_ = set.etag();
  generation_ = set.generation();
  json keys = json::array();
  for (const std::string& key : set.keys()) keys.push_back(key);
  return {{"uid", set.uid()},     {"gen", set.generation()},        {"rgen", set.ready_generation()},
          {"rd", static_cast<int>(set.readiness())}, {"keys", keys}, {"etag", set.etag()}, {"err", set.error_message()}};
}

template <typename Request>
void HistoryPlayer::Change(const std::string& function, json arguments, const Request& request,
                           grpc::Status (SecretSets::Stub::*method)(grpc::ClientContext*, const Request&, SetSecretsResponse*)) {
  Call(function, std::move(arguments), /*write=*/true, [&](grpc::ClientContext* context, json& seen) {
    SetSecretsResponse response;
    grpc::Status status = (sets_.get()->*method)(context, request, &response);
    if (status.ok()) seen = Seen(response.secret_set()), seen["changed"] = response.changed();
    return status;
  });
}

void HistoryPlayer::Set() {
  SetSecretsRequest request;
  request.set_secret_set(arena_.name);
  request.set_region(arena_.region.name);
  request.set_replace_all(Draw(8) == 0);
  request.set_request_id(NewRequestId());
  request.set_etag(EtagOrNone());
  Values entries;
  for (size_t i = 0, count = 1 + Draw(3); i < count; ++i) {
    const std::string key = RandomKey();
    // Now and then what may be there already, so that some writes change nothing.
    entries[key] = Draw(8) == 0 ? "same" : client_ + "-" + std::to_string(calls_) + "-" + std::to_string(Draw(kNeverOf));
  }
  for (const auto& [key, value] : entries) {
    SecretEntry* entry = request.add_entries();
    entry->set_key(key);
    entry->set_value(value);
  }
  Change("set", {{"entries", entries}, {"all", request.replace_all()}, {"etag", request.etag()}}, request, &SecretSets::Stub::SetSecrets);
}

void HistoryPlayer::Unset() {
  UnsetSecretRequest request;
  request.set_secret_set(arena_.name);
  request.set_key(RandomKey());
  request.set_etag(EtagOrNone());
  request.set_request_id(NewRequestId());
  Change("unset", {{"key", request.key()}, {"etag", request.etag()}}, request, &SecretSets::Stub::UnsetSecret);
}

void HistoryPlayer::Rollback() {
  RollbackSecretSetRequest request;
  request.set_secret_set(arena_.name);
  request.set_generation(std::max<int64_t>(1, generation_ - static_cast<int64_t>(Draw(4))));
  request.set_etag(EtagOrNone());
  request.set_request_id(NewRequestId());
  Change("rollback", {{"gen", request.generation()}, {"etag", request.etag()}}, request, &SecretSets::Stub::RollbackSecretSet);
}

bool HistoryPlayer::Delete(bool force) {
  DeleteSecretSetRequest request;
  request.set_secret_set(arena_.name);
  request.set_force(force);
  request.set_request_id(NewRequestId());
  return Call("delete", {{"force", force}}, /*write=*/true,
              [&](grpc::ClientContext* context, json&) {
                DeleteSecretSetResponse response;
                return sets_->DeleteSecretSet(context, request, &response);
              })
      .status.ok();
}

void HistoryPlayer::Deploy() {
  CreateDeploymentRequest request;
  request.mutable_deployment()->set_agent(arena_.name);
  request.mutable_deployment()->set_secret_set(arena_.name);
  request.mutable_deployment()->set_image("registry.example/agent:1");
  json needs = json::array();
  if (Draw(3) == 0) request.mutable_deployment()->add_required_keys(needs.emplace_back(RandomKey()));
  request.set_allow_existing(true);
  request.set_request_id(NewRequestId());
  const int64_t begin = NowNanoseconds();
  const long epoch = arena_.region.Epoch();
  const Answer answer = Call("deploy", {{"needs", needs}}, /*write=*/true,
       [&](grpc::ClientContext* context, json& seen) {
         Deployment response;
         grpc::Status status = deployments_->CreateDeployment(context, request, &response);
         if (!status.ok()) return status;
         seen = {{"uid", response.uid()}, {"gen", response.generation()}, {"sgen", response.secret_set_generation()}};
         for (const std::string& key : response.keys()) seen["keys"].push_back(key);
         return status;
       });
  if (answer.status.ok()) NoteHeld(begin, epoch, answer.seen);
}

bool HistoryPlayer::Undeploy() {
  DeleteDeploymentRequest request;
  request.set_agent(arena_.name);
  request.set_request_id(NewRequestId());
  return Call("undeploy", json::object(), /*write=*/true,
              [&](grpc::ClientContext* context, json&) {
                DeleteDeploymentResponse response;
                return deployments_->DeleteDeployment(context, request, &response);
              })
      .status.ok();
}

void HistoryPlayer::Get() {
  const int64_t begin = NowNanoseconds();
  const long epoch = arena_.region.Epoch();
  GetSecretSetRequest request;
  request.set_secret_set(arena_.name);
  Answer answer = Call("get", json::object(), /*write=*/false, [&](grpc::ClientContext* context, json& seen) {
    SecretSet found;
    grpc::Status status = sets_->GetSecretSet(context, request, &found);
    if (status.ok()) seen = Seen(found);
    return status;
  });
  if (answer.status.ok() && answer.seen["rd"] == READINESS_READY) NoteHeld(begin, epoch, answer.seen);
}

void HistoryPlayer::GetDeployment() {
  GetDeploymentRequest request;
  request.set_agent(arena_.name);
  Call("agent", json::object(), /*write=*/false, [&](grpc::ClientContext* context, json& seen) {
    Deployment found;
    grpc::Status status = deployments_->GetDeployment(context, request, &found);
    if (status.ok()) {
      seen = {{"uid", found.uid()}, {"gen", found.generation()}, {"sgen", found.secret_set_generation()},
              {"rd", static_cast<int>(found.readiness())}, {"rgen", found.ready_generation()}};
    }
    return status;
  });
}

void HistoryPlayer::List() {
  Call("list", json::object(), /*write=*/false, [&](grpc::ClientContext* context, json& seen) {
    ListSecretSetsRequest request;
    request.set_region(arena_.region.name);
    request.set_page_size(1000);
    ListSecretSetsResponse response;
    grpc::Status status;
    seen = nullptr;
    do {
      grpc::ClientContext next;
      PrepareContext(next);
      status = sets_->ListSecretSets(request.page_token().empty() ? context : &next, request, &response);
      for (const SecretSet& set : response.secret_sets()) {
        if (set.name() == arena_.name) seen = Seen(set);
      }
      request.set_page_token(response.next_page_token());
    } while (status.ok() && !request.page_token().empty());
    return status;
  });
}

bool HistoryPlayer::WaitUntilReady() {
  const int64_t begin = NowNanoseconds();
  const long epoch = arena_.region.Epoch();
  WaitUntilReadyRequest request;
  request.set_secret_set(arena_.name);
  request.mutable_timeout()->set_seconds(1);
  // The set that is answered is the one at the time of the answer.
  Answer answer = Call("get", {{"wait", true}}, /*write=*/false, [&](grpc::ClientContext* context, json& seen) {
    SecretSet found;
    grpc::Status status = sets_->WaitUntilReady(context, request, &found);
    if (status.ok()) seen = Seen(found);
    return status;
  });
  if (answer.status.error_code() == grpc::StatusCode::NOT_FOUND) return true;
  if (!answer.status.ok() || answer.seen["rd"] != READINESS_READY) return false;
  NoteHeld(begin, epoch, answer.seen);
  return true;
}

void HistoryPlayer::NoteHeld(int64_t begin, long epoch, const json& ready) {
  if (epoch % 2 != 0) return;
  std::optional<json> held;
  for (int attempt = 0; attempt < 50 && !held; ++attempt) {
    held = arena_.region.Held(arena_.name);
  }
  const int64_t end = NowNanoseconds();
  if (!held || arena_.region.Epoch() != epoch) return;
  const bool deployed = ready.contains("sgen");
  json line = {{"k", "call"}, {"h", arena_.name}, {"c", client_}, {"f", "held"}, {"t0", begin}, {"t1", end}, {"o", "ok"}};
  line["a"] = {{"least", deployed ? ready["sgen"] : ready["gen"]}, {"uid", deployed ? json(nullptr) : ready["uid"]}};
  line["r"] = {{"values", *held}};
  record_.Append(line);
}

}  // namespace keyferry
