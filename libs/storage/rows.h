// Values of rows that are no model value: organizations, keys, regions, request ids. trust_rows.h has those of enrollment, rotation and audit.
#ifndef KEYFERRY_STORAGE_ROWS_H_
#define KEYFERRY_STORAGE_ROWS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace keyferry {

// Access in an organization. Numbers are on disk and on the wire: do not renumber.
enum class Role : uint8_t { kAdmin = 1, kMember = 2, kDeployer = 3, kViewer = 4 };

struct OrganizationRow {
  std::string uid;
  std::string display_name;
  absl::Time create_time;
  std::string default_region;
  // 0: the default.
  int64_t max_secret_sets = 0;
  int64_t max_deployments = 0;
  int64_t max_api_keys = 0;
  int64_t max_calls_per_second = 0;
  // Deleted from then on: absent for every caller, while its rows go.
  absl::Time delete_time = absl::InfiniteFuture();
};

// A key-encryption key under the root key that root_key_id names.
struct WrappedKey {
  // 1, 2, ... of its owner.
  int number = 1;
  std::string root_key_id;
  std::string wrapped_key;
  // What a KMS wants to see again when it unwraps.
  std::map<std::string, std::string> annotations;
  absl::Time create_time;
};

// An owner's keys, the newest last: it seals. Rows that older ones sealed are moved in the background; then these go. Never empty.
struct WrappedKeysRow {
  std::vector<WrappedKey> keys;
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
  absl::Time expire_time = absl::InfiniteFuture();
  // To the hour; InfinitePast: never.
  absl::Time last_use_time = absl::InfinitePast();
  // Id of the key that was made in its place, and of the one it was made in place of.
  std::string replaced_by;
  std::string replaces;
};

struct RegionRow {
  std::string display_name;
  // Empty until the first enrollment, when it was made without one.
  std::string sealing_key;
  bool blind = false;
  absl::Time create_time;
  // Of sealing_key; InfinitePast: create_time.
  absl::Time sealing_key_time = absl::InfinitePast();
  // Public keys before it that something is still sealed to, the newest first.
  std::vector<std::string> previous_sealing_keys;
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

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_ROWS_H_
