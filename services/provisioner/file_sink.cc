#include "services/provisioner/file_sink.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "libs/model/names.h"
#include "services/provisioner/file_tree.h"

namespace keyferry {
namespace {

constexpr char kDataName[] = ".data";
constexpr std::string_view kLinkPrefix = "../../.data/";
constexpr char kDockerConfigName[] = ".dockerconfigjson";
constexpr size_t kMaxParentsKept = 64;
constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0400;

const char* TopOf(ObjectKind kind) { return kind == ObjectKind::kSecretSet ? "sets" : "agents"; }

// What the object looks like as files; values point into `object` or `docker_config`.
std::map<std::string, std::string_view> FilesOf(const OpenedObject& object, SecretBytes& docker_config) {
  std::map<std::string, std::string_view> files;
  for (const OpenedValue& value : object.values) files[value.key] = value.value.Access();
  if (object.pull_credentials) {
    docker_config = DockerConfigJson(*object.pull_credentials);
    files[kDockerConfigName] = docker_config.Access();
  }
  return files;
}

absl::Status CheckNames(const OpenedObject& object) {
  std::optional<FieldViolation> violation = CheckOrganizationName("organization", object.id.organization);
  if (!violation) {
    violation = object.id.kind == ObjectKind::kSecretSet ? CheckSecretSetName("set", object.id.name)
                                                         : CheckAgentName("agent", object.id.name);
  }
  for (const OpenedValue& value : object.values) {
    if (!violation) violation = CheckSecretKey("key", value.key);
  }
  if (violation)
    return absl::UnavailableError(absl::StrCat("no file name: ", violation->field, " ", violation->description));
  return absl::OkStatus();
}

class FileSink final : public Sink {
 public:
  FileSink(Descriptor root, Descriptor data)
      : root_(std::move(root)), data_(std::move(data)), run_(absl::BytesToHexString(RandomBytes(8))) {}

  std::string_view name() const override { return "files"; }

  absl::Status Apply(const OpenedObject& object) override {
    RETURN_IF_ERROR(CheckNames(object));
    const std::string directory = absl::StrCat(object.revision, "-", run_, "-", ++written_count_);
    absl::Status status = WriteData(directory, object);
    std::string leftover = directory;
    if (status.ok()) status = Show(object.id, directory, leftover);
    // Somebody removed the directory that is kept open.
    if (absl::IsNotFound(status) && !std::exchange(parents_, {}).empty()) status = Show(object.id, directory, leftover);
    if (!leftover.empty()) (void)RemoveFlatDirectory(data_.get(), leftover);
    return status;
  }

  absl::Status Remove(const ObjectId& id) override {
    const auto parent = OpenParent(id);
    if (absl::IsNotFound(parent.status())) return absl::OkStatus();
    RETURN_IF_ERROR(parent.status());
    const auto directory = DataDirectoryOf(parent->get(), id.name);
    if (absl::IsNotFound(directory.status())) return absl::OkStatus();
    RETURN_IF_ERROR(directory.status());
    if (unlinkat(parent->get(), id.name.c_str(), 0) != 0)
      return FileError(absl::StrCat("cannot remove link ", id.name));
    FAILPOINT_OR_RETURN("files_sink.link_removed");
    RETURN_IF_ERROR(RemoveFlatDirectory(data_.get(), *directory));
    RemoveIfEmpty(id);
    return absl::OkStatus();
  }

  absl::Status Verify(const OpenedObject& object) override {
    absl::Status status = Compare(object);
    // Perhaps somebody moved a directory that is kept open.
    if (!status.ok()) parents_.clear();
    return status;
  }

  absl::StatusOr<std::vector<ObjectId>> List() override {
    std::vector<ObjectId> ids;
    for (const ObjectKind kind : {ObjectKind::kSecretSet, ObjectKind::kDeployment}) {
      const auto top = OpenDirectory(root_.get(), TopOf(kind));
      if (absl::IsNotFound(top.status())) continue;
      RETURN_IF_ERROR(top.status());
      ASSIGN_OR_RETURN(const std::vector<std::string> organizations, NamesIn(top->get()));
      for (const std::string& organization : organizations) {
        ASSIGN_OR_RETURN(const Descriptor directory, OpenDirectory(top->get(), organization));
        ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(directory.get()));
        for (const std::string& name : names) ids.push_back({.kind = kind, .organization = organization, .name = name});
      }
    }
    return ids;
  }

  // Data directories that no link shows.
  absl::Status RemoveLeftovers() {
    ASSIGN_OR_RETURN(const std::vector<ObjectId> shown, List());
    std::set<std::string> used;
    for (const ObjectId& id : shown) {
      ASSIGN_OR_RETURN(const Descriptor parent, OpenParent(id));
      ASSIGN_OR_RETURN(std::string directory, DataDirectoryOf(parent.get(), id.name));
      used.insert(std::move(directory));
    }
    ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(data_.get()));
    for (const std::string& name : names) {
      if (used.contains(name)) continue;
      if (unlinkat(data_.get(), name.c_str(), 0) == 0) continue;
      RETURN_IF_ERROR(RemoveFlatDirectory(data_.get(), name));
    }
    return absl::OkStatus();
  }

 private:
  // By the path that a user takes, not by what is kept open.
  absl::Status Compare(const OpenedObject& object) const {
    ASSIGN_OR_RETURN(const Descriptor parent, OpenParent(object.id));
    ASSIGN_OR_RETURN(const std::string name, DataDirectoryOf(parent.get(), object.id.name));
    ASSIGN_OR_RETURN(const Descriptor directory, OpenDirectory(data_.get(), name));
    ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(directory.get()));
    SecretBytes docker_config;
    const auto files = FilesOf(object, docker_config);
    if (names.size() != files.size()) return absl::DataLossError("other files than written are in the directory");
    for (const std::string& file : names) {
      const auto wanted = files.find(file);
      if (wanted == files.end())
        return absl::DataLossError(absl::StrCat("file ", file, " was not written by this sink"));
      ASSIGN_OR_RETURN(const SecretBytes bytes, ReadFile(directory.get(), file));
      if (!EqualInConstantTime(bytes.Access(), wanted->second)) {
        return absl::DataLossError(absl::StrCat("file ", file, " does not hold what was written"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status WriteData(const std::string& name, const OpenedObject& object) {
    ASSIGN_OR_RETURN(const Descriptor directory, MakeAndOpenDirectory(data_.get(), name, kDirectoryMode));
    SecretBytes docker_config;
    for (const auto& [file, bytes] : FilesOf(object, docker_config)) {
      RETURN_IF_ERROR(WriteNewFile(directory.get(), file, bytes, kFileMode));
    }
    return absl::OkStatus();
  }

  // Swaps the link. `leftover` is then the data directory that it showed before, empty for none.
  absl::Status Show(const ObjectId& id, const std::string& directory, std::string& leftover) {
    FAILPOINT_OR_RETURN("files_sink.data_written");
    ASSIGN_OR_RETURN(const int parent, KeptParent(id));
    absl::StatusOr<std::string> old_directory = DataDirectoryOf(parent, id.name);
    const bool is_new = absl::IsNotFound(old_directory.status());
    if (is_new) old_directory = "";
    RETURN_IF_ERROR(old_directory.status());
    const std::string link = directory + ".link";
    const std::string target = std::string(kLinkPrefix) + directory;
    if (!is_new && symlinkat(target.c_str(), data_.get(), link.c_str()) != 0) return FileError("cannot create a link");
    FAILPOINT("files_sink.before_rename");
    const int shown = is_new ? symlinkat(target.c_str(), parent, id.name.c_str())
                             : renameat(data_.get(), link.c_str(), parent, id.name.c_str());
    if (shown != 0) {
      const absl::Status error = FileError(absl::StrCat("cannot make or replace link ", id.name));
      if (!is_new) unlinkat(data_.get(), link.c_str(), 0);
      return error;
    }
    leftover = *std::move(old_directory);
    FAILPOINT("files_sink.after_rename");
    return absl::OkStatus();
  }

  // The directory of an organization's links, made when it is missing; kept open, since most objects are shown beside another.
  absl::StatusOr<int> KeptParent(const ObjectId& id) {
    const std::pair<std::string, std::string> path(TopOf(id.kind), id.organization);
    if (const auto kept = parents_.find(path); kept != parents_.end()) return kept->second.get();
    if (parents_.size() >= kMaxParentsKept) parents_.clear();
    ASSIGN_OR_RETURN(const Descriptor top, MakeAndOpenDirectory(root_.get(), path.first, kDirectoryMode));
    ASSIGN_OR_RETURN(Descriptor parent, MakeAndOpenDirectory(top.get(), path.second, kDirectoryMode));
    return parents_.emplace(path, std::move(parent)).first->second.get();
  }

  absl::StatusOr<Descriptor> OpenParent(const ObjectId& id) const {
    ASSIGN_OR_RETURN(const Descriptor top, OpenDirectory(root_.get(), TopOf(id.kind)));
    return OpenDirectory(top.get(), id.organization);
  }

  // The name in `.data` that the object's link leads to.
  absl::StatusOr<std::string> DataDirectoryOf(int parent, const std::string& name) const {
    ASSIGN_OR_RETURN(const std::string target, ReadLink(parent, name));
    const std::string_view view = target;
    const std::string_view directory = view.substr(std::min(kLinkPrefix.size(), view.size()));
    if (!view.starts_with(kLinkPrefix) || directory.empty() || directory.find('/') != directory.npos ||
        directory[0] == '.') {
      return absl::UnavailableError(absl::StrCat("link ", name, " was not made by this sink; remove it"));
    }
    return std::string(directory);
  }

  void RemoveIfEmpty(const ObjectId& id) {
    const auto top = OpenDirectory(root_.get(), TopOf(id.kind));
    if (top.ok() && unlinkat(top->get(), id.organization.c_str(), AT_REMOVEDIR) == 0) parents_.erase({TopOf(id.kind), id.organization});
  }

  const Descriptor root_;
  const Descriptor data_;
  // Names of data directories: of this process, and the how many-th.
  const std::string run_;
  uint64_t written_count_ = 0;
  std::map<std::pair<std::string, std::string>, Descriptor> parents_;
};

absl::Status CheckRoot(int root, const FileSinkOptions& options) {
  const auto refuse = [&](std::string_view why) {
    return absl::FailedPreconditionError(absl::StrCat("files directory ", options.root, ": ", std::string(why)));
  };
  struct stat info;
  struct statfs file_system;
  if (fstat(root, &info) != 0 || fstatfs(root, &file_system) != 0) return FileError(options.root);
  if (info.st_uid != geteuid())
    return refuse(absl::StrCat("it belongs to user ", info.st_uid, ", not to ", geteuid(), "; chown it"));
  if ((info.st_mode & 077) != 0) return refuse("others may enter it; chmod it to 0700");
  const bool in_memory =
      file_system.f_type == TMPFS_MAGIC || file_system.f_type == static_cast<__fsword_t>(RAMFS_MAGIC);
  if (!in_memory && !options.allow_disk) {
    return refuse("it is not on tmpfs, so values would reach a disk; mount a tmpfs there, or pass --allow-disk-files");
  }
  if (flock(root, LOCK_EX | LOCK_NB) != 0)
    return refuse("another provisioner uses it; give each a directory of its own");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sink>> NewFileSink(const FileSinkOptions& options) {
  auto root = MakeAndOpenDirectory(AT_FDCWD, options.root, kDirectoryMode);
  if (!root.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("files directory: ", root.status().message(), "; is it a directory, and no link?"));
  }
  RETURN_IF_ERROR(CheckRoot(root->get(), options));
  ASSIGN_OR_RETURN(Descriptor data, MakeAndOpenDirectory(root->get(), kDataName, kDirectoryMode));
  auto sink = std::make_unique<FileSink>(*std::move(root), std::move(data));
  RETURN_IF_ERROR(sink->RemoveLeftovers());
  return sink;
}

}  // namespace keyferry
