#include "tests/simulation/workload.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "services/api/call_scope.h"
#include "tests/simulation/oracles.h"

namespace keyferry {
namespace {

constexpr absl::Duration kMinThink = absl::Milliseconds(50);
constexpr absl::Duration kMaxThink = absl::Seconds(4);
constexpr absl::Duration kMaxLatency = absl::Milliseconds(5);
constexpr absl::Duration kPatience = absl::Seconds(8);
constexpr double kLostShare = 0.03;
constexpr double kRequestIdShare = 0.5;
constexpr double kEtagShare = 0.15;
constexpr double kRepeatShare = 0.8;
constexpr int kKeyCount = 3;

std::string KeyName(uint64_t key) { return absl::StrCat("KEY_", key); }
int SetNumber(const std::string& set) { return set.back() - '0'; }

bool Changes(const Call& call) {
  return call.kind != CallKind::kGet && call.kind != CallKind::kCheck &&
         (call.changed || call.kind == CallKind::kDelete || call.kind == CallKind::kDeploy ||
          call.kind == CallKind::kUndeploy);
}

}  // namespace

Workload::Workload(World& world) : world_(world), histories_(kSetCount), begins_(kSetCount) {}

void Workload::Begin() {
  for (int client = 0; client < kClientCount; ++client) Later(client);
}

bool Workload::idle() const {
  return std::all_of(pending_.begin(), pending_.end(), [](const auto& pending) { return pending == nullptr; });
}

void Workload::Later(int client) {
  world_.scheduler().After(world_.random().Between(kMinThink, kMaxThink), nullptr, [this, client] {
    if (!stopped_ && pending_[client] == nullptr) BeginCall(client);
  });
}

void Workload::BeginCall(int client) {
  Random& random = world_.random();
  pending_[client] = std::make_unique<Pending>();
  Pending& pending = *pending_[client];
  ++call_numbers_[client];
  ++call_count_;
  const int set = static_cast<int>(random.Draw(kSetCount));
  pending.call = {.client = client, .set = SetName(set), .begin = world_.scheduler().step_count()};
  Choose(pending.call, set);
  if (random.Chance(kRequestIdShare)) pending.request_id = absl::StrCat("request-", call_count_);
  const bool takes_etag = pending.call.kind < CallKind::kGet;
  if (const auto seen = etags_.find(pending.call.set);
      takes_etag && seen != etags_.end() && random.Chance(kEtagShare)) {
    pending.etag = seen->second.first;
    pending.call.etag_generation = seen->second.second;
  }
  Request(client);
}

void Workload::Choose(Call& call, int set) {
  Random& random = world_.random();
  const uint64_t dice = random.Draw(100);
  call.agent = "";
  if (dice < 38) {
    call.kind = CallKind::kSet;
    call.replace = random.Chance(0.2);
    // Now and then what may be there already.
    const int count = random.Chance(0.2) ? std::max(1, value_count_) : ++value_count_;
    for (uint64_t keys = 1 + random.Draw(2); keys > 0; --keys)
      call.values[KeyName(random.Draw(kKeyCount))] = absl::StrCat(kSentinel, "-", count);
  } else if (dice < 44) {
    call.kind = CallKind::kUnset;
    call.key = KeyName(random.Draw(kKeyCount));
  } else if (dice < 50) {
    call.kind = CallKind::kRollback;
    call.rollback_to = 1 + static_cast<int64_t>(random.Draw(5));
  } else if (dice < 56) {
    call.kind = CallKind::kDelete;
    call.force = random.Chance(0.6);
  } else if (dice < 66) {
    call.kind = CallKind::kGet;
  } else if (dice < 80) {
    call.kind = CallKind::kCheck;
  } else {
    call.kind = dice < 95 ? CallKind::kDeploy : CallKind::kUndeploy;
    call.agent = AgentName(set, static_cast<int>(random.Draw(kAgentsPerSet)));
  }
}

void Workload::Request(int client) {
  Pending& pending = *pending_[client];
  const int request = ++pending.request_count;
  const std::string audit_id = absl::StrCat("c", client, ".", call_numbers_[client], ".", request);
  pending.audit_ids.push_back(audit_id);
  const int number = call_numbers_[client];
  Scheduler& scheduler = world_.scheduler();
  scheduler.After(kPatience, nullptr, [this, client, number, request] { TimeOut(client, number, request); });
  scheduler.After(world_.random().Between(absl::ZeroDuration(), kMaxLatency), nullptr,
                  [this, client, number, request, audit_id] {
                    if (!world_.api().alive()) return;
                    world_.scheduler().After(absl::ZeroDuration(), world_.api().process(),
                                             [this, client, number, request, audit_id] {
                                               if (pending_[client] != nullptr && call_numbers_[client] == number &&
                                                   pending_[client]->request_count == request)
                                                 Serve(client, audit_id);
                                             });
                  });
}

void Workload::TimeOut(int client, int call, int request) {
  if (pending_[client] == nullptr || call_numbers_[client] != call || pending_[client]->request_count != request)
    return;
  if (!pending_[client]->request_id.empty() && request < 4 && world_.random().Chance(kRepeatShare)) {
    world_.Count(Fault::kRequestRepeated);
    return Request(client);
  }
  Finish(client);
}

// In the API's process, as a handler would.
void Workload::Serve(int client, const std::string& audit_id) {
  const Pending& pending = *pending_[client];
  const Call call = pending.call;
  ApiProcess& api = world_.api().now();
  const CallScope scope(std::make_shared<AuditedCall>(AuditedCall{.caller = {.principal = "apiKey:simulated",
                                                                             .organization = kOrganization,
                                                                             .role = Role::kAdmin,
                                                                             .request_id = audit_id},
                                                                  .method = "Simulated",
                                                                  .time = api.process.Now()}));
  const WriteConditions conditions{.etag = pending.etag, .request_id = pending.request_id};
  const auto answered = [this, client, number = call_numbers_[client], request = pending.request_count](
                            const absl::Status& status, const SecretSet* set, bool changed) {
    Answered(client, number, request, status, set, changed);
  };
  const auto of_deploy = [answered](const absl::Status& status, int64_t generation) {
    const SecretSet set{.generation = generation};
    answered(status, &set, false);
  };
  switch (call.kind) {
    case CallKind::kGet: {
      if (world_.random().Chance(0.3)) return ServeList(client);
      const absl::StatusOr<SecretSetView> view = GetSet(*api.deps, kOrganization, call.set);
      return answered(view.status(), view.ok() ? &view->set : nullptr, false);
    }
    case CallKind::kCheck:
    case CallKind::kDeploy:
      return ServeDeploy(call, {.request_id = call.kind == CallKind::kCheck ? "" : pending.request_id}, of_deploy);
    case CallKind::kUndeploy:
      return api.deployments->Delete(kOrganization, call.agent, {.request_id = pending.request_id},
                                     [answered](const absl::Status& status) { answered(status, nullptr, false); });
    case CallKind::kDelete:
      return api.sets->Delete({kOrganization, call.set, "apiKey:simulated", conditions}, call.force,
                              [answered](const absl::Status& status) { answered(status, nullptr, false); });
    default:
      return ServeWrite(call, {kOrganization, call.set, "apiKey:simulated", conditions},
                        [answered](const absl::StatusOr<SetWriteAnswer>& answer) {
                          answered(answer.status(), answer.ok() ? &answer->view.set : nullptr,
                                   answer.ok() && answer->changed);
                        });
  }
}

void Workload::ServeWrite(const Call& call, SetWrite write, SecretSets::Done done) {
  const SecretSets& sets = *world_.api().now().sets;
  if (call.kind == CallKind::kUnset) return sets.Unset(std::move(write), call.key, std::move(done));
  if (call.kind == CallKind::kRollback) return sets.Rollback(std::move(write), call.rollback_to, std::move(done));
  std::vector<SecretValue> values;
  for (const auto& [key, value] : call.values) values.push_back({.key = key, .value = SecretBytes::Copy(value)});
  sets.Set(std::move(write), RegionOfSet(SetNumber(call.set)), call.replace ? SetMode::kReplaceAll : SetMode::kMerge,
           std::move(values), std::move(done));
}

void Workload::ServeDeploy(const Call& call, const WriteConditions& conditions,
                           std::function<void(const absl::Status&, int64_t)> done) {
  const Deployments& deployments = *world_.api().now().deployments;
  DeployRequest request{.wanted = {.organization = kOrganization,
                                   .agent = call.agent.empty() ? "agent-nobody" : call.agent,
                                   .secret_set = call.set},
                        .if_exists = IfExists::kUpdate,
                        .conditions = conditions};
  request.wanted.image = absl::StrCat("image-", call.begin);
  request.conditions.validate_only = call.kind == CallKind::kCheck;
  if (request.conditions.validate_only) {
    request.wanted.image = "image";
    if (const auto view = deployments.DeployFromMemory(request)) {
      world_.oracles().OnGateOpen(SetNumber(call.set), view->view().deployment.secret_set_generation);
      return done(absl::OkStatus(), view->view().deployment.secret_set_generation);
    }
  }
  deployments.Deploy(std::move(request), [done = std::move(done)](const absl::StatusOr<DeploymentView>& view) {
    done(view.status(), view.ok() ? view->deployment.secret_set_generation : 0);
  });
}

// What it shows of each set is as good as a Get of it.
void Workload::ServeList(int client) {
  const Call call = pending_[client]->call;
  const absl::StatusOr<SecretSetPage> page = ListSets(*world_.api().now().deps, {.organization = kOrganization});
  if (!page.ok())
    return Answered(client, call_numbers_[client], pending_[client]->request_count, page.status(), nullptr, false);
  const SecretSet* listed = nullptr;
  for (const SecretSetView& view : page->sets) {
    if (view.set.name == call.set) listed = &view.set;
  }
  const absl::Status status = listed != nullptr ? absl::OkStatus() : SecretSetNotFound(call.set);
  Answered(client, call_numbers_[client], pending_[client]->request_count, status, listed, false);
}

void Workload::Answered(int client, int number, int request, const absl::Status& status, const SecretSet* set,
                        bool changed) {
  if (world_.random().Chance(kLostShare)) return world_.Count(Fault::kAnswerLost);
  SecretSet view = set != nullptr ? *set : SecretSet();
  world_.scheduler().After(world_.random().Between(absl::ZeroDuration(), kMaxLatency), nullptr,
                           [this, client, number, request, status, view = std::move(view), changed] {
                             if (pending_[client] == nullptr || call_numbers_[client] != number ||
                                 pending_[client]->request_count != request)
                               return;
                             Call& call = pending_[client]->call;
                             call.answer = AnswerOf(call, status);
                             // Of this attempt; an earlier one of the same request may still be under way.
                             if (call.answer == Answer::kRefused && request > 1) call.answer = Answer::kNone;
                             if (call.answer != Answer::kNone) call.end = world_.scheduler().step_count();
                             call.changed = changed;
                             if (call.answer == Answer::kDone) {
                               ++done_count_;
                               call.generation = view.generation;
                               for (const SecretSetEntry& entry : view.entries) call.keys.insert(entry.key);
                               if (!view.uid.empty()) etags_[call.set] = {view.Etag(), view.generation};
                             }
                             Finish(client);
                           });
}

Answer Workload::AnswerOf(const Call& call, const absl::Status& status) {
  if (status.ok()) return Answer::kDone;
  const std::string reason = ReasonOf(status);
  static const std::map<std::string, Answer> kAnswers = {{"SECRET_SET_NOT_FOUND", Answer::kNoSet},
                                                         {"DEPLOYMENT_NOT_FOUND", Answer::kNoSet},
                                                         {"SECRET_NOT_FOUND", Answer::kNoKey},
                                                         {"GENERATION_NOT_FOUND", Answer::kNoGeneration},
                                                         {"ETAG_MISMATCH", Answer::kOtherEtag},
                                                         {"SECRET_SET_IN_USE", Answer::kInUse},
                                                         {"CONCURRENT_MODIFICATION", Answer::kRefused},
                                                         {"SECRET_SET_PENDING", Answer::kRefused},
                                                         {"SECRET_SET_FAILED", Answer::kRefused},
                                                         {"DISK_FULL", Answer::kRefused},
                                                         {"STORE_BUSY", Answer::kRefused}};
  const auto found = kAnswers.find(reason);
  if (found != kAnswers.end()) return found->second;
  world_.Fail(absl::StrCat("a call was refused for no reason: ", call.Text(), ": ", status.ToString()));
  return Answer::kRefused;
}

void Workload::Finish(int client) {
  const Pending& pending = *pending_[client];
  const Call& call = pending.call;
  world_.trace().Note(absl::StrCat("client ", client), call.Text());
  histories_[SetNumber(call.set)].push_back(call);
  changes_.push_back(
      {.audit_ids = pending.audit_ids, .certain = call.answer == Answer::kDone && Changes(call), .text = call.Text()});
  pending_[client] = nullptr;
  Later(client);
}

void Workload::Restored() {
  for (int client = 0; client < kClientCount; ++client) {
    if (pending_[client] != nullptr) Finish(client);
  }
  CheckHistories(/*with_end=*/false);
  changes_.clear();
  etags_.clear();
  for (int set = 0; set < kSetCount; ++set) {
    histories_[set].clear();
    begins_[set] = world_.StateOf(set);
  }
}

void Workload::CheckHistories(bool with_end) {
  for (int set = 0; set < kSetCount; ++set) {
    std::vector<Call> calls = histories_[set];
    const uint64_t now = world_.scheduler().step_count();
    if (with_end)
      calls.push_back({.kind = CallKind::kFinal,
                       .set = SetName(set),
                       .begin = now,
                       .end = now,
                       .answer = Answer::kDone,
                       .state = world_.StateOf(set)});
    if (const auto why = WhyNotLinearizable(begins_[set], calls)) world_.Fail(*why);
  }
}

void Workload::CheckEnd() {
  CheckHistories(/*with_end=*/true);
  const std::map<std::string, int> records = world_.oracles().AuditRecords();
  for (const Change& change : changes_) {
    int count = 0;
    for (const std::string& id : change.audit_ids) {
      if (const auto found = records.find(id); found != records.end()) count += found->second;
    }
    if (count > 1 || (change.certain && count == 0))
      world_.Fail(absl::StrCat("audit: ", count, " records of ", change.text));
  }
}

}  // namespace keyferry
