#include "services/api/backup_manifest.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "services/api/backup_files.h"

namespace keyferry {
namespace {

constexpr std::string_view kMagic = "KFMAN001";
constexpr std::string_view kPlace = "keyferry/backup-manifest/v1";
constexpr char kTimeFormat[] = "%Y%m%dT%H%M%SZ";
constexpr size_t kTimeLength = 16;

absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

std::string TextOf(const BackupManifest& manifest) {
  std::string text = absl::StrCat("time ", absl::ToUnixNanos(manifest.create_time), "\nrevision ", manifest.revision,
                                  "\ntotal ", manifest.total_bytes, "\nnew ", manifest.new_bytes, "\nledger ",
                                  manifest.ledger.count, " ", absl::BytesToHexString(manifest.ledger.hash), "\n");
  for (const std::string& id : manifest.root_key_ids) absl::StrAppend(&text, "root ", absl::BytesToHexString(id), "\n");
  for (const BackupManifest::File& file : manifest.files) {
    absl::StrAppend(&text, "file ", file.object.bytes, " ", absl::BytesToHexString(file.object.id), " ", file.path,
                    "\n");
  }
  return text;
}

// Nothing outside of the directory that is restored, whoever wrote the manifest.
bool IsPath(const std::string& path) {
  if (path.empty() || path.front() == '/') return false;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

bool ParseFile(const std::vector<std::string>& words, BackupManifest& manifest) {
  BackupManifest::File file;
  if (words.size() != 4 || !absl::SimpleAtoi(words[1], &file.object.bytes) ||
      words[2].size() != 2 * kBackupObjectIdBytes || !IsPath(words[3]))
    return false;
  file.object.id = absl::HexStringToBytes(words[2]);
  file.path = words[3];
  manifest.files.push_back(std::move(file));
  return true;
}

bool ParseLine(const std::vector<std::string>& words, BackupManifest& manifest) {
  if (words[0] == "file") return ParseFile(words, manifest);
  if (words[0] == "ledger" && words.size() == 3) {
    manifest.ledger.hash = absl::HexStringToBytes(words[2]);
    return absl::SimpleAtoi(words[1], &manifest.ledger.count);
  }
  if (words.size() != 2) return false;
  if (words[0] == "root") return manifest.root_key_ids.insert(absl::HexStringToBytes(words[1])).second;
  if (words[0] == "revision") return absl::SimpleAtoi(words[1], &manifest.revision);
  int64_t number = 0;
  if (!absl::SimpleAtoi(words[1], &number)) return false;
  if (words[0] == "time") manifest.create_time = absl::FromUnixNanos(number);
  if (words[0] == "total") manifest.total_bytes = number;
  if (words[0] == "new") manifest.new_bytes = number;
  return words[0] == "time" || words[0] == "total" || words[0] == "new";
}

std::string Place(const std::string& name, std::string_view key_id) { return JoinParts({kPlace, name, key_id}); }

absl::Status Damaged(const std::string& name) {
  return absl::DataLossError(
      absl::StrCat("the manifest of backup ", name,
                   " is damaged, was changed, or is another backup's; take its copy, or another backup"));
}

}  // namespace

std::string BackupName(absl::Time create_time, Revision revision) {
  return absl::StrCat(absl::FormatTime(kTimeFormat, create_time, absl::UTCTimeZone()), "-", LineageOf(revision), "-",
                      WithLineage(revision, 0));
}

std::optional<absl::Time> TimeOfBackup(std::string_view name) {
  const std::vector<std::string> parts = absl::StrSplit(Abseil(name), '-');
  absl::Time time;
  uint64_t lineage = 0;
  uint64_t sequence = 0;
  if (parts.size() != 3 || parts[0].size() != kTimeLength || !absl::SimpleAtoi(parts[1], &lineage) ||
      !absl::SimpleAtoi(parts[2], &sequence))
    return std::nullopt;
  // A year in a format takes all digits that it finds.
  const std::string& t = parts[0];
  const std::string spaced =
      absl::StrCat(t.substr(0, 4), "-", t.substr(4, 2), "-", t.substr(6, 5), ":", t.substr(11, 2), ":", t.substr(13));
  if (!absl::ParseTime("%Y-%m-%dT%H:%M:%SZ", spaced, &time, nullptr)) return std::nullopt;
  // No other spelling of it.
  return absl::FormatTime(kTimeFormat, time, absl::UTCTimeZone()) == t ? std::optional(time) : std::nullopt;
}

Revision RevisionOfBackup(std::string_view name) {
  const std::vector<std::string> parts = absl::StrSplit(Abseil(name), '-');
  uint64_t lineage = 0;
  uint64_t sequence = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &lineage) || !absl::SimpleAtoi(parts[2], &sequence)) return 0;
  return WithLineage(sequence, lineage);
}

std::string SealManifest(const BackupKeys& keys, const BackupManifest& manifest) {
  return absl::StrCat(Abseil(kMagic), keys.id,
                      SealFrame(keys.manifests, TextOf(manifest), Place(manifest.name, keys.id)));
}

std::string KeyIdOfManifest(std::string_view sealed) {
  if (!sealed.starts_with(kMagic) || sealed.size() < kMagic.size() + kBackupKeyIdBytes) return "";
  std::string id(sealed.substr(kMagic.size(), kBackupKeyIdBytes));
  // It becomes part of a path.
  return id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == id.npos ? id : "";
}

absl::StatusOr<BackupManifest> OpenManifest(const FindBackupKeys& find, const std::string& name,
                                            std::string_view sealed) {
  BackupManifest manifest{.name = name, .key_id = KeyIdOfManifest(sealed)};
  if (manifest.key_id.empty()) return Damaged(name);
  const auto keys = find(manifest.key_id);
  if (!keys.ok())
    return absl::FailedPreconditionError(
        absl::StrCat("backup ", name, " cannot be opened, or is damaged: ", keys.status().message()));
  const auto text =
      OpenFrame((*keys)->manifests, sealed.substr(kMagic.size() + kBackupKeyIdBytes), Place(name, manifest.key_id));
  if (!text.ok()) return Damaged(name);
  std::vector<std::string> lines = absl::StrSplit(Abseil(text->Access()), '\n');
  lines.pop_back();
  for (const std::string& line : lines) {
    if (!ParseLine(absl::StrSplit(line, ' '), manifest)) return Damaged(name);
  }
  return manifest;
}

}  // namespace keyferry
