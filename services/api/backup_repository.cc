#include "services/api/backup_repository.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"
#include "libs/storage/durable_files.h"
#include "services/api/backup_files.h"

namespace keyferry {
namespace {

constexpr char kObjects[] = "/objects", kManifests[] = "/manifests", kIncoming[] = "/incoming", kLock[] = "/LOCK";
// A manifest, directories, what the disk itself needs.
constexpr int64_t kSpaceBesideObjects = int64_t{1} << 20;

std::optional<int64_t> FreeBytes(const std::string& directory) {
  struct statvfs found {};
  if (statvfs(directory.c_str(), &found) != 0) return std::nullopt;
  return static_cast<int64_t>(found.f_bavail * found.f_frsize);
}

// Held while it lives.
absl::StatusOr<BackupFile> TakeLock(const std::string& directory) {
  ASSIGN_OR_RETURN(BackupFile file, BackupFile::Open(directory + kLock, O_RDWR | O_CREAT));
  if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  return absl::UnavailableError(
      absl::StrCat("another process writes backups into ", directory, "; each API needs a directory of its own"));
}

absl::Status Remove(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? absl::UnavailableError(absl::StrCat("cannot remove ", path, ": ", error.message())) : absl::OkStatus();
}

// Names of backups, the newest first: by revision, for the clock may have been wrong.
absl::StatusOr<std::vector<std::string>> BackupNames(const std::string& directory) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, NamesIn(directory + kManifests));
  std::erase_if(names, [](const std::string& name) { return !TimeOfBackup(name); });
  std::ranges::sort(names, [](const std::string& a, const std::string& b) {
    return std::tuple(RevisionOfBackup(a), *TimeOfBackup(a), a) > std::tuple(RevisionOfBackup(b), *TimeOfBackup(b), b);
  });
  return names;
}

}  // namespace

BackupRepository::BackupRepository(BackupRepositoryOptions options) : options_(std::move(options)) {}

std::string BackupRepository::ObjectPath(const std::string& key_id, const BackupObject& object) const {
  const std::string id = absl::BytesToHexString(object.id);
  return absl::StrCat(options_.directory, kObjects, "/", key_id, "/", id.substr(0, 2), "/", id);
}

std::string BackupRepository::ManifestPath(const std::string& name) const {
  return absl::StrCat(options_.directory, kManifests, "/", name);
}

absl::Status BackupRepository::Step(std::string_view name) const {
  return options_.before_step ? options_.before_step(name) : absl::OkStatus();
}

absl::Status BackupRepository::CheckSpace(int64_t needed) const {
  const std::optional<int64_t> free =
      options_.free_bytes ? options_.free_bytes(options_.directory) : FreeBytes(options_.directory);
  needed += kSpaceBesideObjects + kMinFreeBackupBytes;
  if (!free || *free >= needed) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("the disk of ", options_.directory, " has ", *free, " bytes free, but this backup needs ", needed,
                   " with the ", kMinFreeBackupBytes, " that stay free; make room, or shorten --backup-retention"),
      {.reason = "BACKUP_DISK_FULL"});
}

absl::Status BackupRepository::WriteObject(const BackupKeys& keys, const BackupObject& object,
                                           const std::string& source) const {
  const std::string path = ObjectPath(keys.id, object);
  const std::string incoming = absl::StrCat(options_.directory, kIncoming, "/", absl::BytesToHexString(object.id));
  RETURN_IF_ERROR(Remove(incoming));
  RETURN_IF_ERROR(SealObject(keys, object, source, incoming, [this] { return Step("frame"); }));
  RETURN_IF_ERROR(Step("object sealed"));
  {
    ASSIGN_OR_RETURN(BackupFile written, BackupFile::Open(incoming, O_RDONLY));
    written.Forget();
  }
  RETURN_IF_ERROR(OpenObject(keys, object, incoming, [this](std::string_view) { return Step("frame"); }));
  RETURN_IF_ERROR(MakeDirectories(std::filesystem::path(path).parent_path()));
  FAILPOINT_OR_RETURN("backup.object.before_rename");
  if (rename(incoming.c_str(), path.c_str()) != 0) return FileError("rename", incoming);
  FAILPOINT_OR_RETURN("backup.object.after_rename");
  RETURN_IF_ERROR(Step("object renamed"));
  return SyncParentDirectory(path);
}

absl::StatusOr<std::vector<BackupManifest::File>> BackupRepository::WriteObjects(const BackupKeys& keys,
                                                                                 const std::string& source,
                                                                                 int64_t& new_bytes) const {
  ASSIGN_OR_RETURN(const std::vector<std::string> paths, FilesBelow(source));
  std::vector<BackupManifest::File> files;
  // By object id: the file that has it.
  std::map<std::string, const BackupManifest::File*> missing;
  int64_t needed = 0;
  files.reserve(paths.size());
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(BackupObject object,
                     IdentifyFile(keys, absl::StrCat(source, "/", path), [this] { return Step("frame"); }));
    const BackupManifest::File& file = files.emplace_back(BackupManifest::File{path, std::move(object)});
    const absl::StatusOr<int64_t> kept = SizeOf(ObjectPath(keys.id, file.object));
    if (kept.ok() && *kept == SealedObjectBytes(file.object.bytes)) continue;
    if (!missing.emplace(file.object.id, &file).second) continue;
    needed += SealedObjectBytes(file.object.bytes);
    new_bytes += file.object.bytes;
  }
  RETURN_IF_ERROR(CheckSpace(needed));
  for (const auto& [id, file] : missing)
    RETURN_IF_ERROR(WriteObject(keys, file->object, absl::StrCat(source, "/", file->path)));
  return files;
}

absl::Status BackupRepository::WriteManifest(const BackupKeys& keys, const BackupManifest& manifest) const {
  const std::string incoming = options_.directory + kIncoming + "/manifest", path = ManifestPath(manifest.name);
  const std::string sealed = SealManifest(keys, manifest);
  RETURN_IF_ERROR(Remove(incoming));
  {
    ASSIGN_OR_RETURN(BackupFile file, BackupFile::Open(incoming, O_WRONLY | O_CREAT | O_EXCL));
    RETURN_IF_ERROR(file.Write(sealed));
    RETURN_IF_ERROR(file.Sync());
    file.Forget();
  }
  ASSIGN_OR_RETURN(const std::string written, ReadWhole(incoming));
  if (written != sealed)
    return absl::DataLossError(absl::StrCat(incoming, " does not read back as it was written; the disk is broken"));
  RETURN_IF_ERROR(Step("manifest written"));
  FAILPOINT_OR_RETURN("backup.manifest.before_rename");
  if (rename(incoming.c_str(), path.c_str()) != 0) return FileError("rename", incoming);
  FAILPOINT_OR_RETURN("backup.manifest.after_rename");
  return SyncParentDirectory(path);
}

absl::StatusOr<BackupManifest> BackupRepository::Write(const std::string& source, const BackupFacts& facts) const {
  for (const char* part : {kObjects, kManifests, kIncoming})
    RETURN_IF_ERROR(MakeDirectories(options_.directory + part));
  ASSIGN_OR_RETURN(const BackupFile lock, TakeLock(options_.directory));
  ASSIGN_OR_RETURN(const std::vector<std::string> leftovers, NamesIn(options_.directory + kIncoming));
  for (const std::string& name : leftovers)
    RETURN_IF_ERROR(Remove(absl::StrCat(options_.directory, kIncoming, "/", name)));
  ASSIGN_OR_RETURN(const std::shared_ptr<const BackupKeys> keys, options_.keys(""));
  BackupManifest manifest{.name = BackupName(facts.create_time, facts.revision),
                          .key_id = keys->id,
                          .create_time = facts.create_time,
                          .revision = facts.revision,
                          .root_key_ids = facts.root_key_ids,
                          .ledger = facts.ledger};
  RETURN_IF_ERROR(Step("begin"));
  ASSIGN_OR_RETURN(manifest.files, WriteObjects(*keys, source, manifest.new_bytes));
  for (const BackupManifest::File& file : manifest.files) manifest.total_bytes += file.object.bytes;
  RETURN_IF_ERROR(Step("objects written"));
  RETURN_IF_ERROR(WriteManifest(*keys, manifest));
  RETURN_IF_ERROR(Step("end"));
  return manifest;
}

absl::StatusOr<BackupManifest> BackupRepository::Get(const std::string& name) const {
  if (!TimeOfBackup(name))
    return absl::NotFoundError(
        absl::StrCat("\"", name, "\" is no name of a backup; such a name is 20261123T053000Z-1-4711"));
  const absl::StatusOr<std::string> sealed = ReadWhole(ManifestPath(name));
  if (absl::IsNotFound(sealed.status()))
    return absl::NotFoundError(absl::StrCat(options_.directory, " has no backup ", name));
  RETURN_IF_ERROR(sealed.status());
  return OpenManifest(options_.keys, name, *sealed);
}

absl::StatusOr<BackupList> BackupRepository::List() const {
  BackupList list;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, BackupNames(options_.directory));
  for (const std::string& name : names) {
    absl::StatusOr<BackupManifest> manifest = Get(name);
    if (manifest.ok()) {
      list.backups.push_back(*std::move(manifest));
    } else {
      list.problems.push_back(manifest.status());
    }
  }
  return list;
}

absl::Status BackupRepository::Verify(const BackupManifest& manifest) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<const BackupKeys> keys, options_.keys(manifest.key_id));
  for (const BackupManifest::File& file : manifest.files) {
    RETURN_IF_ERROR(OpenObject(*keys, file.object, ObjectPath(manifest.key_id, file.object),
                               [](std::string_view) { return absl::OkStatus(); }));
  }
  return absl::OkStatus();
}

absl::Status BackupRepository::Extract(const BackupManifest& manifest, const BackupManifest::File& file,
                                       const std::string& target) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<const BackupKeys> keys, options_.keys(manifest.key_id));
  ASSIGN_OR_RETURN(BackupFile out, BackupFile::Open(target, O_WRONLY | O_CREAT | O_EXCL));
  RETURN_IF_ERROR(OpenObject(*keys, file.object, ObjectPath(manifest.key_id, file.object),
                             [&out](std::string_view bytes) { return out.Write(bytes); }));
  return out.Sync();
}

absl::Status BackupRepository::Prune(absl::Time before) const {
  FAILPOINT_OR_RETURN("backup.before_prune");
  ASSIGN_OR_RETURN(const BackupFile lock, TakeLock(options_.directory));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, BackupNames(options_.directory));
  int kept = 0;
  for (const std::string& name : names) {
    const bool newest = kept < kMinBackupsKept && Get(name).ok();
    if (newest) ++kept;
    if (newest || *TimeOfBackup(name) >= before) continue;
    RETURN_IF_ERROR(Step("manifest expired"));
    RETURN_IF_ERROR(Remove(ManifestPath(name)));
  }
  if (!names.empty()) RETURN_IF_ERROR(SyncPath(options_.directory + kManifests));
  return PruneObjects();
}

absl::Status BackupRepository::PruneObjects() const {
  // By key: what manifests name; absent when one of them cannot be read.
  std::map<std::string, std::optional<std::set<std::string>>> named;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, BackupNames(options_.directory));
  // Sooner that manifests are lost, or out of sight, than that nothing is wanted any more.
  if (names.empty()) return absl::OkStatus();
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const std::string sealed, ReadWhole(ManifestPath(name)));
    const std::string key_id = KeyIdOfManifest(sealed);
    // It may be any key's.
    if (key_id.empty()) return absl::OkStatus();
    std::optional<std::set<std::string>>& objects = named.try_emplace(key_id, std::in_place).first->second;
    const absl::StatusOr<BackupManifest> manifest = OpenManifest(options_.keys, name, sealed);
    if (!manifest.ok()) objects.reset();
    if (!objects) continue;
    for (const BackupManifest::File& file : manifest->files) objects->insert(ObjectPath(key_id, file.object));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> key_ids, NamesIn(options_.directory + kObjects));
  for (const std::string& key_id : key_ids) {
    const std::string directory = absl::StrCat(options_.directory, kObjects, "/", key_id);
    const auto objects = named.find(key_id);
    if (objects != named.end() && !objects->second) continue;
    ASSIGN_OR_RETURN(const std::vector<std::string> kept, FilesBelow(directory));
    for (const std::string& file : kept) {
      const std::string path = absl::StrCat(directory, "/", file);
      if (objects != named.end() && objects->second->contains(path)) continue;
      RETURN_IF_ERROR(Step("object expired"));
      RETURN_IF_ERROR(Remove(path));
    }
    if (objects == named.end()) RETURN_IF_ERROR(Remove(directory));
  }
  return absl::OkStatus();
}

}  // namespace keyferry
