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
#include "absl/time/time.h"
#include "libs/model/placement.h"
#include "libs/model/secret_set.h"

namespace keyferry {

// Access in an organization. Numbers are on disk and on the wire: do not renumber.
enum class Role : uint8_t { kAdmin = 1, kMember = 2, kDeployer = 3, kViewer = 4 };

struct OrganizationRow {
  std::string uid;
  std::string display_name;
  absl::Time create_time;
  std::string default_region;
};

// A key-encryption key under the root key that root_key_id names.
struct WrappedKeyRow {
  std::string root_key_id;
  std::string wrapped_key;
  absl::Time create_time;
};

struct ApiKeyRow {
  std::string organization;
  std::string display_name;
  Role role = Role::kViewer;
  std::string secret_hmac;
  std::string pepper_id;
  std::string author;
  absl::Time create_time;
  absl::Time revoke_time = absl::InfiniteFuture();
};

struct RegionRow {
  std::string display_name;
  std::string sealing_key;
  bool blind = false;
  absl::Time create_time;
};

struct RegionStateRow {
  std::string target_incarnation;
  uint64_t epoch = 0;
  std::string synced_incarnation;
  uint64_t synced_lineage = 0;
  bool resync_requested = false;
  bool allow_mass_delete = false;
};

struct RequestRow {
  std::string content_digest;
  std::string response;
  absl::Time create_time;
};

std::string Encode(const OrganizationRow& row);
std::string Encode(const WrappedKeyRow& row);
std::string Encode(const ApiKeyRow& row);
std::string Encode(const RegionRow& row);
std::string Encode(const RegionStateRow& row);
std::string Encode(const RequestRow& row);
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
absl::StatusOr<WrappedKeyRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<ApiKeyRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<RegionRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<RegionStateRow> Decode(std::string_view bytes);
template <>
absl::StatusOr<RequestRow> Decode(std::string_view bytes);
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
