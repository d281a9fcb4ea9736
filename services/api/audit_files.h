// AuditFiles: a directory of files `audit-YYYYMMDD-NNNNNN.jsonl`, the audit trail's second sink. Lines are appended and
// made durable together; what is not whole is taken back. Each file begins with the positions of all chains, so that
// the newest one says where to go on.
//
// Invariants:
//   F1  Positions are those of records that are on the disk.
//   F2  A file's lines are never changed: it is only appended to, and a torn end is cut.
//
// Thread safety: confined to one thread. There is one of a directory.
#ifndef KEYFERRY_SERVICES_API_AUDIT_FILES_H_
#define KEYFERRY_SERVICES_API_AUDIT_FILES_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "libs/model/audit_lines.h"

namespace keyferry {

// A file that has so much, or is of a day before, is followed by a new one.
inline constexpr off_t kMaxAuditFileBytes = off_t{64} << 20;

// How far a chain is in the files.
struct AuditPosition {
  int64_t number = 0;
  std::string hash;
  // Of its newest head; 0: none in this file.
  int64_t head_number = 0;
};

class AuditFiles {
 public:
  // Makes the directory (0700) where it is missing. NotFound, Unavailable: it, or its newest file, cannot be read or
  // written.
  static absl::StatusOr<std::unique_ptr<AuditFiles>> Open(const std::string& directory, const Clock& clock,
                                                          off_t max_file_bytes = kMaxAuditFileBytes);
  ~AuditFiles();
  AuditFiles(const AuditFiles&) = delete;
  AuditFiles& operator=(const AuditFiles&) = delete;

  // Of an organization's chain; a new one's is before its first record.
  AuditPosition PositionOf(const std::string& organization) const;

  // Writes the line; it is kept only by a Sync that succeeds.
  absl::Status Append(const AuditRecord& record);
  absl::Status Append(const SignedAuditHead& head);
  // The chain goes on behind a gap.
  absl::Status Append(const AuditStart& start);
  // All lines since the last Sync are durable, or none of them is there.
  absl::Status Sync();

  // Why the file is not as it was left, for AuditRecord::reason: AUDIT_FILE_DELETED, AUDIT_FILE_TRUNCATED,
  // AUDIT_FILE_CHANGED; empty: it is. It is found out once; then the files are read anew.
  absl::StatusOr<std::string> TakeDamage();
  // The chain does not continue what is here (a backup was restored): the next line begins a new file, which will have
  // all of it.
  void Rewind(const std::string& organization);
  // Of the newest file.
  const std::string& file_name() const { return file_name_; }

 private:
  AuditFiles(const std::string& directory, const Clock& clock, off_t max_file_bytes)
      : directory_(directory), clock_(clock), max_file_bytes_(max_file_bytes) {}

  // Reads the newest file that begins as ours do, and goes on in it if it is the newest of all and whole.
  absl::Status Load();
  enum class Found : uint8_t { kWhole, kDamaged, kNotOurs };
  absl::StatusOr<Found> LoadFile(const std::string& name);
  absl::Status OpenFile(const std::string& name);
  absl::Status BeginFile();
  absl::Status AppendLine(const std::string& line);
  absl::Status Flush();
  // Back to the last Sync.
  void TakeBack();
  std::string FindDamage() const;
  void Close();
  std::string PathOf(const std::string& name) const { return directory_ + "/" + name; }

  const std::string directory_;
  const Clock& clock_;
  const off_t max_file_bytes_;
  bool is_loaded_ = false;
  // With what is appended but not synced, and without.
  std::map<std::string, AuditPosition> positions_;
  std::map<std::string, AuditPosition> synced_;
  int64_t sequence_ = 0;
  std::string file_name_;
  // Negative: the next line begins a file.
  int descriptor_ = -1;
  off_t synced_bytes_ = 0;
  off_t written_bytes_ = 0;
  // Not written yet.
  std::string buffer_;
  std::string damage_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_AUDIT_FILES_H_
