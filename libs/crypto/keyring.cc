#include "libs/crypto/keyring.h"

#include <sodium.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/keyring_file.h"

namespace keyferry {
namespace {

constexpr std::string_view kFirstLine = "keyferry-keyring-v1\n";
constexpr std::string_view kChecksumWord = "sha256 ";
constexpr size_t kChecksumLineBytes = kChecksumWord.size() + 64 + 1;
constexpr size_t kIdLength = 20;
constexpr size_t kMaxLineBytes = 128;
constexpr int kBase64Variant = sodium_base64_VARIANT_ORIGINAL;
constexpr size_t kBase64Length = 44;

constexpr std::pair<std::string_view, KeyPurpose> kPurposes[] = {
    {"root", KeyPurpose::kRoot}, {"pepper", KeyPurpose::kPepper}, {"region", KeyPurpose::kRegion}};

std::string_view NameOf(KeyPurpose purpose) { return kPurposes[static_cast<int>(purpose)].first; }

std::optional<KeyPurpose> PurposeOf(std::string_view name) {
  for (const auto& [known, purpose] : kPurposes) {
    if (known == name) return purpose;
  }
  return std::nullopt;
}

absl::string_view Abseil(std::string_view s) { return {s.data(), s.size()}; }

std::string Base32Prefix(std::string_view bytes, size_t length) {
  constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  std::string text;
  for (size_t i = 0; i < length; ++i) {
    const size_t bit = 5 * i;
    const unsigned pair = (static_cast<uint8_t>(bytes[bit / 8]) << 8) | static_cast<uint8_t>(bytes[bit / 8 + 1]);
    text.push_back(kAlphabet[(pair >> (11 - bit % 8)) & 31]);
  }
  return text;
}

std::string IdOf(KeyPurpose purpose, const SecretBytes& key) {
  SecretBytes input = SecretBytes::Take(JoinParts({"keyferry/key-id/v1", NameOf(purpose), key.Access()}));
  return Base32Prefix(Sha256(input.Access()), kIdLength);
}

std::string HexSha256(std::string_view text) { return absl::BytesToHexString(Sha256(text)); }

// Takes the text up to the separator off its front.
std::string_view TakeUntil(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return taken;
}

// Messages never quote a line: its words may be a key at the wrong place.
class Parser {
 public:
  struct Result {
    std::map<std::pair<KeyPurpose, std::string>, SecretBytes> keys;
    std::map<KeyPurpose, std::string> current;
  };

  explicit Parser(const std::string& path) : path_(path) {}

  absl::StatusOr<Result> Parse(std::string_view text) && {
    ASSIGN_OR_RETURN(std::string_view lines, CheckFrame(text));
    for (line_ = 2; !lines.empty(); ++line_) RETURN_IF_ERROR(ParseLine(TakeUntil(lines, '\n')));
    if (result_.keys.empty()) return Refuse("it holds no key; restore it from its backup");
    for (const auto& entry : result_.keys) {
      const KeyPurpose purpose = entry.first.first;
      if (result_.current.contains(purpose)) continue;
      return Refuse("no key of purpose ", Abseil(NameOf(purpose)), " is current; mark exactly one as current");
    }
    return std::move(result_);
  }

 private:
  template <typename... Parts>
  absl::Status Refuse(const Parts&... parts) const {
    return absl::FailedPreconditionError(absl::StrCat("keyring ", path_, ": ", parts...));
  }
  template <typename... Parts>
  absl::Status RefuseLine(const Parts&... parts) const {
    return Refuse("line ", line_, ": ", parts...);
  }

  // The lines between the first and the checksum.
  absl::StatusOr<std::string_view> CheckFrame(std::string_view text) const {
    if (!text.starts_with(kFirstLine)) {
      return Refuse("it does not begin with the line keyferry-keyring-v1; is this the right file?");
    }
    if (text.size() < kFirstLine.size() + kChecksumLineBytes || text.back() != '\n' ||
        !text.substr(text.size() - kChecksumLineBytes).starts_with(kChecksumWord)) {
      return Refuse("its last line is not a checksum, so it may be cut off; restore it from its backup");
    }
    const std::string_view body = text.substr(0, text.size() - kChecksumLineBytes);
    if (body.back() != '\n') return Refuse("its last line is not a checksum; restore it from its backup");
    if (!EqualInConstantTime(text.substr(body.size() + kChecksumWord.size(), 64), HexSha256(body))) {
      return Refuse(
          "its checksum does not match, so it is damaged or was edited by hand; restore it from its backup, or, "
          "after an edit, write into its last line what this prints: head -n -1 ",
          path_, " | sha256sum");
    }
    return body.substr(kFirstLine.size());
  }

  absl::Status ParseLine(std::string_view line) {
    const std::string_view purpose_word = TakeUntil(line, ' ');
    const std::string_view state = TakeUntil(line, ' ');
    const std::string_view id = TakeUntil(line, ' ');
    const std::string_view base64 = line;
    if (base64.empty() || base64.find(' ') != base64.npos) {
      return RefuseLine("it is not of the form: purpose state id base64");
    }
    const std::optional<KeyPurpose> purpose = PurposeOf(purpose_word);
    if (!purpose) return RefuseLine("its purpose is not root, pepper or region");
    if (state != "current" && state != "previous") return RefuseLine("its state is not current or previous");
    ASSIGN_OR_RETURN(SecretBytes key, Decode(base64));
    const std::string derived = IdOf(*purpose, key);
    if (derived != id) {
      return RefuseLine("its id is not the one that follows from its key and purpose (", derived,
                        "); the line was mixed up with another, restore it from its backup");
    }
    if (!result_.keys.emplace(std::make_pair(*purpose, derived), std::move(key)).second) {
      return RefuseLine("its key ", derived, " is there twice; remove one of the lines");
    }
    if (state == "current" && !result_.current.emplace(*purpose, derived).second) {
      return RefuseLine("it is the second current key of purpose ", Abseil(purpose_word),
                        "; mark the older one as previous");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<SecretBytes> Decode(std::string_view base64) const {
    SecretBytes key(kKeyBytes);
    size_t size = 0;
    const char* end = nullptr;
    if (sodium_base642bin(key.AccessMutable().data(), kKeyBytes, base64.data(), base64.size(), nullptr, &size, &end,
                          kBase64Variant) != 0 ||
        end != base64.data() + base64.size() || size != kKeyBytes) {
      return RefuseLine("its last word is not the base64 form (with padding) of exactly 32 bytes");
    }
    return key;
  }

  const std::string& path_;
  int line_ = 1;
  Result result_;
};

void AppendLine(std::string& text, KeyPurpose purpose, const SecretBytes& key) {
  char base64[kBase64Length + 1];
  const auto* bytes = reinterpret_cast<const uint8_t*>(key.Access().data());
  sodium_bin2base64(base64, sizeof(base64), bytes, key.size(), kBase64Variant);
  text.append(NameOf(purpose)).append(" current ").append(IdOf(purpose, key)).append(" ").append(base64).append("\n");
  sodium_memzero(base64, sizeof(base64));
}

}  // namespace

absl::StatusOr<Keyring> Keyring::Load(const std::string& path, const std::string& data_directory) {
  ASSIGN_OR_RETURN(const SecretBytes text, ReadKeyringFile(path, data_directory));
  ASSIGN_OR_RETURN(Parser::Result parsed, Parser(path).Parse(text.Access()));
  Keyring keyring;
  keyring.keys_ = std::move(parsed.keys);
  keyring.current_ = std::move(parsed.current);
  return keyring;
}

absl::Status Keyring::Create(const std::string& path, const std::vector<KeyPurpose>& purposes) {
  if (purposes.empty()) return absl::InvalidArgumentError("a keyring needs at least one purpose");
  std::string text(kFirstLine);
  text.reserve(kFirstLine.size() + purposes.size() * kMaxLineBytes + kChecksumLineBytes);
  for (const KeyPurpose purpose : purposes) {
    if (std::count(purposes.begin(), purposes.end(), purpose) != 1) {
      return absl::InvalidArgumentError("a new keyring has one key of each purpose, not two");
    }
  }
  for (const KeyPurpose purpose : purposes) AppendLine(text, purpose, SecretBytes::Random(kKeyBytes));
  const std::string checksum = HexSha256(text);
  text.append(kChecksumWord).append(checksum).append("\n");
  absl::Status written = WriteNewKeyringFile(path, text);
  Wipe(text);
  return written;
}

Keyring Keyring::ForTest() {
  Keyring keyring;
  for (const auto& [name, purpose] : kPurposes) {
    SecretBytes key = SecretBytes::Random(kKeyBytes);
    const std::string id = IdOf(purpose, key);
    keyring.keys_.emplace(std::make_pair(purpose, id), std::move(key));
    keyring.current_.emplace(purpose, id);
  }
  return keyring;
}

absl::StatusOr<Keyring::Key> Keyring::Current(KeyPurpose purpose) const {
  const auto current = current_.find(purpose);
  if (current == current_.end()) {
    return absl::NotFoundError(absl::StrCat("the keyring holds no key of purpose ", Abseil(NameOf(purpose))));
  }
  return Find(purpose, current->second);
}

absl::StatusOr<Keyring::Key> Keyring::Find(KeyPurpose purpose, std::string_view id) const {
  const auto found = keys_.find({purpose, std::string(id)});
  if (found == keys_.end()) {
    return absl::NotFoundError(
        absl::StrCat("the keyring holds no key ", Abseil(id), " of purpose ", Abseil(NameOf(purpose))));
  }
  return Key{.id = found->first.second, .bytes = &found->second};
}

}  // namespace keyferry
