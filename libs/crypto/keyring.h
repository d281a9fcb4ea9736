// Keyring: the few keys that are not in the store. A text file of lines `purpose state id base64`, closed by a SHA-256 checksum;
// docs/storage-format.md has the grammar. An id is derived from its key, so a key under another's name is refused.
//
// Load refuses, each with its own words and how to mend it: a symbolic link or anything but a regular file, more than one hard
// link, another owner than this user or root, a mode with any bit of group or others, a directory on the way that is a symbolic
// link, belongs to another user or can be written by group or others (unless sticky), a path inside the data directory, more than 64 KiB,
// a bad line, a duplicate or underived id, no or two current keys of one purpose, a wrong checksum. One mode more is fine inside
// $CREDENTIALS_DIRECTORY (systemd's LoadCredential, whose access list shows as a group bit): 0440, in a directory that nobody else can write.
//
// Thread safety: immutable after Load.
#ifndef KEYFERRY_CRYPTO_KEYRING_H_
#define KEYFERRY_CRYPTO_KEYRING_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

// kRegion: an X25519 private key. kAudit: the seed of an Ed25519 key. All are 32 bytes.
enum class KeyPurpose { kRoot, kPepper, kRegion, kAudit, kBackup };
enum class KeyState { kCurrent, kPrevious };

// `root`, `pepper`, `region`, `audit`, `backup`.
std::string_view NameOfPurpose(KeyPurpose purpose);
std::optional<KeyPurpose> PurposeOfName(std::string_view name);

struct KeyringEntry;

class Keyring {
 public:
  // Shows no key.
  struct Listed {
    KeyPurpose purpose;
    KeyState state;
    std::string id;
    friend bool operator==(const Listed&, const Listed&) = default;
  };
  struct Key {
    std::string id;
    const SecretBytes* bytes;
  };

  // FailedPrecondition or NotFound with the reason; data_directory may be empty.
  static absl::StatusOr<Keyring> Load(const std::string& path, const std::string& data_directory);
  // Writes a new file (0600) with one current key of each purpose, durable on return. AlreadyExists when there is a file.
  // InvalidArgument: no purpose, or one twice. FailedPrecondition, NotFound: its directory is none that Load would accept.
  static absl::Status Create(const std::string& path, const std::vector<KeyPurpose>& purposes);
  // A fresh current key; the one before, if there is one, becomes previous. Its id. The file is replaced whole: a crash leaves the old one or the
  // new one. Codes as Load; Unavailable when it cannot be written.
  static absl::StatusOr<std::string> AddKey(const std::string& path, KeyPurpose purpose);
  // Destroys a previous key. FailedPrecondition: it is current. NotFound. What it wrapped is lost with it.
  static absl::Status Retire(const std::string& path, KeyPurpose purpose, std::string_view id);
  // For tests: random keys, no file.
  static Keyring ForTest();

  Keyring(Keyring&&) = default;
  Keyring& operator=(Keyring&&) = default;

  // NotFound when the file holds none of this purpose, with how to add one.
  absl::StatusOr<Key> Current(KeyPurpose purpose) const;
  // Current or previous. NotFound.
  absl::StatusOr<Key> Find(KeyPurpose purpose, std::string_view id) const;
  // Every key, by purpose and id.
  std::vector<Listed> List() const;

 private:
  Keyring() = default;
  void Take(KeyringEntry entry);
  std::map<std::pair<KeyPurpose, std::string>, SecretBytes> keys_;
  std::map<KeyPurpose, std::string> current_;
};

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_KEYRING_H_
