#include "services/gateway/error_answer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "libs/common/error.h"

namespace keyferry::gateway {
namespace {

using absl::StatusCode;
using nlohmann::json;

// Literals of the sources that never become the reason of an answer.
const std::set<std::string> kExempt = {
    // Of the region's own protocol, on the inner door: refusals, drains, placement failures.
    "BELOW_FLOOR",
    "CANNOT_OPEN",
    "CERTIFICATE_EXPIRED",
    "DIGEST_MISMATCH",
    "INVALID_HELLO",
    "LEASE_EXPIRED",
    "NO_HELLO",
    "PROTOCOL_VERSION",
    "REVISION_OUT_OF_RANGE",
    "TOO_MANY_ACKS",
    "UNKNOWN_SEALING_KEY",
    // Variables of the environment in test builds.
    "KEYFERRY_FAILPOINTS",
    "KEYFERRY_FAILPOINTS_FILE",
    "KEYFERRY_FAILPOINTS_FIRED",
    // Of enrollment and of operators, whose RPCs no gateway forwards.
    "BACKUP_DISK_FULL",
    "BACKUP_RUNS",
    "API_KEY_NOT_LIVE",
    "API_KEY_ROTATION_RUNS",
    "AUDIT_CHAIN_EMPTY",
    "AUDIT_KEY_MISSING",
    "CONFIRMATION_MISMATCH",
    "IDENTITY_REVOKED",
    "INVALID_CSR",
    "INVALID_IDENTITY",
    "INVALID_PROVISIONER_ID",
    "INVALID_QUOTA",
    "NO_BACKUP_DIRECTORY",
    "ORGANIZATION_NAME_RETIRED",
    "ORGANIZATION_NAME_RETIRED",
    "PROVISIONER_EXISTS",
    "PROVISIONER_NOT_FOUND",
    "PROVISIONER_REVOKED",
    "ROTATION_RUNS",
    "SEALING_KEY_CHANGE_RUNS",
    "SEALING_KEY_MISMATCH",
    "SEALING_KEY_NOT_PROVED",
    "TOO_MANY_ENROLLMENT_TOKENS",
    // A store that is no longer the writer: a transaction answers CONCURRENT_MODIFICATION.
    "STALE_TERM",
    // In records of the audit trail, and of who verifies one.
    "AUDIT_CHAIN_REWOUND",
    "AUDIT_FILE_CHANGED",
    "AUDIT_FILE_DELETED",
    "AUDIT_FILE_TRUNCATED",
    "AUDIT_RECORD_DAMAGED",
    "AUDIT_RECORDS_DROPPED",
    "AUDIT_TRAIL_BROKEN",
    // A code, in the record of dropped refusals.
    "RESOURCE_EXHAUSTED",
    // A variable of the environment.
    "CREDENTIALS_DIRECTORY",
    // In a deployment's `errors`, which is no error answer.
    "DEPLOYMENT_FAILED",
};
// What ErrorInfo has where nobody gave a reason (libs/rpc/status_conversion.cc), and so stands in no source as a
// literal.
const std::set<std::string> kFromCodes = {"INTERNAL"};
// What the contract, or HTTP, has another status for than every stock gateway.
const std::set<std::string> kUnlikeStock = {"BODY_TOO_LARGE",    "DEPLOYMENT_EXISTS",  "DISK_FULL",
                                            "HEADERS_TOO_LARGE", "METHOD_NOT_ALLOWED", "NOT_ACCEPTABLE",
                                            "REQUEST_TIMEOUT",   "TARGET_TOO_LONG",    "UNSUPPORTED_MEDIA_TYPE"};

std::string Read(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool IsScanned(const std::filesystem::path& path) {
  const std::string name = path.string();
  return (name.ends_with(".cc") || name.ends_with(".h")) && !name.ends_with("_test.cc") &&
         !name.ends_with("error_answer.cc") && name.find("/testing/") == std::string::npos;
}

// Two words or more are taken for a reason wherever they stand; one word where it is given as one.
std::set<std::string> ReasonsOfSources() {
  static const std::regex kLiteral(R"re("([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"|reason = "([A-Z0-9]+)")re");
  std::set<std::string> found;
  for (const std::string directory : {"/services/api", "/services/gateway", "/libs"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(KEYFERRY_SOURCE_DIR + directory)) {
      if (!entry.is_regular_file() || !IsScanned(entry.path())) continue;
      const std::string text = Read(entry.path());
      for (std::sregex_iterator match(text.begin(), text.end(), kLiteral); match != std::sregex_iterator(); ++match)
        found.insert((*match)[1].matched ? (*match)[1].str() : (*match)[2].str());
    }
  }
  return found;
}

std::set<std::string> ReasonsOfTable() {
  std::set<std::string> reasons;
  for (const ErrorRule& rule : ErrorTable()) reasons.emplace(rule.reason);
  return reasons;
}

std::set<std::string> Without(const std::set<std::string>& all, const std::set<std::string>& some) {
  std::set<std::string> rest;
  std::ranges::set_difference(all, some, std::inserter(rest, rest.end()));
  return rest;
}

std::string HeaderOf(const Answer& answer, std::string_view name) {
  const auto header = std::ranges::find(answer.headers, name, &Header::name);
  return header == answer.headers.end() ? "" : header->value;
}

std::string RetryAfterOf(absl::Duration delay) {
  return HeaderOf(
      ErrorAnswer(MakeError(StatusCode::kUnavailable, "away", {.reason = "STORE_CLOSING", .retry_after = delay}), "r"),
      "Retry-After");
}

TEST(ErrorTableTest, IsSortedWithoutDuplicates) {
  EXPECT_TRUE(std::ranges::is_sorted(ErrorTable(), {}, &ErrorRule::reason));
  EXPECT_EQ(ReasonsOfTable().size(), ErrorTable().size());
}

TEST(ErrorTableTest, HasEveryReasonOfTheSources) {
  EXPECT_EQ(Without(Without(ReasonsOfSources(), kExempt), ReasonsOfTable()), std::set<std::string>());
}

TEST(ErrorTableTest, HasNoReasonThatNoSourceGives) {
  EXPECT_EQ(Without(Without(ReasonsOfTable(), kFromCodes), ReasonsOfSources()), std::set<std::string>());
}

TEST(ErrorTableTest, ExemptsNothingThatIsGoneOrInTheTable) {
  EXPECT_EQ(Without(kExempt, ReasonsOfSources()), std::set<std::string>());
  EXPECT_EQ(Without(kExempt, ReasonsOfTable()), kExempt);
}

TEST(ErrorTableTest, DiffersFromStockGatewaysOnlyWhereTheContractOrHttpDoes) {
  std::set<std::string> unlike;
  for (const ErrorRule& rule : ErrorTable())
    if (rule.http != StockHttpStatus(rule.status)) unlike.emplace(rule.reason);
  EXPECT_EQ(unlike, kUnlikeStock);
}

TEST(ErrorAnswerTest, EveryReasonOfTheTableAnswersItsStatusAndCode) {
  for (const ErrorRule& rule : ErrorTable()) {
    const Answer answer = ErrorAnswer(MakeError(rule.status, "text", {.reason = std::string(rule.reason)}), "r1");
    EXPECT_EQ(answer.status, rule.http) << rule.reason;
    EXPECT_EQ(answer.reason, rule.reason);
    EXPECT_EQ(json::parse(answer.body)["code"], CodeOf(rule.http)) << rule.reason;
  }
}

TEST(ErrorAnswerTest, EveryStatusCodeHasTheStockMapping) {
  const std::pair<StatusCode, int> expected[] = {{StatusCode::kOk, 200},
                                                 {StatusCode::kCancelled, 499},
                                                 {StatusCode::kUnknown, 500},
                                                 {StatusCode::kInvalidArgument, 400},
                                                 {StatusCode::kDeadlineExceeded, 504},
                                                 {StatusCode::kNotFound, 404},
                                                 {StatusCode::kAlreadyExists, 409},
                                                 {StatusCode::kPermissionDenied, 403},
                                                 {StatusCode::kResourceExhausted, 429},
                                                 {StatusCode::kFailedPrecondition, 400},
                                                 {StatusCode::kAborted, 409},
                                                 {StatusCode::kOutOfRange, 400},
                                                 {StatusCode::kUnimplemented, 501},
                                                 {StatusCode::kInternal, 500},
                                                 {StatusCode::kUnavailable, 503},
                                                 {StatusCode::kDataLoss, 500},
                                                 {StatusCode::kUnauthenticated, 401}};
  EXPECT_EQ(std::size(expected), 17u);
  for (const auto& [code, http] : expected) {
    EXPECT_EQ(StockHttpStatus(code), http) << absl::StatusCodeToString(code);
    if (code == StatusCode::kOk) continue;
    EXPECT_EQ(ErrorAnswer(absl::Status(code, "text"), "r").status, http);
  }
  EXPECT_EQ(StockHttpStatus(static_cast<StatusCode>(99)), 500);
}

TEST(ErrorAnswerTest, CodesAreTheContractsWords) {
  const std::pair<int, std::string_view> expected[] = {{400, "GENERIC_BAD_REQUEST"},
                                                       {401, "UNAUTHORIZED"},
                                                       {403, "FORBIDDEN"},
                                                       {404, "NOT_FOUND"},
                                                       {405, "METHOD_NOT_ALLOWED"},
                                                       {406, "NOT_ACCEPTABLE"},
                                                       {408, "REQUEST_TIMEOUT"},
                                                       {409, "CONFLICT"},
                                                       {413, "PAYLOAD_TOO_LARGE"},
                                                       {414, "URI_TOO_LONG"},
                                                       {415, "UNSUPPORTED_MEDIA_TYPE"},
                                                       {418, "GENERIC_BAD_REQUEST"},
                                                       {429, "RATE_LIMITED"},
                                                       {431, "HEADERS_TOO_LARGE"},
                                                       {499, "REQUEST_CANCELLED"},
                                                       {500, "INTERNAL_SERVER_ERROR"},
                                                       {501, "NOT_IMPLEMENTED"},
                                                       {502, "INTERNAL_SERVER_ERROR"},
                                                       {503, "UNAVAILABLE"},
                                                       {504, "GATEWAY_TIMEOUT"}};
  for (const auto& [http, code] : expected) EXPECT_EQ(CodeOf(http), code) << http;
}

TEST(ErrorAnswerTest, AReasonWithAnotherCodeThanItsRowGetsWhatTheCodeHas) {
  EXPECT_EQ(ErrorAnswer(MakeError(StatusCode::kUnavailable, "away", {.reason = "DEPLOYMENT_EXISTS"}), "r").status, 503);
  EXPECT_EQ(ErrorAnswer(MakeError(StatusCode::kAborted, "new", {.reason = "NEVER_HEARD_OF"}), "r").status, 409);
}

TEST(ErrorAnswerTest, APlainErrorHasFourMembers) {
  const Answer answer = ErrorAnswer(MakeError(StatusCode::kAborted, "stale", {.reason = "ETAG_MISMATCH"}), "id-1");
  EXPECT_EQ(json::parse(answer.body),
            json({{"error", "stale"}, {"code", "CONFLICT"}, {"reason", "ETAG_MISMATCH"}, {"requestId", "id-1"}}));
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_TRUE(answer.headers.empty());
}

TEST(ErrorAnswerTest, DetailsHaveWhatTheStatusHas) {
  const Answer answer =
      ErrorAnswer(MakeError(StatusCode::kInvalidArgument, "bad",
                            {.reason = "INVALID_REQUEST",
                             .metadata = {{"region", "us-east"}},
                             .violations = {{"name", "is too long"}, {"secrets[1].secretKey", "is empty"}},
                             .blockers = {"agent-a", "agent-b"}}),
                  "id-2");
  EXPECT_EQ(json::parse(answer.body)["details"],
            json({{"violations",
                   {{{"field", "name"}, {"description", "is too long"}},
                    {{"field", "secrets[1].secretKey"}, {"description", "is empty"}}}},
                  {"metadata", {{"region", "us-east"}}},
                  {"blockers", {"agent-a", "agent-b"}}}));
}

TEST(ErrorAnswerTest, AStatusWithoutDetailsHasItsCodeForAReason) {
  const json body = json::parse(ErrorAnswer(absl::NotFoundError(""), "r").body);
  EXPECT_EQ(body["reason"], "NOT_FOUND");
  EXPECT_EQ(body["error"], "the request failed: NOT_FOUND");
}

TEST(ErrorAnswerTest, RetryAfterIsWholeSecondsRoundedUpAndAtLeastOne) {
  EXPECT_EQ(RetryAfterOf(absl::ZeroDuration()), "1");
  EXPECT_EQ(RetryAfterOf(absl::Milliseconds(200)), "1");
  EXPECT_EQ(RetryAfterOf(absl::Seconds(1)), "1");
  EXPECT_EQ(RetryAfterOf(absl::Milliseconds(1200)), "2");
  EXPECT_EQ(RetryAfterOf(absl::Seconds(30)), "30");
}

TEST(ErrorAnswerTest, EveryRefusalForNowSaysWhenToTryAgain) {
  for (const ErrorRule& rule : ErrorTable()) {
    const bool passes = (rule.http == 429 || rule.http == 503) && rule.reason != "QUOTA_EXCEEDED";
    const absl::Status status = MakeError(rule.status, "text", {.reason = std::string(rule.reason)});
    EXPECT_EQ(HeaderOf(ErrorAnswer(status, "r"), "Retry-After"), passes ? "1" : "") << rule.reason;
    EXPECT_EQ(HeaderOf(HttpFaultAnswer(rule.reason, "text", "r"), "Retry-After"), passes ? "1" : "") << rule.reason;
  }
}

TEST(ErrorAnswerTest, AFullDiskIsUnavailableAndKeepsItsRetryTime) {
  const Answer answer = ErrorAnswer(
      MakeError(StatusCode::kResourceExhausted, "full", {.reason = "DISK_FULL", .retry_after = absl::Seconds(7)}), "r");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(HeaderOf(answer, "Retry-After"), "7");
}

TEST(ErrorAnswerTest, UnauthorizedNamesTheScheme) {
  EXPECT_EQ(HeaderOf(ErrorAnswer(absl::UnauthenticatedError("no key"), "r"), "WWW-Authenticate"),
            "Bearer realm=\"keyferry\"");
  EXPECT_EQ(HeaderOf(ErrorAnswer(absl::PermissionDeniedError("no"), "r"), "WWW-Authenticate"), "");
}

TEST(ErrorAnswerTest, MethodNotAllowedNamesTheMethodsThatAre) {
  const Answer answer = ErrorAnswer(MakeError(StatusCode::kUnimplemented, "use another",
                                              {.reason = "METHOD_NOT_ALLOWED", .metadata = {{"allow", "GET, PUT"}}}),
                                    "r");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(HeaderOf(answer, "Allow"), "GET, PUT");
}

TEST(ErrorAnswerTest, TheApisInternalErrorsKeepTheirIncident) {
  const Answer answer = ErrorAnswer(MakeError(StatusCode::kDataLoss, "internal error, incident 12ab",
                                              {.reason = "DATA_LOSS", .metadata = {{"incident", "12ab"}}}),
                                    "r");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(json::parse(answer.body)["error"], "internal error, incident 12ab");
}

TEST(ErrorAnswerTest, OurOwnInternalErrorsSayNothingButTheRequest) {
  for (const StatusCode code : {StatusCode::kInternal, StatusCode::kUnknown, StatusCode::kDataLoss}) {
    const std::string body = ErrorAnswer(absl::Status(code, "/var/lib/secret-path"), "id-9").body;
    EXPECT_EQ(body.find("secret-path"), std::string::npos);
    EXPECT_NE(json::parse(body)["error"].get<std::string>().find("id-9"), std::string::npos);
  }
}

TEST(ErrorAnswerTest, InvalidUtf8IsReplaced) {
  const Answer answer = ErrorAnswer(MakeError(StatusCode::kInvalidArgument, "bad \xff byte",
                                              {.reason = "INVALID_BODY", .violations = {{"a\xc3", "\xfe"}}}),
                                    "r");
  const json body = json::parse(answer.body);
  EXPECT_EQ(body["error"], "bad \xEF\xBF\xBD byte");
  EXPECT_EQ(body["details"]["violations"][0]["description"], "\xEF\xBF\xBD");
}

TEST(HttpFaultAnswerTest, HasTheContractsShape) {
  const Answer answer = HttpFaultAnswer("BODY_TOO_LARGE", "the body has more than 4 MiB", "id-3");
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.reason, "BODY_TOO_LARGE");
  EXPECT_EQ(json::parse(answer.body), json({{"error", "the body has more than 4 MiB"},
                                            {"code", "PAYLOAD_TOO_LARGE"},
                                            {"reason", "BODY_TOO_LARGE"},
                                            {"requestId", "id-3"}}));
}

TEST(HttpFaultAnswerTest, AFullServerSaysWhenToTryAgain) {
  EXPECT_EQ(HeaderOf(HttpFaultAnswer("TOO_MANY_CONNECTIONS", "full", "r"), "Retry-After"), "1");
  EXPECT_EQ(HttpFaultAnswer("TOO_MANY_CONNECTIONS", "full", "r").status, 503);
}

TEST(HttpFaultAnswerTest, AReasonThatTheTableLacksIsInternal) {
  EXPECT_EQ(HttpFaultAnswer("NEVER_HEARD_OF", "text", "r").status, 500);
}

}  // namespace
}  // namespace keyferry::gateway
