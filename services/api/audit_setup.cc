#include "services/api/audit_setup.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/signature.h"
#include "services/api/audit_files.h"

namespace keyferry {
namespace {

absl::StatusOr<std::shared_ptr<const SigningKey>> SigningKeyOf(const Keyring& keyring) {
  const absl::StatusOr<Keyring::Key> seed = keyring.Current(KeyPurpose::kAudit);
  if (!seed.ok()) {
    Log(Severity::kWarning, "audit_heads_unsigned", {{"error", seed.status()}});
    return std::shared_ptr<const SigningKey>();
  }
  if (seed->bytes->size() != kSigningSeedBytes)
    return absl::FailedPreconditionError("the keyring's audit key must have 32 bytes");
  auto key = std::make_shared<const SigningKey>(SigningKey::FromSeed(*seed->bytes));
  Log(Severity::kInfo, "audit_key", {{"public_key", absl::Base64Escape(key->public_key())}});
  return std::shared_ptr<const SigningKey>(std::move(key));
}

}  // namespace

absl::StatusOr<RunningAudit> StartAudit(const std::string& directory, const Keyring& keyring, const Writer& writer,
                                        Barrier& barrier, const Clock& clock) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const SigningKey> key, SigningKeyOf(keyring));
  std::unique_ptr<AuditFiles> files;
  if (!directory.empty()) {
    ASSIGN_OR_RETURN(files, AuditFiles::Open(directory, clock));
  }
  RunningAudit running;
  running.reader = std::make_unique<AuditReader>(barrier, clock, key);
  running.trail = NewAuditTrail({.writer = writer, .clock = clock, .key = key, .files = std::move(files)});
  return running;
}

}  // namespace keyferry
