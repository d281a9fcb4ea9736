// Root keys of an installation that moves from its keyring to a KMS, or back: one side wraps, both unwrap what they
// wrapped. RewrapKeys moves what the other side wrapped.
#ifndef KEYFERRY_SERVICES_API_MOVING_ROOT_KEYS_H_
#define KEYFERRY_SERVICES_API_MOVING_ROOT_KEYS_H_

#include <memory>

#include "libs/crypto/root_keys.h"

namespace keyferry {

// Both outlive it. `kms` may be null: then what a KMS wrapped is FailedPrecondition, in words that say which flag is
// missing. Health is the KMS's where there is one.
std::unique_ptr<RootKeys> NewMovingRootKeys(RootKeys& keyring, RootKeys* kms, bool wraps_by_kms);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_MOVING_ROOT_KEYS_H_
