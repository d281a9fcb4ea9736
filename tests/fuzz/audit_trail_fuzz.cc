// Lines of an audit trail by someone who may leave out, repeat, reorder and replace them, and sign with a key of his
// own: what a verifier that knows the right key says is signed, is what was written.
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libs/model/audit_lines.h"
#include "libs/model/audit_verifier.h"
#include "libs/model/testing/audit_chain_example.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

constexpr int kRecords = 6, kRewrittenFrom = 4;

class Trails {
 public:
  Trails() : written_(ExampleChain(kRecords)) {
    std::vector<AuditRecord> rewritten = written_;
    for (size_t i = kRewrittenFrom - 1; i < rewritten.size(); ++i) {
      rewritten[i].object_name = "another";
      rewritten[i].previous_hash = rewritten[i - 1].hash;
      rewritten[i].hash = AuditHashOf(rewritten[i], rewritten[i].previous_hash);
    }
    AddLines(written_);
    AddLines(rewritten);
    for (const AuditRecord& record : rewritten) heads_.push_back(SignedByAnother(record));
    AddTrifles();
  }

  // The first byte: what is asked of the verifier; each other one: a line.
  void Run(std::string_view script) const {
    const auto asked = static_cast<unsigned char>(script[0]);
    const bool knows_the_key = (asked & 1) != 0;
    AuditVerifier verifier(
        {.public_keys = knows_the_key ? std::vector{ExampleSigningKey().public_key()} : std::vector<std::string>{},
         .accept_starts = (asked & 2) != 0,
         .accept_unsigned_tail = (asked & 4) != 0});
    if ((asked & 8) != 0 && !verifier.Expect(heads_[(asked >> 4) % heads_.size()]).ok()) return;
    std::map<int64_t, std::string> taken;
    for (const char choice : script.substr(1)) {
      const std::string& line = lines_[static_cast<unsigned char>(choice) % lines_.size()];
      if (!verifier.Add(line).ok()) return;
      if (const auto record = RecordOf(line)) taken[record->number] = record->hash;
    }
    if (verifier.Finish().ok() && knows_the_key) Check(verifier, taken, (asked & 4) != 0);
  }

 private:
  static std::optional<AuditRecord> RecordOf(const std::string& line) {
    const auto parsed = ParseAuditLine(line);
    Require(parsed.ok(), "what was printed is read");
    const auto* const record = std::get_if<AuditRecord>(&*parsed);
    return record == nullptr ? std::nullopt : std::optional(*record);
  }
  void Check(const AuditVerifier& verifier, const std::map<int64_t, std::string>& taken, bool accepts_tail) const {
    for (const AuditChainSummary& chain : verifier.Chains()) {
      if (chain.organization != written_[0].organization) continue;
      Require(accepts_tail || chain.signed_number == chain.last_number, "no tail is without a signature");
      for (int64_t number = chain.first_number; number <= chain.signed_number; ++number) {
        const auto record = taken.find(number);
        Require(record != taken.end() && record->second == written_[static_cast<size_t>(number - 1)].hash,
                "each record up to the last that is signed is there, as it was written");
      }
    }
  }
  void AddLines(const std::vector<AuditRecord>& chain) {
    for (const AuditRecord& record : chain) lines_.push_back(ToLine(record));
    for (const AuditRecord& record : chain)
      lines_.push_back(ToLine(AuditStart{record.organization, record.number, record.hash}));
    const bool is_written = &chain == &written_;
    for (const AuditRecord& record : chain) {
      const SignedAuditHead head = is_written ? SignedHeadOf(record) : SignedByAnother(record);
      heads_.push_back(head);
      lines_.push_back(ToLine(head));
    }
  }
  void AddTrifles() {
    AuditRecord edited = written_[4];
    edited.region = "us-east";
    SignedAuditHead unsigned_head = heads_.front();
    unsigned_head.time += absl::Seconds(1);
    heads_.push_back(unsigned_head);
    const std::string& organization = written_[0].organization;
    lines_.push_back(ToLine(edited));
    lines_.push_back(ToLine(unsigned_head));
    lines_.push_back(ToLine(AuditStart{organization, 0, AuditChainStart()}));
    lines_.push_back(ToLine(AuditStart{organization, 0, written_[0].hash}));
    lines_.push_back(ToLine(AuditStart{organization, -1, AuditChainStart()}));
    edited.number = 0;
    lines_.push_back(ToLine(edited));
    lines_.push_back(ToLine(ExampleChain(1, "").front()));
  }
  static SignedAuditHead SignedByAnother(const AuditRecord& record) {
    SignedAuditHead head = SignedHeadOf(record);
    Sign(SigningKey::FromSeed(SecretBytes::Copy(std::string(kSigningSeedBytes, 'x'))), head);
    return head;
  }

  const std::vector<AuditRecord> written_;
  std::vector<std::string> lines_;
  std::vector<SignedAuditHead> heads_;
};

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const trails = new keyferry::Trails();
  if (size > 0) trails->Run(keyferry::TextOf(data, size));
  return 0;
}
