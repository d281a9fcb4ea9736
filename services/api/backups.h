// Backups of the running API: on a schedule, and on demand. One at a time, on a thread of its own, beside all other
// work.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_BACKUPS_H_
#define KEYFERRY_SERVICES_API_BACKUPS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "libs/storage/store.h"
#include "services/api/backup_repository.h"

namespace keyferry {

inline constexpr absl::Duration kDefaultBackupInterval = absl::Hours(1);
inline constexpr absl::Duration kDefaultBackupRetention = absl::Hours(24 * 30);
inline constexpr absl::Duration kMinBackupInterval = absl::Seconds(1);
inline constexpr absl::Duration kMaxBackupInterval = absl::Hours(24 * 7);
inline constexpr absl::Duration kMinBackupRetention = absl::Minutes(1);
// Between two attempts after failures.
inline constexpr absl::Duration kMinBackupRetry = absl::Seconds(10);
inline constexpr absl::Duration kMaxBackupRetry = absl::Minutes(15);

struct BackupsOptions {
  // The store beneath the barrier: what is copied is sealed, and is sealed again.
  Store& store;
  const Clock& clock;
  // Where the consistent copy is made, by hard links: a directory in the store's own, which may not be there. Removed
  // afterwards.
  std::string checkpoint_directory;
  // before_step is the Backups' own.
  BackupRepositoryOptions repository;
  // 0: only on demand.
  absl::Duration interval = kDefaultBackupInterval;
  absl::Duration retention = kDefaultBackupRetention;
  // Brings the shred ledger up to date and says where it stands. Empty: there is none. A backup is made without it too;
  // the problem is shown.
  std::function<absl::StatusOr<LedgerPosition>()> ledger;
};

struct BackupStatus {
  std::vector<BackupManifest> backups;
  // nullopt: no schedule.
  std::optional<absl::Time> next_time;
  std::string last_problem;
};

// When the next backup is due, with a jitter of up to a tenth of the interval (`random_0_to_1`), so that APIs which
// were started together do not write together. After failures it is tried again sooner.
absl::Time NextBackupTime(absl::Duration interval, std::optional<absl::Time> newest, int failure_count,
                          absl::Time last_attempt, double random_0_to_1);

class Backups {
 public:
  using Done = std::function<void(absl::StatusOr<BackupManifest>)>;

  // Sweeps what a crash left, then keeps the schedule.
  static std::unique_ptr<Backups> Start(BackupsOptions options);
  virtual ~Backups() = default;

  // done is called once, from any thread. Aborted BACKUP_RUNS; else as BackupRepository::Write and Store::Backup say.
  virtual void Create(Done done) = 0;
  virtual absl::StatusOr<BackupStatus> Status() const = 0;
  // Ends a backup that runs: it was none. Who waits, and who comes later, is answered Unavailable. The destructor does
  // it too.
  virtual void Stop() = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_BACKUPS_H_
