// The wire: one unary call at a time, by name. Everything of gRPC stays behind this.
//
// Thread safety: none; one thread.
#ifndef KEYFERRY_CLI_API_CLIENT_H_
#define KEYFERRY_CLI_API_CLIENT_H_

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

inline constexpr absl::Duration kCallTimeout = absl::Seconds(30);

class ApiClient {
 public:
  struct Options {
    // `host:port` with TLS, or `unix:/path` without.
    std::string endpoint;
    // Empty: the system's roots.
    std::string ca_file;
    // Empty: no client certificate.
    std::string certificate_file;
    std::string key_file;
    // Sent as the bearer token of every call, unless empty.
    SecretBytes api_key;
  };

  // Connects with the first call. FailedPrecondition when a file of TLS cannot be used.
  static absl::StatusOr<std::unique_ptr<ApiClient>> Create(Options options);
  virtual ~ApiClient() = default;

  // `rpc`: `SecretSets/GetSecretSet`, of package keyferry.v1. Calls again on UNAVAILABLE, three times in all, when the
  // request is one that may come twice: it reads, or carries a request id. The API's errors come with their details.
  virtual absl::Status Call(std::string_view rpc, const google::protobuf::Message& request,
                            google::protobuf::Message& response, absl::Duration timeout = kCallTimeout) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_CLI_API_CLIENT_H_
