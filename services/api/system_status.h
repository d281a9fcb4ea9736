// What the installation's state means for its operator: sentences, the most urgent first.
//
// Thread safety: free functions, any thread.
#ifndef KEYFERRY_SERVICES_API_SYSTEM_STATUS_H_
#define KEYFERRY_SERVICES_API_SYSTEM_STATUS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace keyferry {

// From here on they are worth a sentence.
inline constexpr absl::Duration kPendingTooLong = absl::Minutes(5);
inline constexpr absl::Duration kProvisionerCertificateNearsItsEnd = absl::Minutes(10);
inline constexpr absl::Duration kServerCertificateNearsItsEnd = absl::Hours(24 * 7);
inline constexpr double kDiskRunsFull = 0.15;
inline constexpr absl::Duration kAuditSinkLags = absl::Seconds(30);
// Of the backup interval.
inline constexpr int kBackupsMissed = 2;

struct RegionFacts {
  std::string code;
  int connected_count = 0;
  bool served = false;
  bool enrolled = false;
  int64_t pending_count = 0;
  absl::Duration oldest_pending_age;
  absl::Time certificate_expiry = absl::InfiniteFuture();
};

struct SystemFacts {
  absl::Time now;
  std::vector<RegionFacts> regions;
  // Empty: the root key answers.
  std::string root_problem;
  int64_t keys_under_old_root = 0;
  bool has_backups = false;
  // nullopt: none was ever made.
  std::optional<absl::Time> last_backup_time;
  // Zero: no schedule.
  absl::Duration backup_interval;
  std::string backup_problem;
  // Empty: it is written.
  std::string audit_problem;
  int64_t disk_free_bytes = 0;
  int64_t disk_total_bytes = 0;
  absl::Time inner_certificate_expiry = absl::InfiniteFuture();
  absl::Time edge_certificate_expiry = absl::InfiniteFuture();
};

std::vector<std::string> WarningsOf(const SystemFacts& facts);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SYSTEM_STATUS_H_
