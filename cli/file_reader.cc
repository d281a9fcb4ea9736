#include "cli/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "cli/usage.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

bool IsOpenToOthers(const struct stat& status) { return (status.st_mode & (S_IRWXG | S_IRWXO)) != 0; }

}  // namespace

absl::StatusOr<SecretBytes> ReadSecretStream(int descriptor, const std::string& source, size_t limit_bytes) {
  // One byte more than the limit tells a stream that is too long; one buffer leaves no copies behind.
  SecretBytes buffer(limit_bytes + 1);
  size_t size = 0;
  while (size <= limit_bytes) {
    const ssize_t got = read(descriptor, buffer.AccessMutable().data() + size, limit_bytes + 1 - size);
    if (got == 0) return SecretBytes::Copy(buffer.Access().substr(0, size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return UsageError(absl::StrCat("cannot read ", source, ": ", std::strerror(errno)));
    size += static_cast<size_t>(got);
  }
  return UsageError(absl::StrCat(source, " is longer than ", limit_bytes, " bytes"));
}

absl::StatusOr<SecretBytes> ReadSecretFile(const std::string& path, size_t limit_bytes, FilePrivacy privacy) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return UsageError(absl::StrCat("cannot open ", path, ": ", std::strerror(errno)));
  const absl::Cleanup closer = [descriptor] { close(descriptor); };
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || S_ISDIR(status.st_mode)) return UsageError(absl::StrCat(path, " is no file"));
  if (privacy == FilePrivacy::kOwnerOnly && IsOpenToOthers(status)) {
    return UsageError(absl::StrCat(path, " holds an API key and is open to others; run `chmod 600 ", path, "`"));
  }
  return ReadSecretStream(descriptor, path, limit_bytes);
}

absl::StatusOr<std::optional<SecretBytes>> ReadSecretFileIfPresent(const std::string& path, size_t limit_bytes) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0 && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  ASSIGN_OR_RETURN(SecretBytes content, ReadSecretFile(path, limit_bytes));
  return std::optional<SecretBytes>(std::move(content));
}

bool IsOpenToOthers(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) != 0 || IsOpenToOthers(status);
}

}  // namespace keyferry
