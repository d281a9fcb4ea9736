#include "services/api/guard.h"

#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>

#include <atomic>
#include <chrono>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/status_macros.h"
#include "libs/model/names.h"
#include "services/api/access_policy.h"
#include "services/api/audit_trail.h"
#include "services/api/call_limits.h"
#include "services/api/call_metadata.h"
#include "services/api/call_report.h"
#include "services/api/call_scope.h"
#include "services/api/client_address.h"
#include "services/api/credential_watch.h"
#include "services/api/enrollment_tokens.h"
#include "services/api/revoked_identities.h"

namespace keyferry {
namespace {

constexpr absl::string_view kApiKeyPrincipal = "apiKey:";
constexpr absl::string_view kEnrollmentPrincipal = "enrollment:";

absl::Status Unauthenticated(std::string_view message) {
  return MakeError(absl::StatusCode::kUnauthenticated, message, {.reason = "UNAUTHENTICATED"});
}

absl::Status CertificateExpired() {
  return Unauthenticated("the client certificate has expired; connect with a new one");
}

absl::Status KeyEnded() {
  return Unauthenticated("the API key is not valid any more; have an admin make a new one");
}

// A state of the house (its store, its keyring) that no handler made an answer of is none of the caller's business.
absl::Status HideHouseStates(absl::Status status) {
  if (!absl::IsFailedPrecondition(status) || !ReasonOf(status).empty()) return status;
  return absl::InternalError(status.message());
}

// Empty: it is none.
std::string_view KeyIdOf(std::string_view token) {
  const std::optional<ParsedApiKey> parsed = ParseApiKey(token);
  return parsed ? parsed->id : std::string_view();
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

Caller CallerOf(const IdentifiedApiKey& key) {
  return {.principal = absl::StrCat(kApiKeyPrincipal, key.id),
          .organization = key.row.organization,
          .role = key.row.role,
          .key_expiry = key.row.expire_time};
}

// G2: the tenant's own organization, whichever way the request means it.
absl::Status CheckOrganization(const AccessRow& row, const std::string& named, Caller& caller) {
  if (row.scope == Scope::kSystem) return absl::OkStatus();
  if (caller.kind == CallerKind::kTenant) {
    return named.empty() || named == caller.organization ? absl::OkStatus() : OrganizationNotFound(named);
  }
  if (named.empty() && row.scope == Scope::kOrganizationOrSystem) return absl::OkStatus();
  if (named.empty()) return InvalidFields("INVALID_ORGANIZATION", {{"organization", "an operator must name it"}});
  // Before it stands in a log or an answer: it may be a key that was typed in its place.
  if (auto wrong = CheckOrganizationName("organization", named)) return InvalidFields("INVALID_ORGANIZATION", {*std::move(wrong)});
  caller.organization = named;
  return absl::OkStatus();
}

// Where answers are told of.
struct Books {
  const Clock& clock;
  AuditTrail* audit;

  // Before the answer.
  void RecordDenial(std::string_view method, const Caller& caller, const absl::Status& status) const {
    if (audit == nullptr || !IsDenial(status)) return;
    if (caller.kind != CallerKind::kOperator || ReasonOf(status) != "ORGANIZATION_NOT_FOUND")
      return audit->Denied(caller, method, status);
    // An operator named it, and it has no chain.
    Caller nowhere = caller;
    nowhere.organization.clear();
    audit->Denied(nowhere, method, status);
  }
};

// One unary call from its arrival to its answer, which is given once.
class Call {
 public:
  Call(grpc::CallbackServerContext* context, std::string_view method, const Books& books)
      : audited{.method = std::string(method), .time = books.clock.Now(), .trail = books.audit},
        context_(context),
        reactor_(context->DefaultReactor()),
        books_(books),
        start_(books.clock.Monotonic()) {
    audited.caller.request_id = RequestIdOf(context->client_metadata());
    context->AddInitialMetadata(kRequestIdMetadata, audited.caller.request_id);
  }

  ~Call() { Finish(absl::InternalError("the handler gave no answer")); }

  void Finish(const absl::Status& answer) {
    if (finished_.exchange(true)) return;
    const absl::Status status = HideHouseStates(answer);
    books_.RecordDenial(audited.method, audited.caller, status);
    reactor_->Finish(Convert(status, audited.method, audited.caller));
    ReportCall(audited.method, audited.caller, status, books_.clock.Monotonic() - start_);
  }

  absl::Status CheckAlive() const {
    if (context_->IsCancelled()) return absl::CancelledError("the caller went away");
    if (context_->deadline() <= std::chrono::system_clock::now())
      return absl::DeadlineExceededError("the deadline passed before the call ran");
    return absl::OkStatus();
  }

  grpc::ServerUnaryReactor* reactor() const { return reactor_; }

  AuditedCall audited;

 private:
  grpc::CallbackServerContext* const context_;
  grpc::ServerUnaryReactor* const reactor_;
  const Books books_;
  const absl::Duration start_;
  std::atomic<bool> finished_ = false;
};

class AccessGuard final : public Guard {
 public:
  explicit AccessGuard(const GuardParts& parts)
      : parts_(parts),
        books_{.clock = parts.clock, .audit = parts.audit},
        credentials_(
            CredentialWatch::Create(parts.executor, [this](const Caller& caller) { return CheckCredential(caller); })) {}

  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, std::string_view method,
                                const std::string& organization, Body body) override {
    const auto call = std::make_shared<Call>(context, method, books_);
    grpc::ServerUnaryReactor* const reactor = call->reactor();
    if (LetsIn(*call, *context, organization)) Enqueue(call, std::move(body));
    return reactor;
  }

  grpc::ServerUnaryReactor* RunQuick(grpc::CallbackServerContext* context, std::string_view method,
                                     const std::string& organization, const Quick& quick, Body body) override {
    const auto call = std::make_shared<Call>(context, method, books_);
    grpc::ServerUnaryReactor* const reactor = call->reactor();
    if (!LetsIn(*call, *context, organization)) return reactor;
    if (const absl::Status alive = call->CheckAlive(); !alive.ok()) {
      call->Finish(alive);
    } else if (const std::optional<absl::Status> answer = quick(call->audited.caller)) {
      call->Finish(*answer);
    } else {
      Enqueue(call, std::move(body));
    }
    return reactor;
  }

  absl::StatusOr<Caller> Admit(const grpc::CallbackServerContext& context, std::string_view method,
                               const std::string& organization) override {
    Caller caller{.request_id = RequestIdOf(context.client_metadata())};
    const absl::Status status = HideHouseStates(Identify(context, method, organization, caller));
    books_.RecordDenial(method, caller, status);
    ReportCall(method, caller, status, absl::ZeroDuration());
    if (!status.ok()) return status;
    return caller;
  }

  absl::Status CheckCredential(const Caller& caller) override {
    const absl::Time now = parts_.clock.Now();
    if (caller.certificate_expiry <= now) return CertificateExpired();
    if (caller.key_expiry <= now) return KeyEnded();
    if (absl::StartsWith(caller.principal, kApiKeyPrincipal))
      return parts_.api_keys.IsLive(caller.principal.substr(kApiKeyPrincipal.size())) ? absl::OkStatus() : KeyEnded();
    return CheckIdentity(caller.principal);
  }

  std::shared_ptr<void> OnCredentialEnd(const Caller& caller,
                                        std::function<void(const absl::Status&)> ended) override {
    return credentials_->OnEnd(caller, std::move(ended));
  }

 private:
  // Whether the call may run; otherwise it is answered.
  bool LetsIn(Call& call, const grpc::CallbackServerContext& context, const std::string& organization) {
    const absl::Status identified = Identify(context, call.audited.method, organization, call.audited.caller);
    if (!identified.ok()) call.Finish(identified);
    return identified.ok();
  }

  // G4.
  void Enqueue(const std::shared_ptr<Call>& call, Body body) {
    if (waiting_.fetch_add(1) >= parts_.max_calls_waiting) {
      --waiting_;
      return call->Finish(MakeError(absl::StatusCode::kResourceExhausted, "the server has too many calls waiting; try again",
                                    {.reason = "OVERLOADED", .retry_after = absl::Seconds(1)}));
    }
    parts_.executor.Run([this, call, body = std::move(body)] {
      --waiting_;
      if (const absl::Status alive = call->CheckAlive(); !alive.ok()) return call->Finish(alive);
      const CallScope scope(std::shared_ptr<const AuditedCall>(call, &call->audited));
      body(call->audited.caller, [call](const absl::Status& status) { call->Finish(status); });
    });
  }

  // Fills the caller, as far as it gets: also a denied call is logged with its principal.
  absl::Status Identify(const grpc::CallbackServerContext& context, std::string_view method,
                        const std::string& organization, Caller& caller) {
    const AccessRow* const row = FindAccess(method);
    if (row == nullptr) return absl::InternalError(absl::StrCat(std::string(method), " is not in the access table"));
    RETURN_IF_ERROR(Authenticate(context, caller));
    RETURN_IF_ERROR(CheckPermission(*row, caller));
    return CheckOrganization(*row, organization, caller);
  }

  // G1. Keeps the request id.
  absl::Status Authenticate(const grpc::CallbackServerContext& context, Caller& caller) {
    const auto peer = parts_.peers.Identify(*context.auth_context());
    if (peer.ok() && *peer == nullptr) return AuthenticateByToken(context, caller);
    const absl::Status known = peer.ok() ? CheckPeer(**peer, context, caller) : peer.status();
    if (!known.ok()) return Refused(known, "", AddressOf(context), /*guessed=*/true);
    return parts_.limits == nullptr ? absl::OkStatus() : parts_.limits->AdmitCaller(caller, "");
  }

  // Who it is comes first: also a credential that has ended is recorded as its owner's.
  absl::Status CheckPeer(const PeerIdentity& peer, const grpc::CallbackServerContext& context, Caller& caller) {
    Become(CallerOf(peer), caller);
    ASSIGN_OR_RETURN(const std::optional<std::string_view> token, BearerTokenOf(context.client_metadata()));
    if (token) return Unauthenticated("this door knows its callers by certificate; send no authorization here");
    if (peer.expiry <= parts_.clock.Now()) return CertificateExpired();
    return CheckIdentity(caller.principal);
  }

  absl::Status AuthenticateByToken(const grpc::CallbackServerContext& context, Caller& caller) {
    const std::string address = AddressOf(context);
    if (parts_.limits != nullptr) RETURN_IF_ERROR(parts_.limits->AdmitAddress(address));
    const absl::StatusOr<std::optional<std::string_view>> token = BearerTokenOf(context.client_metadata());
    if (!token.ok()) return Refused(token.status(), "", address, /*guessed=*/true);
    if (!*token)
      return Refused(Unauthenticated("no credential; send `authorization: Bearer <API key>`"), "", address, /*guessed=*/true);
    std::shared_ptr<const IdentifiedApiKey> ended;
    absl::StatusOr<Caller> verified = Verify(**token, &ended);
    if (ended != nullptr) Become(CallerOf(*ended), caller);
    if (!verified.ok()) return Refused(verified.status(), KeyIdOf(**token), address, /*guessed=*/ended == nullptr);
    Become(*std::move(verified), caller);
    if (parts_.limits == nullptr) return absl::OkStatus();
    const bool has_key = absl::StartsWith(caller.principal, kApiKeyPrincipal);
    return parts_.limits->AdmitCaller(caller, has_key ? std::string_view(caller.principal).substr(kApiKeyPrincipal.size()) : "");
  }

  // The answer to a credential that does not count, after all the work that one which counts costs.
  absl::Status Refused(const absl::Status& status, std::string_view key_id, std::string_view address, bool guessed) {
    if (parts_.limits == nullptr || !absl::IsUnauthenticated(status)) return status;
    RETURN_IF_ERROR(parts_.limits->CoolDown(key_id, address));
    if (guessed) parts_.limits->Failed(key_id, address);
    return status;
  }

  std::string AddressOf(const grpc::CallbackServerContext& context) const {
    return parts_.addresses == nullptr ? "" : parts_.addresses->OfCall(context.peer(), context.client_metadata());
  }

  absl::StatusOr<Caller> Verify(std::string_view token, std::shared_ptr<const IdentifiedApiKey>* ended) {
    if (parts_.enrollment_tokens != nullptr && token.starts_with(kEnrollmentTokenPrefix)) {
      ASSIGN_OR_RETURN(VerifiedEnrollmentToken verified, parts_.enrollment_tokens->Verify(token));
      return Caller{.kind = CallerKind::kEnrollee,
                    .principal = absl::StrCat(kEnrollmentPrincipal, verified.id),
                    .region = std::move(verified.region)};
    }
    ASSIGN_OR_RETURN(const auto key, parts_.api_keys.Verify(token, ended));
    return CallerOf(*key);
  }

  static void Become(Caller identified, Caller& caller) {
    identified.request_id = std::move(caller.request_id);
    caller = std::move(identified);
  }

  // G5.
  absl::Status CheckIdentity(const std::string& principal) {
    if (parts_.revoked_identities == nullptr || !parts_.revoked_identities->IsRevoked(principal)) return absl::OkStatus();
    return MakeError(absl::StatusCode::kUnauthenticated,
                     "this certificate's identity was revoked; ask an operator for another",
                     {.reason = "IDENTITY_REVOKED"});
  }

  const GuardParts parts_;
  const Books books_;
  std::atomic<int> waiting_ = 0;
  const std::unique_ptr<CredentialWatch> credentials_;
};

}  // namespace

std::unique_ptr<Guard> NewGuard(const GuardParts& parts) { return std::make_unique<AccessGuard>(parts); }

}  // namespace keyferry
