#include "services/provisioner/enrollment_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "keyferry/v1/enrollment.grpc.pb.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/sealing_key_proof.h"
#include "libs/rpc/status_conversion.h"

namespace keyferry {
namespace {

constexpr std::chrono::seconds kPatience(10);

void Prepare(grpc::ClientContext& context) { context.set_deadline(std::chrono::system_clock::now() + kPatience); }

void PrepareWithToken(grpc::ClientContext& context, const SecretBytes& token) {
  Prepare(context);
  std::string authorization = "Bearer ";
  authorization.append(token.Access());
  context.AddMetadata("authorization", authorization);
  Wipe(authorization);
}

absl::StatusOr<std::string> ProofFor(const RegionKey& key, const v1::SealingKeyChallenge& challenge) {
  ASSIGN_OR_RETURN(const SecretBytes proof, ProveSealingKey(key, challenge.box(), challenge.context()));
  return std::string(proof.Access());
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::StatusOr<IssuedCertificate> FromWire(const v1::IssuedCertificate& issued) {
  if (issued.certificate_chain().empty() || issued.region().empty() || issued.spiffe_id().empty() ||
      !issued.has_expire_time() || !issued.has_renew_time()) {
    return absl::InternalError("the API's answer lacks a part of the certificate");
  }
  const std::string& spiffe_id = issued.spiffe_id();
  return IssuedCertificate{.identity = {.region = issued.region(),
                                        .provisioner_id = spiffe_id.substr(spiffe_id.rfind('/') + 1),
                                        .spiffe_id = spiffe_id,
                                        .expire_time = ToTime(issued.expire_time()),
                                        .renew_time = ToTime(issued.renew_time())},
                           .chain = issued.certificate_chain()};
}

}  // namespace

absl::StatusOr<IssuedCertificate> Enroll(const std::shared_ptr<grpc::Channel>& channel,
                                         const std::string& provisioner_id, const RegionKey& key,
                                         const std::string& csr, const SecretBytes& token) {
  const auto stub = v1::Enrollment::NewStub(channel);
  v1::CompleteEnrollmentRequest completion;
  v1::EnrollmentRequest& request = *completion.mutable_request();
  request.set_provisioner_id(provisioner_id);
  request.set_sealing_key(key.public_key());
  request.set_csr(csr);
  v1::SealingKeyChallenge challenge;
  grpc::ClientContext begin;
  PrepareWithToken(begin, token);
  RETURN_IF_ERROR(FromGrpcStatus(stub->BeginEnrollment(&begin, request, &challenge)));
  ASSIGN_OR_RETURN(*completion.mutable_proof(), ProofFor(key, challenge));
  v1::IssuedCertificate issued;
  grpc::ClientContext complete;
  PrepareWithToken(complete, token);
  RETURN_IF_ERROR(FromGrpcStatus(stub->CompleteEnrollment(&complete, completion, &issued)));
  return FromWire(issued);
}

absl::StatusOr<IssuedCertificate> RenewCertificate(const std::shared_ptr<grpc::Channel>& channel,
                                                   const std::string& csr) {
  v1::RenewCertificateRequest request;
  request.set_csr(csr);
  v1::IssuedCertificate issued;
  grpc::ClientContext context;
  Prepare(context);
  RETURN_IF_ERROR(FromGrpcStatus(v1::Enrollment::NewStub(channel)->RenewCertificate(&context, request, &issued)));
  return FromWire(issued);
}

absl::Status ChangeSealingKey(const std::shared_ptr<grpc::Channel>& channel, const std::vector<RegionKey>& held) {
  const RegionKey& key = held.front();
  const auto stub = v1::Enrollment::NewStub(channel);
  v1::BeginSealingKeyChangeRequest request;
  request.set_sealing_key(key.public_key());
  v1::SealingKeyChallenge challenge;
  grpc::ClientContext begin;
  Prepare(begin);
  RETURN_IF_ERROR(FromGrpcStatus(stub->BeginSealingKeyChange(&begin, request, &challenge)));
  v1::CompleteSealingKeyChangeRequest completion;
  completion.set_sealing_key(key.public_key());
  ASSIGN_OR_RETURN(const SecretBytes proof, ProveSealingKeyChange(held, challenge.box(), challenge.context()));
  completion.set_proof(std::string(proof.Access()));
  v1::CompleteSealingKeyChangeResponse done;
  grpc::ClientContext complete;
  Prepare(complete);
  return FromGrpcStatus(stub->CompleteSealingKeyChange(&complete, completion, &done));
}

}  // namespace keyferry
