#include "libs/rpc/status_conversion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/error_info.pb.h"
#include "google/rpc/status.pb.h"
#include "libs/common/error.h"
#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

google::rpc::Status WireOf(const grpc::Status& status) {
  google::rpc::Status wire;
  wire.ParseFromString(status.error_details());
  return wire;
}

template <typename T>
std::vector<T> DetailsOfType(const grpc::Status& status) {
  std::vector<T> found;
  const google::rpc::Status wire = WireOf(status);
  for (const auto& any : wire.details()) {
    if (T detail; any.UnpackTo(&detail)) found.push_back(detail);
  }
  return found;
}

TEST(StatusConversionTest, OkStaysOk) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus(), "").ok());
  EXPECT_THAT(FromGrpcStatus(grpc::Status::OK), IsOk());
}

TEST(StatusConversionTest, EveryPartOfTheDetailsMakesTheRoundTrip) {
  const ErrorDetails details{.reason = "SECRET_SET_PENDING",
                             .metadata = {{"region", "us-west"}, {"resource", "payments"}},
                             .violations = {{"entries[3].key", "has 65 characters"}},
                             .retry_after = absl::Milliseconds(1500),
                             .blockers = {"agent-a", "agent-b"}};

  const absl::Status back =
      FromGrpcStatus(ToGrpcStatus(MakeError(absl::StatusCode::kAborted, "not ready", details), ""));

  EXPECT_THAT(back, FailsWith(absl::StatusCode::kAborted, "SECRET_SET_PENDING"));
  EXPECT_EQ(back.message(), "not ready");
  const ErrorDetails got = *DetailsOf(back);
  EXPECT_EQ(got.metadata, details.metadata);
  EXPECT_EQ(got.retry_after, details.retry_after);
  EXPECT_EQ(got.blockers, details.blockers);
  ASSERT_THAT(got.violations, SizeIs(1));
  EXPECT_EQ(got.violations[0].field, "entries[3].key");
  EXPECT_EQ(got.violations[0].description, "has 65 characters");
}

TEST(StatusConversionTest, EveryErrorCarriesOneErrorInfoThatStockClientsUnpack) {
  for (int code = 1; code <= 16; ++code) {
    const grpc::Status status = ToGrpcStatus(absl::Status(static_cast<absl::StatusCode>(code), "plain"), "abc");
    const auto infos = DetailsOfType<google::rpc::ErrorInfo>(status);
    ASSERT_THAT(infos, SizeIs(1)) << code;
    EXPECT_EQ(infos[0].domain(), "keyferry");
    EXPECT_FALSE(infos[0].reason().empty());
    EXPECT_EQ(WireOf(status).details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  }
}

TEST(StatusConversionTest, TextsOfInternalErrorsAreReplacedByTheIncident) {
  for (const auto code : {absl::StatusCode::kInternal, absl::StatusCode::kUnknown, absl::StatusCode::kDataLoss}) {
    const absl::Status status = MakeError(code, "row 17 is torn", {.reason = "TORN_ROW", .metadata = {{"row", "17"}}});
    const grpc::Status wire = ToGrpcStatus(status, "feedbeef");
    EXPECT_EQ(wire.error_message(), "internal error, incident feedbeef");
    EXPECT_THAT(wire.error_details(), Not(HasSubstr("TORN_ROW")));
    EXPECT_THAT(wire.error_details(), Not(HasSubstr("row 17")));
  }
}

TEST(StatusConversionTest, WhatPassesWithTimeTellsWhenToTryAgain) {
  for (const auto code : {absl::StatusCode::kUnavailable, absl::StatusCode::kResourceExhausted}) {
    EXPECT_EQ(DetailsOf(FromGrpcStatus(ToGrpcStatus(absl::Status(code, "busy"), "")))->retry_after, absl::Seconds(1));
    const absl::Status later = MakeError(code, "busy", {.reason = "BUSY", .retry_after = absl::Seconds(7)});
    EXPECT_EQ(DetailsOf(FromGrpcStatus(ToGrpcStatus(later, "")))->retry_after, absl::Seconds(7));
  }
  const absl::Status never = FromGrpcStatus(ToGrpcStatus(absl::NotFoundError("gone"), ""));
  EXPECT_EQ(DetailsOf(never)->retry_after, std::nullopt);
  const absl::Status full = MakeError(absl::StatusCode::kResourceExhausted, "full", {.reason = "QUOTA_EXCEEDED"});
  EXPECT_EQ(DetailsOf(FromGrpcStatus(ToGrpcStatus(full, "")))->retry_after, std::nullopt);
}

TEST(StatusConversionTest, AThousandViolationsStayBelowTheTrailersOfStockClients) {
  std::vector<FieldViolation> violations(1000, {"entries[999].key", "has 65 characters and the limit is 64"});
  const grpc::Status status = ToGrpcStatus(InvalidFields("INVALID_SECRET_KEY", violations), "");
  EXPECT_LE(status.error_message().size() + status.error_details().size() * 4 / 3, 7800U);
  const absl::Status back = FromGrpcStatus(status);
  const size_t kept = DetailsOf(back)->violations.size();
  EXPECT_GT(kept, 50U);
  EXPECT_EQ(DetailsOf(back)->metadata.at("omitted_details"), std::to_string(1000 - kept));
}

TEST(StatusConversionTest, LongTextsAreCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "é";
  const std::string cut = ToGrpcStatus(absl::NotFoundError(text), "").error_message();
  ASSERT_TRUE(cut.ends_with("..."));
  EXPECT_EQ((cut.size() - 3) % 2, 0U);
  EXPECT_LE(cut.size(), 768U);
}

TEST(StatusConversionTest, DetailsThatAreNotOursAreIgnored) {
  const absl::Status back = FromGrpcStatus(grpc::Status(grpc::StatusCode::NOT_FOUND, "gone", "\xff not a status"));
  EXPECT_THAT(back, StatusIs(absl::StatusCode::kNotFound));
  EXPECT_FALSE(DetailsOf(back).has_value());
}

}  // namespace
}  // namespace keyferry
