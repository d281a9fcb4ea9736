#include "libs/common/error.h"

#include <gtest/gtest.h>

#include "libs/common/status_macros.h"
#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;

TEST(ErrorTest, DetailsComeBackAsTheyWere) {
  const absl::Status status = MakeError(absl::StatusCode::kAborted, "not ready",
                                        {.reason = "SECRET_SET_PENDING",
                                         .metadata = {{"region", "us-west"}, {"generation", "7"}},
                                         .violations = {{"entries[3].key", "too long"}, {"name", "empty"}},
                                         .retry_after = absl::Milliseconds(1500),
                                         .blockers = {"agent-1", "agent-2"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status.message(), "not ready");
  const auto details = DetailsOf(status);
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, "SECRET_SET_PENDING");
  EXPECT_EQ(details->metadata, (std::map<std::string, std::string>{{"generation", "7"}, {"region", "us-west"}}));
  ASSERT_EQ(details->violations.size(), 2u);
  EXPECT_EQ(details->violations[0].field, "entries[3].key");
  EXPECT_EQ(details->violations[0].description, "too long");
  EXPECT_EQ(details->violations[1].field, "name");
  EXPECT_EQ(details->retry_after, absl::Milliseconds(1500));
  EXPECT_THAT(details->blockers, ElementsAre("agent-1", "agent-2"));
}

TEST(ErrorTest, BareDetailsComeBackBare) {
  const auto details = DetailsOf(MakeError(absl::StatusCode::kInternal, "", {.reason = "X"}));
  ASSERT_TRUE(details.has_value());
  EXPECT_TRUE(details->metadata.empty() && details->violations.empty() && details->blockers.empty());
  EXPECT_FALSE(details->retry_after.has_value());
}

TEST(ErrorTest, AStatusWithoutDetailsHasNone) {
  EXPECT_FALSE(DetailsOf(absl::OkStatus()).has_value());
  EXPECT_FALSE(DetailsOf(absl::InternalError("x")).has_value());
  EXPECT_EQ(ReasonOf(absl::InternalError("x")), "");
}

TEST(ErrorTest, BytesThatAreNotUtf8DoNotBreakIt) {
  const absl::Status status = MakeError(absl::StatusCode::kInternal, "m\xff",
                                        {.reason = "R", .metadata = {{"k", "v\xfe"}}, .blockers = {"\xc3"}});
  EXPECT_EQ(DetailsOf(status)->metadata.at("k"), "v\xEF\xBF\xBD");
}

TEST(ErrorTest, InvalidFieldsNamesEveryFieldInItsMessage) {
  const absl::Status status =
      InvalidFields("INVALID_KEY", {{"entries[0].key", "empty"}, {"entries[2].key", "65 characters"}});
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_KEY"));
  EXPECT_EQ(status.message(), "entries[0].key: empty; entries[2].key: 65 characters");
  EXPECT_EQ(DetailsOf(status)->violations.size(), 2u);
}

TEST(ErrorTest, NotFoundNamesTheResource) {
  const absl::Status status = NotFound("SECRET_SET_NOT_FOUND", "no such set", "my-set");
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  EXPECT_EQ(DetailsOf(status)->metadata.at("resource"), "my-set");
}

absl::StatusOr<int> Half(int number) {
  if (number % 2 != 0) return absl::InvalidArgumentError("odd");
  return number / 2;
}

absl::StatusOr<int> Quarter(int number) {
  ASSIGN_OR_RETURN(const int half, Half(number));
  RETURN_IF_ERROR(Half(half).status());
  return Half(half);
}

TEST(StatusMacrosTest, TheyReturnTheFirstError) {
  EXPECT_THAT(Quarter(8), IsOkAndHolds(2));
  EXPECT_THAT(Quarter(6), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Quarter(7), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace keyferry
