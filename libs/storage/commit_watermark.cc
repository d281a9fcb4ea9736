#include "libs/storage/commit_watermark.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"
#include "libs/storage/big_endian.h"
#include "libs/storage/crc32c.h"
#include "libs/storage/durable_files.h"
#include "libs/storage/fail_stop.h"

namespace keyferry {
namespace {

// A slot has a sector of its own: magic(8) | counter(8) | revision(8) | crc32c of those, widened to 8.
constexpr std::string_view kMagic = "KFWATER1";
constexpr size_t kSlotBytes = 32, kSlotDistance = 4096, kCheckedBytes = 24;

struct Slot {
  uint64_t counter = 0;
  Revision revision = 0;
};

std::string EncodeSlot(const Slot& slot) {
  std::string bytes(kMagic);
  AppendBigEndian64(bytes, slot.counter);
  AppendBigEndian64(bytes, slot.revision);
  AppendBigEndian64(bytes, ExtendCrc32c(0, bytes));
  return bytes;
}

std::optional<Slot> ReadSlot(int file, uint64_t index) {
  std::string bytes(kSlotBytes, '\0');
  if (pread(file, bytes.data(), kSlotBytes, static_cast<off_t>(index * kSlotDistance)) != kSlotBytes)
    return std::nullopt;
  const std::string_view view = bytes;
  if (!view.starts_with(kMagic) ||
      ReadBigEndian64(view.substr(kCheckedBytes)) != ExtendCrc32c(0, view.substr(0, kCheckedBytes))) {
    return std::nullopt;
  }
  return Slot{.counter = ReadBigEndian64(view.substr(8)), .revision = ReadBigEndian64(view.substr(16))};
}

bool WriteSlot(int file, const Slot& slot) {
  const std::string bytes = EncodeSlot(slot);
  const auto at = static_cast<off_t>(slot.counter % 2 * kSlotDistance);
  return pwrite(file, bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size()) && fdatasync(file) == 0;
}

}  // namespace

absl::Status CommitWatermark::Create(const std::string& path, Revision revision) {
  if (access(path.c_str(), F_OK) == 0) {
    errno = EEXIST;
    return FileError("create", path);
  }
  // Complete before it has its name: a crash in between must not leave a damaged one.
  const std::string unfinished = path + ".unfinished";
  const int file = open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return FileError("create", unfinished);
  const bool written = WriteSlot(file, {0, revision}) && WriteSlot(file, {1, revision}) && fsync(file) == 0;
  const absl::Status status = written ? absl::OkStatus() : FileError("write", unfinished);
  close(file);
  RETURN_IF_ERROR(status);
  FAILPOINT_OR_RETURN("watermark.create.before_rename");
  if (rename(unfinished.c_str(), path.c_str()) != 0) return FileError("rename", unfinished);
  FAILPOINT_OR_RETURN("watermark.create.after_rename");
  return SyncParentDirectory(path);
}

absl::StatusOr<std::unique_ptr<CommitWatermark>> CommitWatermark::Open(const std::string& path,
                                                                       absl::Duration interval) {
  const int file = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return FileError("open", path);
  const std::optional<Slot> even = ReadSlot(file, 0), odd = ReadSlot(file, 1);
  if (!even && !odd) {
    close(file);
    return absl::DataLossError(absl::StrCat("the commit watermark ", path, " is damaged; restore a backup"));
  }
  const Slot newest = even && (!odd || even->counter > odd->counter) ? *even : *odd;
  return std::unique_ptr<CommitWatermark>(new CommitWatermark(file, newest.counter, newest.revision, interval));
}

CommitWatermark::CommitWatermark(int file, uint64_t counter, Revision recovered, absl::Duration interval)
    : file_(file),
      recovered_(recovered),
      interval_(interval),
      counter_(counter),
      newest_(recovered),
      written_(recovered),
      writing_([this] { WriteUntilClosed(); }) {}

CommitWatermark::~CommitWatermark() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  writing_.join();
  close(file_);
}

void CommitWatermark::Advance(Revision revision) {
  absl::MutexLock lock(&mutex_);
  newest_ = revision;
}

void CommitWatermark::WriteUntilClosed() {
  const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closed_ || newest_ != written_; };
  absl::MutexLock lock(&mutex_);
  while (true) {
    mutex_.Await(absl::Condition(&due));
    if (newest_ == written_) return;
    const Revision revision = newest_;
    mutex_.Unlock();
    Write(revision);
    mutex_.Lock();
    written_ = revision;
    mutex_.AwaitWithTimeout(absl::Condition(&closed_), interval_);
  }
}

void CommitWatermark::Write(Revision revision) {
  FAILPOINT("watermark.before_write");
  if (!WriteSlot(file_, {++counter_, revision})) FailStop("writing the commit watermark", std::strerror(errno));
  FAILPOINT("watermark.after_write");
}

}  // namespace keyferry
