#include "libs/crypto/keyring_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

template <typename... Parts>
absl::Status Refuse(const std::string& path, const Parts&... parts) {
  return absl::FailedPreconditionError(absl::StrCat("keyring ", path, ": ", parts...));
}

std::string Octal(mode_t mode) {
  return absl::StrCat("0", absl::Hex((mode >> 6) & 7), absl::Hex((mode >> 3) & 7), absl::Hex(mode & 7));
}

bool OwnedByUsOrRoot(const struct stat& info) { return info.st_uid == 0 || info.st_uid == geteuid(); }

absl::Status CheckDirectory(const std::string& path, const std::string& directory, const struct stat& info) {
  if (!OwnedByUsOrRoot(info)) {
    return Refuse(path, "its directory ", directory, " belongs to user ", info.st_uid,
                  ", who could replace the file; chown it to root or to user ", geteuid());
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (info.st_mode & S_ISVTX) == 0) {
    return Refuse(path, "others can write its directory ", directory, " (mode ", Octal(info.st_mode),
                  ") and could replace the file; run: chmod go-w ", directory);
  }
  return absl::OkStatus();
}

bool SameFile(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

// The directory that holds the file, and what was found on the way to it.
struct Parent {
  Descriptor directory;
  // It is $CREDENTIALS_DIRECTORY, and nobody but its owner can write it.
  bool holds_credentials = false;
};

bool IsCredentialsDirectory(const struct stat& info) {
  const char* name = secure_getenv("CREDENTIALS_DIRECTORY");
  struct stat credentials = {};
  return name && stat(name, &credentials) == 0 && SameFile(info, credentials) && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// Walks from / without following links and checks each directory.
absl::StatusOr<Parent> OpenParent(const std::string& path, const std::filesystem::path& absolute,
                                  const std::string& data_directory) {
  struct stat data = {};
  const bool has_data = !data_directory.empty() && stat(data_directory.c_str(), &data) == 0;
  Descriptor current(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::filesystem::path walked = "/";
  for (auto part = absolute.begin();;) {
    struct stat info = {};
    if (!current.valid() || fstat(current.get(), &info) != 0) {
      return Refuse(path, walked.string(), " cannot be opened: ", strerror(errno));
    }
    RETURN_IF_ERROR(CheckDirectory(path, walked.string(), info));
    if (has_data && SameFile(info, data)) {
      return Refuse(path, "it lies inside the data directory ", data_directory,
                    ", so that a backup would hold keys and data together; move it elsewhere");
    }
    if (++part == absolute.end() || std::next(part) == absolute.end()) {
      return Parent{.directory = std::move(current), .holds_credentials = IsCredentialsDirectory(info)};
    }
    walked /= *part;
    Descriptor next(openat(current.get(), part->c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next.valid() && errno == ENOENT) {
      return absl::NotFoundError(absl::StrCat("keyring ", path, ": there is no directory ", walked.string()));
    }
    if (!next.valid() && (errno == ENOTDIR || errno == ELOOP)) {
      return Refuse(path, walked.string(),
                    " is a symbolic link or no directory; name the file by its real path (see: realpath ", path, ")");
    }
    current = std::move(next);
  }
}

std::filesystem::path AbsolutePath(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal();
}

// What systemd makes of a credential for another user than root: an access list gives that user the right to read, and its mask shows as the group's.
bool IsCredential(const Parent& parent, const struct stat& info) { return parent.holds_credentials && (info.st_mode & 07777) == 0440; }

absl::Status CheckFile(const std::string& path, const Parent& parent, const struct stat& info) {
  if (!S_ISREG(info.st_mode)) return Refuse(path, "it is not a regular file; name the keyring's file itself");
  if (info.st_nlink != 1) {
    return Refuse(path, "it has ", info.st_nlink, " hard links, so it has another name, perhaps in reach of others; ",
                  "remove that one (find it with: find / -xdev -samefile ", path, ")");
  }
  if (!OwnedByUsOrRoot(info)) {
    return Refuse(path, "it belongs to user ", info.st_uid, "; run: chown ", geteuid(), " ", path);
  }
  if ((info.st_mode & 077) != 0 && !IsCredential(parent, info)) {
    return Refuse(path, "its mode is ", Octal(info.st_mode), ", so group or others have access; run: chmod 600 ", path,
                  " and, if somebody may have read it, rotate its keys");
  }
  if (info.st_size > static_cast<off_t>(kMaxKeyringBytes)) {
    return Refuse(path, "it has ", info.st_size, " bytes, more than ", kMaxKeyringBytes, "; is this the right file?");
  }
  return absl::OkStatus();
}

absl::StatusOr<SecretBytes> ReadAll(const std::string& path, int fd, size_t size) {
  SecretBytes content(size);
  size_t done = 0;
  while (done < size) {
    const ssize_t count = read(fd, content.AccessMutable().data() + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Refuse(path, "it could not be read: ", count < 0 ? strerror(errno) : "it shrank meanwhile");
    done += count;
  }
  return content;
}

absl::Status Failed(const std::string& path, std::string_view what) {
  return absl::UnavailableError(absl::StrCat("keyring ", path, ": ", std::string(what), ": ", strerror(errno)));
}

absl::Status WriteAll(const std::string& path, int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Failed(path, "it cannot be written");
    content.remove_prefix(count);
  }
  FAILPOINT_OR_RETURN("keyring.before_sync");
  return fsync(fd) == 0 ? absl::OkStatus() : Failed(path, "it cannot be made durable");
}

enum class Replacing { kNothing, kTheOldFile };

absl::Status Publish(const std::string& path, int directory, const std::string& temporary, const std::string& name, Replacing replacing) {
  FAILPOINT_OR_RETURN("keyring.before_rename");
  const unsigned flags = replacing == Replacing::kNothing ? RENAME_NOREPLACE : 0;
  if (renameat2(directory, temporary.c_str(), directory, name.c_str(), flags) == 0) {
    FAILPOINT_OR_RETURN("keyring.after_rename");
    return fsync(directory) == 0 ? absl::OkStatus() : Failed(path, "its directory cannot be made durable");
  }
  if (errno != EEXIST) return Failed(path, "it cannot be put in place");
  return absl::AlreadyExistsError(absl::StrCat(
      "keyring ", path, ": there is a file already; it stays, since its keys may be the only ones that open a store"));
}

// What openat left in errno.
absl::Status CannotOpen(const std::string& path) {
  if (errno == ENOENT) {
    return absl::NotFoundError(
        absl::StrCat("keyring ", path,
                     ": there is no such file; restore it from its backup, or, for a store that is "
                     "still empty, create one"));
  }
  if (errno == ELOOP) {
    return Refuse(path, "it is a symbolic link, whose target others could swap; ",
                  "name the file by its real path (see: realpath ", path, ")");
  }
  return Refuse(path, "it cannot be opened: ", strerror(errno));
}

// The file itself, checked.
absl::StatusOr<Descriptor> OpenFile(const std::string& path, const Parent& parent, const std::string& name, struct stat& info) {
  while (true) {
    Descriptor file(openat(parent.directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file.valid()) return CannotOpen(path);
    if (fstat(file.get(), &info) != 0) return Refuse(path, "it cannot be examined: ", strerror(errno));
    // Somebody put a new one in its place meanwhile.
    if (info.st_nlink == 0) continue;
    RETURN_IF_ERROR(CheckFile(path, parent, info));
    return file;
  }
}

// Beside the name, then under it. `like`: whose owner and mode it gets; null for a new file.
absl::Status WriteBeside(const std::string& path, const Parent& parent, const std::string& name, std::string_view content, const struct stat* like) {
  const Descriptor directory(openat(parent.directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return Refuse(path, "its directory cannot be opened: ", strerror(errno));
  const std::string temporary = absl::StrCat(".", name, ".", absl::BytesToHexString(RandomBytes(8)));
  const Descriptor file(
      openat(directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return Failed(path, "its directory cannot be written");
  absl::Status written;
  if (like && (fchown(file.get(), like->st_uid, like->st_gid) != 0 || fchmod(file.get(), like->st_mode & 0700) != 0))
    written = Failed(path, "the new file cannot be given to the old one's owner");
  if (written.ok()) written = WriteAll(path, file.get(), content);
  if (written.ok()) written = Publish(path, directory.get(), temporary, name, like ? Replacing::kTheOldFile : Replacing::kNothing);
  if (!written.ok()) unlinkat(directory.get(), temporary.c_str(), 0);
  return written;
}

}  // namespace

absl::StatusOr<SecretBytes> ReadKeyringFile(const std::string& path, const std::string& data_directory) {
  if (path.empty()) return absl::FailedPreconditionError("no keyring is named");
  const std::filesystem::path absolute = AbsolutePath(path);
  ASSIGN_OR_RETURN(const Parent parent, OpenParent(path, absolute, data_directory));
  struct stat info = {};
  ASSIGN_OR_RETURN(const Descriptor file, OpenFile(path, parent, absolute.filename(), info));
  return ReadAll(path, file.get(), info.st_size);
}

absl::Status WriteNewKeyringFile(const std::string& path, std::string_view content) {
  if (path.empty()) return absl::FailedPreconditionError("no keyring is named");
  const std::filesystem::path absolute = AbsolutePath(path);
  ASSIGN_OR_RETURN(const Parent parent, OpenParent(path, absolute, ""));
  return WriteBeside(path, parent, absolute.filename(), content, nullptr);
}

absl::Status ReplaceKeyringFile(const std::string& path, const std::function<absl::StatusOr<SecretBytes>(const SecretBytes&)>& edit) {
  if (path.empty()) return absl::FailedPreconditionError("no keyring is named");
  const std::filesystem::path absolute = AbsolutePath(path);
  ASSIGN_OR_RETURN(const Parent parent, OpenParent(path, absolute, ""));
  if (parent.holds_credentials) return Refuse(path, "it is systemd's copy of a credential; change the file that LoadCredential names");
  while (true) {
    struct stat info = {}, still = {};
    ASSIGN_OR_RETURN(const Descriptor file, OpenFile(path, parent, absolute.filename(), info));
    if (flock(file.get(), LOCK_EX) != 0) return Failed(path, "it cannot be locked");
    // Who held the lock may have put another file here.
    if (fstatat(parent.directory.get(), absolute.filename().c_str(), &still, AT_SYMLINK_NOFOLLOW) != 0 || !SameFile(info, still)) continue;
    ASSIGN_OR_RETURN(const SecretBytes before, ReadAll(path, file.get(), info.st_size));
    ASSIGN_OR_RETURN(const SecretBytes after, edit(before));
    if (after.size() > kMaxKeyringBytes) return Refuse(path, "there is no room for another key; retire some that nothing needs any more");
    return WriteBeside(path, parent, absolute.filename(), after.Access(), &info);
  }
}

}  // namespace keyferry
