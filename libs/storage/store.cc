#include "libs/storage/store.h"

#include <future>
#include <utility>

namespace keyferry {

absl::StatusOr<Revision> CommitAndWait(Store& store, Commit commit) {
  // Shared: set_value may still be on its way out when the waiter is gone.
  auto answered = std::make_shared<std::promise<absl::StatusOr<Revision>>>();
  auto answer = answered->get_future();
  store.CommitAsync(std::move(commit),
                    [answered](absl::StatusOr<Revision> result) { answered->set_value(std::move(result)); });
  return answer.get();
}

std::string PrefixEnd(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) ++prefix.back();
  return prefix;
}

}  // namespace keyferry
