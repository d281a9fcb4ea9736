// A record, a head and chains of any length, for tests.
#ifndef KEYFERRY_MODEL_TESTING_AUDIT_CHAIN_EXAMPLE_H_
#define KEYFERRY_MODEL_TESTING_AUDIT_CHAIN_EXAMPLE_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/model/audit_chain.h"

namespace keyferry {

inline absl::Time ExampleTime() { return absl::FromUnixNanos(1'795'410'367'890'000'001); }

inline AuditRecord ExampleRecord() {
  return {.number = 7,
          .organization = "acme",
          .time = ExampleTime(),
          .principal = "apiKey:AAAAAAAAAA",
          .role = "member",
          .method = "SecretSets/SetSecrets",
          .decision = AuditDecision::kDone,
          .object_kind = "secretSet",
          .object_name = "voice-agent",
          .region = "us-west",
          .generation = 3,
          .request_id = "req-1",
          .revision = ~uint64_t{0},
          .previous_hash = AuditChainStart(),
          .hash = std::string(kAuditHashBytes, '\xaa')};
}

inline SigningKey ExampleSigningKey() {
  return SigningKey::FromSeed(SecretBytes::Copy(std::string(kSigningSeedBytes, 's')));
}

inline SignedAuditHead SignedHeadOf(const AuditRecord& record) {
  SignedAuditHead head{
      .organization = record.organization, .number = record.number, .hash = record.hash, .time = record.time};
  Sign(ExampleSigningKey(), head);
  return head;
}

inline SignedAuditHead ExampleHead() { return SignedHeadOf(ExampleRecord()); }

// Records 1 to `count` of a chain.
inline std::vector<AuditRecord> ExampleChain(int count, const std::string& organization = "acme") {
  std::vector<AuditRecord> records;
  for (int number = 1; number <= count; ++number) {
    AuditRecord record = ExampleRecord();
    record.number = number;
    record.organization = organization;
    record.object_name = absl::StrCat("set-", number);
    record.previous_hash = records.empty() ? AuditChainStart() : records.back().hash;
    record.hash = AuditHashOf(record, record.previous_hash);
    records.push_back(record);
  }
  return records;
}

}  // namespace keyferry

#endif  // KEYFERRY_MODEL_TESTING_AUDIT_CHAIN_EXAMPLE_H_
