#include "libs/crypto/sealing_key_proof.h"

#include <optional>

#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

constexpr std::string_view kPurpose = "keyferry/sealing-key-proof/v1";

// Takes the first part off what JoinParts made.
std::optional<std::string_view> TakePart(std::string_view& joined) {
  constexpr size_t kSizeBytes = 4;
  if (joined.size() < kSizeBytes) return std::nullopt;
  size_t size = 0;
  for (size_t i = 0; i < kSizeBytes; ++i) size = size << 8 | static_cast<uint8_t>(joined[i]);
  if (joined.size() - kSizeBytes < size) return std::nullopt;
  const std::string_view part = joined.substr(kSizeBytes, size);
  joined.remove_prefix(kSizeBytes + size);
  return part;
}

}  // namespace

std::string SealingKeyProofContext(std::string_view subject) { return JoinParts({kPurpose, subject}); }

absl::StatusOr<SecretBytes> ProveSealingKey(const RegionKey& key, std::string_view box, std::string_view context) {
  if (!context.starts_with(JoinParts({kPurpose}))) {
    return absl::FailedPreconditionError(
        "what the API asks to be opened is no challenge; nothing was opened. Is this the API, and of this version?");
  }
  return key.OpenBox(box, context);
}

std::string JoinBoxes(std::string_view to_next, std::string_view to_present) { return JoinParts({to_next, to_present}); }

SecretBytes JoinProofs(const SecretBytes& of_next, const SecretBytes& of_present) {
  return SecretBytes::Take(JoinParts({of_next.Access(), of_present.Access()}));
}

absl::StatusOr<SecretBytes> ProveSealingKeyChange(const std::vector<RegionKey>& held, std::string_view boxes,
                                                  std::string_view context) {
  const std::optional<std::string_view> to_next = TakePart(boxes), to_present = TakePart(boxes);
  if (!to_next || !to_present || !boxes.empty()) {
    return absl::DataLossError("the API's challenge is not two boxes; is it of this version?");
  }
  ASSIGN_OR_RETURN(const SecretBytes of_next, ProveSealingKey(held.front(), *to_next, context));
  absl::StatusOr<SecretBytes> of_present = absl::DataLossError("no key is held");
  for (const RegionKey& key : held) {
    of_present = ProveSealingKey(key, *to_present, context);
    if (of_present.ok()) return JoinProofs(of_next, *of_present);
  }
  return absl::DataLossError(
      "this keyring does not hold the region's present key, which a change takes; docs/regions.md, \"A region's key is "
      "lost\"");
}

}  // namespace keyferry
