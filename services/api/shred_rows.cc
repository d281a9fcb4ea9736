#include "services/api/shred_rows.h"

#include <iterator>

#include "libs/storage/keys.h"

namespace keyferry {
namespace {

// By Revocation. No uid has a colon.
constexpr std::string_view kKinds[] = {":apiKey", ":apiKeyEnd", ":identity", ":provisioner"};

void Note(Transaction& transaction, Revocation kind, std::string_view organization, std::string_view name,
          absl::Time time) {
  transaction.Put(
      keys::Shred(kKinds[static_cast<size_t>(kind)], name),
      Encode(ShredRow{.organization = std::string(organization), .delete_time = time, .shred_time = time}));
}

}  // namespace

void NoteRevokedApiKey(Transaction& transaction, std::string_view organization, std::string_view id, absl::Time time) {
  Note(transaction, Revocation::kApiKey, organization, id, time);
}

void NoteApiKeyEnd(Transaction& transaction, std::string_view organization, std::string_view id, absl::Time time) {
  Note(transaction, Revocation::kApiKeyEnd, organization, id, time);
}

void NoteRevokedIdentity(Transaction& transaction, std::string_view spiffe_id, absl::Time time) {
  Note(transaction, Revocation::kIdentity, "", spiffe_id, time);
}

void NoteRevokedProvisioner(Transaction& transaction, std::string_view region, std::string_view id, absl::Time time) {
  Note(transaction, Revocation::kProvisioner, "", std::string(region).append("/").append(id), time);
}

std::optional<Revocation> RevocationOf(std::string_view organization_uid) {
  for (size_t i = 0; i < std::size(kKinds); ++i) {
    if (organization_uid == kKinds[i]) return static_cast<Revocation>(i);
  }
  return std::nullopt;
}

}  // namespace keyferry
