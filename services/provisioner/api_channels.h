// ApiChannels: new channels to the API's inner door, each with the certificate that this provisioner has at that
// moment.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_PROVISIONER_API_CHANNELS_H_
#define KEYFERRY_SERVICES_PROVISIONER_API_CHANNELS_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "libs/rpc/credentials.h"
#include "services/provisioner/identity_directory.h"

namespace keyferry {

class ApiChannels {
 public:
  // target: host:port. With the identity's certificate of that moment; or, where there is none, with that of the files,
  // which are watched. It and the identity outlive this. FailedPrecondition, NotFound: no certificate that can be used.
  static absl::StatusOr<std::unique_ptr<ApiChannels>> Create(std::string target, const TlsFiles& tls,
                                                             const std::optional<IdentityDirectory>& identity);

  // On a connection of its own where the certificate is an identity's.
  std::shared_ptr<grpc::Channel> New();

 private:
  ApiChannels(std::string target, const IdentityDirectory* identity,
              std::shared_ptr<grpc::ChannelCredentials> credentials);

  const std::string target_;
  // Null: with files.
  const IdentityDirectory* const identity_;
  absl::Mutex mutex_;
  // The last that could be read.
  std::shared_ptr<grpc::ChannelCredentials> credentials_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_API_CHANNELS_H_
