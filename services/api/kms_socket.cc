#include "services/api/kms_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

constexpr mode_t kMaxMode = 0660;

template <typename... Parts>
absl::Status Refuse(const std::string& path, const Parts&... parts) {
  return absl::FailedPreconditionError(absl::StrCat("KMS socket ", path, ": ", parts...));
}

std::string Octal(mode_t mode) { return absl::StrFormat("%04o", mode & 07777); }

bool IsUsOrRoot(uid_t user) { return user == 0 || user == geteuid(); }

absl::Status CheckDirectory(const std::string& path, const std::string& directory, const struct stat& info) {
  if (!IsUsOrRoot(info.st_uid)) {
    return Refuse(path, "its directory ", directory, " belongs to user ", info.st_uid,
                  ", who could put another socket there; chown it to root or to user ", geteuid());
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (info.st_mode & S_ISVTX) == 0) {
    return Refuse(path, "others can write its directory ", directory, " (mode ", Octal(info.st_mode),
                  ") and could put another socket there; run: chmod go-w ", directory);
  }
  return absl::OkStatus();
}

absl::Status CheckParent(const std::string& path, const std::string& directory, const struct stat& info) {
  if ((info.st_mode & S_IWOTH) == 0) return absl::OkStatus();
  return Refuse(path, "everybody can write its directory ", directory, " (mode ", Octal(info.st_mode),
                ") and could be there first; give the plugin a directory of its own, such as /run/kms");
}

absl::Status CheckSocketFile(const std::string& path, const struct stat& info) {
  if (S_ISLNK(info.st_mode))
    return Refuse(path, "it is a symbolic link, whose target others could swap; name the socket itself");
  if (!S_ISSOCK(info.st_mode)) return Refuse(path, "it is not a socket; name the socket that the plugin listens on");
  if (!IsUsOrRoot(info.st_uid)) {
    return Refuse(path, "it belongs to user ", info.st_uid, "; let the plugin run as root or as user ", geteuid());
  }
  if ((info.st_mode & 07777 & ~kMaxMode) != 0) {
    return Refuse(path, "its mode is ", Octal(info.st_mode),
                  ", more than 0660, so anybody could call the plugin; let it listen with umask 0117");
  }
  return absl::OkStatus();
}

absl::Status CheckPath(const std::string& path) {
  if (!path.starts_with('/') || path.find('\0') != path.npos) {
    return Refuse(path, "it must be an absolute path, without unix: in front; an abstract socket could be anybody's");
  }
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Refuse(path, "it has ", path.size(), " bytes, more than the ", sizeof(sockaddr_un::sun_path) - 1,
                  " that a socket's path can have");
  }
  for (const auto& part : std::filesystem::path(path)) {
    if (part == ".." || part == ".")
      return Refuse(path, "it must have no `.` or `..` in it; name the socket by its real path");
  }
  if (path.ends_with('/')) return Refuse(path, "it names a directory; name the socket that the plugin listens on");
  return absl::OkStatus();
}

absl::Status NoSuchFile(const std::string& path) {
  return absl::NotFoundError(
      absl::StrCat("KMS socket ", path, ": it is not there; does the plugin run, and is --kms-socket right?"));
}

// Walks from / without following links and checks each directory; the last one is the answer.
absl::StatusOr<Descriptor> OpenParent(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  Descriptor current(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::filesystem::path walked = "/";
  for (auto part = parent.begin();;) {
    struct stat info = {};
    if (current.get() < 0 || fstat(current.get(), &info) != 0)
      return Refuse(path, walked.string(), " cannot be opened: ", strerror(errno));
    RETURN_IF_ERROR(CheckDirectory(path, walked.string(), info));
    if (++part == parent.end()) {
      RETURN_IF_ERROR(CheckParent(path, walked.string(), info));
      return current;
    }
    walked /= *part;
    Descriptor next(openat(current.get(), part->c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (next.get() < 0 && errno == ENOENT) return NoSuchFile(path);
    if (next.get() < 0 && (errno == ENOTDIR || errno == ELOOP)) {
      return Refuse(path, walked.string(), " is a symbolic link or no directory; name the socket by its real path");
    }
    current = std::move(next);
  }
}

absl::Status CheckListener(const std::string& path, int descriptor) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return Refuse(path, "nobody knows who listens: ", strerror(errno));
  if (IsUsOrRoot(peer.uid)) return absl::OkStatus();
  return Refuse(path, "user ", peer.uid, " listens on it; let the plugin run as root or as user ", geteuid());
}

}  // namespace

absl::Status CheckKmsSocket(const std::string& path) {
  RETURN_IF_ERROR(CheckPath(path));
  ASSIGN_OR_RETURN(const Descriptor parent, OpenParent(path));
  struct stat info = {};
  const std::string name = std::filesystem::path(path).filename();
  if (fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? NoSuchFile(path) : Refuse(path, "it cannot be examined: ", strerror(errno));
  }
  return CheckSocketFile(path, info);
}

// Between check and connect nobody can swap it who is not trusted already: that is what the check is about.
absl::StatusOr<Descriptor> ConnectKmsSocket(const std::string& path) {
  RETURN_IF_ERROR(CheckKmsSocket(path));
  Descriptor descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (descriptor.get() < 0)
    return absl::UnavailableError(absl::StrCat("KMS socket ", path, ": no descriptor for it: ", strerror(errno)));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (connect(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return absl::UnavailableError(
        absl::StrCat("KMS socket ", path, ": nobody answers on it (", strerror(errno), "); does the plugin run?"));
  }
  RETURN_IF_ERROR(CheckListener(path, descriptor.get()));
  return descriptor;
}

}  // namespace keyferry
