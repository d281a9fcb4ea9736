#include "services/provisioner/api_channels.h"

#include <utility>

#include "libs/common/log.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> PresentCredentials(const IdentityDirectory& identity) {
  ASSIGN_OR_RETURN(const TlsFiles files, identity.Files());
  return FixedTlsChannelCredentials(files);
}

}  // namespace

ApiChannels::ApiChannels(std::string target, const IdentityDirectory* identity,
                         std::shared_ptr<grpc::ChannelCredentials> credentials)
    : target_(std::move(target)), identity_(identity), credentials_(std::move(credentials)) {}

absl::StatusOr<std::unique_ptr<ApiChannels>> ApiChannels::Create(std::string target, const TlsFiles& tls,
                                                                 const std::optional<IdentityDirectory>& identity) {
  ASSIGN_OR_RETURN(auto credentials, identity ? PresentCredentials(*identity) : TlsChannelCredentials(tls));
  return std::unique_ptr<ApiChannels>(
      new ApiChannels(std::move(target), identity ? &*identity : nullptr, std::move(credentials)));
}

std::shared_ptr<grpc::Channel> ApiChannels::New() {
  absl::MutexLock lock(&mutex_);
  if (identity_ != nullptr) {
    auto present = PresentCredentials(*identity_);
    if (present.ok()) {
      credentials_ = *std::move(present);
    } else {
      Log(Severity::kError, "identity_unreadable", {{"error", present.status()}});
    }
  }
  return NewChannel(target_, credentials_);
}

}  // namespace keyferry
