#include "libs/model/audit_chain.h"

#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

constexpr std::string_view kRecordTag = "keyferry audit record 1";
constexpr std::string_view kHeadTag = "keyferry audit head 1";

std::string BigEndian64(uint64_t number) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(number >> shift));
  return bytes;
}
std::string BigEndian64(int64_t number) { return BigEndian64(static_cast<uint64_t>(number)); }
std::string BigEndian64(absl::Time time) { return BigEndian64(absl::ToUnixNanos(time)); }

std::string SignedBytesOf(const SignedAuditHead& head) {
  return JoinParts({kHeadTag, head.organization, BigEndian64(head.number), head.hash, BigEndian64(head.time)});
}

}  // namespace

std::string AuditChainStart() { return std::string(kAuditHashBytes, '\0'); }

std::string AuditHashOf(const AuditRecord& record, std::string_view previous_hash) {
  const char decision = static_cast<char>(record.decision);
  return Sha256(
      JoinParts({kRecordTag, BigEndian64(record.number), previous_hash, record.organization, BigEndian64(record.time),
                 record.principal, record.role, record.method, std::string_view(&decision, 1), record.code,
                 record.reason, record.object_kind, record.object_name, record.region, BigEndian64(record.generation),
                 record.request_id, BigEndian64(record.revision)}));
}

void Sign(const SigningKey& key, SignedAuditHead& head) {
  head.signature = key.Sign(SignedBytesOf(head));
  head.public_key = key.public_key();
}

bool HasItsSignature(const SignedAuditHead& head) {
  return IsSignedBy(head.public_key, SignedBytesOf(head), head.signature);
}

}  // namespace keyferry
