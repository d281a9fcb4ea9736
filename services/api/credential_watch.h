// CredentialWatch: tells open streams that their caller's credential counts no longer. Asks once a second, about those
// that somebody watches.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_CREDENTIAL_WATCH_H_
#define KEYFERRY_SERVICES_API_CREDENTIAL_WATCH_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "libs/common/executor.h"
#include "services/api/caller.h"

namespace keyferry {

inline constexpr absl::Duration kCredentialCheckInterval = absl::Seconds(1);

class CredentialWatch {
 public:
  // Not OK: it counts no longer.
  using Check = std::function<absl::Status(const Caller&)>;
  using Ended = std::function<void(const absl::Status&)>;

  // The executor outlives it.
  static std::unique_ptr<CredentialWatch> Create(Executor& executor, Check check);
  // No check runs after it.
  virtual ~CredentialWatch() = default;

  // `ended` is called with the check's answer, on a thread of the executor, within kCredentialCheckInterval after the
  // end, and again with every check until the subscription is dropped. It must not block. The subscription may be
  // dropped inside it, on any other thread it waits for it.
  [[nodiscard]] virtual std::shared_ptr<void> OnEnd(const Caller& caller, Ended ended) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_CREDENTIAL_WATCH_H_
