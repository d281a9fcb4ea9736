// What clients did to one secret set and were told, and whether there is one order of it that explains every answer
// (Wing and Gong). A call without an answer may have happened at any time since it began, or never.
//
// Thread safety: plain values and free functions.
#ifndef KEYFERRY_TESTS_SIMULATION_HISTORY_H_
#define KEYFERRY_TESTS_SIMULATION_HISTORY_H_

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace keyferry {

using Contents = std::map<std::string, std::string>;

struct SetState {
  bool exists = false;
  int64_t generation = 0;
  Contents contents;
  // Of kept generations.
  std::map<int64_t, Contents> kept;
  // Agents that are deployed under this set's name, and those of them that bind it.
  std::set<std::string> deployed;
  std::set<std::string> bound;
  std::string Text() const;
};

enum class CallKind : uint8_t { kSet, kUnset, kRollback, kDelete, kGet, kCheck, kDeploy, kUndeploy, kFinal };
enum class Answer : uint8_t {
  kNone,  // nobody knows
  kDone,
  kRefused,  // for a reason that has nothing to do with the set; nothing was done
  kNoSet,    // or no such agent, for kUndeploy
  kNoKey,
  kNoGeneration,
  kOtherEtag,
  kInUse,
};

struct Call {
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
  int client = 0;
  CallKind kind = CallKind::kGet;
  std::string set;
  // What was asked.
  Contents values;
  bool replace = false;
  std::string key;
  int64_t rollback_to = 0;
  bool force = false;
  std::string agent;
  // The generation that its etag named; 0: none.
  int64_t etag_generation = 0;
  // In steps of the simulation.
  uint64_t begin = 0;
  uint64_t end = kNever;
  // What was answered.
  Answer answer = Answer::kNone;
  bool changed = false;
  int64_t generation = 0;
  std::set<std::string> keys;
  // kFinal.
  std::optional<SetState> state;

  std::string Text() const;
};

// The state after the call, where the call can have had this answer then.
std::optional<SetState> After(const SetState& state, const Call& call);

// nullopt: there is an order. Otherwise the calls, as text.
std::optional<std::string> WhyNotLinearizable(const SetState& begin, const std::vector<Call>& calls);

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_HISTORY_H_
