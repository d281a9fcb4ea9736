// What makes records a chain: each hash covers all fields of its record and the hash before it; a signed head covers
// the last one. The bytes that are hashed and signed are written down in docs/audit.md; golden bytes are tested.
//
// Thread safety: free functions.
#ifndef KEYFERRY_MODEL_AUDIT_CHAIN_H_
#define KEYFERRY_MODEL_AUDIT_CHAIN_H_

#include <string>
#include <string_view>

#include "libs/crypto/signature.h"
#include "libs/model/audit_record.h"

namespace keyferry {

inline constexpr size_t kAuditHashBytes = 32;
// What the first record of a chain has before it: zeros.
std::string AuditChainStart();

// What the record's hash is to be, of all its other fields and, in place of its own, this previous hash.
std::string AuditHashOf(const AuditRecord& record, std::string_view previous_hash);

// Fills signature and public key.
void Sign(const SigningKey& key, SignedAuditHead& head);
// Whether head.public_key signed it. Whose key that is, is the caller's to know.
bool HasItsSignature(const SignedAuditHead& head);

}  // namespace keyferry

#endif  // KEYFERRY_MODEL_AUDIT_CHAIN_H_
