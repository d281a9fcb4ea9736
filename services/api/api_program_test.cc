// keyferry-api as a process: what it serves, to whom, and how it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "keyferry/v1/organizations.grpc.pb.h"
#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/rpc/status_conversion.h"
#include "libs/rpc/testing/test_authority.h"
#include "services/api/access_policy.h"
#include "services/api/testing/api_process.h"
#include "services/api/testing/empty_call.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kStartPatience = absl::Seconds(60);
constexpr absl::Duration kCallPatience = absl::Seconds(20);
// A stream that is let in ends only with its deadline.
constexpr absl::Duration kStreamPatience = absl::Milliseconds(500);
constexpr char kOperator[] = "spiffe://keyferry.test/operator/ada";
constexpr char kProvisioner[] = "spiffe://keyferry.test/region/us-west/provisioner/p1";

class ApiProgramTest : public testing::Test {
 protected:
  ApiProgramTest() {
    flags_ = {{"--data-dir", directory_.File("data")},
              {"--keyring", directory_.File("keyring")},
              {"--inner-listen", "127.0.0.1:0"},
              {"--inner-cert", server_.certificate_chain},
              {"--inner-key", server_.private_key},
              {"--client-ca", server_.roots},
              {"--edge-listen", "unix:" + directory_.File("edge")},
              {"--trust-domain", "keyferry.test"},
              {"--failures-per-minute", "0"},
              {"--ready-file", directory_.File("ready")},
              {"--worker-threads", "4"}};
    ApiProcess init({"init-keyring", flags_["--keyring"]}, directory_.File("init-errors"));
    EXPECT_EQ(init.Wait(), 0) << init.Errors();
  }

  std::unique_ptr<ApiProcess> Spawn() {
    std::vector<std::string> arguments;
    for (const auto& [flag, value] : flags_) arguments.push_back(absl::StrCat(flag, "=", value));
    return std::make_unique<ApiProcess>(arguments, directory_.File(absl::StrCat("errors-", ++process_count_)));
  }

  std::unique_ptr<ApiProcess> SpawnServing() {
    auto process = Spawn();
    EXPECT_TRUE(process->AwaitFile(flags_["--ready-file"], kStartPatience)) << process->Errors();
    const auto ready = nlohmann::json::parse(ReadWhole(flags_["--ready-file"]));
    inner_ = ready["inner"];
    edge_ = ready["edge"];
    return process;
  }

  // Exit code of a start that must fail, and its one line.
  int ExitCode(std::string* errors) {
    const auto process = Spawn();
    const int code = process->Wait();
    *errors = process->Errors();
    return code;
  }

  std::shared_ptr<grpc::Channel> Inner(const std::string& spiffe_id) {
    return NewChannel(inner_, *TlsChannelCredentials(authority_.Issue({.uris = {spiffe_id}})));
  }
  std::shared_ptr<grpc::Channel> Edge() { return NewChannel(edge_, grpc::InsecureChannelCredentials()); }

  // Any RPC with an empty request.
  absl::Status Call(const std::shared_ptr<grpc::Channel>& channel, std::string_view method, const std::string& token,
                    absl::Duration timeout = kCallPatience) {
    return CallWithEmptyRequest(channel, method, token, timeout);
  }

  // In organization `acme`, made when it is not there.
  std::string MakeKey(v1::Role role) {
    const auto stub = v1::Organizations::NewStub(Inner(kOperator));
    grpc::ClientContext first;
    v1::CreateOrganizationRequest organization;
    organization.set_name("acme");
    v1::Organization made;
    stub->CreateOrganization(&first, organization, &made);
    grpc::ClientContext second;
    v1::CreateApiKeyRequest request;
    request.set_organization("acme");
    request.set_role(role);
    v1::CreateApiKeyResponse response;
    EXPECT_THAT(FromGrpcStatus(stub->CreateApiKey(&second, request, &response)), IsOk());
    return response.key();
  }

  TempDir directory_;
  TestAuthority authority_{directory_.path(), "ca"};
  TlsFiles server_ = authority_.Issue({});
  std::map<std::string, std::string> flags_;
  std::string inner_;
  std::string edge_;
  int process_count_ = 0;
};

TEST_F(ApiProgramTest, EveryRpcIsServedAndDeniedToAnonymousCallers) {
  const auto process = SpawnServing();
  for (const AccessRow& row : AccessTable()) {
    EXPECT_THAT(Call(Edge(), row.method, ""), StatusIs(absl::StatusCode::kUnauthenticated)) << row.method;
    EXPECT_THAT(Call(Inner("spiffe://elsewhere.test/operator/ada"), row.method, ""),
                StatusIs(absl::StatusCode::kUnauthenticated))
        << row.method;
  }
}

TEST_F(ApiProgramTest, EveryRpcObeysTheTableForEveryRole) {
  const auto process = SpawnServing();
  const std::pair<Principal, v1::Role> roles[] = {{kOrganizationAdmin, v1::ROLE_ADMIN},
                                                  {kOrganizationMember, v1::ROLE_MEMBER},
                                                  {kOrganizationDeployer, v1::ROLE_DEPLOYER},
                                                  {kOrganizationViewer, v1::ROLE_VIEWER}};
  const auto expect = [&](const AccessRow& row, Principal principal, const std::shared_ptr<grpc::Channel>& channel,
                          const std::string& key) {
    const bool denied = (row.allowed & principal) == 0;
    const bool streams = !denied && row.method == "SecretSets/WatchSecretSets";
    const absl::Status status = Call(channel, row.method, key, streams ? kStreamPatience : kCallPatience);
    EXPECT_EQ(absl::IsPermissionDenied(status), denied) << row.method << " " << NameOf(principal) << " " << status;
    EXPECT_FALSE(absl::IsUnauthenticated(status) || absl::IsUnimplemented(status)) << row.method << " " << status;
  };
  for (const auto& [principal, role] : roles) {
    const std::string key = MakeKey(role);
    for (const AccessRow& row : AccessTable()) expect(row, principal, Edge(), key);
  }
  for (const AccessRow& row : AccessTable()) {
    expect(row, kSystemOperator, Inner(kOperator), "");
    if (row.method != "Provisioning/Sync") expect(row, kRegionProvisioner, Inner(kProvisioner), "");
  }
}

TEST_F(ApiProgramTest, StopsWithCodeZeroAndFindsEverythingAgain) {
  std::string key;
  {
    const auto process = SpawnServing();
    key = MakeKey(v1::ROLE_ADMIN);
    process->Signal(SIGTERM);
    EXPECT_EQ(process->Wait(), 0) << process->Errors();
    EXPECT_EQ(ReadWhole(flags_["--ready-file"]), "");
  }
  const auto process = SpawnServing();
  EXPECT_THAT(Call(Edge(), "Organizations/WhoAmI", key), IsOk());
  process->Signal(SIGINT);
  EXPECT_EQ(process->Wait(), 0) << process->Errors();
}

TEST_F(ApiProgramTest, StopsAlthoughStreamsAreOpen) {
  const auto process = SpawnServing();
  const std::string key = MakeKey(v1::ROLE_VIEWER);
  const auto channel = Edge();
  const auto stub = v1::SecretSets::NewStub(channel);
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + key);
  const auto stream = stub->WatchSecretSets(&context, {});
  v1::WatchSecretSetsResponse change;
  ASSERT_TRUE(stream->Read(&change));
  ASSERT_TRUE(change.snapshot_complete());
  process->Signal(SIGTERM);
  EXPECT_FALSE(stream->Read(&change));
  EXPECT_EQ(process->Wait(), 0) << process->Errors();
}

TEST_F(ApiProgramTest, AKilledProcessLeavesNothingInTheWayOfTheNext) {
  std::string key;
  {
    const auto process = SpawnServing();
    key = MakeKey(v1::ROLE_ADMIN);
    process->Signal(SIGKILL);
    EXPECT_EQ(process->Wait(), -SIGKILL);
  }
  std::filesystem::remove(flags_["--ready-file"]);
  const auto process = SpawnServing();
  EXPECT_THAT(Call(Edge(), "Organizations/WhoAmI", key), IsOk());
}

TEST_F(ApiProgramTest, ASecondProcessOnTheSameStoreEndsWithCode70) {
  const auto process = SpawnServing();
  flags_["--edge-listen"] = "unix:" + directory_.File("edge2");
  flags_["--ready-file"] = directory_.File("ready2");
  std::string errors;
  EXPECT_EQ(ExitCode(&errors), 70);
  EXPECT_THAT(errors, HasSubstr(flags_["--data-dir"]));
}

TEST_F(ApiProgramTest, WrongConfigurationEndsWithCode78AndSaysWhat) {
  const auto good = flags_;
  const std::string other_key = authority_.Issue({}).private_key;
  const std::string open_keyring = directory_.File("open-keyring");
  std::filesystem::copy_file(good.at("--keyring"), open_keyring);
  std::filesystem::permissions(open_keyring, std::filesystem::perms(0644));
  const std::pair<std::pair<std::string, std::string>, std::string> cases[] = {
      {{"--keyring", directory_.File("none")}, "none"}, {{"--keyring", open_keyring}, "open-keyring"},
      {{"--inner-key", other_key}, other_key},          {{"--client-ca", "/nowhere.pem"}, "/nowhere.pem"},
      {{"--inner-listen", "127.0.0.1"}, "host:port"},   {{"--edge-listen", "127.0.0.1:0"}, "--edge_cert"},
      {{"--trust-domain", "Keyferry"}, "trust domain"}, {{"--trust-domain", ""}, "--trust_domain"},
      {{"--log-level", "loud"}, "log level"},           {{"--worker-threads", "1025"}, "--worker_threads"},
      {{"--region-certificate-ttl", "9s"}, "10s to"},   {{"--region-certificate-ttl", "720h1s"}, "10s to"},
  };
  for (const auto& [change, words] : cases) {
    flags_ = good;
    flags_[change.first] = change.second;
    std::string errors;
    EXPECT_EQ(ExitCode(&errors), 78) << change.first << "=" << change.second << ": " << errors;
    EXPECT_THAT(errors, HasSubstr(words));
  }
}

TEST_F(ApiProgramTest, CertificatesLiveTenSecondsToThirtyDays) {
  for (const char* const lifetime : {"10s", "720h"}) {
    flags_["--region-certificate-ttl"] = lifetime;
    const auto process = SpawnServing();
    process->Signal(SIGTERM);
    EXPECT_EQ(process->Wait(), 0) << lifetime;
    std::filesystem::remove(flags_["--ready-file"]);
  }
}

TEST_F(ApiProgramTest, BackupsComeEverySecondToEveryWeekAndStayAMinuteOrMore) {
  flags_["--backup-directory"] = directory_.File("backups");
  const auto good = flags_;
  const std::pair<std::string, std::string> refused[] = {
      {"--backup-interval", "999ms"}, {"--backup-interval", "168h1s"}, {"--backup-retention", "59s"}};
  for (const auto& [flag, value] : refused) {
    flags_ = good;
    flags_[flag] = value;
    std::string errors;
    EXPECT_EQ(ExitCode(&errors), 78) << flag << "=" << value;
    EXPECT_THAT(errors, HasSubstr(flag));
  }
  for (const char* const interval : {"0", "1s", "168h"}) {
    flags_ = good;
    flags_["--backup-interval"] = interval;
    flags_["--backup-retention"] = "1m";
    const auto process = SpawnServing();
    process->Signal(SIGTERM);
    EXPECT_EQ(process->Wait(), 0) << interval;
    std::filesystem::remove(flags_["--ready-file"]);
  }
}

TEST_F(ApiProgramTest, AnotherStoresKeyringEndsWithCode78) {
  {
    const auto process = SpawnServing();
    process->Signal(SIGTERM);
    EXPECT_EQ(process->Wait(), 0);
  }
  flags_["--keyring"] = directory_.File("other-keyring");
  ApiProcess init({"init-keyring", flags_["--keyring"]}, directory_.File("init-errors"));
  ASSERT_EQ(init.Wait(), 0);
  std::string errors;
  EXPECT_EQ(ExitCode(&errors), 78) << errors;
}

TEST_F(ApiProgramTest, InitKeyringNeverOverwrites) {
  const std::string before = ReadWhole(flags_["--keyring"]);
  ApiProcess again({"init-keyring", flags_["--keyring"]}, directory_.File("errors"));
  EXPECT_EQ(again.Wait(), 78);
  EXPECT_EQ(ReadWhole(flags_["--keyring"]), before);
}

}  // namespace
}  // namespace keyferry
