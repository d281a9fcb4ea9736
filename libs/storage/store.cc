#include "libs/storage/store.h"

#include <future>
#include <utility>
#include <vector>

#include "libs/common/status_macros.h"

namespace keyferry {

absl::StatusOr<Revision> CommitAndWait(Store& store, Commit commit) {
  // Shared: set_value may still be on its way out when the waiter is gone.
  auto answered = std::make_shared<std::promise<absl::StatusOr<Revision>>>();
  auto answer = answered->get_future();
  store.CommitAsync(std::move(commit),
                    [answered](absl::StatusOr<Revision> result) { answered->set_value(std::move(result)); });
  return answer.get();
}

absl::StatusOr<size_t> Store::Count(const RowKey& begin, const std::string& end) const {
  constexpr size_t kPage = 1000;
  size_t count = 0;
  for (RowKey next = begin;;) {
    ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, Scan(next, end, kPage));
    count += rows.size();
    if (rows.size() < kPage) return count;
    next.bytes = rows.back().key.bytes + '\0';
  }
}

std::string PrefixEnd(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) ++prefix.back();
  return prefix;
}

}  // namespace keyferry
