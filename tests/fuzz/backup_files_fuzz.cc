// What stands beside backups and may be damaged or forged: manifests, objects and the shred ledger, as bytes and,
// sealed by us, as text. Nothing but what was sealed opens, no path leaves the directory that is restored, names have
// one spelling.
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/crypto/aead.h"
#include "services/api/backup_manifest.h"
#include "services/api/shred_ledger.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

constexpr char kName[] = "20261123T053000Z-1-4711";

class Backups {
 public:
  Backups() : keys_(std::make_shared<const BackupKeys>(DeriveBackupKeys(*keyring_.Current(KeyPurpose::kBackup)))) {
    Require(OpenManifest(find_, kName, Seal("time 1\nrevision 2\n")).ok(), "a manifest that is sealed here opens");
  }

  void Run(std::string_view bytes) {
    Require(!OpenManifest(find_, kName, bytes).ok(), "nobody makes a manifest without the key");
    if (const auto manifest = OpenManifest(find_, kName, Seal(absl::StrCat(std::string(bytes), "\n"))); manifest.ok())
      CheckManifest(*manifest);
    CheckNames(bytes);
    CheckLedger(bytes);
    CheckObject(bytes);
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
    std::ofstream(path, std::ios::binary) << bytes;
    const auto contents = ReadShredLedger(path, find_);
    Require(!contents.ok() || contents->records.empty(), "nobody adds to a ledger without the key");
  }
  void CheckObject(std::string_view bytes) {
    const std::string path = directory_.File("object");
    std::ofstream(path, std::ios::binary) << bytes;
    const BackupObject object{.id = std::string(kBackupObjectIdBytes, 'o'),
                              .bytes = static_cast<int64_t>(bytes.size() % 64)};
    Require(!OpenObject(*keys_, object, path, [](std::string_view) { return absl::OkStatus(); }).ok(),
            "nobody makes an object without the key");
  }

  const Keyring keyring_ = Keyring::ForTest();
  const std::shared_ptr<const BackupKeys> keys_;
  const FindBackupKeys find_ = [this](std::string_view id) -> absl::StatusOr<std::shared_ptr<const BackupKeys>> {
    if (!id.empty() && id != keys_->id) return absl::FailedPreconditionError("no such key");
    return keys_;
  };
  TempDir directory_{"/dev/shm"};
};

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const backups = new keyferry::Backups();
  backups->Run(keyferry::TextOf(data, size));
  return 0;
}
