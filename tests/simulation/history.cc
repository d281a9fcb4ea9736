#include "tests/simulation/history.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/common/limits.h"

namespace keyferry {
namespace {

std::string TextOf(const Contents& contents) {
  return absl::StrJoin(
      contents, " ", [](std::string* out, const auto& entry) { absl::StrAppend(out, entry.first, "=", entry.second); });
}

std::set<std::string> KeysOf(const Contents& contents) {
  std::set<std::string> keys;
  for (const auto& [key, value] : contents) keys.insert(key);
  return keys;
}

// What a write that was not refused makes of the set; nullopt: it would have been refused.
std::optional<Contents> Written(const SetState& state, const Call& call) {
  if (call.kind == CallKind::kSet) {
    Contents contents = call.values;
    if (!call.replace && state.exists) contents.insert(state.contents.begin(), state.contents.end());
    return contents;
  }
  if (!state.exists) return std::nullopt;
  Contents contents = state.contents;
  if (call.kind == CallKind::kUnset && contents.erase(call.key) == 0) return std::nullopt;
  if (call.kind != CallKind::kRollback) return contents;
  const auto kept = state.kept.find(call.rollback_to);
  return kept == state.kept.end() ? std::nullopt : std::optional(kept->second);
}

std::optional<SetState> AfterWrite(const SetState& state, const Call& call) {
  const std::optional<Contents> contents = Written(state, call);
  if (!contents) return std::nullopt;
  const bool changed = !state.exists || *contents != state.contents;
  SetState next = state;
  next.exists = true;
  next.generation = state.exists ? state.generation + (changed ? 1 : 0) : 1;
  if (!state.exists) next.kept.clear();
  next.contents = *contents;
  next.kept[next.generation] = *contents;
  next.kept.erase(next.generation - kMaxGenerationsKept);
  if (call.answer == Answer::kNone) return next;
  const bool fits = call.changed == changed && call.generation == next.generation && call.keys == KeysOf(next.contents);
  return fits ? std::optional(next) : std::nullopt;
}

std::optional<SetState> AfterDelete(const SetState& state, const Call& call) {
  if (!state.exists || (!call.force && !state.bound.empty())) return std::nullopt;
  return SetState{.deployed = state.deployed};
}

std::optional<SetState> AfterDeploy(const SetState& state, const Call& call) {
  if (!state.exists || (call.answer == Answer::kDone && call.generation != state.generation)) return std::nullopt;
  SetState next = state;
  if (call.kind == CallKind::kCheck) return next;
  next.deployed.insert(call.agent);
  next.bound.insert(call.agent);
  return next;
}

std::optional<SetState> AfterUndeploy(const SetState& state, const Call& call) {
  SetState next = state;
  if (next.deployed.erase(call.agent) == 0) return std::nullopt;
  next.bound.erase(call.agent);
  return next;
}

std::optional<SetState> AfterDone(const SetState& state, const Call& call) {
  if (call.etag_generation != 0 && (!state.exists || state.generation != call.etag_generation)) return std::nullopt;
  switch (call.kind) {
    case CallKind::kDelete:
      return AfterDelete(state, call);
    case CallKind::kGet:
      if (call.answer == Answer::kNone) return state;
      return state.exists && state.generation == call.generation && KeysOf(state.contents) == call.keys
                 ? std::optional(state)
                 : std::nullopt;
    case CallKind::kCheck:
    case CallKind::kDeploy:
      return AfterDeploy(state, call);
    case CallKind::kUndeploy:
      return AfterUndeploy(state, call);
    case CallKind::kFinal:
      return state.Text() == call.state->Text() ? std::optional(state) : std::nullopt;
    default:
      return AfterWrite(state, call);
  }
}

bool RefusalFits(const SetState& state, const Call& call) {
  switch (call.answer) {
    case Answer::kNoSet:
      return call.kind == CallKind::kUndeploy ? !state.deployed.contains(call.agent) : !state.exists;
    case Answer::kNoKey:
      return state.exists && !state.contents.contains(call.key);
    case Answer::kNoGeneration:
      return state.exists && !state.kept.contains(call.rollback_to);
    case Answer::kOtherEtag:
      // An etag names the set's life too, which is not known here: another set of the same name may have the same generation.
      return true;
    case Answer::kInUse:
      return state.exists && !state.bound.empty();
    default:
      return true;
  }
}

class Search {
 public:
  Search(const SetState& begin, const std::vector<Call>& calls)
      : begin_(begin), calls_(calls), placed_(calls.size(), '0') {
    for (const Call& call : calls_) left_ += call.answer != Answer::kNone;
  }
  bool Run() { return Place(begin_); }

 private:
  bool Place(const SetState& state) {
    if (left_ == 0) return true;
    if (!seen_.insert(placed_ + state.Text()).second) return false;
    uint64_t first_end = Call::kNever;
    for (size_t i = 0; i < calls_.size(); ++i) {
      if (placed_[i] == '0' && calls_[i].answer != Answer::kNone) first_end = std::min(first_end, calls_[i].end);
    }
    for (size_t i = 0; i < calls_.size(); ++i) {
      if (placed_[i] == '0' && calls_[i].begin <= first_end && Try(state, i)) return true;
    }
    return false;
  }

  bool Try(const SetState& state, size_t i) {
    const std::optional<SetState> next = After(state, calls_[i]);
    if (!next) return false;
    const int counted = calls_[i].answer != Answer::kNone;
    placed_[i] = '1';
    left_ -= counted;
    if (Place(*next)) return true;
    placed_[i] = '0';
    left_ += counted;
    return false;
  }

  const SetState& begin_;
  const std::vector<Call>& calls_;
  std::string placed_;
  int left_ = 0;
  std::unordered_set<std::string> seen_;
};

}  // namespace

std::string SetState::Text() const {
  if (!exists) return absl::StrCat("none; deployed ", absl::StrJoin(deployed, ","));
  std::string text = absl::StrCat(generation, ": ", TextOf(contents), "; deployed ", absl::StrJoin(deployed, ","),
                                  "; bound ", absl::StrJoin(bound, ","));
  for (const auto& [number, values] : kept) absl::StrAppend(&text, "; ", number, ": ", TextOf(values));
  return text;
}

std::string Call::Text() const {
  static constexpr const char* kKinds[] = {"set",   "unset",  "rollback", "delete", "get",
                                           "check", "deploy", "undeploy", "final"};
  static constexpr const char* kAnswers[] = {"?",      "done",          "refused",    "no set",
                                             "no key", "no generation", "other etag", "in use"};
  std::string text = absl::StrCat(
      "client ", client, " [", begin, ", ", end == kNever ? "..." : absl::StrCat(end), "] ", set, " ",
      kKinds[static_cast<int>(kind)], " ", TextOf(values), replace ? " replace" : "", key, agent,
      rollback_to != 0 ? absl::StrCat(" to ", rollback_to) : "", force ? " force" : "",
      etag_generation != 0 ? absl::StrCat(" if ", etag_generation) : "", " -> ", kAnswers[static_cast<int>(answer)]);
  if (answer == Answer::kDone)
    absl::StrAppend(&text, changed ? " changed" : "", " generation ", generation, " {", absl::StrJoin(keys, " "), "}");
  if (state) absl::StrAppend(&text, " ", state->Text());
  return text;
}

std::optional<SetState> After(const SetState& state, const Call& call) {
  if (call.answer == Answer::kNone || call.answer == Answer::kDone) return AfterDone(state, call);
  return RefusalFits(state, call) ? std::optional(state) : std::nullopt;
}

std::optional<std::string> WhyNotLinearizable(const SetState& begin, const std::vector<Call>& calls) {
  if (Search(begin, calls).Run()) return std::nullopt;
  return absl::StrCat(
      "no order of these calls explains their answers, from ", begin.Text(), ":\n",
      absl::StrJoin(calls, "\n", [](std::string* out, const Call& call) { out->append("  " + call.Text()); }));
}

}  // namespace keyferry
