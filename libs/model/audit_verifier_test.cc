#include "libs/model/audit_verifier.h"

#include <gtest/gtest.h>

#include <utility>

#include "libs/common/status_macros.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/model/testing/audit_chain_example.h"

namespace keyferry {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

constexpr char kBroken[] = "AUDIT_TRAIL_BROKEN";

std::vector<std::string> LinesOf(const std::vector<AuditRecord>& records) {
  std::vector<std::string> lines;
  for (const AuditRecord& record : records) lines.push_back(ToLine(record));
  return lines;
}

absl::Status Verify(AuditVerifier& verifier, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) RETURN_IF_ERROR(verifier.Add(line));
  return verifier.Finish();
}

absl::Status Verify(const std::vector<std::string>& lines, AuditVerifier::Options options = {}) {
  AuditVerifier verifier(std::move(options));
  return Verify(verifier, lines);
}

// Of the record that the error names.
std::string NumberIn(const absl::Status& status) {
  const auto details = DetailsOf(status);
  return details && details->metadata.contains("number") ? details->metadata.at("number") : "";
}

void ExpectBroken(const absl::Status& status, const std::string& number) {
  EXPECT_THAT(status, FailsWith(StatusCode::kDataLoss, kBroken));
  EXPECT_EQ(NumberIn(status), number) << status;
}

class AuditVerifierTest : public testing::Test {
 protected:
  std::vector<AuditRecord> records_ = ExampleChain(9);
};

TEST_F(AuditVerifierTest, AWholeChainWithItsHeadIsGood) {
  std::vector<std::string> lines = LinesOf(records_);
  lines.push_back(ToLine(SignedHeadOf(records_.back())));
  AuditVerifier verifier({.public_keys = {ExampleSigningKey().public_key()}});
  EXPECT_THAT(Verify(verifier, lines), IsOk());
  ASSERT_EQ(verifier.Chains().size(), 1u);
  EXPECT_EQ(verifier.Chains()[0].last_number, 9);
  EXPECT_EQ(verifier.Chains()[0].signed_number, 9);
}

TEST_F(AuditVerifierTest, AnEditedFieldIsFoundByItsRecord) {
  records_[4].object_name = "another";
  ExpectBroken(Verify(LinesOf(records_)), "5");
}

TEST_F(AuditVerifierTest, AnEditedRecordWithItsOwnHashMadeAnewIsFoundByTheNext) {
  records_[4].object_name = "another";
  records_[4].hash = AuditHashOf(records_[4], records_[4].previous_hash);
  ExpectBroken(Verify(LinesOf(records_)), "6");
}

TEST_F(AuditVerifierTest, AWholeChainMadeAnewIsFoundByItsSignedHead) {
  const std::string head = ToLine(SignedHeadOf(records_[6]));
  for (size_t i = 2; i < records_.size(); ++i) {
    records_[i].principal = "apiKey:BBBBBBBBBB";
    records_[i].previous_hash = records_[i - 1].hash;
    records_[i].hash = AuditHashOf(records_[i], records_[i].previous_hash);
  }
  std::vector<std::string> lines = LinesOf(records_);
  EXPECT_THAT(Verify(lines), IsOk());
  lines.push_back(head);
  ExpectBroken(Verify(lines), "7");
}

TEST_F(AuditVerifierTest, ADroppedRecordIsFoundWhereverItWas) {
  for (size_t dropped = 0; dropped + 1 < records_.size(); ++dropped) {
    std::vector<std::string> lines = LinesOf(records_);
    lines.erase(lines.begin() + static_cast<ptrdiff_t>(dropped));
    ExpectBroken(Verify(lines), std::to_string(dropped + 1));
  }
}

TEST_F(AuditVerifierTest, AReorderedRecordIsFound) {
  std::vector<std::string> lines = LinesOf(records_);
  std::swap(lines[3], lines[4]);
  ExpectBroken(Verify(lines), "4");
}

TEST_F(AuditVerifierTest, ARenumberedSwapIsFound) {
  std::swap(records_[3], records_[4]);
  std::swap(records_[3].number, records_[4].number);
  ExpectBroken(Verify(LinesOf(records_)), "4");
}

TEST_F(AuditVerifierTest, AnInsertedRecordIsFound) {
  std::vector<AuditRecord> more = records_;
  AuditRecord inserted = ExampleRecord();
  inserted.number = 5;
  inserted.previous_hash = records_[3].hash;
  inserted.hash = AuditHashOf(inserted, inserted.previous_hash);
  more.insert(more.begin() + 4, inserted);
  ExpectBroken(Verify(LinesOf(more)), "5");
}

TEST_F(AuditVerifierTest, ARepeatedRecordIsFound) {
  std::vector<std::string> lines = LinesOf(records_);
  lines.insert(lines.begin() + 4, lines[3]);
  ExpectBroken(Verify(lines), "4");
}

TEST_F(AuditVerifierTest, ACutOffEndIsFoundByTheHeadAtItsEnd) {
  std::vector<std::string> lines = LinesOf(records_);
  const std::string head = ToLine(SignedHeadOf(records_.back()));
  lines.resize(6);
  EXPECT_THAT(Verify(lines), IsOk());
  lines.push_back(head);
  const absl::Status cut = Verify(lines);
  ExpectBroken(cut, "7");
  EXPECT_THAT(std::string(cut.message()), HasSubstr("up to 9"));
}

TEST_F(AuditVerifierTest, ACutOffEndIsFoundByAHeadKeptElsewhere) {
  std::vector<std::string> lines = LinesOf(records_);
  lines.resize(6);
  AuditVerifier verifier({});
  ASSERT_THAT(verifier.Expect(SignedHeadOf(records_[6])), IsOk());
  ExpectBroken(Verify(verifier, lines), "7");
}

TEST_F(AuditVerifierTest, AChainThatIsGoneIsFoundByAHeadKeptElsewhere) {
  AuditVerifier verifier({});
  ASSERT_THAT(verifier.Expect(SignedHeadOf(ExampleChain(2, "other").back())), IsOk());
  ExpectBroken(Verify(verifier, LinesOf(records_)), "1");
}

TEST_F(AuditVerifierTest, AHeadKeptElsewhereIsMetByWhatItCovers) {
  AuditVerifier verifier({});
  ASSERT_THAT(verifier.Expect(SignedHeadOf(records_[6])), IsOk());
  EXPECT_THAT(Verify(verifier, LinesOf(records_)), IsOk());
  EXPECT_EQ(verifier.Chains()[0].signed_number, 7);
}

TEST_F(AuditVerifierTest, TheHeadOfARewrittenChainContradictsTheOneKeptElsewhere) {
  AuditVerifier verifier({});
  ASSERT_THAT(verifier.Expect(SignedHeadOf(records_[6])), IsOk());
  records_[6].hash = std::string(kAuditHashBytes, 'x');
  ExpectBroken(verifier.Expect(SignedHeadOf(records_[6])), "7");
}

TEST_F(AuditVerifierTest, AHeadThatAnotherKeySignedIsRefused) {
  std::vector<std::string> lines = LinesOf(records_);
  SignedAuditHead head = SignedHeadOf(records_.back());
  Sign(SigningKey::FromSeed(SecretBytes::Copy(std::string(kSigningSeedBytes, 'o'))), head);
  lines.push_back(ToLine(head));
  EXPECT_THAT(Verify(lines), IsOk());
  ExpectBroken(Verify(lines, {.public_keys = {ExampleSigningKey().public_key()}}), "9");
}

TEST_F(AuditVerifierTest, AHeadWhoseSignatureIsWrongIsRefused) {
  std::vector<std::string> lines = LinesOf(records_);
  SignedAuditHead head = SignedHeadOf(records_.back());
  head.signature[5] ^= 1;
  lines.push_back(ToLine(head));
  ExpectBroken(Verify(lines), "9");
}

TEST_F(AuditVerifierTest, WithAKeyGivenAChainWithoutAHeadIsRefused) {
  ExpectBroken(Verify(LinesOf(records_), {.public_keys = {ExampleSigningKey().public_key()}}), "9");
}

TEST_F(AuditVerifierTest, WithAKeyGivenATailThatNoHeadCoversMustBeAccepted) {
  const std::vector<std::string> keys = {ExampleSigningKey().public_key()};
  std::vector<std::string> lines = LinesOf(records_);
  lines.insert(lines.begin() + 7, ToLine(SignedHeadOf(records_[6])));
  // As whoever rewrote them would have left them.
  records_[7].object_name = "another";
  records_[7].hash = AuditHashOf(records_[7], records_[7].previous_hash);
  records_[8].previous_hash = records_[7].hash;
  records_[8].hash = AuditHashOf(records_[8], records_[8].previous_hash);
  lines[8] = ToLine(records_[7]);
  lines[9] = ToLine(records_[8]);
  ExpectBroken(Verify(lines, {.public_keys = keys}), "8");
  EXPECT_THAT(Verify(lines, {.public_keys = keys, .accept_unsigned_tail = true}), IsOk());
  EXPECT_THAT(Verify(lines), IsOk());
  lines.resize(8);
  EXPECT_THAT(Verify(lines, {.public_keys = keys}), IsOk());
}

TEST_F(AuditVerifierTest, ALaterBeginningMustBeAccepted) {
  std::vector<std::string> lines = LinesOf(records_);
  lines.erase(lines.begin(), lines.begin() + 3);
  ExpectBroken(Verify(lines), "1");
  lines.insert(lines.begin(), ToLine(AuditStart{"acme", 3, records_[2].hash}));
  ExpectBroken(Verify(lines), "1");
  EXPECT_THAT(Verify(lines, {.accept_starts = true}), IsOk());
  lines[0] = ToLine(AuditStart{"acme", 3, records_[1].hash});
  ExpectBroken(Verify(lines, {.accept_starts = true}), "4");
}

TEST_F(AuditVerifierTest, AStartBetweenTwoFilesMustFit) {
  std::vector<std::string> lines = LinesOf(records_);
  lines.insert(lines.begin() + 4, ToLine(AuditStart{"acme", 4, records_[3].hash}));
  EXPECT_THAT(Verify(lines), IsOk());
  lines[4] = ToLine(AuditStart{"acme", 5, records_[4].hash});
  ExpectBroken(Verify(lines), "5");
  lines[4] = ToLine(AuditStart{"acme", 3, records_[2].hash});
  ExpectBroken(Verify(lines), "3");
}

TEST_F(AuditVerifierTest, ChainsOfOneFileDoNotMix) {
  std::vector<std::string> lines;
  const std::vector<AuditRecord> others = ExampleChain(9, "");
  for (size_t i = 0; i < records_.size(); ++i) {
    lines.push_back(ToLine(records_[i]));
    lines.push_back(ToLine(others[i]));
  }
  EXPECT_THAT(Verify(lines), IsOk());
  AuditRecord moved = records_[8];
  moved.organization = "";
  moved.number = 10;
  lines.push_back(ToLine(moved));
  ExpectBroken(Verify(lines), "10");
}

TEST_F(AuditVerifierTest, WhatHoldsNoRecordProvesNothing) {
  EXPECT_THAT(Verify({}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Verify({ToLine(AuditStart{"acme", 0, AuditChainStart()})}), StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(AuditVerifierTest, AHeadIsCheckedUpToTheLastHashKept) {
  const std::vector<AuditRecord> records = ExampleChain(kMaxAuditHashesKept + 1);
  AuditVerifier verifier({});
  for (const AuditRecord& record : records) ASSERT_THAT(verifier.Add(ToLine(record)), IsOk());
  for (const bool is_kept : {true, false}) {
    EXPECT_EQ(verifier.Add(ToLine(SignedHeadOf(records[is_kept ? 1 : 0]))).ok(), is_kept);
  }
}

}  // namespace
}  // namespace keyferry
