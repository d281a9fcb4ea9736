#include "libs/storage/disk_guard.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/log.h"

namespace keyferry {
namespace {

constexpr absl::Duration kAskEvery = absl::Milliseconds(100);
constexpr absl::Duration kRetryAfter = absl::Seconds(30);

std::optional<uint64_t> FreeBytes(const std::string& directory) {
  struct statvfs info;
  if (statvfs(directory.c_str(), &info) != 0) return std::nullopt;
  return uint64_t{info.f_bavail} * info.f_frsize;
}

// Space that is really taken: posix_fallocate makes blocks, not a hole.
void LayDown(const std::string& path, uint64_t bytes) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  if (posix_fallocate(file, 0, static_cast<off_t>(bytes)) != 0) unlink(path.c_str());
  close(file);
}

}  // namespace

DiskGuard::DiskGuard(std::string directory, Options options, const Clock& clock)
    : directory_(std::move(directory)), options_(std::move(options)), clock_(clock) {}

bool DiskGuard::HasFree(uint64_t bytes) const {
  const auto free = options_.free_bytes ? options_.free_bytes() : FreeBytes(directory_);
  return !free || *free >= bytes;
}

void DiskGuard::TrimBallast() {
  const std::string ballast = directory_ + "/ballast";
  if (!HasFree(options_.ballast_bytes)) {
    if (unlink(ballast.c_str()) == 0) Log(Severity::kWarning, "ballast_given_up", {{"path", ballast}});
  } else if (options_.ballast_bytes > 0 && HasFree(options_.min_free_bytes + options_.ballast_bytes)) {
    LayDown(ballast, options_.ballast_bytes);
  }
}

absl::Status DiskGuard::Check() {
  const absl::Duration now = clock_.Monotonic();
  if (now - asked_ < kAskEvery) return answer_;
  asked_ = now;
  answer_ = absl::OkStatus();
  if (!HasFree(options_.min_free_bytes)) {
    answer_ = MakeError(absl::StatusCode::kResourceExhausted,
                        absl::StrCat("the disk of ", directory_, " has less than ", options_.min_free_bytes >> 20,
                                     " MiB free; make room, then try again"),
                        {.reason = "DISK_FULL", .retry_after = kRetryAfter});
  }
  return answer_;
}

}  // namespace keyferry
