#include "services/api/guard.h"

#include <grpcpp/security/auth_context.h>

#include <atomic>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/rpc/status_conversion.h"
#include "services/api/access_policy.h"
#include "services/api/call_metadata.h"

namespace keyferry {
namespace {

absl::Status Unauthenticated(std::string_view message) {
  return MakeError(absl::StatusCode::kUnauthenticated, message, {.reason = "UNAUTHENTICATED"});
}

bool HidesItsText(const absl::Status& status) {
  return absl::IsInternal(status) || absl::IsUnknown(status) || absl::IsDataLoss(status);
}

// A state of the house (its store, its keyring) that no handler made an answer of is none of the caller's business.
absl::Status HideHouseStates(absl::Status status) {
  if (!absl::IsFailedPrecondition(status) || !ReasonOf(status).empty()) return status;
  return absl::InternalError(status.message());
}

Role RoleOf(const SpiffeId& id) {
  if (id.role == "admin") return Role::kAdmin;
  if (id.role == "member") return Role::kMember;
  if (id.role == "deployer") return Role::kDeployer;
  return Role::kViewer;
}

Caller CallerOf(const PeerIdentity& peer) {
  Caller caller{.principal = peer.id.text, .certificate_expiry = peer.expiry};
  switch (peer.id.kind) {
    case SpiffeKind::kOperator:
      caller.kind = CallerKind::kOperator;
      break;
    case SpiffeKind::kProvisioner:
      caller.kind = CallerKind::kProvisioner;
      caller.region = peer.id.region;
      caller.provisioner_id = peer.id.id;
      break;
    case SpiffeKind::kService:
      caller.organization = peer.id.organization;
      caller.role = RoleOf(peer.id);
      break;
  }
  return caller;
}

// G2: the tenant's own organization, whichever way the request means it.
absl::Status CheckOrganization(const AccessRow& row, const std::string& named, Caller& caller) {
  if (row.scope == Scope::kSystem) return absl::OkStatus();
  if (caller.kind == CallerKind::kTenant) {
    return named.empty() || named == caller.organization ? absl::OkStatus() : OrganizationNotFound(named);
  }
  if (named.empty()) return InvalidFields("INVALID_ORGANIZATION", {{"organization", "an operator must name it"}});
  caller.organization = named;
  return absl::OkStatus();
}

void LogCall(std::string_view method, const Caller& caller, const absl::Status& status, absl::Duration took) {
  Log(Severity::kInfo, "call",
      {{"method", method},
       {"principal", caller.principal},
       {"organization", caller.organization},
       {"code", absl::StatusCodeToString(status.code())},
       {"reason", ReasonOf(status)},
       {"milliseconds", absl::ToInt64Milliseconds(took)},
       {"request_id", caller.request_id}});
}

// The status for the wire; what it hides goes to the log.
grpc::Status Convert(const absl::Status& status, std::string_view method, const Caller& caller) {
  if (!HidesItsText(status)) return ToGrpcStatus(status, "");
  const std::string incident = NewIncidentId();
  Log(Severity::kError, "incident",
      {{"incident", incident},
       {"method", method},
       {"principal", caller.principal},
       {"request_id", caller.request_id},
       {"error", status}});
  return ToGrpcStatus(status, incident);
}

// One unary call from its arrival to its answer, which is given once.
class Call {
 public:
  Call(grpc::CallbackServerContext* context, std::string_view method, const Clock& clock)
      : context_(context),
        reactor_(context->DefaultReactor()),
        method_(method),
        clock_(clock),
        start_(clock.Monotonic()) {
    caller.request_id = RequestIdOf(*context);
    context->AddInitialMetadata(kRequestIdMetadata, caller.request_id);
  }

  ~Call() { Finish(absl::InternalError("the handler gave no answer")); }

  void Finish(const absl::Status& answer) {
    if (finished_.exchange(true)) return;
    const absl::Status status = HideHouseStates(answer);
    reactor_->Finish(Convert(status, method_, caller));
    LogCall(method_, caller, status, clock_.Monotonic() - start_);
  }

  absl::Status CheckAlive() const {
    if (context_->IsCancelled()) return absl::CancelledError("the caller went away");
    if (context_->deadline() <= std::chrono::system_clock::now())
      return absl::DeadlineExceededError("the deadline passed before the call ran");
    return absl::OkStatus();
  }

  grpc::ServerUnaryReactor* reactor() const { return reactor_; }

  Caller caller;

 private:
  grpc::CallbackServerContext* const context_;
  grpc::ServerUnaryReactor* const reactor_;
  const std::string method_;
  const Clock& clock_;
  const absl::Duration start_;
  std::atomic<bool> finished_ = false;
};

class AccessGuard final : public Guard {
 public:
  explicit AccessGuard(const GuardParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, std::string_view method,
                                const std::string& organization, Body body) override {
    const auto call = std::make_shared<Call>(context, method, parts_.clock);
    grpc::ServerUnaryReactor* const reactor = call->reactor();
    const absl::Status identified = Identify(*context, method, organization, call->caller);
    if (!identified.ok()) {
      call->Finish(identified);
      return reactor;
    }
    if (waiting_.fetch_add(1) >= parts_.max_calls_waiting) {
      --waiting_;
      call->Finish(MakeError(absl::StatusCode::kResourceExhausted, "the server has too many calls waiting; try again",
                             {.reason = "OVERLOADED", .retry_after = absl::Seconds(1)}));
      return reactor;
    }
    parts_.executor.Run([this, call, body = std::move(body)] {
      --waiting_;
      if (const absl::Status alive = call->CheckAlive(); !alive.ok()) return call->Finish(alive);
      body(call->caller, [call](const absl::Status& status) { call->Finish(status); });
    });
    return reactor;
  }

  absl::StatusOr<Caller> Admit(const grpc::CallbackServerContext& context, std::string_view method,
                               const std::string& organization) override {
    Caller caller{.request_id = RequestIdOf(context)};
    const absl::Status status = HideHouseStates(Identify(context, method, organization, caller));
    LogCall(method, caller, status, absl::ZeroDuration());
    if (!status.ok()) return status;
    return caller;
  }

 private:
  // Fills the caller, as far as it gets: also a denied call is logged with its principal.
  absl::Status Identify(const grpc::CallbackServerContext& context, std::string_view method,
                        const std::string& organization, Caller& caller) {
    const AccessRow* const row = FindAccess(method);
    if (row == nullptr) return absl::InternalError(absl::StrCat(std::string(method), " is not in the access table"));
    ASSIGN_OR_RETURN(Caller identified, Authenticate(context));
    identified.request_id = std::move(caller.request_id);
    caller = std::move(identified);
    RETURN_IF_ERROR(CheckPermission(*row, caller));
    return CheckOrganization(*row, organization, caller);
  }

  // G1.
  absl::StatusOr<Caller> Authenticate(const grpc::CallbackServerContext& context) {
    ASSIGN_OR_RETURN(const std::optional<std::string_view> token, BearerTokenOf(context));
    ASSIGN_OR_RETURN(const std::shared_ptr<const PeerIdentity> peer, parts_.peers.Identify(*context.auth_context()));
    if (peer == nullptr) return AuthenticateByToken(token);
    if (token) return Unauthenticated("this door knows its callers by certificate; send no authorization here");
    if (peer->expiry <= parts_.clock.Now())
      return Unauthenticated("the client certificate has expired; connect with a new one");
    return CallerOf(*peer);
  }

  absl::StatusOr<Caller> AuthenticateByToken(const std::optional<std::string_view>& token) {
    if (!token) return Unauthenticated("no credential; send `authorization: Bearer <API key>`");
    ASSIGN_OR_RETURN(const auto key, parts_.api_keys.Verify(*token));
    return Caller{
        .principal = absl::StrCat("apiKey:", key->id), .organization = key->row.organization, .role = key->row.role};
  }

  const GuardParts parts_;
  std::atomic<int> waiting_ = 0;
};

}  // namespace

std::unique_ptr<Guard> NewGuard(const GuardParts& parts) { return std::make_unique<AccessGuard>(parts); }

}  // namespace keyferry
