#include "libs/storage/keys.h"

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "libs/storage/big_endian.h"

namespace keyferry::keys {
namespace {

constexpr char kSeparator = '\0';
constexpr std::string_view kApiKeyTag = "a", kApiKeyOfOrganizationTag = "b", kOrganizationTag = "o", kRegionTag = "r",
                           kRegionStateTag = "s";
constexpr std::string_view kWrappedKeyTag = "k";
constexpr std::string_view kSecretSetTag = "s";
constexpr std::string_view kGenerationTag = "g";
constexpr std::string_view kDeploymentTag = "d", kSetUsesTag = "u", kSetUseTag = "v";
constexpr std::string_view kDesiredTag = "d", kObservedTag = "o";
constexpr std::string_view kPendingTag = "q", kRetryTag = "t";
constexpr std::string_view kRequestTag = "i";
constexpr std::string_view kEnrollmentTokenTag = "e", kProvisionerTag = "p", kRegionAuthorityTag = "c", kRevokedIdentityTag = "x", kShredTag = "z",
                           kOrganizationRotationTag = "w", kRegionRotationTag = "y";
constexpr std::string_view kAuditPendingTag = "p", kAuditRecordTag = "r", kAuditHeadTag = "h";

std::string Join(std::initializer_list<std::string_view> parts) {
  size_t bytes = 0;
  for (const std::string_view& part : parts) bytes += part.size() + 1;
  std::string joined;
  // Room for a revision behind it too.
  joined.reserve(bytes + 8);
  for (const std::string_view& part : parts) {
    if (&part != parts.begin()) joined.push_back(kSeparator);
    joined.append(part);
  }
  return joined;
}

// Ends in a separator, so that no longer name is below it.
std::string Prefix(std::initializer_list<std::string_view> parts) {
  std::string prefix = Join(parts);
  prefix.push_back(kSeparator);
  return prefix;
}

std::string_view KindTag(ObjectKind kind) { return kind == ObjectKind::kSecretSet ? "s" : "d"; }

std::string ObjectPart(const ObjectId& object) {
  return Join({KindTag(object.kind), object.organization, object.name});
}

std::vector<std::string_view> Split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0;;) {
    const size_t end = text.find(kSeparator, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == text.npos) return parts;
    begin = end + 1;
  }
}

std::optional<ObjectId> ParseObject(std::string_view text) {
  const auto parts = Split(text);
  if (parts.size() != 3 || (parts[0] != "s" && parts[0] != "d")) return std::nullopt;
  return ObjectId{.kind = parts[0] == "s" ? ObjectKind::kSecretSet : ObjectKind::kDeployment,
                  .organization = std::string(parts[1]),
                  .name = std::string(parts[2])};
}

// The part of a key of this family and tag that follows `tag NUL part NUL`; fills `part`.
std::optional<std::string_view> AfterFirstPart(const RowKey& key, Family family, std::string_view tag,
                                               std::string* part) {
  std::string_view rest = key.bytes;
  if (key.family != family || !rest.starts_with(Prefix({tag}))) return std::nullopt;
  rest.remove_prefix(tag.size() + 1);
  const size_t end = rest.find(kSeparator);
  if (end == rest.npos) return std::nullopt;
  *part = std::string(rest.substr(0, end));
  return rest.substr(end + 1);
}

}  // namespace

RowKey Organization(std::string_view name) { return {Family::kMeta, Join({kOrganizationTag, name})}; }
RowKey WrappedKey(std::string_view organization) { return {Family::kKeys, Join({kWrappedKeyTag, organization})}; }
RowKey ApiKey(std::string_view id) { return {Family::kMeta, Join({kApiKeyTag, id})}; }
RowKey ApiKeyOfOrganization(std::string_view organization, std::string_view id) {
  return {Family::kMeta, Join({kApiKeyOfOrganizationTag, organization, id})};
}
RowKey Region(std::string_view code) { return {Family::kMeta, Join({kRegionTag, code})}; }
RowKey RegionState(std::string_view code) { return {Family::kMeta, Join({kRegionStateTag, code})}; }
RowKey SecretSet(std::string_view organization, std::string_view name) {
  return {Family::kSets, Join({kSecretSetTag, organization, name})};
}
RowKey Generation(std::string_view organization, std::string_view set_uid, int64_t generation) {
  RowKey key = Generations(organization, set_uid);
  AppendBigEndian64(key.bytes, static_cast<uint64_t>(generation));
  return key;
}
RowKey Deployment(std::string_view organization, std::string_view agent) {
  return {Family::kDeployments, Join({kDeploymentTag, organization, agent})};
}
RowKey SetUses(std::string_view organization, std::string_view set) {
  return {Family::kDeployments, Join({kSetUsesTag, organization, set})};
}
RowKey SetUse(std::string_view organization, std::string_view set, std::string_view agent) {
  return {Family::kDeployments, Join({kSetUseTag, organization, set, agent})};
}
RowKey Desired(std::string_view region, const ObjectId& object) {
  return {Family::kPlacements, Join({kDesiredTag, region, KindTag(object.kind), object.organization, object.name})};
}
RowKey Observed(std::string_view region, const ObjectId& object) {
  return {Family::kPlacements, Join({kObservedTag, region, KindTag(object.kind), object.organization, object.name})};
}
RowKey Pending(std::string_view region, Revision revision, const ObjectId& object) {
  RowKey key = PendingIn(region);
  AppendBigEndian64(key.bytes, revision);
  key.bytes += ObjectPart(object);
  return key;
}
size_t PendingRevisionOffset(std::string_view region) { return PendingIn(region).bytes.size(); }
RowKey Retry(std::string_view region, int64_t due_unix_millis, Revision revision, const ObjectId& object) {
  RowKey key = RetriesIn(region);
  AppendBigEndian64(key.bytes, static_cast<uint64_t>(std::max<int64_t>(due_unix_millis, 0)));
  AppendBigEndian64(key.bytes, revision);
  key.bytes += ObjectPart(object);
  return key;
}
RowKey Request(std::string_view organization, std::string_view request_id) {
  return {Family::kRequests, Join({kRequestTag, organization, request_id})};
}
RowKey EnrollmentToken(std::string_view id) { return {Family::kMeta, Join({kEnrollmentTokenTag, id})}; }
RowKey Provisioner(std::string_view region, std::string_view id) { return {Family::kMeta, Join({kProvisionerTag, region, id})}; }
RowKey RegionAuthority() { return {Family::kMeta, std::string(kRegionAuthorityTag)}; }
RowKey RevokedIdentity(std::string_view spiffe_id) { return {Family::kMeta, Join({kRevokedIdentityTag, spiffe_id})}; }
RowKey Shred(std::string_view organization_uid, std::string_view set_uid) {
  return {Family::kMeta, Join({kShredTag, organization_uid, set_uid})};
}
RowKey OrganizationRotation(std::string_view organization) { return {Family::kMeta, Join({kOrganizationRotationTag, organization})}; }
RowKey RegionRotation(std::string_view region) { return {Family::kMeta, Join({kRegionRotationTag, region})}; }
RowKey AuditPending(std::string_view organization, std::string_view uid) {
  return {Family::kAudit, Join({kAuditPendingTag, organization, uid})};
}
RowKey AuditRecord(std::string_view organization, int64_t number) {
  RowKey key = AuditRecordsOf(organization);
  AppendBigEndian64(key.bytes, static_cast<uint64_t>(number));
  return key;
}
RowKey AuditHead(std::string_view organization) { return {Family::kAudit, Join({kAuditHeadTag, organization})}; }

RowKey Organizations() { return {Family::kMeta, Prefix({kOrganizationTag})}; }
RowKey ApiKeysOfOrganization(std::string_view organization) {
  return {Family::kMeta, Prefix({kApiKeyOfOrganizationTag, organization})};
}
RowKey Regions() { return {Family::kMeta, Prefix({kRegionTag})}; }
RowKey SecretSets(std::string_view organization) { return {Family::kSets, Prefix({kSecretSetTag, organization})}; }
RowKey Generations(std::string_view organization, std::string_view set_uid) {
  return {Family::kGenerations, Prefix({kGenerationTag, organization, set_uid})};
}
RowKey Deployments(std::string_view organization) {
  return {Family::kDeployments, Prefix({kDeploymentTag, organization})};
}
RowKey SetUsesOf(std::string_view organization, std::string_view set) {
  return {Family::kDeployments, Prefix({kSetUseTag, organization, set})};
}
RowKey DesiredIn(std::string_view region) { return {Family::kPlacements, Prefix({kDesiredTag, region})}; }
RowKey PendingIn(std::string_view region) { return {Family::kPending, Prefix({kPendingTag, region})}; }
RowKey RetriesIn(std::string_view region) { return {Family::kPending, Prefix({kRetryTag, region})}; }
RowKey EnrollmentTokens() { return {Family::kMeta, Prefix({kEnrollmentTokenTag})}; }
RowKey ProvisionersOf(std::string_view region) { return {Family::kMeta, Prefix({kProvisionerTag, region})}; }
RowKey RevokedIdentities() { return {Family::kMeta, Prefix({kRevokedIdentityTag})}; }
RowKey Shreds() { return {Family::kMeta, Prefix({kShredTag})}; }
RowKey OrganizationRotations() { return {Family::kMeta, Prefix({kOrganizationRotationTag})}; }
RowKey RegionRotations() { return {Family::kMeta, Prefix({kRegionRotationTag})}; }
RowKey AuditPendings() { return {Family::kAudit, Prefix({kAuditPendingTag})}; }
RowKey AuditRecordsOf(std::string_view organization) { return {Family::kAudit, Prefix({kAuditRecordTag, organization})}; }
RowKey AuditHeads() { return {Family::kAudit, Prefix({kAuditHeadTag})}; }

std::string LastPart(const RowKey& key) { return key.bytes.substr(key.bytes.rfind(kSeparator) + 1); }

std::optional<int64_t> GenerationOf(const RowKey& key) {
  std::string organization;
  const auto rest = AfterFirstPart(key, Family::kGenerations, kGenerationTag, &organization);
  const size_t number_at = rest ? rest->find(kSeparator) : std::string_view::npos;
  if (number_at == std::string_view::npos || rest->size() != number_at + 1 + 8) return std::nullopt;
  return static_cast<int64_t>(ReadBigEndian64(rest->substr(number_at + 1)));
}

std::optional<ObjectId> ObjectOf(const RowKey& key) {
  std::string region;
  for (const std::string_view tag : {kDesiredTag, kObservedTag}) {
    if (const auto rest = AfterFirstPart(key, Family::kPlacements, tag, &region)) return ParseObject(*rest);
  }
  return std::nullopt;
}

std::optional<PendingEntry> ParsePending(const RowKey& key) {
  PendingEntry entry;
  const auto rest = AfterFirstPart(key, Family::kPending, kPendingTag, &entry.region);
  if (!rest || rest->size() < 8) return std::nullopt;
  const auto object = ParseObject(rest->substr(8));
  if (!object) return std::nullopt;
  entry.revision = ReadBigEndian64(*rest);
  entry.object = *object;
  return entry;
}

std::optional<PendingEntry> ParseRetry(const RowKey& key) {
  PendingEntry entry;
  const auto rest = AfterFirstPart(key, Family::kPending, kRetryTag, &entry.region);
  if (!rest || rest->size() < 16) return std::nullopt;
  const auto object = ParseObject(rest->substr(16));
  if (!object) return std::nullopt;
  entry.due_unix_millis = static_cast<int64_t>(ReadBigEndian64(*rest));
  entry.revision = ReadBigEndian64(rest->substr(8));
  entry.object = *object;
  return entry;
}

std::optional<std::string> BarrierOwner(const RowKey& key) {
  switch (key.family) {
    case Family::kKeys:
      return std::nullopt;
    case Family::kMeta:
    case Family::kPending:
    // Outlives the organization it tells of.
    case Family::kAudit:
    // Deletes that a region has not proved do too.
    case Family::kPlacements:
      return "";
    case Family::kSets:
    case Family::kGenerations:
    case Family::kDeployments:
    case Family::kRequests: {
      const size_t begin = key.bytes.find(kSeparator) + 1;
      const size_t end = begin == 0 ? std::string::npos : key.bytes.find(kSeparator, begin);
      return end == std::string::npos ? "" : key.bytes.substr(begin, end - begin);
    }
  }
  return "";
}

}  // namespace keyferry::keys
