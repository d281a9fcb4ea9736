#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "libs/common/testing/status_matchers.h"
#include "services/gateway/violation_names.h"
#include "services/gateway/wire_values.h"

namespace keyferry::gateway {
namespace {

constexpr FieldName kNames[] = {{"entries[i].key", "secrets[i].secretKey"},
                                {"entries", "secrets"},
                                {"deployment.image", "picture"},
                                {"deployment", ""},
                                {"auth", "secretValue"}};

std::vector<std::string> FieldsOf(const absl::Status& status) {
  std::vector<std::string> fields;
  const std::optional<ErrorDetails> details = DetailsOf(status);
  for (const FieldViolation& violation : details->violations) fields.push_back(violation.field);
  return fields;
}

absl::Status Rename(std::vector<FieldViolation> violations) {
  return RenameFields(InvalidFields("INVALID_REQUEST", std::move(violations)), kNames);
}

TEST(ViolationNamesTest, IndexGoesAlong) {
  EXPECT_THAT(FieldsOf(Rename({{"entries[3].key", "is bad"}, {"entries[255].key", "too"}})),
              testing::ElementsAre("secrets[3].secretKey", "secrets[255].secretKey"));
}

TEST(ViolationNamesTest, RowFitsTheMembersBelowItsField) {
  EXPECT_THAT(FieldsOf(Rename({{"entries[3].value", "x"}, {"deployment.image.tag", "x"}, {"deployment.region", "x"}})),
              testing::ElementsAre("secrets[3].value", "picture.tag", "region"));
}

TEST(ViolationNamesTest, FieldThatNoRowFitsStays) {
  EXPECT_THAT(FieldsOf(Rename({{"authority", "x"}, {"entries[].key", "x"}, {"entries[x].key", "x"}, {"region", "x"}})),
              testing::ElementsAre("authority", "secrets[].key", "secrets[x].key", "region"));
}

TEST(ViolationNamesTest, RowMayDropTheIndex) {
  constexpr FieldName kOlder[] = {{"entries[i].key", "secretKey"}};
  const absl::Status renamed =
      RenameFields(InvalidFields("INVALID_SECRET_KEY", {{"entries[0].key", "is empty"}}), kOlder);
  EXPECT_EQ(renamed.message(), "secretKey: is empty");
}

TEST(ViolationNamesTest, MessageThatListsViolationsIsWrittenAgain) {
  const absl::Status renamed = Rename({{"auth", "must be good"}, {"entries[1].key", "is the same key as entries[0]"}});
  EXPECT_EQ(renamed.message(), "secretValue: must be good; secrets[1].secretKey: is the same key as secrets[0]");
}

TEST(ViolationNamesTest, MessageThatWasCutIsWrittenWhole) {
  const absl::Status cut =
      MakeError(absl::StatusCode::kInvalidArgument, "auth: must be go...",
                {.reason = "R", .violations = {{"auth", "must be good"}, {"entries", "is empty"}}});
  EXPECT_EQ(RenameFields(cut, kNames).message(), "secretValue: must be good; secrets: is empty");
}

TEST(ViolationNamesTest, OtherMessageStaysAsItIs) {
  const absl::Status told = MakeError(absl::StatusCode::kInvalidArgument, "the auth of a set: bad",
                                      {.reason = "R", .violations = {{"auth", "the auth of a set: bad"}}});
  EXPECT_EQ(RenameFields(told, kNames).message(), "the auth of a set: bad");
  EXPECT_THAT(FieldsOf(RenameFields(told, kNames)), testing::ElementsAre("secretValue"));
}

TEST(ViolationNamesTest, EverythingElseOfTheStatusStays) {
  const absl::Status told = MakeError(absl::StatusCode::kAborted, "no",
                                      {.reason = "R",
                                       .metadata = {{"a", "b"}},
                                       .violations = {{"auth", "x"}},
                                       .retry_after = absl::Seconds(3),
                                       .blockers = {"agent"}});
  const absl::Status renamed = RenameFields(told, kNames);
  EXPECT_THAT(renamed, FailsWith(absl::StatusCode::kAborted, "R"));
  EXPECT_EQ(DetailsOf(renamed)->metadata.at("a"), "b");
  EXPECT_EQ(DetailsOf(renamed)->retry_after, absl::Seconds(3));
  EXPECT_THAT(DetailsOf(renamed)->blockers, testing::ElementsAre("agent"));
}

TEST(ViolationNamesTest, StatusWithoutViolationsComesBackAsItIs) {
  EXPECT_THAT(RenameFields(absl::OkStatus(), kNames), IsOk());
  EXPECT_EQ(RenameFields(absl::InternalError("entries[0]"), kNames), absl::InternalError("entries[0]"));
  const absl::Status absent = NotFound("R", "no entries[0]", "entries[0]");
  EXPECT_EQ(RenameFields(absent, kNames), absent);
}

google::protobuf::Timestamp At(int64_t seconds, int32_t nanos) {
  google::protobuf::Timestamp time;
  time.set_seconds(seconds);
  time.set_nanos(nanos);
  return time;
}

TEST(WireValuesTest, TimeHasMillisecondsAndIsUtc) {
  EXPECT_EQ(TimeText(At(1795395723, 456'999'999)), "2026-11-23T01:02:03.456Z");
  EXPECT_EQ(TimeText(At(0, 0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(TimeText(At(-1, 999'000'000)), "1969-12-31T23:59:59.999Z");
}

TEST(WireValuesTest, StatusWordsAreTheContracts) {
  EXPECT_EQ(StatusWord(v1::READINESS_PENDING), "pending");
  EXPECT_EQ(StatusWord(v1::READINESS_READY), "ready");
  EXPECT_EQ(StatusWord(v1::READINESS_FAILED), "failed");
  EXPECT_EQ(StatusWord(v1::READINESS_UNSPECIFIED), "pending");
  EXPECT_EQ(StatusWord(static_cast<v1::Readiness>(77)), "pending");
}

TEST(WireValuesTest, ConditionsKeepTheirOrderAndLeaveOutATimeThatIsNotKnown) {
  google::protobuf::RepeatedPtrField<v1::Condition> conditions;
  v1::Condition& first = *conditions.Add();
  first.set_type("Provisioned");
  first.set_status("True");
  first.set_reason("Proved");
  first.set_message("region us-west has it");
  first.set_observed_generation(3);
  *first.mutable_last_transition_time() = At(1795395723, 456'000'000);
  conditions.Add()->set_type("RegionConnected");
  EXPECT_EQ(JsonLine(ConditionsJson(conditions)),
            R"([{"type":"Provisioned","status":"True","reason":"Proved","message":"region us-west has it",)"
            R"("observedGeneration":3,"lastTransitionTime":"2026-11-23T01:02:03.456Z"},)"
            R"({"type":"RegionConnected","status":"","reason":"","message":"","observedGeneration":0}])");
  EXPECT_EQ(JsonLine(ConditionsJson({})), "[]");
}

TEST(WireValuesTest, AnswersAreAlwaysJson) {
  EXPECT_EQ(JsonLine({{"a", "\xff"}}), "{\"a\":\"\xEF\xBF\xBD\"}");
  EXPECT_EQ(OkAnswer().body, R"({"status":"OK"})");
  EXPECT_EQ(OkAnswer().status, 200);
}

}  // namespace
}  // namespace keyferry::gateway
