#include "libs/storage/manifest_mark.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/storage/crc32c.h"
#include "libs/storage/durable_files.h"

namespace keyferry {
namespace {

constexpr char kFormat[] = "1";
constexpr size_t kPieceBytes = 64 * 1024;
constexpr size_t kMaxSmallFileBytes = 256;

struct Marked {
  std::string name;
  uint64_t size = 0;
  uint32_t checksum = 0;
};

class File {
 public:
  explicit File(const std::string& path) : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int descriptor() const { return descriptor_; }
  bool ok() const { return descriptor_ >= 0; }

  // Of the bytes [from, to), after those that gave `checksum`; nullopt when the file is shorter.
  std::optional<uint32_t> Extend(uint32_t checksum, uint64_t from, uint64_t to) const {
    std::vector<char> piece(kPieceBytes);
    while (from < to) {
      const ssize_t got = pread(descriptor_, piece.data(), std::min<uint64_t>(piece.size(), to - from), static_cast<off_t>(from));
      if (got <= 0) return std::nullopt;
      checksum = ExtendCrc32c(checksum, {piece.data(), static_cast<size_t>(got)});
      from += static_cast<uint64_t>(got);
    }
    return checksum;
  }

 private:
  const int descriptor_;
};

std::optional<std::string> ReadSmallFile(const std::string& path) {
  const File file(path);
  if (!file.ok()) return std::nullopt;
  std::string text(kMaxSmallFileBytes, '\0');
  const ssize_t got = pread(file.descriptor(), text.data(), text.size(), 0);
  if (got < 0) return std::nullopt;
  text.resize(static_cast<size_t>(got));
  return text;
}

// `MANIFEST-000005`, by the file CURRENT.
std::optional<std::string> CurrentManifest(const std::string& directory) {
  auto text = ReadSmallFile(directory + "/CURRENT");
  if (!text || !text->ends_with('\n')) return std::nullopt;
  text->pop_back();
  return text;
}

std::optional<uint64_t> NumberOf(absl::string_view name) {
  uint64_t number = 0;
  if (!absl::ConsumePrefix(&name, "MANIFEST-") || !absl::SimpleAtoi(name, &number)) return std::nullopt;
  return number;
}

std::string Encode(const Marked& marked) {
  const std::string line = absl::StrFormat("%s %s %d %08x", kFormat, marked.name, marked.size, marked.checksum);
  return absl::StrFormat("%s %08x\n", line, ExtendCrc32c(0, line));
}

std::optional<Marked> Decode(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(absl::StripSuffix(text, "\n"), ' ');
  Marked marked;
  if (parts.size() != 5 || parts[0] != kFormat || !absl::SimpleAtoi(parts[2], &marked.size) || !absl::SimpleHexAtoi(parts[3], &marked.checksum)) {
    return std::nullopt;
  }
  marked.name = parts[1];
  if (Encode(marked) != text) return std::nullopt;
  return marked;
}

absl::Status Damaged(const std::string& what) {
  return absl::DataLossError(
      absl::StrCat(what, ", so tables of the store, and acknowledged writes in them, may be missing. The disk lost or damaged a file. "
                         "Restore a backup; do not go on with this copy."));
}

}  // namespace

absl::Status ManifestMark::Check() const {
  const std::optional<std::string> text = ReadSmallFile(path_);
  if (!text) return absl::OkStatus();
  const std::optional<Marked> marked = Decode(*text);
  if (!marked) return Damaged(absl::StrCat("the manifest mark ", path_, " is damaged"));
  // Without it the database is gone as a whole: the commit watermark tells of that.
  if (access((directory_ + "/CURRENT").c_str(), F_OK) != 0) return absl::OkStatus();
  const std::optional<std::string> current = CurrentManifest(directory_);
  const std::optional<uint64_t> marked_number = NumberOf(marked->name), number = current ? NumberOf(*current) : std::nullopt;
  if (!number || !marked_number || *number < *marked_number) {
    return Damaged(absl::StrCat(directory_, "/CURRENT does not name ", marked->name, " or one after it"));
  }
  if (*number > *marked_number) return absl::OkStatus();
  const File manifest(absl::StrCat(directory_, "/", *current));
  if (!manifest.ok() || manifest.Extend(0, 0, marked->size) != marked->checksum) {
    return Damaged(absl::StrCat(directory_, "/", *current, " is not as it was written"));
  }
  return absl::OkStatus();
}

void ManifestMark::Update() {
  absl::MutexLock lock(&mutex_);
  const auto write = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
    const std::optional<std::string> current = CurrentManifest(directory_);
    if (!current) return FileError("read", directory_ + "/CURRENT");
    const File manifest(absl::StrCat(directory_, "/", *current));
    struct stat state = {};
    if (!manifest.ok() || fstat(manifest.descriptor(), &state) != 0) return FileError("read", *current);
    FAILPOINT_OR_RETURN("manifest_mark.before_sync");
    // Another thread may be in the middle of an append: what is marked must outlive a power loss.
    if (fdatasync(manifest.descriptor()) != 0) return FileError("sync", *current);
    if (*current != name_) {
      name_ = *current;
      size_ = 0;
      checksum_ = 0;
    }
    const auto size = static_cast<uint64_t>(state.st_size);
    const std::optional<uint32_t> checksum = manifest.Extend(checksum_, size_, size);
    if (!checksum) return FileError("read", *current);
    checksum_ = *checksum;
    size_ = size;
    return Write();
  };
  if (const absl::Status written = write(); !written.ok()) Log(Severity::kWarning, "manifest_not_marked", {{"error", written}});
}

absl::Status ManifestMark::Write() {
  const std::string text = Encode({.name = name_, .size = size_, .checksum = checksum_});
  const std::string unfinished = path_ + ".new";
  const int file = open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return FileError("create", unfinished);
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fdatasync(file) == 0;
  close(file);
  if (!written) return FileError("write", unfinished);
  FAILPOINT_OR_RETURN("manifest_mark.before_rename");
  if (rename(unfinished.c_str(), path_.c_str()) != 0) return FileError("rename", unfinished);
  FAILPOINT_OR_RETURN("manifest_mark.after_rename");
  return SyncParentDirectory(path_);
}

}  // namespace keyferry
