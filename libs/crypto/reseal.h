// A data key sealed again: out of escrow, to another key of its region. The values under it stay as they are.
//
// Thread safety: free functions, safe anywhere.
#ifndef KEYFERRY_CRYPTO_RESEAL_H_
#define KEYFERRY_CRYPTO_RESEAL_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "libs/crypto/envelope.h"

namespace keyferry {

// Id of the sealing key that a region box is for; empty when these bytes are no box.
std::string_view RecipientOf(std::string_view region_box);

// `sealed` with a box for this public key. DataLoss: `data_key`, as escrow had it, is not the key whose commitment
// `sealed` carries. InvalidArgument: the public key is unusable.
absl::StatusOr<SealedDataKey> SealAgain(const SealedDataKey& sealed, const SecretBytes& data_key,
                                        const SealContext& context, SealedBoxSender& sender,
                                        std::string_view region_public_key);

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_RESEAL_H_
