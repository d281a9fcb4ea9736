// CallScope: on whose behalf a thread works. The guard opens one around a handler's body, on a thread of the executor, never of the store or of gRPC; RunTransaction reads it when it is called and puts the
// call's audit record into the commit. So no change that a caller asked for is made without its record, whichever use case made it
// (docs/adr/2026-11-23-audit-in-the-commit.md).
//
// Thread safety: each belongs to the thread that made it.
#ifndef KEYFERRY_SERVICES_API_CALL_SCOPE_H_
#define KEYFERRY_SERVICES_API_CALL_SCOPE_H_

#include <memory>
#include <string>

#include "services/api/caller.h"

namespace keyferry {

class AuditTrail;

struct AuditedCall {
  Caller caller;
  // `Service/Rpc`, or the name of a background job.
  std::string method;
  // When it arrived: its records carry it.
  absl::Time time;
  // Refuses the call's commits while it cannot keep up (AuditTrail::CheckAdmits); null: nothing does.
  const AuditTrail* trail = nullptr;
};

class CallScope {
 public:
  // Null: what runs within is nobody's call, such as a note of when a key was last used.
  explicit CallScope(std::shared_ptr<const AuditedCall> call);
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  // Null outside any scope: background work without a record.
  static std::shared_ptr<const AuditedCall> Current();

 private:
  std::shared_ptr<const AuditedCall> before_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_CALL_SCOPE_H_
