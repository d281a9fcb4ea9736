#include "services/api/secret_values.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

absl::Status Check(const KeyValues& values) {
  Violations violations;
  CheckSecretValues(ToValues(values), violations);
  return violations.ToStatus();
}

TEST(SecretValuesTest, AcceptAKeyOfSixtyFourCharactersAndRefuseOneMore) {
  EXPECT_THAT(Check({{std::string(kMaxKeyLength, 'K'), "v"}}), IsOk());
  const absl::Status refused = Check({{std::string(kMaxKeyLength + 1, 'K'), "v"}});
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_KEY"));
  EXPECT_THAT(FieldsOf(refused), ElementsAre("entries[0].key"));
}

TEST(SecretValuesTest, RefuseAnEmptyKeyAndBadCharacters) {
  EXPECT_THAT(FieldsOf(Check({{"", "v"}, {"A B", "v"}, {"A.B", "v"}, {"Ä", "v"}, {"A=B", "v"}, {"fine_-9", "v"}})),
              ElementsAre("entries[0].key", "entries[1].key", "entries[2].key", "entries[3].key", "entries[4].key"));
}

TEST(SecretValuesTest, AcceptAValueOfSixtyFourKibibytesAndRefuseOneByteMore) {
  EXPECT_THAT(Check({{"K", std::string(kMaxValueBytes, 'v')}}), IsOk());
  const absl::Status refused = Check({{"K", std::string(kMaxValueBytes + 1, 'v')}});
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_VALUE"));
  EXPECT_THAT(refused.message(), HasSubstr("65537"));
}

TEST(SecretValuesTest, AcceptAnEmptyValueAndRefuseNul) {
  EXPECT_THAT(Check({{"K", ""}}), IsOk());
  const absl::Status refused = Check({{"K", std::string("sentinel\0value", 14)}});
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_VALUE"));
  EXPECT_THAT(refused.ToString(), Not(HasSubstr("sentinel")));
}

TEST(SecretValuesTest, RefuseAnEmptyWriteAndAcceptTwoHundredFiftySixKeysButNotOneMore) {
  EXPECT_THAT(Check({}), FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_SIZE"));
  KeyValues values;
  for (size_t i = 0; i < kMaxKeysPerSet; ++i) values.push_back({"K" + std::to_string(i), "v"});
  EXPECT_THAT(Check(values), IsOk());
  values.push_back({"ONE_MORE", "v"});
  EXPECT_THAT(Check(values), FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_SIZE"));
}

TEST(SecretValuesTest, RefuseAKeyThatIsGivenTwice) {
  const absl::Status refused = Check({{"A", "1"}, {"B", "2"}, {"A", "3"}});
  EXPECT_THAT(FieldsOf(refused), ElementsAre("entries[2].key"));
  EXPECT_THAT(refused.message(), HasSubstr("entries[0]"));
}

TEST(SecretValuesTest, NameEveryFaultAtOnce) {
  const absl::Status refused =
      Check({{"A B", std::string(kMaxValueBytes + 1, 'v')}, {"OK", "v"}, {"", std::string(1, '\0')}});
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "INVALID_REQUEST"));
  EXPECT_THAT(FieldsOf(refused),
              ElementsAre("entries[0].key", "entries[0].value", "entries[2].key", "entries[2].value"));
}

absl::Status CheckSize(const std::vector<SecretSetEntry>& entries) {
  Violations violations;
  CheckSetSize(entries, violations);
  return violations.ToStatus();
}

TEST(SecretValuesTest, ASetHoldsFiveHundredTwelveKibibytesAndNotOneByteMore) {
  std::vector<SecretSetEntry> entries(8, {.value_bytes = 64 * 1024});
  EXPECT_THAT(CheckSize(entries), IsOk());
  entries.push_back({.value_bytes = 1});
  EXPECT_THAT(CheckSize(entries), FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_SIZE"));
}

TEST(SecretValuesTest, ASetHoldsTwoHundredFiftySixKeysAndNotOneMore) {
  EXPECT_THAT(CheckSize(std::vector<SecretSetEntry>(kMaxKeysPerSet)), IsOk());
  EXPECT_THAT(CheckSize(std::vector<SecretSetEntry>(kMaxKeysPerSet + 1)),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_SECRET_SET_SIZE"));
}

absl::Status HostStatus(const std::string& host) {
  Violations violations;
  CheckHost(host, violations);
  return violations.ToStatus();
}

TEST(PullSecretTest, HostsGetASlashAtTheirEndWhereTheyLackIt) {
  EXPECT_EQ(NormalizeHost("ghcr.io"), "ghcr.io/");
  EXPECT_EQ(NormalizeHost("https://index.docker.io/v1/"), "https://index.docker.io/v1/");
}

TEST(PullSecretTest, AcceptsHostsOfEveryKind) {
  for (const char* host : {"ghcr.io", "localhost:5000", "https://index.docker.io/v1/", "[::1]:5000/team",
                           "http://registry.test", "HTTPS://ghcr.io"})
    EXPECT_THAT(HostStatus(host), IsOk());
}

TEST(PullSecretTest, AcceptsAHostOfTwoHundredFiftyThreeCharactersWithItsSlashAndRefusesOneMoreAndNone) {
  EXPECT_THAT(HostStatus(std::string(kMaxHostLength - 1, 'h')), IsOk());
  EXPECT_THAT(HostStatus(std::string(kMaxHostLength - 1, 'h') + "/"), IsOk());
  EXPECT_THAT(HostStatus(std::string(kMaxHostLength, 'h')), FailsWith(StatusCode::kInvalidArgument, "INVALID_HOST"));
  EXPECT_THAT(HostStatus(""), FailsWith(StatusCode::kInvalidArgument, "INVALID_HOST"));
}

TEST(PullSecretTest, RefusesAHostWithCredentialsInItWithoutShowingThem) {
  const absl::Status refused = HostStatus("user:sentinel@ghcr.io");
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "INVALID_HOST"));
  EXPECT_THAT(refused.ToString(), Not(HasSubstr("sentinel")));
}

TEST(PullSecretTest, RefusesHostsThatNoRegistryCouldHave) {
  for (const char* host : {"ftp://ghcr.io", "file:///etc", "oci://ghcr.io", "://ghcr.io", "https://", "https:///v1", "/", "."})
    EXPECT_THAT(HostStatus(host), FailsWith(StatusCode::kInvalidArgument, "INVALID_HOST")) << host;
  EXPECT_THAT(HostStatus("ftp://ghcr.io").message(), HasSubstr("http or https"));
}

absl::StatusOr<std::string> Auth(const std::string& given) {
  Violations violations;
  const SecretBytes auth = NormalizePullAuth(SecretBytes::Copy(given), violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return std::string(auth.Access());
}

TEST(PullSecretTest, EncodesUsernameAndToken) { EXPECT_THAT(Auth("user:to:ken"), IsOkAndHolds("dXNlcjp0bzprZW4=")); }

TEST(PullSecretTest, KeepsBase64OfUsernameAndTokenAsItIs) {
  EXPECT_THAT(Auth("dXNlcjp0bzprZW4="), IsOkAndHolds("dXNlcjp0bzprZW4="));
}

TEST(PullSecretTest, RefusesEverythingElseAndSaysWhatItExpects) {
  for (const std::string& bad :
       {std::string("token"), std::string("user:"), std::string(":token"), std::string("user: token"),
        std::string("user:token\n"), absl::Base64Escape("no colon"), absl::Base64Escape("user:token\n"),
        std::string("dXNlcjp0bzprZW4"), std::string("dXNlcjp0bzprZW4=\n"), std::string("")}) {
    const auto refused = Auth(bad);
    EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "INVALID_CREDENTIALS"));
    EXPECT_THAT(refused.status().ToString(), Not(HasSubstr("token\n")));
  }
  EXPECT_THAT(Auth("x").status().message(), HasSubstr("username:token"));
}

TEST(PullSecretTest, RefusesADockerConfigAndSaysWhatToGiveInstead) {
  constexpr char kConfig[] = R"({"auths":{"ghcr.io":{"auth":"sentinel"}}})";
  const std::string spaced = absl::StrCat("\n { \"auths\": {}, ", kConfig);
  for (const std::string& bad : {std::string(kConfig), absl::Base64Escape(kConfig), spaced, absl::Base64Escape(spaced)}) {
    const auto refused = Auth(bad);
    EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "INVALID_CREDENTIALS"));
    EXPECT_THAT(refused.status().message(), HasSubstr("docker config"));
    EXPECT_THAT(refused.status().message(), HasSubstr("username:token"));
    EXPECT_THAT(refused.status().ToString(), Not(HasSubstr("sentinel")));
  }
}

TEST(PullSecretTest, AcceptsSixteenKibibytesOfBase64AndRefusesOneByteMore) {
  constexpr size_t kPlain = kMaxPullAuthBytes / 4 * 3;
  const std::string largest = "u:" + std::string(kPlain - 2, 't');
  EXPECT_THAT(Auth(largest), IsOkAndHolds(absl::Base64Escape(largest)));
  EXPECT_THAT(Auth(absl::Base64Escape(largest)), IsOk());
  EXPECT_THAT(Auth(largest + "t"), FailsWith(StatusCode::kInvalidArgument, "INVALID_CREDENTIALS"));
  EXPECT_THAT(Auth(absl::Base64Escape(largest + "t")), FailsWith(StatusCode::kInvalidArgument, "INVALID_CREDENTIALS"));
}

}  // namespace
}  // namespace keyferry
