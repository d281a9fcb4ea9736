// Values on disk: model values to and from proto/keyferry/storage, the only place that knows those messages.
// An encoded value is a format version (1) and the message; so no value is empty. Decode answers DataLoss for bytes
// that are not such a record, or that hold a number which no value of its enumeration has.
//
// Thread safety: free functions, safe anywhere.
#ifndef KEYFERRY_STORAGE_CODEC_H_
#define KEYFERRY_STORAGE_CODEC_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/model/placement.h"
#include "libs/model/secret_set.h"
#include "libs/storage/rows.h"
#include "libs/storage/trust_rows.h"

namespace keyferry {

std::string Encode(const OrganizationRow& row);
std::string Encode(const WrappedKeysRow& row);
std::string Encode(const ApiKeyRow& row);
std::string Encode(const RegionRow& row);
std::string Encode(const RegionStateRow& row);
std::string Encode(const RequestRow& row);
std::string Encode(const EnrollmentTokenRow& row);
std::string Encode(const ProvisionerRow& row);
std::string Encode(const RegionAuthorityRow& row);
std::string Encode(const RevokedIdentityRow& row);
std::string Encode(const ShredRow& row);
std::string Encode(const RotationRow& row);
std::string Encode(const AuditRow& row);
std::string Encode(const AuditHeadRow& row);
std::string Encode(const SecretSet& set);
std::string Encode(const Generation& generation);
std::string Encode(const Deployment& deployment);
std::string Encode(const DesiredState& desired);
std::string Encode(const Observation& observation);

// The parts of a value that its key holds (organization, name, number, revision) are left for the caller.
template <typename T>
absl::StatusOr<T> Decode(std::string_view bytes);
template <>
absl::StatusOr<OrganizationRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<WrappedKeysRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<ApiKeyRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<RegionRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<RegionStateRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<RequestRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<EnrollmentTokenRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<ProvisionerRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<RegionAuthorityRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<RevokedIdentityRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<ShredRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<RotationRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<AuditRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<AuditHeadRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<SecretSet> Decode(std::string_view bytes);
template <>
absl::StatusOr<Generation> Decode(std::string_view bytes);
template <>
absl::StatusOr<Deployment> Decode(std::string_view bytes);
template <>
absl::StatusOr<DesiredState> Decode(std::string_view bytes);
template <>
absl::StatusOr<Observation> Decode(std::string_view bytes);

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_CODEC_H_
