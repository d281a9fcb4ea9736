// Records before they are chained.
#include <atomic>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/crypto/aead.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"
#include "services/api/audit_trail.h"

namespace keyferry {
namespace {

// The longest SPIFFE id.
constexpr size_t kMaxAuditTextBytes = 2048;

std::string RoleOf(const Caller& caller) {
  if (caller.principal.empty()) return "";
  switch (caller.kind) {
    case CallerKind::kOperator:
      return "operator";
    case CallerKind::kProvisioner:
      return "provisioner";
    case CallerKind::kEnrollee:
      return "enrollee";
    case CallerKind::kTenant:
      break;
  }
  switch (caller.role) {
    case Role::kAdmin:
      return "admin";
    case Role::kMember:
      return "member";
    case Role::kDeployer:
      return "deployer";
    case Role::kViewer:
      return "viewer";
  }
  return "";
}

// Names and ids are printable ASCII by their own rules; whatever else gets here must not break a line or fill the
// store.
void Clean(std::string& text) {
  if (text.size() > kMaxAuditTextBytes) text.resize(kMaxAuditTextBytes);
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
}

// Unlike any other; those of one process sort as they were made.
std::string NextPendingUid() {
  static const std::string& process = *new std::string(absl::BytesToHexString(RandomBytes(8)));
  static std::atomic<uint64_t> count = 0;
  return absl::StrCat(process, absl::Hex(count.fetch_add(1), absl::kZeroPad16));
}

}  // namespace

AuditRow AuditRowOf(const AuditedCall& call, const AuditedObject& object, absl::Time now) {
  return {.organization = object.organization.empty() ? call.caller.organization : object.organization,
          .time = now,
          .principal = call.caller.principal,
          .role = RoleOf(call.caller),
          .method = call.method,
          .decision = AuditDecision::kDone,
          .object_kind = object.kind,
          .object_name = object.name,
          .region = object.region,
          .generation = object.generation,
          .request_id = call.caller.request_id};
}

void AddAuditRecord(Transaction& transaction, AuditRow row) {
  if (!row.organization.empty() && CheckOrganizationName("organization", row.organization)) row.organization.clear();
  for (std::string* text : {&row.principal, &row.role, &row.method, &row.code, &row.reason, &row.object_kind,
                            &row.object_name, &row.region, &row.request_id}) {
    Clean(*text);
  }
  transaction.Put(keys::AuditPending(row.organization, NextPendingUid()), Encode(row));
}

}  // namespace keyferry
