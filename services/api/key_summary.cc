#include "services/api/key_summary.h"

#include <algorithm>

#include "libs/common/status_macros.h"

namespace keyferry {

absl::StatusOr<KeySummary> SummarizeKeys(const Barrier& barrier, RootKeys& root_keys) {
  KeySummary summary{.root_problem = root_keys.Health()};
  const absl::StatusOr<std::string> current = root_keys.CurrentId();
  if (current.ok()) summary.root_key_id = *current;
  if (!current.ok() && summary.root_problem.ok()) summary.root_problem = current.status();
  ASSIGN_OR_RETURN(const std::vector<std::string> owners, barrier.Owners());
  for (const std::string& owner : owners) {
    const auto stored = barrier.StoredKeysOf(owner);
    if (absl::IsNotFound(stored.status())) continue;
    RETURN_IF_ERROR(stored.status());
    for (const WrappedKey& key : stored->first.keys) {
      ++summary.key_count;
      summary.keys_under_old_root += current.ok() && key.root_key_id != *current;
      summary.oldest_key_time = std::min(summary.oldest_key_time, key.create_time);
    }
  }
  return summary;
}

}  // namespace keyferry
