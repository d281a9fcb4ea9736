// SealedObject to and from its wire bytes, which are digested and stored as they are.
#ifndef KEYFERRY_RPC_SEALED_OBJECT_CODEC_H_
#define KEYFERRY_RPC_SEALED_OBJECT_CODEC_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/model/secret_set.h"

namespace keyferry {

// Deterministic for one build.
std::string SerializeSealedObject(SealedObject object);
// DataLoss for bytes that are none.
absl::StatusOr<SealedObject> ParseSealedObject(std::string_view bytes);

}  // namespace keyferry

#endif  // KEYFERRY_RPC_SEALED_OBJECT_CODEC_H_
