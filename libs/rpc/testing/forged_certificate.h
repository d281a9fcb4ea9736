// Certificates as an attacker would make them: anything that X.509 can say, true or not.
#ifndef KEYFERRY_RPC_TESTING_FORGED_CERTIFICATE_H_
#define KEYFERRY_RPC_TESTING_FORGED_CERTIFICATE_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "libs/rpc/credentials.h"

namespace keyferry {

enum class NameKind { kUri, kDns, kEmail, kIp };
enum class KeyKind { kP256, kEd25519, kRsa1024, kRsa2048 };

struct Forged {
  // Bytes as given, a NUL too; an IP as 4 bytes.
  std::vector<std::pair<NameKind, std::string>> names;
  std::string common_name = "leaf";
  absl::Time not_before = absl::Now() - absl::Hours(1);
  absl::Time not_after = absl::Now() + absl::Hours(1);
  KeyKind key = KeyKind::kP256;
  bool md5 = false;
  // X.509 version 1: no extension at all.
  bool version_1 = false;
  // Of basicConstraints, keyUsage and extendedKeyUsage, as openssl.cnf(5) writes them; nullopt: it says nothing.
  std::optional<std::string> constraints = "critical,CA:FALSE";
  std::optional<std::string> usage = "critical,digitalSignature";
  std::optional<std::string> extended_usage = "clientAuth";
  // An extension that nobody knows, critical.
  bool unknown_critical = false;
};

// A chain that grows downwards from a root.
class Forger {
 public:
  // A self-signed certificate with a key.
  Forger(std::string directory, std::string name, const Forged& root);
  ~Forger();
  Forger(Forger&&) noexcept;

  // A certificate that this one's key signed, and the chain up to, not including, the root.
  Forger Issue(const std::string& name, const Forged& certificate) const;
  // Files of the chain, and of the key; roots is left to the caller.
  TlsFiles files() const;
  // The certificate, with a key that looks like its own and is another one's. Both are P-256.
  TlsFiles FilesWithKeyOf(const Forger& other) const;

 private:
  struct Parts;
  Forger(std::string directory, std::string name, std::unique_ptr<Parts> parts);
  std::string directory_;
  std::string name_;
  std::unique_ptr<Parts> parts_;
};

// What a certificate authority says of itself.
Forged AuthorityOf(const std::string& common_name);

}  // namespace keyferry

#endif  // KEYFERRY_RPC_TESTING_FORGED_CERTIFICATE_H_
