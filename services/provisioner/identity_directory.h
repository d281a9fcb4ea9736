// IdentityDirectory: the certificate that this provisioner got by enrolling, with its key. Each is a sub-directory of
// its own, `v1`, `v2`, ..., with tls.pem, tls.key (0600) and identity.json; the symbolic link `current` names the one
// that counts and is swapped by rename.
//
// 1. Whoever opens `current/tls.pem` and `current/tls.key` gets whole files; those of one version always fit together.
// 2. What Write answered OK for survives power loss. A crash before that changes nothing.
// 3. The version before the current one stays, for who is reading it; older ones go.
//
// Thread safety: all methods from any thread; writers of other processes are waited for.
#ifndef KEYFERRY_SERVICES_PROVISIONER_IDENTITY_DIRECTORY_H_
#define KEYFERRY_SERVICES_PROVISIONER_IDENTITY_DIRECTORY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/crypto/secret_bytes.h"
#include "libs/rpc/credentials.h"

namespace keyferry {

struct Identity {
  std::string region;
  std::string provisioner_id;
  std::string spiffe_id;
  absl::Time expire_time;
  // When to ask for the next certificate; to the second.
  absl::Time renew_time;
};

class IdentityDirectory {
 public:
  // roots: PEM file, the trust roots of the API. Makes the directory (0700) if need be. FailedPrecondition, saying how
  // to mend it: it is no directory, another user's, or group or others may do anything in it.
  static absl::StatusOr<IdentityDirectory> Open(std::string path, std::string roots);

  // NotFound: nobody enrolled yet. FailedPrecondition: what is there is no identity.
  absl::StatusOr<Identity> Read() const;
  // The current version's own files, not through `current`. NotFound.
  absl::StatusOr<TlsFiles> Files() const;
  // FailedPrecondition: key and certificate do not match; Unavailable: the disk. Then the current one stays.
  absl::Status Write(const Identity& identity, const std::string& certificate_chain,
                     const SecretBytes& private_key) const;

  const std::string& path() const { return path_; }

 private:
  IdentityDirectory(std::string path, std::string roots) : path_(std::move(path)), roots_(std::move(roots)) {}
  absl::StatusOr<std::string> CurrentVersion() const;
  absl::Status WriteVersion(const std::string& version, const Identity& identity, const std::string& certificate_chain,
                            const SecretBytes& private_key) const;

  std::string path_;
  std::string roots_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_IDENTITY_DIRECTORY_H_
