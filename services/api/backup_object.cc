#include "services/api/backup_object.h"

#include <fcntl.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "services/api/backup_files.h"

namespace keyferry {
namespace {

constexpr std::string_view kMagic = "KFOBJ001";
constexpr std::string_view kNamingPlace = "keyferry/backup-file/v1", kFramePlace = "keyferry/backup-frame/v1";
constexpr size_t kHeaderBytes = kMagic.size() + kSaltBytes + kCommitmentBytes;
constexpr size_t kFrameCost = kNonceBytes + kTagBytes;

std::string FramePlace(const BackupObject& object, int64_t number, bool last) {
  return JoinParts({kFramePlace, object.id, std::to_string(number), last ? "last" : "more"});
}

// Over the hashes of the frames, so that one pass of fixed memory is enough.
class Identity {
 public:
  explicit Identity(const BackupKeys& keys) : keys_(keys) {}
  void Add(std::string_view frame) {
    hashes_ += HmacSha256(keys_.naming, frame);
    bytes_ += static_cast<int64_t>(frame.size());
  }
  BackupObject Get() const {
    return {HmacSha256(keys_.naming, JoinParts({kNamingPlace, std::to_string(bytes_), hashes_})), bytes_};
  }

 private:
  const BackupKeys& keys_;
  std::string hashes_;
  int64_t bytes_ = 0;
};

// Hands out a file's frames of `size` bytes; at least one, which may be empty, and one behind, so that the last one is
// known.
class Frames {
 public:
  Frames(BackupFile file, size_t size) : file_(std::move(file)), size_(size) {}
  absl::Status Begin() {
    ASSIGN_OR_RETURN(next_, file_.Read(size_));
    return absl::OkStatus();
  }
  bool AtEnd() const { return ended_; }
  // `last` is set for the last one.
  absl::StatusOr<std::string> Take(bool& last) {
    std::string taken = std::move(next_);
    next_.clear();
    if (taken.size() == size_) {
      ASSIGN_OR_RETURN(next_, file_.Read(size_));
    }
    last = ended_ = next_.empty();
    return taken;
  }

 private:
  BackupFile file_;
  const size_t size_;
  std::string next_;
  bool ended_ = false;
};

absl::Status Damaged(const std::string& path) {
  return absl::DataLossError(absl::StrCat(
      path, " is damaged, was changed, or is not the file that its backup says; take its copy, or another backup"));
}

}  // namespace

int64_t SealedObjectBytes(int64_t bytes) {
  const int64_t frame = kBackupFrameBytes;
  const int64_t frame_count = bytes == 0 ? 1 : (bytes + frame - 1) / frame;
  return static_cast<int64_t>(kHeaderBytes) + frame_count * static_cast<int64_t>(kFrameCost) + bytes;
}

absl::StatusOr<BackupObject> IdentifyFile(const BackupKeys& keys, const std::string& path, const BackupPause& pause) {
  ASSIGN_OR_RETURN(BackupFile file, BackupFile::Open(path, O_RDONLY));
  Identity identity(keys);
  for (std::string frame(1, '\0'); !frame.empty();) {
    RETURN_IF_ERROR(pause());
    ASSIGN_OR_RETURN(frame, file.Read(kBackupFrameBytes));
    if (!frame.empty()) identity.Add(frame);
  }
  return identity.Get();
}

absl::Status SealObject(const BackupKeys& keys, const BackupObject& object, const std::string& source,
                        const std::string& target, const BackupPause& pause) {
  ASSIGN_OR_RETURN(BackupFile in, BackupFile::Open(source, O_RDONLY));
  ASSIGN_OR_RETURN(BackupFile out, BackupFile::Open(target, O_WRONLY | O_CREAT | O_EXCL));
  const CommittedKey key = CommittedKey::Create(keys.objects);
  RETURN_IF_ERROR(
      out.Write(absl::StrCat(absl::string_view(kMagic.data(), kMagic.size()), key.salt(), key.commitment())));
  Identity identity(keys);
  Frames frames(std::move(in), kBackupFrameBytes);
  RETURN_IF_ERROR(frames.Begin());
  for (int64_t number = 0; !frames.AtEnd(); ++number) {
    RETURN_IF_ERROR(pause());
    bool last = false;
    ASSIGN_OR_RETURN(const std::string frame, frames.Take(last));
    if (!frame.empty()) identity.Add(frame);
    RETURN_IF_ERROR(out.Write(key.Seal(frame, FramePlace(object, number, last))));
  }
  if (!(identity.Get() == object))
    return absl::UnavailableError(absl::StrCat(source, " changed while it was backed up; try again"));
  return out.Sync();
}

absl::Status OpenObject(const BackupKeys& keys, const BackupObject& object, const std::string& path,
                        const std::function<absl::Status(std::string_view)>& take) {
  ASSIGN_OR_RETURN(BackupFile file, BackupFile::Open(path, O_RDONLY));
  ASSIGN_OR_RETURN(const std::string header, file.Read(kHeaderBytes));
  if (header.size() != kHeaderBytes || !header.starts_with(kMagic)) return Damaged(path);
  const std::string_view salt_and_commitment = std::string_view(header).substr(kMagic.size());
  const auto key = CommittedKey::Open(keys.objects, salt_and_commitment.substr(0, kSaltBytes),
                                      salt_and_commitment.substr(kSaltBytes));
  if (!key.ok()) return Damaged(path);
  Identity identity(keys);
  Frames frames(std::move(file), kBackupFrameBytes + kFrameCost);
  RETURN_IF_ERROR(frames.Begin());
  for (int64_t number = 0; !frames.AtEnd(); ++number) {
    bool last = false;
    ASSIGN_OR_RETURN(const std::string frame, frames.Take(last));
    const absl::StatusOr<SecretBytes> opened = key->Open(frame, FramePlace(object, number, last));
    if (!opened.ok()) return Damaged(path);
    if (!opened->empty()) identity.Add(opened->Access());
    RETURN_IF_ERROR(take(opened->Access()));
  }
  return identity.Get() == object ? absl::OkStatus() : Damaged(path);
}

}  // namespace keyferry
