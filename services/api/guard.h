// Guard: the one way into every RPC. Identifies the caller (client certificate's SPIFFE id on the inner door, API key or enrollment token
// on the edge door) within its call limits, looks the RPC up in the access table, runs the handler's body off gRPC's threads, in its
// CallScope, and maps its status: details attached, texts of INTERNAL and DATA_LOSS, and of FAILED_PRECONDITION without a reason, replaced by
// an incident id that the log carries. One log line a call, without contents.
//
// Invariants:
//   G1  A connection has one kind of identity: with a client certificate no bearer token counts, without one no
//   certificate can. G2  Permission is decided before existence, and another tenant's organization is answered as an
//   absent one. G3  A call that was cancelled or is past its deadline before its turn does not run.
//   G4  Only an admitted call waits for a thread: nobody fills the queue without a credential.
//   G5  A revoked identity is refused before anything is looked up. What ends a credential ends its open streams within 5 s.
//   G6  Every refusal by right or rule (docs/access.md, "What is recorded") goes to the audit trail.
//   G7  What runs on gRPC's threads (Quick, and who the caller is) ends soon: no lock that is held for long, no wait for a disk or
//   another process, but for the read of a credential that nobody used lately.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_GUARD_H_
#define KEYFERRY_SERVICES_API_GUARD_H_

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "libs/common/executor.h"
#include "libs/common/limits.h"
#include "libs/rpc/peer_identities.h"
#include "services/api/api_keys.h"
#include "services/api/caller.h"

namespace keyferry {

class Guard {
 public:
  using Done = std::function<void(absl::Status)>;
  // Fills the response, then calls done once, from any thread. The caller lives until then. A body that drops done
  // answers INTERNAL.
  using Body = std::function<void(const Caller& caller, Done done)>;

  // Answers a call at once, from memory: G7. nullopt: it cannot, and left the response as it was.
  using Quick = std::function<std::optional<absl::Status>(const Caller& caller)>;

  virtual ~Guard() = default;

  // Unary RPCs. `method` is `Service/Rpc`; `organization` is what the request names, empty for the caller's own.
  virtual grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, std::string_view method,
                                        const std::string& organization, Body body) = 0;
  // Asks `quick` first, on gRPC's thread; unless it answered, as Run.
  virtual grpc::ServerUnaryReactor* RunQuick(grpc::CallbackServerContext* context, std::string_view method,
                                             const std::string& organization, const Quick& /*quick*/, Body body) {
    return Run(context, method, organization, std::move(body));
  }

  // Streams: the caller, or Unauthenticated, PermissionDenied, NotFound (a foreign organization).
  virtual absl::StatusOr<Caller> Admit(const grpc::CallbackServerContext& context, std::string_view method,
                                       const std::string& organization) = 0;

  // Of a caller who was let in: Unauthenticated as soon as the credential is revoked or has expired; IDENTITY_REVOKED for a revoked SPIFFE id. A
  // caller whose certificate may be renewed meanwhile has its certificate_expiry set to the infinite future by who asks.
  virtual absl::Status CheckCredential(const Caller&) { return absl::OkStatus(); }
  // The same for streams: told when CheckCredential begins to fail (credential_watch.h). A guard that never ends anything answers null.
  [[nodiscard]] virtual std::shared_ptr<void> OnCredentialEnd(const Caller&,
                                                              std::function<void(const absl::Status&)>) {
    return nullptr;
  }
};

class AuditTrail;
class CallLimits;
class ClientAddresses;
class EnrollmentTokens;
class RevokedIdentities;

// Who is who, and where calls run. All outlive the guard; a null one is left out (tests).
struct GuardParts {
  PeerIdentities& peers;
  ApiKeys& api_keys;
  Executor& executor;
  const Clock& clock;
  AuditTrail* audit = nullptr;
  CallLimits* limits = nullptr;
  EnrollmentTokens* enrollment_tokens = nullptr;
  RevokedIdentities* revoked_identities = nullptr;
  // Null: nobody has one.
  const ClientAddresses* addresses = nullptr;
  // More are refused: RESOURCE_EXHAUSTED, OVERLOADED.
  int max_calls_waiting = kMaxCallsWaiting;
};
std::unique_ptr<Guard> NewGuard(const GuardParts& parts);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_GUARD_H_
