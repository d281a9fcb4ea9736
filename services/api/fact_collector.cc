#include "services/api/fact_collector.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/certificate.h"
#include "libs/metrics/metrics.h"
#include "services/api/key_summary.h"

namespace keyferry {
namespace {

absl::Time ExpiryOf(const std::string& path) {
  if (path.empty()) return absl::InfiniteFuture();
  std::ostringstream pem;
  pem << std::ifstream(path).rdbuf();
  const auto facts = ReadCertificate(pem.str());
  return facts.ok() ? facts->not_after : absl::InfiniteFuture();
}

RegionFacts FactsOf(const NamedRegion& region, const RegionHealth& health) {
  RegionFacts facts{.code = region.code,
                    .enrolled = !region.row.sealing_key.empty(),
                    .pending_count = health.pending_count,
                    .oldest_pending_age = health.oldest_pending_age};
  for (const SessionSummary& each : health.provisioners) {
    ++facts.connected_count;
    facts.served = facts.served || each.active;
    facts.certificate_expiry = std::min(facts.certificate_expiry, each.certificate_expiry);
  }
  return facts;
}

void AddDisk(const std::string& directory, SystemFacts& facts) {
  struct statvfs disk = {};
  if (statvfs(directory.c_str(), &disk) != 0) return;
  facts.disk_free_bytes = static_cast<int64_t>(disk.f_bavail * disk.f_frsize);
  facts.disk_total_bytes = static_cast<int64_t>(disk.f_blocks * disk.f_frsize);
}

void AddBackups(const FactSources& sources, CollectedFacts& collected) {
  SystemFacts& facts = collected.facts;
  facts.has_backups = sources.backups != nullptr;
  facts.backup_interval = sources.backup_interval;
  if (!facts.has_backups) return;
  const absl::StatusOr<BackupStatus> status = sources.backups->Status();
  facts.backup_problem = status.ok() ? status->last_problem : std::string(status.status().message());
  if (!status.ok() || status->backups.empty()) return;
  // One of the future, which a wrong clock made, would look fresh for as long.
  const auto newest = std::ranges::find_if(status->backups, [&](const BackupManifest& backup) { return backup.create_time <= facts.now; });
  collected.last_backup = newest != status->backups.end() ? *newest : status->backups.front();
  facts.last_backup_time = collected.last_backup->create_time;
}

struct Gauges {
  GaugeFamily audit_lag{"keyferry_audit_sink_lag_seconds", "For how long records have waited for the second sink."};
  GaugeFamily audit_dropped{"keyferry_audit_dropped_denials", "Denied calls that were counted, not recorded, since the process started."};
  GaugeFamily audit_chained{"keyferry_audit_chained_records", "Records that were chained since the process started."};
  GaugeFamily disk_free{"keyferry_store_disk_free_bytes", "Free on the store's disk."};
  GaugeFamily disk_size{"keyferry_store_disk_size_bytes", "Size of the store's disk."};
  GaugeFamily organizations{"keyferry_organizations", "Organizations that have keys."};
  GaugeFamily root_up{"keyferry_root_key_up", "1: the keyring or KMS answers, 0: it does not."};
  GaugeFamily old_root{"keyferry_keys_under_old_root", "Keys that are not yet wrapped by the current root key."};
  GaugeFamily oldest_key{"keyferry_oldest_key_age_seconds", "Age of the oldest key-encryption key."};
  GaugeFamily backup_time{"keyferry_backup_last_success_timestamp_seconds", "When the newest backup was made, Unix time."};
  GaugeFamily backup_size{"keyferry_backup_last_size_bytes", "Size of the newest backup, by part: total, or new since those before it."};
  GaugeFamily backup_failed{"keyferry_backup_failing", "1: the last attempt failed."};
  GaugeFamily certificate{"keyferry_api_certificate_expiry_timestamp_seconds", "When the certificate of a door expires, Unix time."};

  void Show(const CollectedFacts& collected) {
    const SystemFacts& facts = collected.facts;
    disk_free.Set({}, static_cast<double>(facts.disk_free_bytes));
    disk_size.Set({}, static_cast<double>(facts.disk_total_bytes));
    organizations.Set({}, static_cast<double>(collected.organization_count));
    root_up.Set({}, facts.root_problem.empty() ? 1 : 0);
    old_root.Set({}, static_cast<double>(facts.keys_under_old_root));
    if (collected.oldest_key_time != absl::InfiniteFuture()) oldest_key.Set({}, absl::ToDoubleSeconds(facts.now - collected.oldest_key_time));
    backup_failed.Set({}, facts.backup_problem.empty() ? 0 : 1);
    if (collected.last_backup) {
      backup_time.Set({}, absl::ToDoubleSeconds(collected.last_backup->create_time - absl::UnixEpoch()));
      backup_size.Set({{"part", "total"}}, static_cast<double>(collected.last_backup->total_bytes));
      backup_size.Set({{"part", "new"}}, static_cast<double>(collected.last_backup->new_bytes));
    }
    audit_lag.Set({}, absl::ToDoubleSeconds(collected.audit.sink_lag));
    audit_dropped.Set({}, static_cast<double>(collected.audit.dropped_count));
    audit_chained.Set({}, static_cast<double>(collected.audit.chained_count));
    ShowCertificate("inner", facts.inner_certificate_expiry);
    ShowCertificate("edge", facts.edge_certificate_expiry);
  }

  void ShowCertificate(const char* door, absl::Time expiry) {
    if (expiry != absl::InfiniteFuture()) certificate.Set({{"door", door}}, absl::ToDoubleSeconds(expiry - absl::UnixEpoch()));
  }
};

}  // namespace

absl::StatusOr<CollectedFacts> CollectFacts(const FactSources& sources) {
  CollectedFacts collected{.facts = {.now = sources.clock.Now()}};
  SystemFacts& facts = collected.facts;
  ASSIGN_OR_RETURN(const std::vector<NamedRegion> regions, sources.regions.List());
  for (const NamedRegion& region : regions) {
    ASSIGN_OR_RETURN(const RegionHealth health, sources.regions.HealthOf(region.code));
    facts.regions.push_back(FactsOf(region, health));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> owners, sources.barrier.Owners());
  // The system's rows are nobody's organization.
  collected.organization_count = std::count_if(owners.begin(), owners.end(), [](const std::string& owner) { return !owner.empty(); });
  ASSIGN_OR_RETURN(const KeySummary keys, SummarizeKeys(sources.barrier, sources.root_keys));
  facts.root_problem = std::string(keys.root_problem.message());
  facts.keys_under_old_root = keys.keys_under_old_root;
  collected.oldest_key_time = keys.oldest_key_time;
  AddBackups(sources, collected);
  AddDisk(sources.data_directory, facts);
  collected.audit = sources.audit.Health();
  if (collected.audit.sink_lag >= kAuditSinkLags) facts.audit_problem = absl::StrCat("records have waited for ", absl::FormatDuration(collected.audit.sink_lag));
  facts.inner_certificate_expiry = ExpiryOf(sources.inner_certificate);
  facts.edge_certificate_expiry = ExpiryOf(sources.edge_certificate);
  return collected;
}

std::shared_ptr<void> ShowFacts(FactSources sources) {
  return BeforeScrapes([sources = std::move(sources), gauges = std::make_shared<Gauges>()] {
    if (const auto collected = CollectFacts(sources); collected.ok()) gauges->Show(*collected);
  });
}

}  // namespace keyferry
