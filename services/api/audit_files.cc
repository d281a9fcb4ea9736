#include "services/api/audit_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <utility>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"
#include "libs/model/audit_chain.h"
#include "libs/storage/durable_files.h"

namespace keyferry {
namespace {

constexpr char kPrefix[] = "audit-", kSuffix[] = ".jsonl", kUnfinished[] = ".unfinished";
constexpr size_t kDayAt = sizeof(kPrefix) - 1, kDayLength = 8, kSequenceAt = kDayAt + kDayLength + 1;
constexpr size_t kMaxBufferBytes = size_t{1} << 20;

std::string DayOf(absl::Time time) { return absl::FormatTime("%Y%m%d", time, absl::UTCTimeZone()); }

// 0: not a name of ours.
int64_t SequenceOf(const std::string& name) {
  int64_t sequence = 0;
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) || name.size() <= kSequenceAt + sizeof(kSuffix) - 1)
    return 0;
  const std::string digits = name.substr(kSequenceAt, name.size() - kSequenceAt - (sizeof(kSuffix) - 1));
  return absl::SimpleAtoi(digits, &sequence) ? sequence : 0;
}

// By sequence, the newest first.
absl::StatusOr<std::map<int64_t, std::string, std::greater<>>> FilesIn(const std::string& directory) {
  std::map<int64_t, std::string, std::greater<>> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename();
    if (const int64_t sequence = SequenceOf(name); sequence > 0) files.emplace(sequence, name);
  }
  if (error) return absl::UnavailableError(absl::StrCat("cannot list ", directory, ": ", error.message()));
  return files;
}

absl::Status WriteAll(int descriptor, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError("write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

void Move(std::map<std::string, AuditPosition>& positions, const AuditLine& line) {
  if (const auto* const record = std::get_if<AuditRecord>(&line)) {
    AuditPosition& position = positions[record->organization];
    position.number = record->number;
    position.hash = record->hash;
  } else if (const auto* const head = std::get_if<SignedAuditHead>(&line)) {
    positions[head->organization].head_number = head->number;
  } else if (const auto* const start = std::get_if<AuditStart>(&line)) {
    positions[start->organization] = {.number = start->number, .hash = start->hash};
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditFiles>> AuditFiles::Open(const std::string& directory, const Clock& clock,
                                                             off_t max_file_bytes) {
  auto files = std::unique_ptr<AuditFiles>(new AuditFiles(directory, clock, max_file_bytes));
  RETURN_IF_ERROR(files->Load());
  if (access(directory.c_str(), W_OK | X_OK) != 0) return FileError("write into", directory);
  return files;
}

AuditFiles::~AuditFiles() { Close(); }

void AuditFiles::Close() {
  if (descriptor_ >= 0) close(descriptor_);
  descriptor_ = -1;
}

AuditPosition AuditFiles::PositionOf(const std::string& organization) const {
  const auto position = positions_.find(organization);
  return position == positions_.end() ? AuditPosition{.hash = AuditChainStart()} : position->second;
}

absl::Status AuditFiles::Load() {
  Close();
  is_loaded_ = false;
  positions_.clear();
  buffer_.clear();
  RETURN_IF_ERROR(MakeDirectories(directory_));
  ASSIGN_OR_RETURN(const auto files, FilesIn(directory_));
  sequence_ = files.empty() ? 0 : files.begin()->first;
  for (const auto& [sequence, name] : files) {
    positions_.clear();
    ASSIGN_OR_RETURN(const Found found, LoadFile(name));
    if (found != Found::kWhole) damage_ = "AUDIT_FILE_CHANGED";
    if (found == Found::kNotOurs) continue;
    if (found == Found::kWhole && sequence == sequence_) RETURN_IF_ERROR(OpenFile(name));
    break;
  }
  synced_ = positions_;
  is_loaded_ = true;
  return absl::OkStatus();
}

absl::StatusOr<AuditFiles::Found> AuditFiles::LoadFile(const std::string& name) {
  std::ifstream file(PathOf(name), std::ios::binary);
  if (!file) return FileError("read", PathOf(name));
  written_bytes_ = 0;
  for (std::string line; std::getline(file, line);) {
    // A crash left a part of a line.
    if (file.eof())
      return truncate(PathOf(name).c_str(), written_bytes_) == 0 ? absl::StatusOr<Found>(Found::kWhole)
                                                                 : FileError("truncate", PathOf(name));
    const absl::StatusOr<AuditLine> parsed = ParseAuditLine(line);
    const bool is_first = written_bytes_ == 0;
    if (is_first && !(parsed.ok() && std::holds_alternative<AuditStart>(*parsed))) return Found::kNotOurs;
    if (!parsed.ok()) return Found::kDamaged;
    Move(positions_, *parsed);
    written_bytes_ += static_cast<off_t>(line.size() + 1);
  }
  if (file.bad()) return FileError("read", PathOf(name));
  return written_bytes_ == 0 ? Found::kNotOurs : Found::kWhole;
}

absl::Status AuditFiles::OpenFile(const std::string& name) {
  descriptor_ = open(PathOf(name).c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor_ < 0) return FileError("open", PathOf(name));
  file_name_ = name;
  synced_bytes_ = written_bytes_;
  // A process that died may have left lines that are not on the disk yet.
  return fdatasync(descriptor_) == 0 ? absl::OkStatus() : FileError("sync", PathOf(name));
}

absl::Status AuditFiles::BeginFile() {
  Close();
  const std::string name =
      absl::StrCat(kPrefix, DayOf(clock_.Now()), "-", absl::StrFormat("%06d", sequence_ + 1), kSuffix);
  const std::string unfinished = PathOf(kUnfinished);
  unlink(unfinished.c_str());
  const int descriptor =
      open(unfinished.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return FileError("create", unfinished);
  const AuditPosition system = PositionOf("");
  std::string starts = ToLine(AuditStart{"", system.number, system.hash}) + "\n";
  for (const auto& [organization, position] : positions_) {
    if (!organization.empty()) starts += ToLine(AuditStart{organization, position.number, position.hash}) + "\n";
  }
  absl::Status begun = WriteAll(descriptor, starts, unfinished);
  if (begun.ok() && fdatasync(descriptor) != 0) begun = FileError("sync", unfinished);
  FAILPOINT("audit.file.before_rename");
  if (begun.ok() && rename(unfinished.c_str(), PathOf(name).c_str()) != 0) begun = FileError("rename", unfinished);
  FAILPOINT("audit.file.after_rename");
  if (begun.ok()) begun = SyncPath(directory_);
  if (!begun.ok()) {
    close(descriptor);
    return begun;
  }
  descriptor_ = descriptor;
  file_name_ = name;
  ++sequence_;
  written_bytes_ = synced_bytes_ = static_cast<off_t>(starts.size());
  for (auto& [organization, position] : positions_) position.head_number = 0;
  synced_ = positions_;
  return absl::OkStatus();
}

absl::Status AuditFiles::Append(const AuditRecord& record) {
  RETURN_IF_ERROR(AppendLine(ToLine(record)));
  Move(positions_, record);
  return absl::OkStatus();
}

absl::Status AuditFiles::Append(const SignedAuditHead& head) {
  RETURN_IF_ERROR(AppendLine(ToLine(head)));
  Move(positions_, head);
  return absl::OkStatus();
}

absl::Status AuditFiles::Append(const AuditStart& start) {
  RETURN_IF_ERROR(AppendLine(ToLine(start)));
  Move(positions_, start);
  return absl::OkStatus();
}

absl::Status AuditFiles::AppendLine(const std::string& line) {
  if (!is_loaded_) return absl::UnavailableError("the audit files must be read anew first");
  const bool is_synced = buffer_.empty() && written_bytes_ == synced_bytes_;
  const bool is_old = descriptor_ >= 0 && (written_bytes_ >= max_file_bytes_ ||
                                           file_name_.substr(kDayAt, kDayLength) != DayOf(clock_.Now()));
  if (descriptor_ < 0 || (is_synced && is_old)) {
    const absl::Status begun = BeginFile();
    // Perhaps the directory is gone, and what it had.
    is_loaded_ = begun.ok();
    RETURN_IF_ERROR(begun);
  }
  buffer_ += line;
  buffer_ += '\n';
  return buffer_.size() < kMaxBufferBytes ? absl::OkStatus() : Flush();
}

absl::Status AuditFiles::Flush() {
  FAILPOINT_OR_RETURN("audit.file.before_write");
  const absl::Status written = WriteAll(descriptor_, buffer_, PathOf(file_name_));
  if (!written.ok()) {
    TakeBack();
    return written;
  }
  written_bytes_ += static_cast<off_t>(buffer_.size());
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status AuditFiles::Sync() {
  if (descriptor_ < 0) return absl::OkStatus();
  RETURN_IF_ERROR(Flush());
  if (written_bytes_ == synced_bytes_) return absl::OkStatus();
  FAILPOINT_OR_RETURN("audit.file.before_sync");
  if (fdatasync(descriptor_) != 0) {
    const absl::Status error = FileError("sync", PathOf(file_name_));
    TakeBack();
    return error;
  }
  synced_bytes_ = written_bytes_;
  synced_ = positions_;
  return absl::OkStatus();
}

void AuditFiles::TakeBack() {
  buffer_.clear();
  positions_ = synced_;
  // Pages that a failed sync may have dropped must be written anew.
  if (ftruncate(descriptor_, synced_bytes_) == 0) {
    written_bytes_ = synced_bytes_;
  } else {
    Close();
    is_loaded_ = false;
  }
}

std::string AuditFiles::FindDamage() const {
  struct stat opened, named;
  if (descriptor_ < 0 || fstat(descriptor_, &opened) != 0) return "";
  const bool is_there = opened.st_nlink > 0 && stat(PathOf(file_name_).c_str(), &named) == 0 &&
                        named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
  if (!is_there) return "AUDIT_FILE_DELETED";
  // A copy that an error of the store interrupted has written more than it has made durable.
  if (opened.st_size < written_bytes_) return "AUDIT_FILE_TRUNCATED";
  return opened.st_size > written_bytes_ ? "AUDIT_FILE_CHANGED" : "";
}

absl::StatusOr<std::string> AuditFiles::TakeDamage() {
  std::string damage = FindDamage();
  if (!damage.empty() || !is_loaded_) RETURN_IF_ERROR(Load());
  if (damage.empty()) damage = damage_;
  damage_.clear();
  return damage;
}

void AuditFiles::Rewind(const std::string& organization) {
  Close();
  positions_[organization] = {.hash = AuditChainStart()};
  synced_ = positions_;
}

}  // namespace keyferry
