#include "services/api/testing/program_scene.h"

#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/rpc/credentials.h"
#include "services/api/testing/empty_call.h"

namespace keyferry {
namespace {

constexpr absl::Duration kStartPatience = absl::Seconds(60);
constexpr absl::Duration kCallPatience = absl::Seconds(20);

}  // namespace

ProgramScene::ProgramScene(const std::map<std::string, std::string>& more_flags, const std::string& client_ca) {
  const TlsFiles server = authority.Issue({});
  flags_ = {{"--data-dir", directory.File("data")},
            {"--keyring", directory.File("keyring")},
            {"--inner-listen", "127.0.0.1:0"},
            {"--inner-cert", server.certificate_chain},
            {"--inner-key", server.private_key},
            {"--client-ca", client_ca.empty() ? server.roots : client_ca},
            {"--edge-listen", "unix:" + directory.File("edge")},
            {"--trust-domain", "keyferry.test"},
            {"--failures-per-minute", "0"},
            {"--ready-file", directory.File("ready")},
            {"--worker-threads", "4"}};
  for (const auto& [flag, value] : more_flags) flags_[flag] = value;
  ApiProcess init({"init-keyring", flags_["--keyring"]}, directory.File("init-errors"));
  EXPECT_EQ(init.Wait(), 0) << init.Errors();
  Start();
}

void ProgramScene::Start() {
  std::vector<std::string> arguments;
  for (const auto& [flag, value] : flags_) arguments.push_back(absl::StrCat(flag, "=", value));
  process_ = std::make_unique<ApiProcess>(arguments, directory.File(absl::StrCat("errors-", ++process_count_)));
  ASSERT_TRUE(process_->AwaitFile(flags_["--ready-file"], kStartPatience)) << process_->Errors();
  const auto ready = nlohmann::json::parse(ReadWhole(flags_["--ready-file"]));
  inner_ = ready["inner"];
  edge_ = ready["edge"];
}

void ProgramScene::Restart() {
  process_->Signal(SIGTERM);
  EXPECT_EQ(process_->Wait(), 0) << process_->Errors();
  std::filesystem::remove(flags_["--ready-file"]);
  Start();
}

std::shared_ptr<grpc::Channel> ProgramScene::Inner(const std::string& spiffe_id) {
  return InnerWith(authority.Issue({.uris = {spiffe_id}}));
}

std::shared_ptr<grpc::Channel> ProgramScene::InnerWith(TlsFiles files) const {
  files.roots = authority.roots();
  return NewUnsharedChannel(inner_, *FixedTlsChannelCredentials(files));
}

std::shared_ptr<grpc::Channel> ProgramScene::Edge() const {
  return NewUnsharedChannel(edge_, grpc::InsecureChannelCredentials());
}

absl::Status ProgramScene::Call(const std::shared_ptr<grpc::Channel>& channel, std::string_view method,
                                const std::string& token) {
  return CallWithEmptyRequest(channel, method, token, kCallPatience);
}

}  // namespace keyferry
