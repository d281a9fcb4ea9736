#include "services/api/enrollment_service.h"

#include "keyferry/v1/enrollment.grpc.pb.h"
#include "services/api/wire_time.h"

namespace keyferry {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

EnrollmentAsk FromProto(const v1::EnrollmentRequest& wire) {
  return {.provisioner_id = wire.provisioner_id(), .sealing_key = wire.sealing_key(), .csr = wire.csr()};
}

void ToProto(const Caller& caller, const ProvisionerCertificate& certificate, v1::IssuedCertificate& wire) {
  wire.set_certificate_chain(certificate.chain);
  SetTime(certificate.expire_time, *wire.mutable_expire_time());
  SetTime(certificate.renew_time, *wire.mutable_renew_time());
  wire.set_region(caller.region);
  wire.set_spiffe_id(certificate.spiffe_id);
}

void ToProto(const SealingKeyChallenge& challenge, v1::SealingKeyChallenge& wire) {
  wire.set_box(challenge.box);
  wire.set_context(challenge.context);
}

class EnrollmentService final : public v1::Enrollment::CallbackService {
 public:
  EnrollmentService(Guard& guard, keyferry::Enrollment& enrollment) : guard_(guard), enrollment_(enrollment) {}

  ServerUnaryReactor* BeginEnrollment(CallbackServerContext* context, const v1::EnrollmentRequest* request,
                                      v1::SealingKeyChallenge* response) override {
    return guard_.Run(
        context, "Enrollment/BeginEnrollment", "", [=, this](const Caller& caller, const Guard::Done& done) {
          const absl::StatusOr<SealingKeyChallenge> challenge = enrollment_.Begin(caller, FromProto(*request));
          if (challenge.ok()) ToProto(*challenge, *response);
          done(challenge.status());
        });
  }

  ServerUnaryReactor* CompleteEnrollment(CallbackServerContext* context, const v1::CompleteEnrollmentRequest* request,
                                         v1::IssuedCertificate* response) override {
    return guard_.Run(context, "Enrollment/CompleteEnrollment", "", [=, this](const Caller& caller, Guard::Done done) {
      enrollment_.Complete(caller, FromProto(request->request()), request->proof(),
                           Answer(caller, *response, std::move(done)));
    });
  }

  ServerUnaryReactor* RenewCertificate(CallbackServerContext* context, const v1::RenewCertificateRequest* request,
                                       v1::IssuedCertificate* response) override {
    return guard_.Run(context, "Enrollment/RenewCertificate", "", [=, this](const Caller& caller, Guard::Done done) {
      enrollment_.Renew(caller, request->csr(), Answer(caller, *response, std::move(done)));
    });
  }

  ServerUnaryReactor* BeginSealingKeyChange(CallbackServerContext* context,
                                            const v1::BeginSealingKeyChangeRequest* request,
                                            v1::SealingKeyChallenge* response) override {
    return guard_.Run(context, "Enrollment/BeginSealingKeyChange", "",
                      [=, this](const Caller& caller, const Guard::Done& done) {
                        const absl::StatusOr<SealingKeyChallenge> challenge =
                            enrollment_.BeginSealingKeyChange(caller, request->sealing_key());
                        if (challenge.ok()) ToProto(*challenge, *response);
                        done(challenge.status());
                      });
  }

  ServerUnaryReactor* CompleteSealingKeyChange(CallbackServerContext* context,
                                               const v1::CompleteSealingKeyChangeRequest* request,
                                               v1::CompleteSealingKeyChangeResponse*) override {
    return guard_.Run(
        context, "Enrollment/CompleteSealingKeyChange", "", [=, this](const Caller& caller, Guard::Done done) {
          enrollment_.CompleteSealingKeyChange(caller, request->sealing_key(), request->proof(), std::move(done));
        });
  }

 private:
  // The caller and the response live until done.
  static keyferry::Enrollment::CertificateDone Answer(const Caller& caller, v1::IssuedCertificate& response,
                                                      Guard::Done done) {
    return [&caller, &response, done = std::move(done)](const absl::StatusOr<ProvisionerCertificate>& certificate) {
      if (certificate.ok()) ToProto(caller, *certificate, response);
      done(certificate.status());
    };
  }

  Guard& guard_;
  keyferry::Enrollment& enrollment_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewEnrollmentService(Guard& guard, Enrollment& enrollment) {
  return std::make_unique<EnrollmentService>(guard, enrollment);
}

}  // namespace keyferry
