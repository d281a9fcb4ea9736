#include "services/provisioner/commit_watermark.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "libs/common/failpoint.h"
#include "libs/common/last_words.h"
#include "libs/common/status_macros.h"
#include "services/provisioner/row_frame.h"

namespace keyferry {
namespace {

// The number, big-endian, in a row frame: 12 bytes at the start of the file, well inside one sector.
constexpr size_t kFileBytes = 12;
constexpr std::string_view kFrameKey = "watermark";

std::string Encode(uint64_t sequence) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(sequence >> shift));
  return FrameRow(kFrameKey, bytes);
}

std::optional<uint64_t> Decode(std::string_view file) {
  const auto value = UnframeRow(kFrameKey, file);
  if (!value.ok() || file.size() != kFileBytes) return std::nullopt;
  uint64_t sequence = 0;
  for (const char byte : *value) sequence = sequence << 8 | static_cast<uint8_t>(byte);
  return sequence;
}

// So that the file's name survives a power loss, too.
absl::Status SyncDirectoryOf(const std::string& path) {
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  const int fd = open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  return synced ? absl::OkStatus()
                : absl::UnavailableError(absl::StrCat("cannot sync ", directory, ": ", std::strerror(error)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<CommitWatermark>> CommitWatermark::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return absl::UnavailableError(absl::StrCat("cannot open ", path, ": ", std::strerror(errno)));
  RETURN_IF_ERROR(SyncDirectoryOf(path));
  std::array<char, kFileBytes + 1> file;
  const ssize_t size = pread(fd, file.data(), file.size(), 0);
  const std::string_view bytes(file.data(), size < 0 ? 0 : static_cast<size_t>(size));
  return std::unique_ptr<CommitWatermark>(new CommitWatermark(fd, Decode(bytes)));
}

CommitWatermark::CommitWatermark(int fd, std::optional<uint64_t> recovered)
    : fd_(fd), recovered_(recovered), thread_([this] { SyncUntilStopped(); }) {}

CommitWatermark::~CommitWatermark() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  fdatasync(fd_);
  close(fd_);
}

void CommitWatermark::Write(uint64_t sequence) {
  FAILPOINT("region.watermark.before_write");
  const std::string file = Encode(sequence);
  if (pwrite(fd_, file.data(), file.size(), 0) != static_cast<ssize_t>(file.size())) {
    EndWithLastWords(kRegionStoreFailedExitCode, "watermark_write_failed", {{"error", std::strerror(errno)}});
  }
  std::lock_guard lock(mutex_);
  if (!dirty_) changed_.notify_all();
  dirty_ = true;
}

void CommitWatermark::SyncUntilStopped() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait(lock, [this] { return dirty_ || stopping_; });
    if (stopping_) return;
    changed_.wait_for(lock, absl::ToChronoMilliseconds(kSyncInterval), [this] { return stopping_; });
    dirty_ = false;
    lock.unlock();
    FAILPOINT("region.watermark.before_sync");
    if (fdatasync(fd_) != 0) EndWithLastWords(kRegionStoreFailedExitCode, "watermark_sync_failed", {{"error", std::strerror(errno)}});
    lock.lock();
  }
}

}  // namespace keyferry
