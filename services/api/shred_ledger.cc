#include "services/api/shred_ledger.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "libs/storage/durable_files.h"
#include "services/api/backup_files.h"

namespace keyferry {
namespace {

constexpr std::string_view kHeader = "keyferry-shred-ledger-v1\n";
constexpr std::string_view kPlace = "keyferry/shred-ledger/v1";
constexpr size_t kFieldCount = 6;

std::string TextOf(const ShredRecord& record) {
  constexpr char kSeparator[] = {'\0'};
  const absl::string_view nul(kSeparator, 1);
  return absl::StrCat(record.organization_uid, nul, record.organization, nul, record.set_uid, nul, record.set, nul,
                      absl::ToUnixNanos(record.time), nul, record.revision);
}

bool ParseText(std::string_view text, ShredRecord& record) {
  const std::vector<std::string> fields = absl::StrSplit(absl::string_view(text.data(), text.size()), '\0');
  int64_t nanos = 0;
  if (fields.size() != kFieldCount || !absl::SimpleAtoi(fields[4], &nanos) ||
      !absl::SimpleAtoi(fields[5], &record.revision))
    return false;
  record.organization_uid = fields[0];
  record.organization = fields[1];
  record.set_uid = fields[2];
  record.set = fields[3];
  record.time = absl::FromUnixNanos(nanos);
  return true;
}

std::string FirstHash() { return Sha256(kPlace); }
std::string NextHash(std::string_view hash, std::string_view text) { return Sha256(JoinParts({hash, text})); }
std::string Place(int64_t number, std::string_view hash) { return JoinParts({kPlace, std::to_string(number), hash}); }

// As a line, with what it continues.
std::string LineOf(const BackupKeys& keys, const LedgerPosition& before, const ShredRecord& record) {
  const std::string frame = SealFrame(keys.ledger, TextOf(record), Place(before.count + 1, before.hash));
  return absl::StrCat(keys.id, " ", absl::Base64Escape(frame), "\n");
}

void Follow(LedgerPosition& position, const ShredRecord& record) {
  position.hash = NextHash(position.hash, TextOf(record));
  ++position.count;
}

class Reader {
 public:
  Reader(const std::string& path, const FindBackupKeys& find) : path_(path), find_(find) {
    contents_.hashes.push_back(FirstHash());
  }

  // Takes whole lines; answers what is left behind the last line feed.
  absl::StatusOr<std::string_view> Read(std::string_view text) {
    if (!text.starts_with(kHeader)) {
      return absl::DataLossError(
          absl::StrCat("the shred ledger ", path_, " does not begin with its first line; is this the right file?"));
    }
    text.remove_prefix(kHeader.size());
    for (size_t end = text.find('\n'); end != text.npos; end = text.find('\n')) {
      RETURN_IF_ERROR(TakeLine(text.substr(0, end)));
      text.remove_prefix(end + 1);
    }
    return text;
  }

  absl::Status TakeLine(std::string_view line) {
    const LedgerPosition before = contents_.position();
    const size_t space = std::min(line.find(' '), line.size());
    const std::string_view id = line.substr(0, space);
    if (keys_ == nullptr || keys_->id != id) {
      ASSIGN_OR_RETURN(keys_, FindKeys(id, before.count + 1));
    }
    std::string frame;
    const std::string_view sealed = line.substr(std::min(space + 1, line.size()));
    if (!absl::Base64Unescape(absl::string_view(sealed.data(), sealed.size()), &frame) ||
        absl::Base64Escape(frame) != sealed)
      return Damaged();
    const absl::StatusOr<SecretBytes> text = OpenFrame(keys_->ledger, frame, Place(before.count + 1, before.hash));
    ShredRecord record;
    if (!text.ok() || !ParseText(text->Access(), record)) return Damaged();
    key_ids_.insert(keys_->id);
    contents_.hashes.push_back(NextHash(before.hash, text->Access()));
    contents_.records.push_back(std::move(record));
    return absl::OkStatus();
  }

  // Every line is under this key.
  bool AllUnder(const std::string& id) const { return key_ids_.size() == key_ids_.count(id); }
  LedgerContents& contents() { return contents_; }

 private:
  // An id that is no key's may be a damaged line: both are said.
  absl::StatusOr<std::shared_ptr<const BackupKeys>> FindKeys(std::string_view id, int64_t number) {
    auto keys = id.size() == kBackupKeyIdBytes ? find_(id) : Damaged();
    if (keys.ok() || !absl::IsFailedPrecondition(keys.status())) return keys;
    return absl::FailedPreconditionError(
        absl::StrCat("record ", number, " of the shred ledger ", path_,
                     " is under a backup key that is not here, or is damaged: ", keys.status().message()));
  }
  absl::Status Damaged() const {
    return absl::DataLossError(absl::StrCat(
        "record ", contents_.position().count + 1, " of the shred ledger ", path_,
        " does not follow from the records before it: the file was damaged or changed, or belongs to another keyring; "
        "take its copy"));
  }

  const std::string& path_;
  const FindBackupKeys& find_;
  std::shared_ptr<const BackupKeys> keys_;
  std::set<std::string> key_ids_;
  LedgerContents contents_;
};

absl::Status WriteAnew(const std::string& path, const BackupKeys& keys, const std::vector<ShredRecord>& records) {
  std::string text(kHeader);
  LedgerPosition position{0, FirstHash()};
  for (const ShredRecord& record : records) {
    text += LineOf(keys, position, record);
    Follow(position, record);
  }
  return WriteDurably(path, text);
}

class LedgerFile final : public ShredLedger {
 public:
  LedgerFile(std::string path, FindBackupKeys find) : path_(std::move(path)), find_(std::move(find)) {}

  absl::Status Load() {
    if (access(path_.c_str(), F_OK) != 0) RETURN_IF_ERROR(WriteDurably(path_, kHeader));
    RETURN_IF_ERROR(Lock());
    ASSIGN_OR_RETURN(const std::shared_ptr<const BackupKeys> current, find_(""));
    ASSIGN_OR_RETURN(const std::string text, ReadWhole(path_));
    Reader reader(path_, find_);
    ASSIGN_OR_RETURN(const std::string_view rest, reader.Read(text));
    // A whole line whose line feed alone is not as written is kept.
    const bool completed =
        !rest.empty() && (reader.TakeLine(rest).ok() || reader.TakeLine(rest.substr(0, rest.size() - 1)).ok());
    Remember(reader.contents());
    size_ = static_cast<off_t>(text.size() - rest.size());
    if (rest.empty() && reader.AllUnder(current->id)) return absl::OkStatus();
    if (reader.AllUnder(current->id) && !completed)
      return ftruncate(file_.get(), size_) == 0 ? file_.Sync() : FileError("shorten", path_);
    RETURN_IF_ERROR(WriteAnew(path_, *current, reader.contents().records));
    RETURN_IF_ERROR(Lock());
    ASSIGN_OR_RETURN(const std::string anew, ReadWhole(path_));
    size_ = static_cast<off_t>(anew.size());
    return absl::OkStatus();
  }

  absl::Status Append(std::span<const ShredRecord> records) override {
    if (records.empty()) return absl::OkStatus();
    absl::MutexLock lock(&mutex_);
    ASSIGN_OR_RETURN(const std::shared_ptr<const BackupKeys> current, find_(""));
    std::string text;
    LedgerPosition position = position_;
    for (const ShredRecord& record : records) {
      text += LineOf(*current, position, record);
      Follow(position, record);
    }
    // Over what a failed attempt may have left.
    FAILPOINT_OR_RETURN("shred.ledger.before_write");
    RETURN_IF_ERROR(file_.WriteAt(size_, text));
    FAILPOINT_OR_RETURN("shred.ledger.before_sync");
    RETURN_IF_ERROR(file_.Sync());
    size_ += static_cast<off_t>(text.size());
    position_ = std::move(position);
    for (const ShredRecord& record : records) Count(record);
    return absl::OkStatus();
  }

  LedgerPosition position() const override {
    absl::MutexLock lock(&mutex_);
    return position_;
  }
  Revision last_delete() const override {
    absl::MutexLock lock(&mutex_);
    return last_delete_;
  }
  uint64_t newest_lineage() const override {
    absl::MutexLock lock(&mutex_);
    return newest_lineage_;
  }

 private:
  absl::Status Lock() {
    ASSIGN_OR_RETURN(file_, BackupFile::Open(path_, O_RDWR));
    if (flock(file_.get(), LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
    return absl::UnavailableError(
        absl::StrCat("the shred ledger ", path_, " is held by another process; each API needs its own"));
  }
  void Remember(const LedgerContents& contents) {
    absl::MutexLock lock(&mutex_);
    position_ = contents.position();
    for (const ShredRecord& record : contents.records) Count(record);
  }
  void Count(const ShredRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    newest_lineage_ = std::max(newest_lineage_, LineageOf(record.revision));
    if (!record.organization_uid.empty()) last_delete_ = std::max(last_delete_, record.revision);
  }

  const std::string path_;
  const FindBackupKeys find_;
  mutable absl::Mutex mutex_;
  BackupFile file_;
  off_t size_ = 0;
  LedgerPosition position_ ABSL_GUARDED_BY(mutex_);
  Revision last_delete_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t newest_lineage_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

bool LedgerContents::Passed(const LedgerPosition& position) const {
  return position.count >= 0 && position.count < static_cast<int64_t>(hashes.size()) &&
         hashes[static_cast<size_t>(position.count)] == position.hash;
}

uint64_t LedgerContents::NewestLineage() const {
  uint64_t newest = 0;
  for (const ShredRecord& record : records) newest = std::max(newest, LineageOf(record.revision));
  return newest;
}

absl::StatusOr<LedgerContents> ReadShredLedger(const std::string& path, const FindBackupKeys& keys) {
  ASSIGN_OR_RETURN(const std::string text, ReadWhole(path));
  Reader reader(path, keys);
  ASSIGN_OR_RETURN(const std::string_view rest, reader.Read(text));
  if (!rest.empty()) {
    return absl::DataLossError(absl::StrCat("the shred ledger ", path, " ends in an unfinished line after ",
                                            reader.contents().position().count,
                                            " records: an append was cut off, or the file was damaged. Take its newest "
                                            "copy; if there is none, remove the bytes "
                                            "after its last line feed"));
  }
  return std::move(reader.contents());
}

absl::StatusOr<std::unique_ptr<ShredLedger>> ShredLedger::Open(const std::string& path, FindBackupKeys keys) {
  auto ledger = std::make_unique<LedgerFile>(path, std::move(keys));
  RETURN_IF_ERROR(ledger->Load());
  return ledger;
}

}  // namespace keyferry
