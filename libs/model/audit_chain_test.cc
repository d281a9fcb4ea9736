#include "libs/model/audit_chain.h"

#include <gtest/gtest.h>

#include <set>

#include "absl/strings/escaping.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/model/audit_lines.h"
#include "libs/model/testing/audit_chain_example.h"

namespace keyferry {
namespace {

using absl::StatusCode;

TEST(AuditChainTest, TheHashOfARecordIsGolden) {
  EXPECT_EQ(absl::BytesToHexString(AuditHashOf(ExampleRecord(), AuditChainStart())),
            "f65825e84739c41b6aa286a28416215eec0ecfd913870e8fc60f1de9e61f9312");
}

TEST(AuditChainTest, EveryFieldAndThePreviousHashCount) {
  const AuditRecord record = ExampleRecord();
  const auto with = [&](auto change) {
    AuditRecord changed = record;
    change(changed);
    return AuditHashOf(changed, AuditChainStart());
  };
  const std::set<std::string> hashes = {
      AuditHashOf(record, AuditChainStart()),
      AuditHashOf(record, std::string(kAuditHashBytes, 'x')),
      with([](AuditRecord& r) { r.number = 8; }),
      with([](AuditRecord& r) { r.organization = "acmf"; }),
      with([](AuditRecord& r) { r.time += absl::Nanoseconds(1); }),
      with([](AuditRecord& r) { r.principal += "x"; }),
      with([](AuditRecord& r) { r.role = "admin"; }),
      with([](AuditRecord& r) { r.method += "x"; }),
      with([](AuditRecord& r) { r.decision = AuditDecision::kDenied; }),
      with([](AuditRecord& r) { r.code = "x"; }),
      with([](AuditRecord& r) { r.reason = "x"; }),
      with([](AuditRecord& r) { r.object_kind = "x"; }),
      with([](AuditRecord& r) { r.object_name += "x"; }),
      with([](AuditRecord& r) { r.region += "x"; }),
      with([](AuditRecord& r) { r.generation = 4; }),
      with([](AuditRecord& r) { r.request_id += "x"; }),
      with([](AuditRecord& r) { r.revision += 1; }),
      // No byte moves from one field to the next.
      with([](AuditRecord& r) {
        r.object_name = r.object_name + r.region;
        r.region = "";
      }),
  };
  EXPECT_EQ(hashes.size(), 18u);
}

TEST(AuditChainTest, TheSignatureOfAHeadCoversAllOfIt) {
  SignedAuditHead head = ExampleHead();
  EXPECT_EQ(absl::BytesToHexString(head.signature),
            "c12cdc646d2a57400ab7e785765946d36f86ceabf6021235b90cef02c5cca951d2adb3fe63b9d86ad78d5e549e1f7aa7896548948c"
            "565e504465d9dc54f3440c");
  EXPECT_TRUE(HasItsSignature(head));
  const auto changed = [&](auto change) {
    SignedAuditHead other = head;
    change(other);
    return HasItsSignature(other);
  };
  EXPECT_FALSE(changed([](SignedAuditHead& h) { h.organization = ""; }));
  EXPECT_FALSE(changed([](SignedAuditHead& h) { h.number = 8; }));
  EXPECT_FALSE(changed([](SignedAuditHead& h) { h.hash[31] ^= 1; }));
  EXPECT_FALSE(changed([](SignedAuditHead& h) { h.time += absl::Nanoseconds(1); }));
  EXPECT_FALSE(changed([](SignedAuditHead& h) { h.signature[63] ^= 1; }));
  EXPECT_FALSE(changed([](SignedAuditHead& h) { h.public_key[0] ^= 1; }));
}

TEST(AuditLinesTest, TheLineOfARecordIsGolden) {
  EXPECT_EQ(
      ToLine(ExampleRecord()),
      R"({"kind":"record","organization":"acme","number":7,"time":"2026-11-23T05:06:07.890000001Z","principal":"apiKey:AAAAAAAAAA",)"
      R"("role":"member","method":"SecretSets/SetSecrets","decision":"done","code":"","reason":"","objectKind":"secretSet",)"
      R"("objectName":"voice-agent","region":"us-west","generation":3,"requestId":"req-1","revision":18446744073709551615,)"
      R"("previousHash":")" +
          std::string(64, '0') + R"(","hash":")" + std::string(64, 'a') + R"("})");
}

TEST(AuditLinesTest, WhatWasWrittenIsRead) {
  const AuditStart start{.organization = "", .number = 5, .hash = std::string(kAuditHashBytes, 'h')};
  EXPECT_THAT(ParseAuditLine(ToLine(ExampleRecord())), IsOkAndHolds(AuditLine(ExampleRecord())));
  EXPECT_THAT(ParseAuditLine(ToLine(ExampleHead())), IsOkAndHolds(AuditLine(ExampleHead())));
  EXPECT_THAT(ParseAuditLine(ToLine(start)), IsOkAndHolds(AuditLine(start)));
}

TEST(AuditLinesTest, NothingIsReadThatALineDoesNotHold) {
  const std::string line = ToLine(ExampleRecord());
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string other = line;
    EXPECT_NE(other.find(from), std::string::npos);
    return other.replace(other.find(from), from.size(), to);
  };
  for (const std::string& bad : {
           std::string(),
           std::string("{}"),
           std::string("null"),
           std::string("[]"),
           line.substr(0, line.size() - 1),
           line + " ",
           " " + line,
           line + line,
           replaced("\"kind\":\"record\",", ""),
           replaced("\"record\"", "\"head\""),
           replaced("\"number\":7", "\"number\":7.0"),
           replaced("\"number\":7", "\"number\":\"7\""),
           replaced("\"number\":7", "\"number\":99999999999999999999"),
           replaced("\"generation\":3", "\"generation\":3,\"generation\":3"),
           replaced("\"generation\":3", "\"generation\":3,\"value\":\"hidden\""),
           replaced("\"decision\":\"done\"", "\"decision\":\"undone\""),
           replaced("890000001Z", "890000001"),
           replaced("890000001Z", "890000001+00:00"),
           replaced("\"hash\":\"aa", "\"hash\":\"a"),
           replaced("aaaa\"", "AAAA\""),
           replaced("acme", "ac\\u006de"),
       }) {
    EXPECT_THAT(ParseAuditLine(bad), StatusIs(StatusCode::kInvalidArgument)) << bad;
  }
}

}  // namespace
}  // namespace keyferry
