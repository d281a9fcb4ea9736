#include "services/provisioner/identity_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

constexpr char kCurrent[] = "current";
constexpr char kNextLink[] = ".next";
constexpr char kCertificate[] = "tls.pem";
constexpr char kPrivateKey[] = "tls.key";
constexpr char kDescription[] = "identity.json";

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }

 private:
  const int number_;
};

absl::Status DiskError(const std::string& path, std::string_view what) {
  return absl::UnavailableError(absl::StrCat(path, ": ", std::string(what), ": ", strerror(errno)));
}

absl::Status CheckDirectory(const std::string& path) {
  struct stat found;
  if (lstat(path.c_str(), &found) != 0) return DiskError(path, "cannot be looked at");
  if (!S_ISDIR(found.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is no directory (a symbolic link to one is none); give --identity another path"));
  }
  if (found.st_uid != geteuid()) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": belongs to another user; chown it to the one that runs the provisioner"));
  }
  if ((found.st_mode & 077) != 0)
    return absl::FailedPreconditionError(absl::StrCat(path, ": group or others may use it; chmod 700 it"));
  return absl::OkStatus();
}

// The number of `v<number>`.
std::optional<uint64_t> VersionNumber(const std::string& name) {
  if (name.size() < 2 || name[0] != 'v') return std::nullopt;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

std::vector<uint64_t> Versions(const std::string& path) {
  std::vector<uint64_t> versions;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (const auto number = VersionNumber(entry.path().filename())) versions.push_back(*number);
  }
  return versions;
}

absl::Status SyncDirectory(const std::string& path) {
  const Descriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || fsync(directory.get()) != 0) return DiskError(path, "cannot be synced");
  return absl::OkStatus();
}

absl::Status WriteNewFile(const std::string& path, std::string_view content) {
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return DiskError(path, "cannot be made");
  while (!content.empty()) {
    const ssize_t written = write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return DiskError(path, "cannot be written");
    content.remove_prefix(static_cast<size_t>(written));
  }
  FAILPOINT_OR_RETURN("identity.before_sync");
  if (fsync(file.get()) != 0) return DiskError(path, "cannot be synced");
  return absl::OkStatus();
}

std::string ToText(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()); }

std::string ToJson(const Identity& identity) {
  const nlohmann::ordered_json document = {{"region", identity.region},
                                           {"provisionerId", identity.provisioner_id},
                                           {"spiffeId", identity.spiffe_id},
                                           {"expireTime", ToText(identity.expire_time)},
                                           {"renewTime", ToText(identity.renew_time)}};
  return document.dump(2) + "\n";
}

bool ReadTime(const nlohmann::json& document, const char* name, absl::Time& time) {
  return absl::ParseTime(absl::RFC3339_full, document.value(name, ""), &time, nullptr);
}

std::optional<Identity> FromJson(const std::string& text) {
  const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  for (const auto& [name, value] : document.items()) {
    if (!value.is_string()) return std::nullopt;
  }
  Identity identity{.region = document.value("region", ""),
                    .provisioner_id = document.value("provisionerId", ""),
                    .spiffe_id = document.value("spiffeId", "")};
  const bool complete = !identity.region.empty() && !identity.provisioner_id.empty() && !identity.spiffe_id.empty() &&
                        ReadTime(document, "expireTime", identity.expire_time) &&
                        ReadTime(document, "renewTime", identity.renew_time);
  return complete ? std::optional(std::move(identity)) : std::nullopt;
}

void RemoveAllBut(const std::string& path, const std::string& current, const std::string& before) {
  for (const uint64_t number : Versions(path)) {
    const std::string name = absl::StrCat("v", number);
    std::error_code ignored;
    if (name != current && name != before) std::filesystem::remove_all(absl::StrCat(path, "/", name), ignored);
  }
}

}  // namespace

absl::StatusOr<IdentityDirectory> IdentityDirectory::Open(std::string path, std::string roots) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return DiskError(path, "cannot be made");
  RETURN_IF_ERROR(CheckDirectory(path));
  return IdentityDirectory(std::move(path), std::move(roots));
}

absl::StatusOr<std::string> IdentityDirectory::CurrentVersion() const {
  std::error_code error;
  const std::string version = std::filesystem::read_symlink(absl::StrCat(path_, "/", kCurrent), error).string();
  if (error == std::errc::no_such_file_or_directory)
    return absl::NotFoundError(absl::StrCat(path_, ": holds no identity yet; enroll"));
  if (error || !VersionNumber(version)) {
    return absl::FailedPreconditionError(absl::StrCat(
        path_, "/", kCurrent, ": is no link to a version of an identity; move the directory away and enroll again"));
  }
  return version;
}

absl::StatusOr<Identity> IdentityDirectory::Read() const {
  ASSIGN_OR_RETURN(const std::string version, CurrentVersion());
  const std::string path = absl::StrCat(path_, "/", version, "/", kDescription);
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::optional<Identity> identity = FromJson(text);
  if (!identity)
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": cannot be read; move the directory away and enroll again"));
  return *std::move(identity);
}

absl::StatusOr<TlsFiles> IdentityDirectory::Files() const {
  ASSIGN_OR_RETURN(const std::string version, CurrentVersion());
  const std::string directory = absl::StrCat(path_, "/", version, "/");
  return TlsFiles{
      .certificate_chain = directory + kCertificate, .private_key = directory + kPrivateKey, .roots = roots_};
}

// Up to the swap of the link: whatever goes wrong before, the current version stays.
absl::Status IdentityDirectory::WriteVersion(const std::string& version, const Identity& identity,
                                             const std::string& certificate_chain,
                                             const SecretBytes& private_key) const {
  const std::string directory = absl::StrCat(path_, "/", version);
  RETURN_IF_ERROR(WriteNewFile(absl::StrCat(directory, "/", kPrivateKey), private_key.Access()));
  RETURN_IF_ERROR(WriteNewFile(absl::StrCat(directory, "/", kCertificate), certificate_chain));
  RETURN_IF_ERROR(WriteNewFile(absl::StrCat(directory, "/", kDescription), ToJson(identity)));
  RETURN_IF_ERROR(CheckTlsFiles({.certificate_chain = absl::StrCat(directory, "/", kCertificate),
                                 .private_key = absl::StrCat(directory, "/", kPrivateKey),
                                 .roots = roots_}));
  RETURN_IF_ERROR(SyncDirectory(directory));
  const std::string next = absl::StrCat(path_, "/", kNextLink);
  unlink(next.c_str());
  if (symlink(version.c_str(), next.c_str()) != 0) return DiskError(next, "cannot be made");
  FAILPOINT_OR_RETURN("identity.before_rename");
  if (rename(next.c_str(), absl::StrCat(path_, "/", kCurrent).c_str()) != 0)
    return DiskError(next, "cannot be renamed");
  return absl::OkStatus();
}

absl::Status IdentityDirectory::Write(const Identity& identity, const std::string& certificate_chain,
                                      const SecretBytes& private_key) const {
  const Descriptor lock(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.get() < 0 || flock(lock.get(), LOCK_EX) != 0) return DiskError(path_, "cannot be locked");
  const std::vector<uint64_t> versions = Versions(path_);
  const std::string before = CurrentVersion().value_or("");
  const uint64_t newest = versions.empty() ? 0 : *std::max_element(versions.begin(), versions.end());
  const std::string version = absl::StrCat("v", newest + 1);
  const std::string directory = absl::StrCat(path_, "/", version);
  if (mkdir(directory.c_str(), 0700) != 0) return DiskError(directory, "cannot be made");
  if (absl::Status written = WriteVersion(version, identity, certificate_chain, private_key); !written.ok()) {
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
    return written;
  }
  FAILPOINT_OR_RETURN("identity.after_rename");
  RETURN_IF_ERROR(SyncDirectory(path_));
  RemoveAllBut(path_, version, before);
  return absl::OkStatus();
}

}  // namespace keyferry
