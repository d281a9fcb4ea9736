// KmsClient: a Kubernetes KMS v2 plugin on its unix socket, with nothing of what it answers taken on trust.
//
// 1. The socket is checked at each connection (kms_socket.h); the connection is made anew when it breaks.
// 2. Each call ends within the timeout, the wait for one of the kMaxKmsCalls places included. A call whose connection
// broke is made once more.
// 3. Encrypt and Decrypt carry a uid that is logged here and, by most plugins, there.
//
// Thread safety: all methods from any thread; they block.
#ifndef KEYFERRY_SERVICES_API_KMS_CLIENT_H_
#define KEYFERRY_SERVICES_API_KMS_CLIENT_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

inline constexpr absl::Duration kKmsCallTimeout = absl::Seconds(3);
inline constexpr int kMaxKmsCalls = 8;
inline constexpr size_t kMaxKmsKeyIdBytes = 1024;
inline constexpr size_t kMaxKmsCiphertextBytes = 1024;
// Keys and values together.
inline constexpr size_t kMaxKmsAnnotationBytes = 32 * 1024;

// What a KMS makes of a key, and wants to see again.
struct KmsCiphertext {
  std::string key_id;
  std::string bytes;
  std::map<std::string, std::string> annotations;
};

class KmsClient {
 public:
  // Connects with the first call.
  static std::unique_ptr<KmsClient> Create(std::string socket_path, absl::Duration call_timeout = kKmsCallTimeout);
  virtual ~KmsClient() = default;

  // All three: Unavailable, the plugin does not answer; Unknown, it answers an error or what no plugin may answer;
  // FailedPrecondition, the socket is not to be trusted, or speaks another version. Messages never hold a plaintext,
  // nor words of the plugin that may quote one.

  // Of the key that Encrypt uses now, when the plugin says that it is well.
  virtual absl::StatusOr<std::string> FetchKeyId() = 0;
  virtual absl::StatusOr<KmsCiphertext> Encrypt(const SecretBytes& plaintext) = 0;
  virtual absl::StatusOr<SecretBytes> Decrypt(const KmsCiphertext& ciphertext) = 0;
};

// A name with at least one dot, of labels as in DNS, in lower case.
bool IsQualifiedDomainName(std::string_view name);
// For people: at most 64 characters of it, and nothing that a terminal would take for a command.
std::string Printable(std::string_view text);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_KMS_CLIENT_H_
