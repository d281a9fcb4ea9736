// An API's Enrollment service on a unix socket: checks token and key as the API does, and remembers what was asked.
//
// Thread safety: the members before calls, or after them.
#ifndef KEYFERRY_SERVICES_PROVISIONER_TESTING_FAKE_ENROLLMENT_H_
#define KEYFERRY_SERVICES_PROVISIONER_TESTING_FAKE_ENROLLMENT_H_

#include <grpcpp/server.h>

#include <memory>
#include <string>

#include "absl/synchronization/mutex.h"
#include "keyferry/v1/enrollment.grpc.pb.h"
#include "services/provisioner/testing/identity_authority.h"

namespace keyferry {

class FakeEnrollment final : public v1::Enrollment::Service {
 public:
  explicit FakeEnrollment(const std::string& directory);
  ~FakeEnrollment() override;

  const std::string& target() const { return target_; }
  const std::string& roots() const { return roots_; }

  // Empty: used up.
  std::string token = "ke_token";
  // Empty: the first enrollment brings it.
  std::string sealing_key;
  // Of a challenge; a proof's where empty.
  std::string context;
  absl::Duration lifetime = absl::Hours(1);
  int call_count = 0;

  grpc::Status BeginEnrollment(grpc::ServerContext* call, const v1::EnrollmentRequest* request,
                               v1::SealingKeyChallenge* challenge) override;
  grpc::Status CompleteEnrollment(grpc::ServerContext* call, const v1::CompleteEnrollmentRequest* request,
                                  v1::IssuedCertificate* issued) override;
  grpc::Status RenewCertificate(grpc::ServerContext* call, const v1::RenewCertificateRequest* request,
                                v1::IssuedCertificate* issued) override;
  grpc::Status BeginSealingKeyChange(grpc::ServerContext* call, const v1::BeginSealingKeyChangeRequest* request,
                                     v1::SealingKeyChallenge* challenge) override;
  grpc::Status CompleteSealingKeyChange(grpc::ServerContext* call, const v1::CompleteSealingKeyChangeRequest* request,
                                        v1::CompleteSealingKeyChangeResponse* response) override;

 private:
  grpc::Status CheckToken(const grpc::ServerContext& call);
  grpc::Status Challenge(const std::string& key, v1::SealingKeyChallenge& challenge);
  grpc::Status CheckProof(const std::string& proof) const;
  void Issue(const std::string& csr, v1::IssuedCertificate& issued) const;

  // Of its own threads. What is public is set and read while no call is under way.
  absl::Mutex mutex_;
  const std::string target_;
  const std::string roots_;
  const IdentityAuthority authority_;
  const std::unique_ptr<SealedBoxSender> sender_;
  const SecretBytes secret_ = SecretBytes::Random(32);
  const SecretBytes present_secret_ = SecretBytes::Random(32);
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_TESTING_FAKE_ENROLLMENT_H_
