// How a provisioner proves that it holds a region's private key: the API seals random bytes to the public half, the
// provisioner tells what was in the box. A challenge's context has a name of its own, and nothing under another name is
// opened for one: whoever stands in for the API cannot have a data key opened that way.
//
// Thread safety: pure functions.
#ifndef KEYFERRY_CRYPTO_SEALING_KEY_PROOF_H_
#define KEYFERRY_CRYPTO_SEALING_KEY_PROOF_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/crypto/sealed_box.h"

namespace keyferry {

// For the API: the context of a challenge. `subject`: what it is about, such as a hash of the request that it answers.
std::string SealingKeyProofContext(std::string_view subject);

// For the provisioner: what is in the box. FailedPrecondition: the context is not a challenge's. DataLoss: as
// RegionKey::OpenBox.
absl::StatusOr<SecretBytes> ProveSealingKey(const RegionKey& key, std::string_view box, std::string_view context);

// A key takes a region's place only for who holds the region's present one too: two boxes, to the new key and to the
// present one, and what is in both is the proof.
std::string JoinBoxes(std::string_view to_next, std::string_view to_present);
SecretBytes JoinProofs(const SecretBytes& of_next, const SecretBytes& of_present);
// For the provisioner. held: the next key first; any of them may be the region's present one. Errors as ProveSealingKey.
absl::StatusOr<SecretBytes> ProveSealingKeyChange(const std::vector<RegionKey>& held, std::string_view boxes,
                                                  std::string_view context);

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_SEALING_KEY_PROOF_H_
