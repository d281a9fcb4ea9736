#include "services/api/call_slots.h"

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"

namespace keyferry {
namespace {

constexpr absl::Duration kRetryAfter = absl::Seconds(10);

absl::Status TooMany(const CallSlotLimits& limits, size_t limit, absl::string_view whose) {
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat(whose, " has ", limit, " ", std::string(limits.noun),
                   " here, the most there may be; end one, or try again later"),
      {.reason = std::string(limits.reason), .metadata = {{"limit", absl::StrCat(limit)}}, .retry_after = kRetryAfter});
}

template <typename Counts, typename Key>
size_t CountOf(const Counts& counts, const Key& key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

template <typename Counts, typename Key>
void Decrement(Counts& counts, const Key& key) {
  const auto found = counts.find(key);
  if (--found->second == 0) counts.erase(found);
}

}  // namespace

absl::StatusOr<CallSlots::Slot> CallSlots::Take(const std::string& organization, const std::string& principal) {
  const absl::MutexLock lock(&mutex_);
  const Caller caller(organization, principal);
  if (CountOf(of_organization_, organization) == limits_.per_organization)
    return TooMany(limits_, limits_.per_organization, absl::StrCat("organization \"", organization, "\""));
  if (CountOf(of_caller_, caller) == limits_.per_caller) return TooMany(limits_, limits_.per_caller, "this credential");
  ++of_organization_[organization];
  ++of_caller_[caller];
  return Slot(nullptr, [this, caller](std::nullptr_t) { Release(caller); });
}

void CallSlots::Release(const Caller& caller) {
  const absl::MutexLock lock(&mutex_);
  Decrement(of_organization_, caller.first);
  Decrement(of_caller_, caller);
}

}  // namespace keyferry
