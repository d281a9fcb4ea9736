#include "services/provisioner/file_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"

namespace keyferry {

absl::Status FileError(std::string_view what) {
  const int error = errno;
  const std::string message = absl::StrCat(std::string(what), ": ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

absl::StatusOr<Descriptor> OpenDirectory(int parent, const std::string& name) {
  Descriptor directory(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (directory.get() < 0) return FileError(absl::StrCat("cannot open directory ", name));
  return directory;
}

absl::StatusOr<Descriptor> MakeAndOpenDirectory(int parent, const std::string& name, mode_t mode) {
  if (mkdirat(parent, name.c_str(), mode) != 0 && errno != EEXIST)
    return FileError(absl::StrCat("cannot create directory ", name));
  return OpenDirectory(parent, name);
}

absl::StatusOr<std::vector<std::string>> NamesIn(int directory) {
  std::vector<std::string> names;
  alignas(dirent64) char entries[4096];
  if (lseek(directory, 0, SEEK_SET) != 0) return FileError("cannot list a directory");
  while (true) {
    const ssize_t size = getdents64(directory, entries, sizeof(entries));
    if (size < 0) return FileError("cannot list a directory");
    if (size == 0) break;
    for (ssize_t at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries + at);
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      at += entry->d_reclen;
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::string> ReadLink(int directory, const std::string& name) {
  char target[PATH_MAX];
  const ssize_t size = readlinkat(directory, name.c_str(), target, sizeof(target));
  if (size < 0) return FileError(absl::StrCat("cannot read link ", name));
  return std::string(target, static_cast<size_t>(size));
}

absl::Status WriteNewFile(int directory, const std::string& name, std::string_view bytes, mode_t mode) {
  const Descriptor file(openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (file.get() < 0) return FileError(absl::StrCat("cannot create file ", name));
  while (!bytes.empty()) {
    const ssize_t written = write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError(absl::StrCat("cannot write file ", name));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::StatusOr<SecretBytes> ReadFile(int directory, const std::string& name) {
  const Descriptor file(openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info;
  if (file.get() < 0 || fstat(file.get(), &info) != 0) return FileError(absl::StrCat("cannot open file ", name));
  if (!S_ISREG(info.st_mode)) return absl::UnavailableError(absl::StrCat(name, " is not a regular file"));
  SecretBytes bytes(static_cast<size_t>(info.st_size));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t size = read(file.get(), bytes.AccessMutable().data() + done, bytes.size() - done);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return FileError(absl::StrCat("cannot read file ", name));
    done += static_cast<size_t>(size);
  }
  return bytes;
}

absl::Status RemoveFlatDirectory(int parent, const std::string& name) {
  const absl::StatusOr<Descriptor> directory = OpenDirectory(parent, name);
  if (absl::IsNotFound(directory.status())) return absl::OkStatus();
  RETURN_IF_ERROR(directory.status());
  ASSIGN_OR_RETURN(const std::vector<std::string> files, NamesIn(directory->get()));
  for (const std::string& file : files) {
    if (unlinkat(directory->get(), file.c_str(), 0) != 0 && errno != ENOENT)
      return FileError(absl::StrCat("cannot remove file ", file));
  }
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0)
    return FileError(absl::StrCat("cannot remove directory ", name));
  return absl::OkStatus();
}

}  // namespace keyferry
