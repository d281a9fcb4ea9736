// What stands beside backups and may be damaged or forged: manifests, objects and the shred ledger, as bytes and,
// sealed by us, as text; and genuine ones, edited. Nothing but what was sealed opens, no path leaves the directory that
// is restored, names have one spelling, a ledger is one that was written or the begin of it.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/crypto/aead.h"
#include "services/api/backup_manifest.h"
#include "services/api/shred_ledger.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

constexpr char kName[] = "20261123T053000Z-1-4711";
constexpr int kRecords = 3;

void WriteFile(const std::string& path, std::string_view bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Backups {
 public:
  Backups()
      : keys_(std::make_shared<const BackupKeys>(DeriveBackupKeys(*keyring_.Current(KeyPurpose::kBackup)))),
        older_(std::make_shared<const BackupKeys>(DeriveBackupKeys(*older_keyring_.Current(KeyPurpose::kBackup)))) {
    Require(OpenManifest(find_, kName, Seal("time 1\nrevision 2\n")).ok(), "a manifest that is sealed here opens");
    for (const auto& keys : {keys_, older_}) ledgers_.push_back(NewLedger(keys));
    MakeObject();
  }

  void Run(std::string_view bytes) {
    Require(!OpenManifest(find_, kName, bytes).ok(), "nobody makes a manifest without the key");
    if (const auto manifest = OpenManifest(find_, kName, Seal(absl::StrCat(std::string(bytes), "\n"))); manifest.ok())
      CheckManifest(*manifest);
    CheckNames(bytes);
    CheckLedger(bytes);
    CheckObject(bytes);
    CheckEditedLedger(bytes);
    CheckEditedObject(bytes);
  }

 private:
  // As SealManifest, of any text.
  std::string Seal(std::string_view text) const {
    return absl::StrCat(
        "KFMAN001", keys_->id,
        SealFrame(keys_->manifests, text, JoinParts({"keyferry/backup-manifest/v1", kName, keys_->id})));
  }
  void CheckManifest(const BackupManifest& manifest) const {
    for (const BackupManifest::File& file : manifest.files) {
      const std::filesystem::path path(file.path);
      Require(path.is_relative() && path.lexically_normal() == path, "a file stays in the directory that is restored");
    }
    const auto again = OpenManifest(find_, kName, SealManifest(*keys_, manifest));
    Require(again.ok() && again->files.size() == manifest.files.size() && again->revision == manifest.revision,
            "a manifest seals and opens");
  }
  static void CheckNames(std::string_view text) {
    const std::string id = KeyIdOfManifest(text);
    Require(id.find_first_of("./") == std::string::npos, "the id of a key is no path");
    const auto time = TimeOfBackup(text);
    if (time && RevisionOfBackup(text) != 0) {
      Require(TimeOfBackup(BackupName(*time, RevisionOfBackup(text))) == time,
              "the time of a name is read as it was written");
    }
  }
  void CheckLedger(std::string_view bytes) {
    const std::string path = directory_.File("ledger");
    WriteFile(path, bytes);
    const auto contents = ReadShredLedger(path, find_);
    Require(!contents.ok() || contents->records.empty(), "nobody adds to a ledger without the key");
  }
  void CheckObject(std::string_view bytes) {
    const std::string path = directory_.File("object");
    WriteFile(path, bytes);
    const BackupObject object{.id = std::string(kBackupObjectIdBytes, 'o'),
                              .bytes = static_cast<int64_t>(bytes.size() % 64)};
    Require(!OpenObject(*keys_, object, path, [](std::string_view) { return absl::OkStatus(); }).ok(),
            "nobody makes an object without the key");
  }

  static ShredRecord Record(int number, const std::string& organization) {
    return {.organization_uid = "uid", .organization = organization, .set_uid = absl::StrCat("set-uid-", number), .revision = static_cast<Revision>(number)};
  }
  std::vector<std::string> NewLedger(const std::shared_ptr<const BackupKeys>& keys) const {
    const std::string path = directory_.File("ledger-" + keys->id);
    auto ledger = ShredLedger::Open(path, [&keys](std::string_view) { return keys; });
    Require(ledger.ok(), "a ledger is made");
    for (int i = 1; i <= kRecords; ++i) Require((*ledger)->Append(std::vector{Record(i, keys->id)}).ok(), "a ledger is written");
    std::vector<std::string> lines;
    std::string line;
    for (const char byte : ReadFile(path)) {
      line += byte;
      if (byte == '\n') lines.push_back(std::exchange(line, ""));
    }
    return lines;
  }
  // Each byte takes a line of either ledger; a high one changes it, the last one may cut.
  std::string Shuffled(std::string_view script) const {
    std::string text;
    for (const char each : script) {
      const auto choice = static_cast<unsigned char>(each);
      const std::vector<std::string>& ledger = ledgers_[choice % 2];
      std::string line = ledger[(choice / 2) % ledger.size()];
      if (choice >= 192) line[choice % line.size()] ^= 1;
      text += line;
    }
    if (!script.empty() && script.back() >= 64) text.resize(text.size() - static_cast<size_t>(script.back()) / 16);
    return text;
  }
  bool IsBeginOfOne(std::string_view text) const {
    return std::ranges::any_of(ledgers_, [&](const std::vector<std::string>& ledger) { return absl::StrJoin(ledger, "").starts_with(text); });
  }
  void CheckEditedLedger(std::string_view script) const {
    const std::string path = directory_.File("edited"), text = Shuffled(script);
    WriteFile(path, text);
    const auto read = ReadShredLedger(path, find_);
    Require(!read.ok() || (IsBeginOfOne(text) && text.ends_with('\n')), "a ledger that reads is one that was written, or its begin");
    auto opened = ShredLedger::Open(path, find_);
    Require(opened.ok() || !read.ok(), "what reads opens");
    if (!opened.ok()) return;
    const int64_t count = (*opened)->position().count;
    Require((*opened)->last_delete() == static_cast<Revision>(count) && (*opened)->newest_lineage() == 0, "the last delete is known");
    Require((*opened)->Append(std::vector{Record(static_cast<int>(count) + 1, "acme")}).ok(), "it goes on");
    const auto again = ReadShredLedger(path, find_);
    Require(again.ok() && again->position() == (*opened)->position() && again->Passed((*opened)->position()) && again->NewestLineage() == 0,
            "what was appended reads");
    for (size_t i = 0; i < again->records.size(); ++i)
      Require(again->records[i].set_uid == Record(static_cast<int>(i) + 1, "").set_uid, "each record is as it was written, in its place");
  }
  void MakeObject() {
    const std::string source = directory_.File("source"), target = directory_.File("sealed");
    WriteFile(source, std::string(200, 'v'));
    object_ = IdentifyFile(*keys_, source, [] { return absl::OkStatus(); }).value();
    Require(SealObject(*keys_, object_, source, target, [] { return absl::OkStatus(); }).ok(), "an object is made");
    sealed_ = ReadFile(target);
    Require(static_cast<int64_t>(sealed_.size()) == SealedObjectBytes(object_.bytes), "its size is known before");
    Require(!SealObject(*keys_, {}, source, directory_.File("other"), [] { return absl::OkStatus(); }).ok(), "no other file is sealed");
  }
  // Pairs of place and change; a byte left over cuts.
  void CheckEditedObject(std::string_view edits) const {
    std::string edited = sealed_;
    for (size_t i = 0; i + 1 < edits.size(); i += 2) edited[static_cast<unsigned char>(edits[i]) * edited.size() / 256] ^= edits[i + 1];
    if (edits.size() % 2 == 1) edited.resize(edited.size() - static_cast<unsigned char>(edits.back()));
    const std::string path = directory_.File("edited-object");
    WriteFile(path, edited);
    const bool opens = OpenObject(*keys_, object_, path, [](std::string_view) { return absl::OkStatus(); }).ok();
    Require(opens == (edited == sealed_), "an object opens as it was sealed, and not otherwise");
  }

  const Keyring keyring_ = Keyring::ForTest(), older_keyring_ = Keyring::ForTest();
  const std::shared_ptr<const BackupKeys> keys_, older_;
  const FindBackupKeys find_ = [this](std::string_view id) -> absl::StatusOr<std::shared_ptr<const BackupKeys>> {
    if (id == older_->id) return older_;
    if (!id.empty() && id != keys_->id) return absl::FailedPreconditionError("no such key");
    return keys_;
  };
  TempDir directory_{"/dev/shm"};
  std::vector<std::vector<std::string>> ledgers_;
  BackupObject object_;
  std::string sealed_;
};

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const backups = new keyferry::Backups();
  backups->Run(keyferry::TextOf(data, size));
  return 0;
}
