// Waiting until a region has proved a set, without polling: woken by writes of exactly the rows that the answer depends
// on.
//
// Thread safety: a free function, from any thread; does not block.
#ifndef KEYFERRY_SERVICES_API_SET_WAIT_H_
#define KEYFERRY_SERVICES_API_SET_WAIT_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/api/set_status.h"

namespace keyferry {

struct SetWait {
  std::string organization;
  std::string name;
  // 0: the set's at the time of the call.
  int64_t generation = 0;
  // 0: kDefaultWait.
  absl::Duration timeout;
  // Asked once a second: whether nobody waits for the answer any more. May be empty.
  std::function<bool()> cancelled;
  // Asked as often: not OK, whether the caller may hear no more. May be empty.
  std::function<absl::Status()> check_caller;
};

// done is called once, on a thread of the executor: with the set as soon as it is READY or FAILED at the generation or
// a later one, or as it is when the timeout ends; NotFound SECRET_SET_NOT_FOUND, also when the set is deleted
// meanwhile, even if another takes its name; Cancelled; what check_caller said; InvalidArgument INVALID_TIMEOUT, INVALID_GENERATION. The deps'
// referents outlive the wait; an executor that ends drops it unanswered.
void WaitUntilReady(const UseCaseDeps& deps, SetWait wait, std::function<void(absl::StatusOr<SecretSetView>)> done);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SET_WAIT_H_
