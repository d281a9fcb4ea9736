#include "libs/crypto/aead.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "libs/crypto/check.h"
#include "libs/crypto/drawn_random.h"
#include "libs/crypto/xchacha.h"

namespace keyferry {
namespace {

constexpr std::string_view kAeadPurpose = "keyferry/aead/v1";
constexpr char kPrefix[] = {kFormatVersion, kSuiteXChaCha};
constexpr std::string_view kPrefixView(kPrefix, sizeof(kPrefix));

// JoinParts of version, suite and associated data, without an allocation where they are short.
class BoundAssociatedData {
 public:
  explicit BoundAssociatedData(std::string_view associated_data) : size_(kHead.size() + 4 + associated_data.size()) {
    char* next = near_.data();
    if (size_ > near_.size()) {
      far_.resize(size_);
      next = far_.data();
    }
    next = std::copy(kHead.begin(), kHead.end(), next);
    for (int shift = 24; shift >= 0; shift -= 8) *next++ = static_cast<char>(associated_data.size() >> shift);
    std::copy(associated_data.begin(), associated_data.end(), next);
  }

  std::string_view view() const { return size_ > near_.size() ? std::string_view(far_) : std::string_view(near_.data(), size_); }

 private:
  static constexpr std::array<char, 10> kHead = {0, 0, 0, 1, kFormatVersion, 0, 0, 0, 1, kSuiteXChaCha};
  const size_t size_;
  std::array<char, 256> near_;
  std::string far_;
};

}  // namespace

absl::Status DoesNotOpen() {
  return absl::DataLossError("sealed bytes do not open: they are damaged, or belong to another key or another place");
}

CommittedKey CommittedKey::Expand(const SecretBytes& key, std::string_view salt, std::string_view purpose) {
  Check(key.size() == kKeyBytes, "a key to expand must have 32 bytes");
  const SecretBytes expanded =
      HkdfSha256(key.Access(), salt, std::string(purpose).append(kPrefixView), kKeyBytes + kCommitmentBytes);
  CommittedKey result;
  result.encryption_key_ = SecretBytes::Copy(expanded.Access().substr(0, kKeyBytes));
  result.salt_ = salt;
  result.commitment_ = expanded.Access().substr(kKeyBytes);
  return result;
}

CommittedKey CommittedKey::Create(const SecretBytes& key) { return Expand(key, DrawnRandom(kSaltBytes), kAeadPurpose); }

absl::StatusOr<CommittedKey> CommittedKey::Open(const SecretBytes& key, std::string_view salt,
                                                std::string_view commitment) {
  if (key.size() != kKeyBytes || salt.size() != kSaltBytes) return DoesNotOpen();
  CommittedKey result = Expand(key, salt, kAeadPurpose);
  if (!EqualInConstantTime(result.commitment_, commitment)) return DoesNotOpen();
  return result;
}

std::string CommittedKey::Seal(std::string_view plaintext, std::string_view associated_data) const {
  std::string sealed;
  sealed.reserve(kNonceBytes + plaintext.size() + kTagBytes);
  std::array<char, kNonceBytes> nonce;
  DrawRandom(nonce);
  SealTo(sealed, {nonce.data(), nonce.size()}, plaintext, associated_data);
  return sealed;
}

void CommittedKey::SealTo(std::string& out, std::string_view nonce, std::string_view plaintext,
                          std::string_view associated_data) const {
  out.append(nonce);
  SealXChaCha(out, encryption_key_, nonce, plaintext, BoundAssociatedData(associated_data).view());
}

absl::StatusOr<SecretBytes> CommittedKey::Open(std::string_view sealed, std::string_view associated_data) const {
  if (sealed.size() < kNonceBytes) return DoesNotOpen();
  std::optional<SecretBytes> plaintext = OpenXChaCha(encryption_key_, sealed.substr(0, kNonceBytes),
                                                     sealed.substr(kNonceBytes), BoundAssociatedData(associated_data).view());
  if (!plaintext) return DoesNotOpen();
  return *std::move(plaintext);
}

std::string SealFrame(const SecretBytes& key, std::string_view plaintext, std::string_view associated_data) {
  std::array<char, kSaltBytes + kNonceBytes> random;
  DrawRandom(random);
  const std::string_view salt(random.data(), kSaltBytes);
  const CommittedKey committed = CommittedKey::Expand(key, salt, kAeadPurpose);
  std::string frame;
  frame.reserve(kFrameOverheadBytes + plaintext.size());
  frame.append(kPrefixView).append(salt).append(committed.commitment());
  committed.SealTo(frame, {random.data() + kSaltBytes, kNonceBytes}, plaintext, associated_data);
  return frame;
}

absl::StatusOr<SecretBytes> OpenFrame(const SecretBytes& key, std::string_view frame,
                                      std::string_view associated_data) {
  if (frame.size() < kFrameOverheadBytes || frame.substr(0, 2) != kPrefixView) return DoesNotOpen();
  auto committed = CommittedKey::Open(key, frame.substr(2, kSaltBytes), frame.substr(2 + kSaltBytes, kCommitmentBytes));
  if (!committed.ok()) return std::move(committed).status();
  return committed->Open(frame.substr(2 + kSaltBytes + kCommitmentBytes), associated_data);
}

std::string JoinParts(std::initializer_list<std::string_view> parts) {
  size_t size = 0;
  for (const std::string_view part : parts) size += 4 + part.size();
  std::string joined(size, '\0');
  char* at = joined.data();
  for (const std::string_view part : parts) {
    Check(part.size() <= UINT32_MAX, "a part of associated data must be shorter than 4 GiB");
    for (int shift = 24; shift >= 0; shift -= 8) *at++ = static_cast<char>(part.size() >> shift);
    at = std::copy(part.begin(), part.end(), at);
  }
  return joined;
}

std::string RandomBytes(size_t size) {
  std::string random(size, '\0');
  randombytes_buf(random.data(), size);
  return random;
}

bool EqualInConstantTime(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace keyferry
