#include "libs/model/audit_verifier.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/status_macros.h"
#include "libs/model/audit_chain.h"

namespace keyferry {
namespace {

std::string NameOf(const std::string& organization) {
  return organization.empty() ? "the system's chain" : absl::StrCat("chain ", organization);
}

absl::Status Broken(const std::string& organization, int64_t number, absl::string_view what) {
  return MakeError(
      absl::StatusCode::kDataLoss, absl::StrCat(NameOf(organization), ", record ", number, ": ", what),
      {.reason = "AUDIT_TRAIL_BROKEN", .metadata = {{"organization", organization}, {"number", absl::StrCat(number)}}});
}

absl::Status Missing(const std::string& organization, int64_t first, int64_t last, absl::string_view why) {
  return Broken(organization, first,
                first == last ? absl::StrCat("is missing: ", why)
                              : absl::StrCat("is missing, and so are all up to ", last, ": ", why));
}

}  // namespace

absl::Status AuditVerifier::Expect(const SignedAuditHead& head) {
  RETURN_IF_ERROR(CheckSignature(head));
  const auto [known, inserted] = chains_[head.organization].expected.emplace(head.number, head);
  if (inserted || known->second.hash == head.hash) return absl::OkStatus();
  return Broken(head.organization, head.number,
                "two signed heads cover it with different hashes: the chain was rewritten");
}

absl::Status AuditVerifier::Add(std::string_view line) {
  ASSIGN_OR_RETURN(const AuditLine parsed, ParseAuditLine(line));
  return std::visit([this](const auto& value) { return Take(value); }, parsed);
}

absl::Status AuditVerifier::Take(const AuditRecord& record) {
  Chain& chain = chains_[record.organization];
  const int64_t number = record.number;
  if (chain.hashes.empty()) {
    if (number < 1) return Broken(record.organization, number, "there is no such number");
    if (number > 1)
      return Missing(record.organization, 1, number - 1, absl::StrCat("the chain begins with record ", number));
    chain.hashes.push_back(AuditChainStart());
    chain.first_number = 1;
  }
  const int64_t last = chain.last_number;
  if (number <= last)
    return Broken(record.organization, number,
                  absl::StrCat("comes again, or too late: record ", last, " was before it"));
  if (number > last + 1)
    return Missing(record.organization, last + 1, number - 1,
                   absl::StrCat("record ", number, " follows record ", last));
  const std::string hash = AuditHashOf(record, chain.hashes.back());
  if (record.previous_hash != chain.hashes.back())
    return Broken(record.organization, number,
                  absl::StrCat("does not continue record ", last, ": one of the two was replaced"));
  if (record.hash != hash) return Broken(record.organization, number, "was edited: its fields do not give its hash");
  chain.last_number = number;
  chain.hashes.push_back(hash);
  if (chain.hashes.size() > kMaxAuditHashesKept) chain.hashes.pop_front();
  const auto expected = chain.expected.find(number);
  if (expected == chain.expected.end()) return absl::OkStatus();
  if (expected->second.hash != hash)
    return Broken(record.organization, number, "is not the one that a signed head covers: the chain was rewritten");
  chain.signed_number = std::max(chain.signed_number, number);
  return absl::OkStatus();
}

absl::Status AuditVerifier::Take(const SignedAuditHead& head) {
  RETURN_IF_ERROR(CheckSignature(head));
  Chain& chain = chains_[head.organization];
  if (chain.hashes.empty() || head.number > chain.last_number) {
    return Missing(head.organization, chain.last_number + 1, head.number,
                   absl::StrCat("a signed head covers records up to ", head.number));
  }
  const int64_t oldest = chain.last_number - static_cast<int64_t>(chain.hashes.size()) + 1;
  // Covers what a file before this one held.
  if (options_.accept_starts && head.number < chain.first_number - 1) return absl::OkStatus();
  if (head.number < oldest)
    return Broken(head.organization, head.number, "its signed head comes too late to be checked");
  if (head.hash != chain.hashes[static_cast<size_t>(head.number - oldest)])
    return Broken(head.organization, head.number, "is not the one that a signed head covers: the chain was rewritten");
  chain.signed_number = std::max(chain.signed_number, head.number);
  return absl::OkStatus();
}

absl::Status AuditVerifier::Take(const AuditStart& start) {
  Chain& chain = chains_[start.organization];
  if (!chain.hashes.empty()) {
    if (start.number == chain.last_number && start.hash == chain.hashes.back()) return absl::OkStatus();
    if (start.number > chain.last_number)
      return Missing(start.organization, chain.last_number + 1, start.number,
                     absl::StrCat("the next file goes on after record ", start.number));
    return Broken(start.organization, start.number,
                  absl::StrCat("the next file goes on after it, and record ", chain.last_number,
                               " was before: the chain was rewound"));
  }
  if (start.number < 0 || start.hash.size() != kAuditHashBytes)
    return Broken(start.organization, start.number, "there is no such number or hash");
  if (start.number > 0 && !options_.accept_starts)
    return Missing(start.organization, 1, start.number,
                   "the file begins later; give the files before it too, or accept its start");
  if (start.number == 0 && start.hash != AuditChainStart())
    return Broken(start.organization, 1, "the chain does not begin with zeros");
  chain.first_number = start.number + 1;
  chain.last_number = start.number;
  chain.hashes.push_back(start.hash);
  return absl::OkStatus();
}

absl::Status AuditVerifier::CheckSignature(const SignedAuditHead& head) {
  const std::vector<std::string>& keys = options_.public_keys;
  if (!keys.empty() && std::find(keys.begin(), keys.end(), head.public_key) == keys.end())
    return Broken(head.organization, head.number, "a head that covers it names another key than the one given");
  if (!HasItsSignature(head))
    return Broken(head.organization, head.number, "the signature of a head that covers it is not right");
  signers_.insert(head.public_key);
  return absl::OkStatus();
}

absl::Status AuditVerifier::CheckSigned(const std::string& organization, const Chain& chain) const {
  if (options_.public_keys.empty() || chain.last_number < chain.first_number) return absl::OkStatus();
  if (chain.signed_number == 0 && !options_.accept_starts)
    return Broken(organization, chain.last_number, "no signed head covers it, nor any before it");
  if (chain.signed_number >= chain.last_number || options_.accept_unsigned_tail) return absl::OkStatus();
  return Broken(organization, std::max(chain.signed_number + 1, chain.first_number),
                absl::StrCat("no signed head covers it, nor any record behind it up to ", chain.last_number,
                             ": they may have been rewritten; give a later head, or accept the unsigned tail"));
}

absl::Status AuditVerifier::Finish() const {
  bool any = false;
  for (const auto& [organization, chain] : chains_) {
    any = any || chain.last_number >= chain.first_number;
    for (const auto& [number, head] : chain.expected) {
      if (number > chain.last_number) {
        return Missing(organization, chain.last_number + 1, number,
                       absl::StrCat("a signed head that was kept elsewhere covers records up to ", number));
      }
      const bool was_seen = number >= chain.first_number;
      if (!was_seen && !options_.accept_starts)
        return Broken(organization, number, "a signed head covers it and it is not here");
    }
    RETURN_IF_ERROR(CheckSigned(organization, chain));
  }
  if (!any) return absl::InvalidArgumentError("there is no audit record in it");
  return absl::OkStatus();
}

std::vector<AuditChainSummary> AuditVerifier::Chains() const {
  std::vector<AuditChainSummary> summaries;
  for (const auto& [organization, chain] : chains_) {
    if (chain.hashes.empty() || chain.last_number < chain.first_number) continue;
    summaries.push_back({organization, chain.first_number, chain.last_number, chain.signed_number});
  }
  return summaries;
}

}  // namespace keyferry
