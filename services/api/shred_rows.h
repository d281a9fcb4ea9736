// ShredRows of revocations: what a commit revokes, the shred ledger remembers outside the store (shred_copier.h), so that
// a restored backup does not bring a credential back to life. They lie beside those of deletes, under a kind instead of
// an organization's uid, and are never shredded: they have nothing but names.
//
// Thread safety: free functions; a transaction belongs to its thread.
#ifndef KEYFERRY_SERVICES_API_SHRED_ROWS_H_
#define KEYFERRY_SERVICES_API_SHRED_ROWS_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "services/api/transaction.h"

namespace keyferry {

// kApiKeyEnd: a rotation gave it an end, or an earlier one.
enum class Revocation { kApiKey, kApiKeyEnd, kIdentity, kProvisioner };

// Into the commit that revokes; `time`: from when on it counts no longer.
void NoteRevokedApiKey(Transaction& transaction, std::string_view organization, std::string_view id, absl::Time time);
void NoteApiKeyEnd(Transaction& transaction, std::string_view organization, std::string_view id, absl::Time time);
void NoteRevokedIdentity(Transaction& transaction, std::string_view spiffe_id, absl::Time time);
void NoteRevokedProvisioner(Transaction& transaction, std::string_view region, std::string_view id, absl::Time time);

// What stands where a delete has the organization's uid. nullopt: it is a delete's.
std::optional<Revocation> RevocationOf(std::string_view organization_uid);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SHRED_ROWS_H_
