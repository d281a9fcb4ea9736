#include "libs/storage/row_sealer.h"

#include <utility>

#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

constexpr char kPrefix[] = {static_cast<char>(kFormatVersion), static_cast<char>(kSuiteXChaCha)};
constexpr std::string_view kPrefixView(kPrefix, sizeof(kPrefix));
constexpr size_t kKeyPartBytes = kSaltBytes + kCommitmentBytes;

}  // namespace

RowSealer::RowSealer(const SecretBytes& key, const Clock& clock)
    : key_(key.Clone()), clock_(clock), opened_(kMaxOpenedSalts) {}

std::string RowSealer::Seal(std::string_view value, std::string_view associated_data) {
  const SharedKey key = KeyToSeal();
  const std::string sealed = key->Seal(value, associated_data);
  std::string frame;
  frame.reserve(kPrefixView.size() + kKeyPartBytes + sealed.size());
  return frame.append(kPrefixView).append(key->salt()).append(key->commitment()).append(sealed);
}

absl::StatusOr<std::string> RowSealer::Open(std::string_view frame, std::string_view associated_data) {
  if (frame.size() < kFrameOverheadBytes || !frame.starts_with(kPrefixView)) return DoesNotOpen();
  frame.remove_prefix(kPrefixView.size());
  ASSIGN_OR_RETURN(const SharedKey key, KeyToOpen(frame.substr(0, kKeyPartBytes)));
  const auto opened = key->Open(frame.substr(kKeyPartBytes), associated_data);
  if (!opened.ok()) return DoesNotOpen();
  return std::string(opened->Access());
}

RowSealer::SharedKey RowSealer::KeyToSeal() {
  const absl::Duration now = clock_.Monotonic();
  absl::MutexLock lock(&mutex_);
  if (!current_ || seal_count_ == kMaxSealsPerSalt || now - created_ >= kMaxSaltAge) {
    current_ = std::make_shared<const CommittedKey>(CommittedKey::Create(key_));
    opened_.Insert(current_->salt() + current_->commitment(), current_);
    seal_count_ = 0;
    created_ = now;
  }
  ++seal_count_;
  return current_;
}

absl::StatusOr<RowSealer::SharedKey> RowSealer::KeyToOpen(std::string_view salt_and_commitment) {
  {
    absl::MutexLock lock(&mutex_);
    if (const SharedKey* known = opened_.Find(salt_and_commitment)) return *known;
  }
  auto opened =
      CommittedKey::Open(key_, salt_and_commitment.substr(0, kSaltBytes), salt_and_commitment.substr(kSaltBytes));
  if (!opened.ok()) return DoesNotOpen();
  auto key = std::make_shared<const CommittedKey>(*std::move(opened));
  absl::MutexLock lock(&mutex_);
  opened_.Insert(salt_and_commitment, key);
  return SharedKey(key);
}

}  // namespace keyferry
