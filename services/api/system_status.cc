#include "services/api/system_status.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace keyferry {
namespace {

using Warnings = std::vector<std::string>;

std::string Ago(absl::Duration age) { return absl::FormatDuration(absl::Trunc(age, absl::Seconds(1))); }

void WarnOfRoot(const SystemFacts& facts, Warnings& warnings) {
  if (!facts.root_problem.empty()) {
    warnings.push_back(absl::StrCat("the root key does not answer (", facts.root_problem,
                                    "): what is in memory goes on serving, new organizations are refused; see docs/operations.md, KMS away"));
  }
  if (facts.keys_under_old_root > 0) {
    warnings.push_back(absl::StrCat(facts.keys_under_old_root, " keys are wrapped by an older root key: keep that one until this is 0"));
  }
}

void WarnOfDisk(const SystemFacts& facts, Warnings& warnings) {
  if (facts.disk_total_bytes <= 0) return;
  const double free = static_cast<double>(facts.disk_free_bytes) / static_cast<double>(facts.disk_total_bytes);
  if (free >= kDiskRunsFull) return;
  warnings.push_back(absl::StrCat("the store's disk has ", facts.disk_free_bytes >> 20, " MiB (", static_cast<int>(free * 100),
                                  " %) left: below 512 MiB writes are refused; see docs/operations.md, Disk full"));
}

void WarnOfRegion(const SystemFacts& facts, const RegionFacts& region, Warnings& warnings) {
  const std::string name = absl::StrCat("region ", region.code);
  if (!region.enrolled) {
    warnings.push_back(absl::StrCat(name, " has no sealing key: enroll its first provisioner, keyferry regions token ", region.code));
  } else if (!region.served) {
    warnings.push_back(absl::StrCat(name, " has no provisioner that serves it",
                                    region.pending_count > 0 ? absl::StrCat(" and ", region.pending_count, " objects wait for it") : "",
                                    "; see docs/operations.md, Region lost"));
  } else if (region.oldest_pending_age >= kPendingTooLong) {
    warnings.push_back(absl::StrCat(name, " has had ", region.pending_count, " objects pending, the oldest for ", Ago(region.oldest_pending_age)));
  }
  if (region.certificate_expiry - facts.now < kProvisionerCertificateNearsItsEnd) {
    warnings.push_back(absl::StrCat(name, " has a provisioner whose certificate expires in ", Ago(std::max(region.certificate_expiry - facts.now, absl::ZeroDuration())),
                                    " and was not renewed; see docs/operations.md, Certificate expired"));
  }
}

void WarnOfBackups(const SystemFacts& facts, Warnings& warnings) {
  if (!facts.has_backups) {
    warnings.push_back("no backups are made: start the API with --backup-directory");
    return;
  }
  if (!facts.backup_problem.empty()) warnings.push_back(absl::StrCat("the last backup failed: ", facts.backup_problem));
  if (facts.backup_interval <= absl::ZeroDuration()) return;
  if (!facts.last_backup_time) {
    warnings.push_back("no backup was made yet");
  } else if (facts.now - *facts.last_backup_time > kBackupsMissed * facts.backup_interval) {
    warnings.push_back(absl::StrCat("the last backup is ", Ago(facts.now - *facts.last_backup_time), " old, though one is due every ", Ago(facts.backup_interval)));
  }
}

void WarnOfCertificate(const SystemFacts& facts, const char* door, absl::Time expiry, Warnings& warnings) {
  if (expiry - facts.now >= kServerCertificateNearsItsEnd) return;
  warnings.push_back(absl::StrCat("the certificate of the ", door, " door expires in ", Ago(std::max(expiry - facts.now, absl::ZeroDuration())),
                                  ": replace its file, the API reads it again by itself"));
}

}  // namespace

std::vector<std::string> WarningsOf(const SystemFacts& facts) {
  Warnings warnings;
  if (!facts.audit_problem.empty()) warnings.push_back(absl::StrCat("the audit trail's second sink is not written: ", facts.audit_problem));
  WarnOfDisk(facts, warnings);
  WarnOfRoot(facts, warnings);
  for (const RegionFacts& region : facts.regions) WarnOfRegion(facts, region, warnings);
  WarnOfCertificate(facts, "inner", facts.inner_certificate_expiry, warnings);
  WarnOfCertificate(facts, "edge", facts.edge_certificate_expiry, warnings);
  WarnOfBackups(facts, warnings);
  return warnings;
}

}  // namespace keyferry
