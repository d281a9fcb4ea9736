#include "libs/storage/row_sealer.h"

#include <array>
#include <utility>

#include "libs/common/status_macros.h"
#include "libs/crypto/drawn_random.h"

namespace keyferry {
namespace {

constexpr char kPrefix[] = {static_cast<char>(kFormatVersion), static_cast<char>(kSuiteXChaCha)};
constexpr std::string_view kPrefixView(kPrefix, sizeof(kPrefix));
constexpr size_t kKeyPartBytes = kSaltBytes + kCommitmentBytes;

std::vector<SecretBytes> Only(const SecretBytes& key) {
  std::vector<SecretBytes> keys;
  keys.push_back(key.Clone());
  return keys;
}

// What follows the prefix; nothing for what is no frame.
std::string_view AfterPrefix(std::string_view frame) {
  if (frame.size() < kFrameOverheadBytes || !frame.starts_with(kPrefixView)) return {};
  return frame.substr(kPrefixView.size());
}

}  // namespace

RowSealer::RowSealer(const SecretBytes& key, const Clock& clock) : RowSealer(Only(key), clock) {}

RowSealer::RowSealer(std::vector<SecretBytes> keys, const Clock& clock)
    : keys_(std::move(keys)), clock_(clock), opened_(kMaxOpenedSalts) {}

std::string RowSealer::Seal(std::string_view value, std::string_view associated_data) {
  const SharedKey key = KeyToSeal();
  std::array<char, kNonceBytes> nonce;
  DrawRandom(nonce);
  std::string frame;
  frame.reserve(kFrameOverheadBytes + value.size());
  frame.append(kPrefixView).append(key->salt()).append(key->commitment());
  key->SealTo(frame, {nonce.data(), nonce.size()}, value, associated_data);
  return frame;
}

absl::StatusOr<std::string> RowSealer::Open(std::string_view frame, std::string_view associated_data) {
  frame = AfterPrefix(frame);
  if (frame.empty()) return DoesNotOpen();
  ASSIGN_OR_RETURN(const Opened opened_key, KeyToOpen(frame.substr(0, kKeyPartBytes)));
  const auto opened = opened_key.key->Open(frame.substr(kKeyPartBytes), associated_data);
  if (!opened.ok()) return DoesNotOpen();
  return std::string(opened->Access());
}

bool RowSealer::IsUnderNewest(std::string_view frame) {
  frame = AfterPrefix(frame);
  if (frame.empty()) return false;
  const auto key = KeyToOpen(frame.substr(0, kKeyPartBytes));
  return key.ok() && key->newest;
}

RowSealer::SharedKey RowSealer::KeyToSeal() {
  const absl::Duration now = clock_.Monotonic();
  absl::MutexLock lock(&mutex_);
  if (!current_ || seal_count_ == kMaxSealsPerSalt || now - created_ >= kMaxSaltAge) {
    current_ = std::make_shared<const CommittedKey>(CommittedKey::Create(keys_.back()));
    opened_.Insert(current_->salt() + current_->commitment(), {.key = current_});
    seal_count_ = 0;
    created_ = now;
  }
  ++seal_count_;
  return current_;
}

absl::StatusOr<RowSealer::Opened> RowSealer::KeyToOpen(std::string_view salt_and_commitment) {
  {
    absl::MutexLock lock(&mutex_);
    if (const Opened* known = opened_.Find(salt_and_commitment)) return *known;
  }
  for (size_t i = keys_.size(); i-- > 0;) {
    auto expanded = CommittedKey::Open(keys_[i], salt_and_commitment.substr(0, kSaltBytes), salt_and_commitment.substr(kSaltBytes));
    if (!expanded.ok()) continue;
    Opened opened{.key = std::make_shared<const CommittedKey>(*std::move(expanded)), .newest = i + 1 == keys_.size()};
    absl::MutexLock lock(&mutex_);
    opened_.Insert(salt_and_commitment, opened);
    return opened;
  }
  return DoesNotOpen();
}

}  // namespace keyferry
