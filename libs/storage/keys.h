// Row keys. Names hold no byte below '-', so NUL separates parts and keeps the order of names.
// docs/storage-format.md lists them; golden bytes are tested.
#ifndef KEYFERRY_STORAGE_KEYS_H_
#define KEYFERRY_STORAGE_KEYS_H_

#include <optional>
#include <string>
#include <string_view>

#include "libs/model/placement.h"
#include "libs/storage/store.h"

namespace keyferry::keys {

RowKey Organization(std::string_view name);
RowKey WrappedKey(std::string_view organization);  // empty: the system rows' key
RowKey ApiKey(std::string_view id);
RowKey ApiKeyOfOrganization(std::string_view organization, std::string_view id);  // index, empty value
RowKey Region(std::string_view code);
RowKey RegionState(std::string_view code);
RowKey SecretSet(std::string_view organization, std::string_view name);
RowKey Generation(std::string_view organization, std::string_view set_uid, int64_t generation);
RowKey Deployment(std::string_view organization, std::string_view agent);
// Touched by every commit that binds or unbinds the set, so that a delete can rely on its scan of SetUse rows.
RowKey SetUses(std::string_view organization, std::string_view set);
RowKey SetUse(std::string_view organization, std::string_view set, std::string_view agent);  // index, empty value
RowKey Desired(std::string_view region, const ObjectId& object);
RowKey Observed(std::string_view region, const ObjectId& object);
// Pending index, in order of revision; empty value. `revision` 0 with Mutation::revision_offset =
// PendingRevisionOffset(region).
RowKey Pending(std::string_view region, Revision revision, const ObjectId& object);
size_t PendingRevisionOffset(std::string_view region);
// Failed for now, in order of due time.
RowKey Retry(std::string_view region, int64_t due_unix_millis, Revision revision, const ObjectId& object);
RowKey Request(std::string_view organization, std::string_view request_id);
RowKey EnrollmentToken(std::string_view id);
RowKey Provisioner(std::string_view region, std::string_view id);
RowKey RegionAuthority();
RowKey RevokedIdentity(std::string_view spiffe_id);
// What was destroyed for good; `set_uid` empty: the whole organization.
RowKey Shred(std::string_view organization_uid, std::string_view set_uid);
// Progress of a rotation: of an organization's key (empty: the system's), or of a region's sealing key.
RowKey OrganizationRotation(std::string_view organization);
RowKey RegionRotation(std::string_view region);
// `organization` empty: the system's chain. A record waits under a uid of its own until it is chained under its number.
RowKey AuditPending(std::string_view organization, std::string_view uid);
RowKey AuditRecord(std::string_view organization, int64_t number);
RowKey AuditHead(std::string_view organization);

// Prefixes to scan: organizations, sets of an organization, and so on.
RowKey Organizations();
RowKey ApiKeysOfOrganization(std::string_view organization);
RowKey Regions();
RowKey SecretSets(std::string_view organization);
RowKey Generations(std::string_view organization, std::string_view set_uid);
RowKey Deployments(std::string_view organization);
RowKey SetUsesOf(std::string_view organization, std::string_view set);
RowKey DesiredIn(std::string_view region);
RowKey PendingIn(std::string_view region);
RowKey RetriesIn(std::string_view region);
RowKey EnrollmentTokens();
RowKey ProvisionersOf(std::string_view region);
RowKey RevokedIdentities();
RowKey Shreds();
RowKey OrganizationRotations();
RowKey RegionRotations();
RowKey AuditPendings();
RowKey AuditRecordsOf(std::string_view organization);
RowKey AuditHeads();

// The last part of a key: the name that a scan is after.
std::string LastPart(const RowKey& key);
// nullopt when the key is not of that kind.
std::optional<int64_t> GenerationOf(const RowKey& generation_key);
std::optional<ObjectId> ObjectOf(const RowKey& desired_or_observed_key);
struct PendingEntry {
  std::string region;
  Revision revision = 0;
  int64_t due_unix_millis = 0;  // retries only
  ObjectId object;
};
std::optional<PendingEntry> ParsePending(const RowKey& key);
std::optional<PendingEntry> ParseRetry(const RowKey& key);

// Whose barrier key seals the row: an organization's name, or empty for the system's. nullopt: the row is never sealed.
std::optional<std::string> BarrierOwner(const RowKey& key);

}  // namespace keyferry::keys

#endif  // KEYFERRY_STORAGE_KEYS_H_
