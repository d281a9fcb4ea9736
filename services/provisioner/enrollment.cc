#include "services/provisioner/enrollment.h"

#include <grpcpp/security/credentials.h>

#include <fstream>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/certificate_request.h"
#include "services/provisioner/enrollment_client.h"

namespace keyferry {
namespace {

// A token is far shorter.
constexpr size_t kMaxTokenBytes = 256;
constexpr std::string_view kReasonSealingKeyMismatch = "SEALING_KEY_MISMATCH";
constexpr std::string_view kWhiteSpace = " \t\r\n";

absl::StatusOr<SecretBytes> ReadToken(const std::string& path) {
  std::ifstream file;
  if (path != "-") file.open(path);
  std::istream& input = path == "-" ? std::cin : file;
  SecretBytes buffer(kMaxTokenBytes + 1);
  input.read(reinterpret_cast<char*>(buffer.AccessMutable().data()), kMaxTokenBytes + 1);
  const std::string_view text = buffer.Access().substr(0, static_cast<size_t>(input.gcount()));
  const size_t begin = text.find_first_not_of(kWhiteSpace);
  const std::string name = path == "-" ? "standard input" : path;
  if (begin == std::string_view::npos)
    return absl::FailedPreconditionError(
        absl::StrCat(name, ": no enrollment token there; `keyferry regions token REGION` makes one"));
  const std::string_view token = text.substr(begin, text.find_last_not_of(kWhiteSpace) + 1 - begin);
  if (text.size() > kMaxTokenBytes || token.find_first_of(kWhiteSpace) != std::string_view::npos)
    return absl::FailedPreconditionError(absl::StrCat(name, ": holds more than one enrollment token"));
  return SecretBytes::Copy(token);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> EdgeChannel(const EnrollmentSettings& settings) {
  if (settings.edge_api.starts_with("unix:"))
    return NewUnsharedChannel(settings.edge_api, grpc::InsecureChannelCredentials());
  ASSIGN_OR_RETURN(auto credentials, TlsChannelCredentials({.roots = settings.roots}));
  return NewUnsharedChannel(settings.edge_api, std::move(credentials));
}

std::string_view HelpFor(const absl::Status& status) {
  if (absl::IsUnauthenticated(status))
    return "the token is wrong, used, revoked or older than 10 minutes: `keyferry regions token REGION` makes another";
  if (ReasonOf(status) == "SEALING_KEY_NOT_PROVED" || absl::IsDataLoss(status))
    return "the keyring does not open what is sealed to its own key; is the file whole?";
  if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status))
    return "is --edge-api the API's edge door, and --ca what its certificate chains to?";
  return "";
}

absl::Status Explain(const absl::Status& status, const EnrollmentSettings& settings) {
  const std::string_view help = HelpFor(status);
  const std::string message = absl::StrCat("not enrolled at ", settings.edge_api, ": ", status.message(),
                                           help.empty() ? "" : "; ", std::string(help));
  return MakeError(status.code(), message, DetailsOf(status).value_or(ErrorDetails{}));
}

absl::Status CheckIs(const Identity& identity, const EnrollmentSettings& settings, const IdentityDirectory& directory) {
  if (settings.provisioner_id.empty() || settings.provisioner_id == identity.provisioner_id) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(directory.path(), ": is the identity of ", identity.provisioner_id,
                                                    ", not of --id ", settings.provisioner_id,
                                                    "; each provisioner has an --identity of its own"));
}

}  // namespace

absl::StatusOr<Identity> EnrollInto(const IdentityDirectory& directory, const EnrollmentSettings& settings,
                                    const RegionKeySet& keys) {
  ASSIGN_OR_RETURN(const SecretBytes token, ReadToken(settings.token_file));
  ASSIGN_OR_RETURN(const auto channel, EdgeChannel(settings));
  ASSIGN_OR_RETURN(const CertificateRequest request, NewCertificateRequest());
  absl::StatusOr<IssuedCertificate> issued = absl::InternalError("");
  for (const RegionKey& key : keys.all()) {
    issued = Enroll(channel, settings.provisioner_id, key, request.csr, token);
    if (ReasonOf(issued.status()) != kReasonSealingKeyMismatch) break;
  }
  if (!issued.ok()) return Explain(issued.status(), settings);
  if (issued->identity.provisioner_id != settings.provisioner_id)
    return absl::InternalError(
        absl::StrCat("the API issued a certificate for ", issued->identity.spiffe_id, ", which was not asked for"));
  RETURN_IF_ERROR(directory.Write(issued->identity, issued->chain, request.private_key));
  Log(Severity::kInfo, "enrolled", {{"spiffe_id", issued->identity.spiffe_id}, {"identity", directory.path()}});
  return issued->identity;
}

absl::StatusOr<Identity> IdentityAtStart(const IdentityDirectory& directory, const EnrollmentSettings& settings,
                                         const RegionKeySet& keys, const Clock& clock) {
  auto present = directory.Read();
  if (!present.ok() && !absl::IsNotFound(present.status())) return present;
  const bool can_enroll = !settings.token_file.empty();
  if (!present.ok()) return can_enroll ? EnrollInto(directory, settings, keys) : std::move(present);
  RETURN_IF_ERROR(CheckIs(*present, settings, directory));
  if (clock.Now() < present->expire_time) return present;
  if (!can_enroll) {
    Log(Severity::kError, "certificate_expired",
        {{"spiffe_id", present->spiffe_id}, {"help", "check the clock; else enroll again: docs/regions.md"}});
    return present;
  }
  auto enrolled = EnrollInto(directory, settings, keys);
  if (enrolled.ok()) return enrolled;
  Log(Severity::kError, "certificate_expired", {{"spiffe_id", present->spiffe_id}, {"error", enrolled.status()}});
  return present;
}

}  // namespace keyferry
