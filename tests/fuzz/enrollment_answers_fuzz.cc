// An API that lies to who enrolls, renews a certificate or changes the region's key. Nothing but a challenge is opened
// for it; no error tells the token; and the identity that was there stays, or a whole one for the same name takes its
// place.
//
// The input: the challenge of an enrollment, that of a change, and the certificate issued, each behind its length. `=`
// is the truth: of a box, a context, a chain, a SPIFFE id.
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "keyferry/v1/enrollment.grpc.pb.h"
#include "libs/common/log.h"
#include "libs/common/testing/fake_clock.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/crypto/sealing_key_proof.h"
#include "services/provisioner/certificate_renewal.h"
#include "services/provisioner/testing/identity_authority.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

constexpr char kTruth[] = "=";
constexpr absl::Duration kLifetime = absl::Hours(2);

struct Lies {
  v1::SealingKeyChallenge of_enrollment;
  v1::SealingKeyChallenge of_change;
  v1::IssuedCertificate issued;
};

Lies LiesIn(std::string_view bytes) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  Lies lies;
  for (google::protobuf::MessageLite* message :
       std::initializer_list<google::protobuf::MessageLite*>{&lies.of_enrollment, &lies.of_change, &lies.issued}) {
    if (!google::protobuf::util::ParseDelimitedFromZeroCopyStream(message, &stream, nullptr)) break;
  }
  return lies;
}

class LyingApi final : public v1::Enrollment::Service {
 public:
  LyingApi(const std::string& target, const IdentityAuthority& authority, const Clock& clock, const RegionKey& present)
      : authority_(authority), clock_(clock), present_(present), sender_(SealedBoxSender::Create(clock)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(target, grpc::InsecureServerCredentials());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }

  ~LyingApi() override { server_->Shutdown(std::chrono::system_clock::now()); }

  void Tell(Lies lies) { lies_ = std::move(lies); }

  grpc::Status BeginEnrollment(grpc::ServerContext*, const v1::EnrollmentRequest* request,
                               v1::SealingKeyChallenge* challenge) override {
    *challenge = lies_.of_enrollment;
    if (challenge->context() == kTruth) challenge->set_context(SealingKeyProofContext("enrollment"));
    if (challenge->box() == kTruth) challenge->set_box(BoxTo(request->sealing_key(), secret_, challenge->context()));
    context_ = challenge->context();
    return grpc::Status::OK;
  }
  grpc::Status CompleteEnrollment(grpc::ServerContext*, const v1::CompleteEnrollmentRequest* request,
                                  v1::IssuedCertificate* issued) override {
    RequireProof(request->proof(), secret_.Access(), lies_.of_enrollment);
    Issue(request->request().csr(), *issued);
    return grpc::Status::OK;
  }
  grpc::Status RenewCertificate(grpc::ServerContext*, const v1::RenewCertificateRequest* request,
                                v1::IssuedCertificate* issued) override {
    Issue(request->csr(), *issued);
    return grpc::Status::OK;
  }
  grpc::Status BeginSealingKeyChange(grpc::ServerContext*, const v1::BeginSealingKeyChangeRequest* request,
                                     v1::SealingKeyChallenge* challenge) override {
    *challenge = lies_.of_change;
    if (challenge->context() == kTruth) challenge->set_context(SealingKeyProofContext("change"));
    context_ = challenge->context();
    if (challenge->box() == kTruth) {
      challenge->set_box(JoinBoxes(BoxTo(request->sealing_key(), secret_, context_),
                                   BoxTo(present_.public_key(), present_secret_, context_)));
    }
    return grpc::Status::OK;
  }
  grpc::Status CompleteSealingKeyChange(grpc::ServerContext*, const v1::CompleteSealingKeyChangeRequest* request,
                                        v1::CompleteSealingKeyChangeResponse*) override {
    RequireProof(request->proof(), JoinProofs(secret_, present_secret_).Access(), lies_.of_change);
    return grpc::Status::OK;
  }

 private:
  std::string BoxTo(const std::string& key, const SecretBytes& secret, const std::string& context) {
    return *sender_->Seal(key, secret, context);
  }
  void RequireProof(const std::string& proof, std::string_view expected, const v1::SealingKeyChallenge& lie) const {
    // All of a challenge's context but its subject.
    const std::string empty = SealingKeyProofContext("");
    Require(context_.starts_with(empty.substr(0, empty.size() - sizeof(uint32_t))),
            "nothing but a challenge is opened");
    Require(lie.box() == kTruth && proof == expected, "nobody makes a box that opens but who seals one");
  }
  void Issue(const std::string& csr, v1::IssuedCertificate& issued) const {
    issued = lies_.issued;
    const IssuedCertificate genuine = authority_.Issue(csr, clock_.Now(), kLifetime);
    if (issued.certificate_chain() == kTruth) issued.set_certificate_chain(genuine.chain);
    if (issued.spiffe_id() == kTruth) issued.set_spiffe_id(genuine.identity.spiffe_id);
  }

  const IdentityAuthority& authority_;
  const Clock& clock_;
  const RegionKey& present_;
  const std::unique_ptr<SealedBoxSender> sender_;
  const SecretBytes secret_ = SecretBytes::Random(32);
  const SecretBytes present_secret_ = SecretBytes::Random(32);
  Lies lies_;
  std::string context_;
  std::unique_ptr<grpc::Server> server_;
};

class Provisioner {
 public:
  Provisioner() {
    held_.push_back(RegionKey::Generate());
    held_.push_back(*RegionKey::FromPrivate(present_.private_key().Clone()));
  }

  void Run(Lies lies) {
    api_.Tell(std::move(lies));
    CheckEnrollment();
    if (const absl::Status changed = ChangeSealingKey(channel_, held_); !changed.ok()) RequireSilent(changed);
    CheckRenewal();
  }

 private:
  void CheckEnrollment() const {
    const CertificateRequest request = NewCertificateRequest().value();
    const auto enrolled = Enroll(channel_, "us-west-1", held_.front(), request.csr, SecretBytes::Copy(kSentinel));
    if (!enrolled.ok()) return RequireSilent(enrolled.status());
    Require(!enrolled->chain.empty() && !enrolled->identity.region.empty() && !enrolled->identity.spiffe_id.empty(),
            "a certificate that was issued is whole");
  }

  void CheckRenewal() {
    const Identity before = BecomeAsNew();
    absl::StatusOr<IssuedCertificate> issued = absl::InternalError("nobody asked");
    CertificateRenewal renewal(
        {.identity = identity_,
         .renew = [&](const std::string& csr) { return issued = RenewCertificate(channel_, csr); },
         .clock = clock_});
    for (int look = 0; look < 2; ++look) {
      const absl::Duration pause = renewal.Step();
      Require(pause >= kMinRenewalRetry && pause <= kMaxRenewalPause, "it looks again soon, and not at once");
    }
    const absl::StatusOr<Identity> after = identity_.Read();
    Require(after.ok() && CheckTlsFiles(*identity_.Files()).ok(), "whatever the API says, there is an identity");
    Require(after->spiffe_id == before.spiffe_id, "it is the same one's");
    Require(AreSame(*after, before) || (issued.ok() && AreSame(*after, issued->identity)),
            "it is as it was, or as it was issued");
    Require(absl::ToUnixSeconds(renewal.Expiry()) == absl::ToUnixSeconds(after->expire_time), "its expiry is known");
  }
  // An identity whose certificate is to be renewed now.
  Identity BecomeAsNew() {
    const CertificateRequest request = NewCertificateRequest().value();
    IssuedCertificate issued = authority_.Issue(request.csr, clock_.Now(), kLifetime);
    issued.identity.renew_time = clock_.Now();
    Require(identity_.Write(issued.identity, issued.chain, request.private_key).ok(), "an identity is written");
    return issued.identity;
  }
  static bool AreSame(const Identity& a, const Identity& b) {
    return a.region == b.region && a.provisioner_id == b.provisioner_id && a.spiffe_id == b.spiffe_id &&
           absl::ToUnixSeconds(a.expire_time) == absl::ToUnixSeconds(b.expire_time) &&
           absl::ToUnixSeconds(a.renew_time) == absl::ToUnixSeconds(b.renew_time);
  }

  const TempDir directory_{"/dev/shm"};
  const FakeClock clock_;
  const IdentityAuthority authority_{directory_.File("ca.pem")};
  const IdentityDirectory identity_ =
      IdentityDirectory::Open(directory_.File("identity"), directory_.File("ca.pem")).value();
  const RegionKey present_ = RegionKey::Generate();
  // The next one first.
  std::vector<RegionKey> held_;
  const std::string target_ = "unix:" + directory_.File("edge.sock");
  LyingApi api_{target_, authority_, clock_, present_};
  const std::shared_ptr<grpc::Channel> channel_ = grpc::CreateChannel(target_, grpc::InsecureChannelCredentials());
};

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  keyferry::SetLogLevel(keyferry::Severity::kError);
  static const auto provisioner = std::make_unique<keyferry::Provisioner>();
  provisioner->Run(keyferry::LiesIn(keyferry::TextOf(data, size)));
  return 0;
}
