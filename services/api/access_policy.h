// The access table: every RPC that the API serves, by who may call it. A call that no row allows is denied; a server
// whose RPCs are not all here does not start. docs/access.md shows the same table; a test compares both with the
// service descriptors.
//
// Thread safety: free functions, any thread.
#ifndef KEYFERRY_SERVICES_API_ACCESS_POLICY_H_
#define KEYFERRY_SERVICES_API_ACCESS_POLICY_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "services/api/caller.h"

namespace keyferry {

// One bit each.
enum Principal : uint8_t {
  kNobody = 0,
  kOrganizationAdmin = 1,
  kOrganizationMember = 2,
  kOrganizationDeployer = 4,
  kOrganizationViewer = 8,
  kSystemOperator = 16,
  kRegionProvisioner = 32,
  // Holds an enrollment token.
  kEnrollee = 64,
};

enum class Scope : uint8_t {
  // The request names an organization, or means the caller's own.
  kOrganization,
  // As kOrganization, and an operator who names none means what belongs to none.
  kOrganizationOrSystem,
  kSystem,
};

struct AccessRow {
  // `Service/Rpc`.
  std::string_view method;
  Scope scope;
  // Bits of Principal.
  uint8_t allowed;
  // What the RPC does, after "may not": `write secrets`.
  std::string_view action;
};

std::span<const AccessRow> AccessTable();
// Null when there is none.
const AccessRow* FindAccess(std::string_view method);

// Internal, naming each RPC of these services (full names, linked into the program) that has no row, and each row
// without an RPC.
absl::Status CheckAccessTable(const std::vector<std::string>& services);

Principal PrincipalOf(const Caller& caller);
std::string_view NameOf(Principal principal);

// PermissionDenied unless the row allows the caller; it says what is not allowed and to whom it is. Before anything is
// looked up.
absl::Status CheckPermission(const AccessRow& row, const Caller& caller);

// NotFound, ORGANIZATION_NOT_FOUND: the one answer for an absent organization and for another tenant's. Shows the text
// only where it could be a name.
absl::Status OrganizationNotFound(std::string_view organization);

// What the audit trail records: refusals by right or by rule, not the conflicts of two writers, nor what is only too fast.
bool IsDenial(const absl::Status& status);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_ACCESS_POLICY_H_
