#include "cli/output.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/error_report.h"
#include "cli/usage.h"
#include "libs/common/error.h"

namespace keyferry {
namespace {

using Json = nlohmann::ordered_json;

TEST(OutputTest, ColumnsAreAsWideAsTheirWidestCell) {
  EXPECT_EQ(RenderTable({{"NAME", "STATUS"}, {{"a-long-name", "ready"}, {"b", ""}}}, false),
            "NAME         STATUS\na-long-name  ready\nb\n");
}

TEST(OutputTest, WidthCountsCodePoints) {
  EXPECT_EQ(RenderTable({{"A", "B"}, {{"üü", "x"}}}, false), "A   B\nüü  x\n");
}

TEST(OutputTest, StatusWordsAreColouredOnlyWhenAsked) {
  EXPECT_EQ(RenderTable({{"S"}, {{"failed"}}}, true), "S\n\033[31mfailed\033[0m\n");
  EXPECT_EQ(RenderTable({{"S"}, {{"failed"}}}, false), "S\nfailed\n");
}

TEST(OutputTest, TextFromElsewhereCannotDriveTheTerminal) {
  EXPECT_EQ(RenderTable({{"A"}, {{"\033[2Jx\r\n"}}}, false), "A\n\\x1b[2Jx\\x0d\\x0a\n");
  EXPECT_EQ(RenderFields({{"a", "b\x07"}}, false), "a:  b\\x07\n");
}

TEST(OutputTest, JsonKeepsTheOrderOfFields) {
  EXPECT_EQ(RenderJson(Json{{"b", 1}, {"a", "ü"}}), "{\n  \"b\": 1,\n  \"a\": \"ü\"\n}\n");
}

TEST(OutputTest, JsonReplacesWhatIsNotUtf8) { EXPECT_EQ(RenderJson(Json("\xff")), "\"\xEF\xBF\xBD\"\n"); }

TEST(OutputTest, YamlQuotesStringsAlone) {
  const Json document = {{"name", "no"},          {"count", 3},          {"on", true}, {"keys", {"1e3", "a: b"}},
                         {"none", Json::array()}, {"in", {{"x", "y\n"}}}};
  EXPECT_EQ(RenderYaml(document),
            "name: \"no\"\ncount: 3\non: true\nkeys:\n  - \"1e3\"\n  - \"a: b\"\nnone: []\nin:\n  x: \"y\\n\"\n");
}

struct ExitCase {
  absl::StatusCode code;
  const char* reason;
  int exit_code;
};

TEST(ErrorReportTest, ExitCodesFollowReasonThenCode) {
  const ExitCase cases[] = {{absl::StatusCode::kInvalidArgument, "USAGE", 2},
                            {absl::StatusCode::kInvalidArgument, "REGION_MISMATCH", 1},
                            {absl::StatusCode::kInvalidArgument, "UNKNOWN_REGION", 1},
                            {absl::StatusCode::kNotFound, "SECRET_SET_NOT_FOUND", 1},
                            {absl::StatusCode::kAborted, "SECRET_SET_PENDING", 3},
                            {absl::StatusCode::kAborted, "SECRET_SET_FAILED", 3},
                            {absl::StatusCode::kAborted, "DEPLOYMENT_FAILED", 3},
                            {absl::StatusCode::kDeadlineExceeded, "WAIT_TIMED_OUT", 3},
                            {absl::StatusCode::kDeadlineExceeded, "", 3},
                            {absl::StatusCode::kAborted, "SECRET_SET_IN_USE", 4},
                            {absl::StatusCode::kAborted, "MISSING_REQUIRED_KEYS", 4},
                            {absl::StatusCode::kAborted, "ENVIRONMENT_TOO_LARGE", 4},
                            {absl::StatusCode::kAborted, "ETAG_MISMATCH", 4},
                            {absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION", 4},
                            {absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED", 4},
                            {absl::StatusCode::kAlreadyExists, "ORGANIZATION_EXISTS", 4},
                            {absl::StatusCode::kUnauthenticated, "", 5},
                            {absl::StatusCode::kPermissionDenied, "", 5},
                            {absl::StatusCode::kUnavailable, "", 1},
                            {absl::StatusCode::kResourceExhausted, "", 1},
                            {absl::StatusCode::kInternal, "", 1},
                            {absl::StatusCode::kCancelled, "", 1},
                            {absl::StatusCode::kFailedPrecondition, "PROGRAM_NOT_FOUND", 127},
                            {absl::StatusCode::kFailedPrecondition, "PROGRAM_NOT_EXECUTABLE", 126}};
  EXPECT_EQ(ExitCodeFor(absl::OkStatus()), 0);
  for (const ExitCase& each : cases) {
    const absl::Status status =
        *each.reason == '\0' ? absl::Status(each.code, "m") : MakeError(each.code, "m", {.reason = each.reason});
    EXPECT_EQ(ExitCodeFor(status), each.exit_code) << status;
  }
}

TEST(OutputTest, DurationsAreRounded) {
  EXPECT_EQ(DurationText(absl::Nanoseconds(29'999'999'169)), "30s");
  EXPECT_EQ(DurationText(absl::Milliseconds(1500)), "1.5s");
  EXPECT_EQ(DurationText(absl::Milliseconds(1549)), "1.5s");
  EXPECT_EQ(DurationText(absl::Milliseconds(50)), "50ms");
  EXPECT_EQ(DurationText(absl::Microseconds(999'999)), "1s");
  EXPECT_EQ(DurationText(absl::ZeroDuration()), "0");
  EXPECT_EQ(DurationText(absl::InfiniteDuration()), "inf");
}

TEST(ErrorReportTest, SaysWhatIsWrongAndWhatToDo) {
  const absl::Status status =
      MakeError(absl::StatusCode::kAborted, "secret set a-b is being provisioned",
                {.reason = "SECRET_SET_PENDING", .metadata = {{"secretSet", "a-b"}}, .retry_after = absl::Seconds(2)});
  EXPECT_EQ(ErrorReport(status),
            "error: secret set a-b is being provisioned\n  retry after: 2s\n"
            "  what to do: wait for it with `keyferry secrets wait a-b`, or deploy with --wait\n  reason: "
            "SECRET_SET_PENDING\n");
}

TEST(ErrorReportTest, ListsEveryViolationAndBlocker) {
  EXPECT_EQ(ErrorReport(InvalidFields("INVALID_KEY", {{"a", "x"}, {"b", "y"}})),
            "error: a: x; b: y\n  a: x\n  b: y\n  reason: INVALID_KEY\n");
  EXPECT_EQ(ErrorReport(MakeError(absl::StatusCode::kAborted, "in use",
                                  {.reason = "R", .metadata = {{"requestId", "q"}}, .blockers = {"d1", "d2"}})),
            "error: in use\n  in the way: d1\n  in the way: d2\n  reason: R\n  requestId: q\n");
}

TEST(ErrorReportTest, CannotDriveTheTerminal) {
  EXPECT_EQ(ErrorReport(absl::InternalError("\033[2J\nfake")), "error: \\x1b[2J\\x0afake\n");
}

TEST(ErrorReportTest, OkSaysNothing) { EXPECT_EQ(ErrorReport(absl::OkStatus()), ""); }

}  // namespace
}  // namespace keyferry
