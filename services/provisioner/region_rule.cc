#include "services/provisioner/region_rule.h"

namespace keyferry {
namespace {

Verdict JudgeRetain(const ObjectVersion& wanted, const std::optional<ObjectVersion>& held) {
  if (!held || held->revision < wanted.revision) return Verdict::kMissing;
  if (held->revision > wanted.revision) return Verdict::kRetained;
  const bool same = held->operation == Operation::kApply && (wanted.digest.empty() || wanted.digest == held->digest);
  return same ? Verdict::kRetained : Verdict::kMissing;
}

}  // namespace

Verdict Judge(const ObjectVersion& wanted, const std::optional<ObjectVersion>& held, uint64_t settled_floor) {
  if (wanted.operation == Operation::kRetain) return JudgeRetain(wanted, held);
  const bool is_delete = wanted.operation == Operation::kDelete;
  if (!held && wanted.revision <= settled_floor) return Verdict::kBelowFloor;
  if (!held || held->revision < wanted.revision) return is_delete ? Verdict::kDelete : Verdict::kApply;
  if (held->revision > wanted.revision) return Verdict::kStale;
  const bool same = held->operation == wanted.operation && (is_delete || held->digest == wanted.digest);
  return same ? Verdict::kDuplicate : Verdict::kConflict;
}

}  // namespace keyferry
