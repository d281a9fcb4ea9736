// The names and credentials of tests/corpus, each through the function that judges it, and through the server: refused,
// or taken byte for byte.
#include <gmock/gmock.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "keyferry/v1/organizations.grpc.pb.h"
#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/model/names.h"
#include "libs/rpc/spiffe_id.h"
#include "libs/rpc/status_conversion.h"
#include "services/api/call_metadata.h"
#include "services/api/enrollment_tokens.h"
#include "services/api/testing/edge_scene.h"
#include "services/api/testing/generic_call.h"

namespace keyferry {
namespace {

constexpr char kOperator[] = "spiffe://keyferry.test/operator/ada";
constexpr size_t kLeastLines = 2000;

struct Entry {
  std::string kind;
  bool accepted = false;
  std::string text;
  // As in the file, for messages.
  std::string escaped;
};

std::string Unescape(const std::string& escaped) {
  std::string text;
  for (size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '\\') {
      text += escaped[i];
      continue;
    }
    text += static_cast<char>(std::stoi(escaped.substr(i + 2, 2), nullptr, 16));
    i += 3;
  }
  return text;
}

std::vector<Entry> ReadCorpus() {
  std::vector<Entry> entries;
  const auto directory = std::filesystem::path(__FILE__).parent_path() / "../../tests/corpus";
  for (const char* name : {"hostile_names.tsv", "hostile_tokens.tsv"}) {
    std::ifstream file(directory / name);
    for (std::string line; std::getline(file, line);) {
      const std::vector<std::string> columns = absl::StrSplit(line, '\t');
      entries.push_back({.kind = columns.at(0),
                         .accepted = columns.at(1) == "accepted",
                         .text = Unescape(columns.at(2)),
                         .escaped = columns.at(2)});
    }
  }
  return entries;
}

const std::vector<Entry>& Corpus() {
  static const std::vector<Entry> corpus = ReadCorpus();
  return corpus;
}

bool IsValid(const std::optional<FieldViolation>& violation) { return !violation; }

// What a parser took out of a text must be a piece of it, unchanged.
bool IsAccepted(const Entry& entry) {
  const std::string& text = entry.text;
  if (entry.kind == "organization") return IsValid(CheckOrganizationName("f", text));
  if (entry.kind == "region" || entry.kind == "provisioner") return IsValid(CheckRegionCode("f", text));
  if (entry.kind == "agent") return IsValid(CheckAgentName("f", text));
  if (entry.kind == "set") return IsValid(CheckSecretSetName("f", text));
  if (entry.kind == "key") return IsValid(CheckSecretKey("f", text));
  if (entry.kind == "apiKey" || entry.kind == "enrollmentToken") {
    const std::string_view prefix = entry.kind == "apiKey" ? "kf_" : kEnrollmentTokenPrefix;
    const std::optional<ParsedApiKey> parsed = ParseApiKey(text, prefix);
    if (!parsed) return false;
    EXPECT_EQ(parsed->id, text.substr(3, kApiKeyIdLength));
    EXPECT_EQ(parsed->secret, text.substr(14, kApiKeySecretLength));
    return true;
  }
  if (entry.kind == "bearer") {
    const absl::StatusOr<std::string_view> token = TokenOfAuthorization(text);
    if (token.ok()) {
      EXPECT_EQ(*token, text.substr(7));
    }
    return token.ok();
  }
  const absl::StatusOr<SpiffeId> id = ParseSpiffeId(text, "keyferry.test");
  EXPECT_EQ(entry.kind, "spiffe");
  if (id.ok()) {
    EXPECT_EQ(id->text, text);
  }
  return id.ok();
}

TEST(HostileCorpusTest, EveryLineGetsTheAnswerThatItSays) {
  ASSERT_GE(Corpus().size(), kLeastLines);
  std::set<std::string> kinds;
  for (const Entry& entry : Corpus()) {
    kinds.insert(entry.kind);
    EXPECT_EQ(IsAccepted(entry), entry.accepted) << entry.kind << " " << entry.escaped;
  }
  EXPECT_THAT(kinds, testing::ElementsAre("agent", "apiKey", "bearer", "enrollmentToken", "key", "organization",
                                          "provisioner", "region", "set", "spiffe"));
}

// A refusal shows one character of what it refuses at most: it may be a secret in the wrong place.
TEST(HostileCorpusTest, NoRefusalRepeatsWhatItRefuses) {
  for (const Entry& entry : Corpus()) {
    if (entry.accepted || entry.text.size() < 8) continue;
    std::string said;
    if (entry.kind == "organization") said = CheckOrganizationName("f", entry.text)->description;
    if (entry.kind == "set") said = CheckSecretSetName("f", entry.text)->description;
    if (entry.kind == "key") said = CheckSecretKey("f", entry.text)->description;
    if (entry.kind == "spiffe") said = ParseSpiffeId(entry.text, "keyferry.test").status().ToString();
    EXPECT_EQ(said.find(entry.text), std::string::npos) << entry.escaped;
  }
}

class HostileServerTest : public testing::Test {
 protected:
  static bool IsMetadata(const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  }
  EdgeScene scene_;
};

TEST_F(HostileServerTest, OrganizationsAreThoseThatWereAcceptedByteForByte) {
  const auto stub = v1::Organizations::NewStub(scene_.InnerChannel(kOperator));
  std::set<std::string> expected;
  for (const Entry& entry : Corpus()) {
    if (entry.kind != "organization") continue;
    grpc::ClientContext context;
    v1::CreateOrganizationRequest request;
    request.set_name(entry.text);
    v1::Organization response;
    EXPECT_EQ(stub->CreateOrganization(&context, request, &response).ok(), entry.accepted) << entry.escaped;
    if (entry.accepted) expected.insert(entry.text);
  }
  std::set<std::string> made;
  const auto page = scene_.organizations->List(1000, "");
  for (const NamedOrganization& organization : page->organizations) made.insert(organization.name);
  EXPECT_EQ(made, expected);
}

// With `acme` there, whoever spells it in another way finds nothing.
TEST_F(HostileServerTest, NoOtherSpellingNamesAnotherOrganization) {
  ASSERT_THAT(scene_.MakeOrganization("acme"), IsOk());
  ASSERT_THAT(scene_.MakeOrganization("other"), IsOk());
  const std::string key(scene_.MakeApiKey("other", Role::kAdmin)->text.Access());
  const auto channel = scene_.EdgeChannel();
  for (const Entry& entry : Corpus()) {
    if (entry.kind != "organization" || entry.text.empty() || entry.text == "other") continue;
    const absl::Status status =
        CallAny(channel, "Organizations/ListApiKeys", entry.text, {{"authorization", "Bearer " + key}}).status;
    EXPECT_FALSE(status.ok()) << entry.escaped;
    if (entry.accepted) {
      EXPECT_THAT(status, FailsWith(absl::StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND")) << entry.escaped;
    }
  }
}

TEST_F(HostileServerTest, SetsAreRefusedByTheirNamesOrFoundByThem) {
  ASSERT_THAT(scene_.MakeOrganization("acme"), IsOk());
  const std::string key(scene_.MakeApiKey("acme", Role::kAdmin)->text.Access());
  const auto stub = v1::SecretSets::NewStub(scene_.EdgeChannel());
  for (const Entry& entry : Corpus()) {
    if (entry.kind != "set") continue;
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + key);
    v1::SetSecretsRequest request;
    request.set_secret_set(entry.text);
    request.set_region("nowhere");
    auto& value = *request.add_entries();
    value.set_key("KEY");
    value.set_value("v");
    v1::SetSecretsResponse response;
    const absl::Status status = FromGrpcStatus(stub->SetSecrets(&context, request, &response));
    if (entry.accepted) {
      EXPECT_THAT(status, FailsWith(absl::StatusCode::kInvalidArgument, "UNKNOWN_REGION")) << entry.escaped;
    } else {
      EXPECT_FALSE(status.ok()) << entry.escaped;
      EXPECT_NE(ReasonOf(status), "UNKNOWN_REGION") << entry.escaped;
    }
  }
}

TEST_F(HostileServerTest, NoTokenOfTheCorpusIsAnybodys) {
  const auto channel = scene_.EdgeChannel();
  int asked = 0;
  for (const Entry& entry : Corpus()) {
    const bool is_token = entry.kind == "apiKey" || entry.kind == "enrollmentToken";
    if ((!is_token && entry.kind != "bearer") || !IsMetadata(entry.text)) continue;
    ++asked;
    const std::string value = is_token ? "Bearer " + entry.text : entry.text;
    EXPECT_THAT(CallAny(channel, "Organizations/WhoAmI", "", {{"authorization", value}}).status,
                FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"))
        << entry.escaped;
  }
  EXPECT_GT(asked, 400);
}

// What is right alone is refused when there is more than one, in any dress.
TEST_F(HostileServerTest, AGoodKeyCountsAloneAndAsTextOnly) {
  ASSERT_THAT(scene_.MakeOrganization("acme"), IsOk());
  const std::string good = "Bearer " + std::string(scene_.MakeApiKey("acme", Role::kAdmin)->text.Access());
  const auto channel = scene_.EdgeChannel();
  const auto ask = [&](const CallMetadata& metadata) {
    return CallAny(channel, "Organizations/WhoAmI", "", metadata).status;
  };
  EXPECT_THAT(ask({{"authorization", good}}), IsOk());
  for (const CallMetadata& metadata :
       std::vector<CallMetadata>{{{"authorization", good}, {"authorization", good}},
                                 {{"authorization", good}, {"authorization", "Bearer x"}},
                                 {{"authorization", good}, {"authorization-bin", good}},
                                 {{"authorization-bin", good}},
                                 {{"proxy-authorization", good}},
                                 {{"x-authorization", good}},
                                 {{"cookie", "authorization=" + good}},
                                 {{"x-forwarded-authorization", good}}}) {
    EXPECT_THAT(ask(metadata), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  }
}

TEST_F(HostileServerTest, CertificatesWithHostileIdsAreNobodys) {
  int asked = 0;
  for (const Entry& entry : Corpus()) {
    // A certificate for each is slow: one in seven, and none that the test's authority cannot write: it drops spaces at
    // the ends.
    if (entry.kind != "spiffe" || entry.accepted || entry.text.empty() || entry.text.size() > 500 ||
        !IsMetadata(entry.text) || entry.text.find(',') != std::string::npos || entry.text.front() == ' ' ||
        entry.text.back() == ' ' || ++asked % 7 != 0) {
      continue;
    }
    const absl::Status status = CallAny(scene_.InnerChannel(entry.text), "Organizations/WhoAmI", "", {}).status;
    EXPECT_FALSE(status.ok()) << entry.escaped;
    EXPECT_FALSE(absl::IsPermissionDenied(status)) << entry.escaped;
  }
}

}  // namespace
}  // namespace keyferry
