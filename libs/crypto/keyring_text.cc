#include "libs/crypto/keyring_text.h"

#include <sodium.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

constexpr std::string_view kFirstLine = "keyferry-keyring-v1\n";
constexpr std::string_view kChecksumWord = "sha256 ";
constexpr size_t kChecksumLineBytes = kChecksumWord.size() + 64 + 1;
constexpr size_t kIdLength = 20;
constexpr size_t kMaxLineBytes = 128;
constexpr int kBase64Variant = sodium_base64_VARIANT_ORIGINAL;
constexpr size_t kBase64Length = 44;

constexpr std::string_view kCurrentWord = "current", kPreviousWord = "previous";

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
  SecretBytes input = SecretBytes::Take(JoinParts({"keyferry/key-id/v1", NameOfPurpose(purpose), key.Access()}));
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

class Parser {
 public:
  explicit Parser(const std::string& path) : path_(path) {}

  absl::StatusOr<std::vector<KeyringEntry>> Parse(std::string_view text) && {
    ASSIGN_OR_RETURN(std::string_view lines, CheckFrame(text));
    for (line_ = 2; !lines.empty(); ++line_) RETURN_IF_ERROR(ParseLine(TakeUntil(lines, '\n')));
    if (entries_.empty()) return Refuse("it holds no key; restore it from its backup");
    for (const KeyringEntry& entry : entries_) {
      if (CurrentOf(entry.purpose)) continue;
      return Refuse("no key of purpose ", Abseil(NameOfPurpose(entry.purpose)),
                    " is current; mark exactly one as current");
    }
    return std::move(entries_);
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
    const std::optional<KeyPurpose> purpose = PurposeOfName(purpose_word);
    if (!purpose) return RefuseLine("its purpose is not root, pepper, region, audit or backup");
    if (state != kCurrentWord && state != kPreviousWord) return RefuseLine("its state is not current or previous");
    ASSIGN_OR_RETURN(SecretBytes key, Decode(base64));
    std::string derived = IdOf(*purpose, key);
    if (derived != id) {
      return RefuseLine("its id is not the one that follows from its key and purpose (", derived,
                        "); the line was mixed up with another, restore it from its backup");
    }
    if (std::any_of(entries_.begin(), entries_.end(),
                    [&](const KeyringEntry& entry) { return entry.purpose == *purpose && entry.id == derived; })) {
      return RefuseLine("its key ", derived, " is there twice; remove one of the lines");
    }
    if (state == kCurrentWord && CurrentOf(*purpose)) {
      return RefuseLine("it is the second current key of purpose ", Abseil(purpose_word),
                        "; mark the older one as previous");
    }
    entries_.push_back({.purpose = *purpose,
                        .state = state == kCurrentWord ? KeyState::kCurrent : KeyState::kPrevious,
                        .id = std::move(derived),
                        .key = std::move(key)});
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

  bool CurrentOf(KeyPurpose purpose) const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const KeyringEntry& entry) {
      return entry.purpose == purpose && entry.state == KeyState::kCurrent;
    });
  }

  const std::string& path_;
  int line_ = 1;
  std::vector<KeyringEntry> entries_;
};

void AppendLine(std::string& text, const KeyringEntry& entry) {
  char base64[kBase64Length + 1];
  const auto* bytes = reinterpret_cast<const uint8_t*>(entry.key.Access().data());
  sodium_bin2base64(base64, sizeof(base64), bytes, entry.key.size(), kBase64Variant);
  text.append(NameOfPurpose(entry.purpose)).append(" ");
  text.append(entry.state == KeyState::kCurrent ? kCurrentWord : kPreviousWord).append(" ");
  text.append(entry.id).append(" ").append(base64).append("\n");
  sodium_memzero(base64, sizeof(base64));
}

}  // namespace

KeyringEntry NewKeyringEntry(KeyPurpose purpose) {
  SecretBytes key = SecretBytes::Random(kKeyBytes);
  std::string id = IdOf(purpose, key);
  return {.purpose = purpose, .id = std::move(id), .key = std::move(key)};
}

absl::StatusOr<std::vector<KeyringEntry>> ParseKeyring(const std::string& path, std::string_view text) {
  return Parser(path).Parse(text);
}

SecretBytes PrintKeyring(const std::vector<KeyringEntry>& entries) {
  std::string text(kFirstLine);
  // At once, so that no copy is left behind.
  text.reserve(kFirstLine.size() + entries.size() * kMaxLineBytes + kChecksumLineBytes);
  for (const KeyringEntry& entry : entries) AppendLine(text, entry);
  const std::string checksum = HexSha256(text);
  text.append(kChecksumWord).append(checksum).append("\n");
  return SecretBytes::Take(std::move(text));
}

}  // namespace keyferry
