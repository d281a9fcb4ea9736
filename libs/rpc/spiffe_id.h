// Who a certificate says its holder is: a SPIFFE id of one of three shapes. The parser rejects and never normalises.
//
//   spiffe://<domain>/region/<region>/provisioner/<id>
//   spiffe://<domain>/operator/<id>
//   spiffe://<domain>/organization/<organization>/role/<role>/service/<id> (docs/adr/2026-11-22-service-identities.md)
//
// Thread safety: free functions, any thread.
#ifndef KEYFERRY_RPC_SPIFFE_ID_H_
#define KEYFERRY_RPC_SPIFFE_ID_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace keyferry {

inline constexpr size_t kMaxSpiffeIdBytes = 2048;

enum class SpiffeKind : uint8_t { kProvisioner, kOperator, kService };

struct SpiffeId {
  SpiffeKind kind = SpiffeKind::kService;
  // The whole id, as presented.
  std::string text;
  // Last segment: lower-case letters, digits and hyphens, as in a region's code.
  std::string id;
  // Provisioners.
  std::string region;
  // Services; role is one of admin, member, deployer, viewer.
  std::string organization;
  std::string role;
};

// Unauthenticated unless the id has exactly one of the shapes above in this trust domain. The message never repeats the
// id.
absl::StatusOr<SpiffeId> ParseSpiffeId(std::string_view text, std::string_view trust_domain);

// InvalidArgument unless lower-case DNS labels joined by dots, at most 253 characters.
absl::Status CheckTrustDomain(std::string_view trust_domain);

}  // namespace keyferry

#endif  // KEYFERRY_RPC_SPIFFE_ID_H_
