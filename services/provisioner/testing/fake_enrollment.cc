#include "services/provisioner/testing/fake_enrollment.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>

#include "absl/time/clock.h"
#include "libs/common/clock.h"
#include "libs/common/error.h"
#include "libs/crypto/sealing_key_proof.h"
#include "libs/rpc/status_conversion.h"

namespace keyferry {
namespace {

grpc::Status Refuse(absl::StatusCode code, const std::string& reason) {
  return ToGrpcStatus(MakeError(code, "refused", {.reason = reason}), "");
}

}  // namespace

FakeEnrollment::FakeEnrollment(const std::string& directory)
    : target_("unix:" + directory + "/edge.sock"),
      roots_(directory + "/ca.pem"),
      authority_(roots_),
      sender_(SealedBoxSender::Create(SystemClock())) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(target_, grpc::InsecureServerCredentials());
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

FakeEnrollment::~FakeEnrollment() { server_->Shutdown(std::chrono::system_clock::now()); }

grpc::Status FakeEnrollment::CheckToken(const grpc::ServerContext& call) {
  ++call_count;
  const auto [begin, end] = call.client_metadata().equal_range("authorization");
  if (begin != end && !token.empty() && begin->second == "Bearer " + token) return grpc::Status::OK;
  return Refuse(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED");
}

grpc::Status FakeEnrollment::Challenge(const std::string& key, v1::SealingKeyChallenge& challenge) {
  challenge.set_context(context.empty() ? SealingKeyProofContext("test") : context);
  challenge.set_box(sender_->Seal(key, secret_, challenge.context()).value());
  return grpc::Status::OK;
}

grpc::Status FakeEnrollment::CheckProof(const std::string& proof) const {
  return proof == secret_.Access() ? grpc::Status::OK
                                   : Refuse(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED");
}

void FakeEnrollment::Issue(const std::string& csr, v1::IssuedCertificate& issued) const {
  const IssuedCertificate certificate = authority_.Issue(csr, absl::Now(), lifetime);
  issued.set_certificate_chain(certificate.chain);
  issued.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(certificate.identity.expire_time));
  issued.mutable_renew_time()->set_seconds(absl::ToUnixSeconds(certificate.identity.renew_time));
  issued.set_region(certificate.identity.region);
  issued.set_spiffe_id(certificate.identity.spiffe_id);
}

grpc::Status FakeEnrollment::BeginEnrollment(grpc::ServerContext* call, const v1::EnrollmentRequest* request,
                                             v1::SealingKeyChallenge* challenge) {
  const absl::MutexLock lock(&mutex_);
  if (const grpc::Status status = CheckToken(*call); !status.ok()) return status;
  if (!sealing_key.empty() && request->sealing_key() != sealing_key)
    return Refuse(absl::StatusCode::kFailedPrecondition, "SEALING_KEY_MISMATCH");
  return Challenge(request->sealing_key(), *challenge);
}

grpc::Status FakeEnrollment::CompleteEnrollment(grpc::ServerContext* call, const v1::CompleteEnrollmentRequest* request,
                                                v1::IssuedCertificate* issued) {
  const absl::MutexLock lock(&mutex_);
  if (const grpc::Status status = CheckToken(*call); !status.ok()) return status;
  if (const grpc::Status status = CheckProof(request->proof()); !status.ok()) return status;
  token.clear();
  sealing_key = request->request().sealing_key();
  Issue(request->request().csr(), *issued);
  return grpc::Status::OK;
}

grpc::Status FakeEnrollment::RenewCertificate(grpc::ServerContext*, const v1::RenewCertificateRequest* request,
                                              v1::IssuedCertificate* issued) {
  const absl::MutexLock lock(&mutex_);
  Issue(request->csr(), *issued);
  return grpc::Status::OK;
}

grpc::Status FakeEnrollment::BeginSealingKeyChange(grpc::ServerContext*,
                                                   const v1::BeginSealingKeyChangeRequest* request,
                                                   v1::SealingKeyChallenge* challenge) {
  const absl::MutexLock lock(&mutex_);
  Challenge(request->sealing_key(), *challenge);
  const std::string present = sender_->Seal(sealing_key, present_secret_, challenge->context()).value();
  challenge->set_box(JoinBoxes(challenge->box(), present));
  return grpc::Status::OK;
}

grpc::Status FakeEnrollment::CompleteSealingKeyChange(grpc::ServerContext*,
                                                      const v1::CompleteSealingKeyChangeRequest* request,
                                                      v1::CompleteSealingKeyChangeResponse*) {
  const absl::MutexLock lock(&mutex_);
  if (request->proof() != JoinProofs(secret_, present_secret_).Access())
    return Refuse(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED");
  sealing_key = request->sealing_key();
  return grpc::Status::OK;
}

}  // namespace keyferry
