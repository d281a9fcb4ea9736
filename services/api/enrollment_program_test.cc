// Enrollment end to end: keyferry-api as a process, both doors, real TLS.
#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>
#include <gtest/gtest.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "keyferry/v1/enrollment.grpc.pb.h"
#include "keyferry/v1/provisioning.grpc.pb.h"
#include "keyferry/v1/regions.grpc.pb.h"
#include "libs/common/status_macros.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/certificate.h"
#include "libs/crypto/certificate_request.h"
#include "libs/crypto/sealed_box.h"
#include "libs/crypto/sealing_key_proof.h"
#include "libs/rpc/status_conversion.h"
#include "services/api/testing/program_scene.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kRegion[] = "eu-1";
constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr absl::Duration kRevocation = absl::Seconds(5);

struct Enrolled {
  TlsFiles files;
  v1::IssuedCertificate certificate;
};

class EnrollmentProgramTest : public ::testing::Test {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::ProvisionerMessage, v1::ApiMessage>;

  explicit EnrollmentProgramTest(const std::map<std::string, std::string>& flags = {}) : scene_(flags) {
    CreateRegion(kRegion);
  }

  static void Prepare(grpc::ClientContext& context, const std::string& token = "") {
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  }
  void CreateRegion(const std::string& code) {
    grpc::ClientContext context;
    Prepare(context);
    v1::CreateRegionRequest request;
    request.set_code(code);
    v1::Region region;
    EXPECT_THAT(FromGrpcStatus(operators_->CreateRegion(&context, request, &region)), IsOk());
  }
  v1::Region GetRegion() {
    grpc::ClientContext context;
    Prepare(context);
    v1::GetRegionRequest request;
    request.set_code(kRegion);
    v1::Region region;
    EXPECT_THAT(FromGrpcStatus(operators_->GetRegion(&context, request, &region)), IsOk());
    return region;
  }
  std::string MakeToken(const std::string& region = kRegion) {
    grpc::ClientContext context;
    Prepare(context);
    v1::CreateEnrollmentTokenRequest request;
    request.set_code(region);
    v1::CreateEnrollmentTokenResponse response;
    EXPECT_THAT(FromGrpcStatus(operators_->CreateEnrollmentToken(&context, request, &response)), IsOk());
    return response.token();
  }
  absl::StatusOr<std::vector<std::string>> Revoke(const std::string& id) {
    grpc::ClientContext context;
    Prepare(context);
    v1::RevokeProvisionersRequest request;
    request.set_code(kRegion);
    request.set_provisioner_id(id);
    v1::RevokeProvisionersResponse response;
    RETURN_IF_ERROR(FromGrpcStatus(operators_->RevokeProvisioners(&context, request, &response)));
    return std::vector<std::string>(response.provisioner_ids().begin(), response.provisioner_ids().end());
  }

  v1::EnrollmentRequest Ask(const std::string& id, const std::string& csr) const {
    v1::EnrollmentRequest ask;
    ask.set_provisioner_id(id);
    ask.set_sealing_key(key_.public_key());
    ask.set_csr(csr);
    return ask;
  }
  absl::StatusOr<v1::SealingKeyChallenge> Begin(const std::string& token, const v1::EnrollmentRequest& ask) {
    grpc::ClientContext context;
    Prepare(context, token);
    v1::SealingKeyChallenge challenge;
    RETURN_IF_ERROR(FromGrpcStatus(v1::Enrollment::NewStub(scene_.Edge())->BeginEnrollment(&context, ask, &challenge)));
    return challenge;
  }
  absl::StatusOr<v1::IssuedCertificate> Complete(const std::string& token, const v1::EnrollmentRequest& ask,
                                                 const std::string& proof) {
    grpc::ClientContext context;
    Prepare(context, token);
    v1::CompleteEnrollmentRequest request;
    *request.mutable_request() = ask;
    request.set_proof(proof);
    v1::IssuedCertificate certificate;
    RETURN_IF_ERROR(
        FromGrpcStatus(v1::Enrollment::NewStub(scene_.Edge())->CompleteEnrollment(&context, request, &certificate)));
    return certificate;
  }
  std::string Prove(const v1::SealingKeyChallenge& challenge) const {
    return std::string(ProveSealingKey(key_, challenge.box(), challenge.context())->Access());
  }
  absl::StatusOr<Enrolled> Enroll(const std::string& token, const std::string& id) {
    const CertificateRequest pair = *NewCertificateRequest();
    const v1::EnrollmentRequest ask = Ask(id, pair.csr);
    ASSIGN_OR_RETURN(const v1::SealingKeyChallenge challenge, Begin(token, ask));
    ASSIGN_OR_RETURN(v1::IssuedCertificate certificate, Complete(token, ask, Prove(challenge)));
    return Keep(pair, std::move(certificate));
  }
  absl::StatusOr<Enrolled> Renew(const Enrolled& present) {
    const CertificateRequest pair = *NewCertificateRequest();
    grpc::ClientContext context;
    Prepare(context);
    v1::RenewCertificateRequest request;
    request.set_csr(pair.csr);
    v1::IssuedCertificate certificate;
    RETURN_IF_ERROR(FromGrpcStatus(
        v1::Enrollment::NewStub(scene_.InnerWith(present.files))->RenewCertificate(&context, request, &certificate)));
    return Keep(pair, std::move(certificate));
  }
  Enrolled Keep(const CertificateRequest& pair, v1::IssuedCertificate certificate) {
    const std::string stem = scene_.directory.File(absl::StrCat("enrolled-", ++file_count_));
    std::ofstream(stem + ".pem") << certificate.certificate_chain();
    std::ofstream(stem + ".key") << pair.private_key.Access();
    return {.files = {.certificate_chain = stem + ".pem", .private_key = stem + ".key", .roots = ""},
            .certificate = std::move(certificate)};
  }

  // A stream that has been welcomed.
  struct Open {
    grpc::ClientContext context;
    std::unique_ptr<v1::Provisioning::Stub> stub;
    std::unique_ptr<Stream> stream;
  };
  std::unique_ptr<Open> Connect(const std::shared_ptr<grpc::Channel>& channel, const std::string& id) {
    auto open = std::make_unique<Open>();
    open->stub = v1::Provisioning::NewStub(channel);
    Prepare(open->context);
    open->stream = open->stub->Sync(&open->context);
    v1::ProvisionerMessage message;
    v1::Hello& hello = *message.mutable_hello();
    hello.set_protocol_version(1);
    hello.set_region(kRegion);
    hello.set_provisioner_id(id);
    hello.set_boot_id(std::string(16, 'b'));
    hello.set_target_incarnation(std::string(16, 'i'));
    hello.set_max_inflight_objects(64);
    hello.set_max_inflight_bytes(1 << 20);
    hello.set_sealing_key_id(SealingKeyId(key_.public_key()));
    open->stream->Write(message);
    v1::ApiMessage welcome;
    EXPECT_TRUE(open->stream->Read(&welcome) && welcome.has_welcome());
    return open;
  }
  // How a stream ends on which nothing is said.
  static absl::Status EndOf(Open& open) {
    v1::ApiMessage message;
    while (open.stream->Read(&message)) {
    }
    return FromGrpcStatus(open.stream->Finish());
  }

  ProgramScene scene_;
  std::unique_ptr<v1::Regions::Stub> operators_ = v1::Regions::NewStub(scene_.Operator());
  const RegionKey key_ = RegionKey::Generate();
  int file_count_ = 0;
};

TEST_F(EnrollmentProgramTest, AProvisionerEnrollsAndServesItsRegion) {
  const auto enrolled = Enroll(MakeToken(), "p1");
  ASSERT_THAT(enrolled, IsOk());
  EXPECT_EQ(enrolled->certificate.region(), kRegion);
  EXPECT_EQ(enrolled->certificate.spiffe_id(), "spiffe://keyferry.test/region/eu-1/provisioner/p1");
  const auto stream = Connect(scene_.InnerWith(enrolled->files), "p1");
  // A moment behind its welcome.
  v1::Region region = GetRegion();
  for (; region.provisioners_size() != 1 || !region.provisioners(0).connected(); region = GetRegion()) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_EQ(region.sealing_key(), key_.public_key());
  EXPECT_TRUE(region.provisioners(0).has_enroll_time());
  EXPECT_FALSE(region.provisioners(0).has_revoke_time());
}

TEST_F(EnrollmentProgramTest, AnEnrolledProvisionerIsNothingElse) {
  const auto enrolled = Enroll(MakeToken(), "p1");
  ASSERT_THAT(enrolled, IsOk());
  EXPECT_THAT(scene_.Call(scene_.InnerWith(enrolled->files), "Regions/GetRegion"),
              StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(scene_.Call(scene_.InnerWith(enrolled->files), "Regions/CreateEnrollmentToken"),
              StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST_F(EnrollmentProgramTest, ACertificateCountsForItsRegionAlone) {
  CreateRegion("us-1");
  const auto enrolled = Enroll(MakeToken("us-1"), "p1");
  ASSERT_THAT(enrolled, IsOk());
  grpc::ClientContext context;
  Prepare(context);
  const auto stub = v1::Provisioning::NewStub(scene_.InnerWith(enrolled->files));
  const auto stream = stub->Sync(&context);
  v1::ProvisionerMessage message;
  message.mutable_hello()->set_protocol_version(1);
  message.mutable_hello()->set_region(kRegion);
  message.mutable_hello()->set_provisioner_id("p1");
  message.mutable_hello()->set_boot_id(std::string(16, 'b'));
  message.mutable_hello()->set_target_incarnation(std::string(16, 'i'));
  message.mutable_hello()->set_max_inflight_objects(64);
  message.mutable_hello()->set_max_inflight_bytes(1 << 20);
  message.mutable_hello()->set_sealing_key_id(SealingKeyId(key_.public_key()));
  stream->Write(message);
  v1::ApiMessage answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_THAT(FromGrpcStatus(stream->Finish()), FailsWith(absl::StatusCode::kPermissionDenied, "REGION_MISMATCH"));
}

TEST_F(EnrollmentProgramTest, TokensAreForEnrollmentAlone) {
  const std::string token = MakeToken();
  for (const char* method : {"Organizations/WhoAmI", "Regions/ListRegions", "Regions/CreateEnrollmentToken",
                             "SecretSets/ListSecretSets", "Enrollment/RenewCertificate", "Provisioning/Sync"}) {
    EXPECT_THAT(scene_.Call(scene_.Edge(), method, token), StatusIs(absl::StatusCode::kPermissionDenied)) << method;
  }
  EXPECT_THAT(scene_.Call(scene_.Operator(), "Enrollment/BeginEnrollment", token),
              StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(EnrollmentProgramTest, WrongAndUsedTokensAreRefused) {
  const std::string token = MakeToken();
  std::string wrong = token;
  wrong[20] = wrong[20] == 'x' ? 'y' : 'x';
  EXPECT_THAT(Enroll(wrong, "p1"), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  EXPECT_THAT(Enroll("", "p1"), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  ASSERT_THAT(Enroll(token, "p1"), IsOk());
  EXPECT_THAT(Enroll(token, "p2"), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
}

TEST_F(EnrollmentProgramTest, AReplayedCompletionIsRefused) {
  const std::string token = MakeToken();
  const v1::EnrollmentRequest ask = Ask("p1", NewCertificateRequest()->csr);
  const auto challenge = Begin(token, ask);
  ASSERT_THAT(challenge, IsOk());
  ASSERT_THAT(Complete(token, ask, Prove(*challenge)), IsOk());
  EXPECT_THAT(Complete(token, ask, Prove(*challenge)),
              FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  const std::string other = MakeToken();
  EXPECT_THAT(Complete(other, ask, Prove(*challenge)),
              FailsWith(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED"));
}

TEST_F(EnrollmentProgramTest, AnotherCsrInTheSecondStepIsRefused) {
  const std::string token = MakeToken();
  const v1::EnrollmentRequest ask = Ask("p1", NewCertificateRequest()->csr);
  const auto challenge = Begin(token, ask);
  ASSERT_THAT(challenge, IsOk());
  EXPECT_THAT(Complete(token, Ask("p1", NewCertificateRequest()->csr), Prove(*challenge)),
              FailsWith(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED"));
  EXPECT_THAT(Complete(token, ask, std::string(32, 'x')),
              FailsWith(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED"));
}

TEST_F(EnrollmentProgramTest, ARestartBetweenTheStepsDoesNotMatter) {
  const std::string token = MakeToken();
  const v1::EnrollmentRequest ask = Ask("p1", NewCertificateRequest()->csr);
  const auto challenge = Begin(token, ask);
  ASSERT_THAT(challenge, IsOk());
  scene_.Restart();
  EXPECT_THAT(Complete(token, ask, Prove(*challenge)), IsOk());
}

TEST_F(EnrollmentProgramTest, CertificatesCountAfterARestartToo) {
  const auto enrolled = Enroll(MakeToken(), "p1");
  ASSERT_THAT(enrolled, IsOk());
  scene_.Restart();
  EXPECT_THAT(Renew(*enrolled), IsOk());
}

TEST_F(EnrollmentProgramTest, RevocationEndsTheStreamWithinFiveSecondsAndTheCertificateForGood) {
  const auto first = Enroll(MakeToken(), "p1"), second = Enroll(MakeToken(), "p2");
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  const auto stream = Connect(scene_.InnerWith(first->files), "p1");
  const auto standby = Connect(scene_.InnerWith(second->files), "p2");
  const std::string unused = MakeToken();
  const absl::Time start = absl::Now();
  EXPECT_THAT(Revoke("p1"), IsOkAndHolds(ElementsAre("p1")));
  EXPECT_THAT(EndOf(*stream), FailsWith(absl::StatusCode::kPermissionDenied, "PROVISIONER_REVOKED"));
  EXPECT_LT(absl::Now() - start, kRevocation);
  EXPECT_THAT(scene_.Call(scene_.InnerWith(first->files), "Organizations/WhoAmI"),
              StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(Enroll(unused, "p3"), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  EXPECT_THAT(Enroll(MakeToken(), "p1"), FailsWith(absl::StatusCode::kAlreadyExists, "PROVISIONER_EXISTS"));
  // The standby takes over.
  v1::ApiMessage message;
  while (standby->stream->Read(&message) && !message.has_grant()) {
  }
  EXPECT_TRUE(message.has_grant());
  const v1::Region region = GetRegion();
  ASSERT_EQ(region.provisioners_size(), 2);
  EXPECT_EQ(region.provisioners(0).id(), "p2");
  EXPECT_FALSE(region.provisioners(1).connected());
  EXPECT_TRUE(region.provisioners(1).has_revoke_time());
  EXPECT_THAT(Revoke("p1"), IsOkAndHolds(IsEmpty()));
}

TEST_F(EnrollmentProgramTest, ARevocationOutlivesARestart) {
  const auto enrolled = Enroll(MakeToken(), "p1");
  ASSERT_THAT(enrolled, IsOk());
  ASSERT_THAT(Revoke(""), IsOkAndHolds(ElementsAre("p1")));
  scene_.Restart();
  EXPECT_THAT(scene_.Call(scene_.InnerWith(enrolled->files), "Organizations/WhoAmI"),
              StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(EnrollmentProgramTest, ProvisionersOfAnotherAuthorityServeAndAreRevokedToo) {
  ASSERT_THAT(Enroll(MakeToken(), "p1"), IsOk());
  const std::string external = "spiffe://keyferry.test/region/eu-1/provisioner/external";
  const auto stream = Connect(scene_.Inner(external), "external");
  EXPECT_THAT(Revoke("external"), IsOkAndHolds(ElementsAre("external")));
  EXPECT_THAT(EndOf(*stream), FailsWith(absl::StatusCode::kPermissionDenied, "PROVISIONER_REVOKED"));
  EXPECT_THAT(scene_.Call(scene_.Inner(external), "Organizations/WhoAmI"),
              StatusIs(absl::StatusCode::kUnauthenticated));
}

class ShortCertificateTest : public EnrollmentProgramTest {
 protected:
  ShortCertificateTest() : EnrollmentProgramTest({{"--region-certificate-ttl", "10s"}}) {}
};

TEST_F(ShortCertificateTest, ARenewedCertificateKeepsTheStreamThatTheOldOneOpened) {
  const auto first = Enroll(MakeToken(), "p1");
  ASSERT_THAT(first, IsOk());
  const absl::Time expiry = absl::FromUnixSeconds(first->certificate.expire_time().seconds());
  EXPECT_LE(expiry, absl::Now() + absl::Seconds(10));
  const auto stream = Connect(scene_.InnerWith(first->files), "p1");
  const auto renewed = Renew(*first);
  ASSERT_THAT(renewed, IsOk());
  const auto second = Renew(*renewed);
  ASSERT_THAT(second, IsOk());
  // Heartbeats until the first certificate is over by two seconds, with a renewal on the way.
  absl::StatusOr<Enrolled> latest = second;
  bool renewed_on_the_way = false;
  while (absl::Now() < expiry + absl::Seconds(2)) {
    v1::ProvisionerMessage heartbeat;
    heartbeat.mutable_heartbeat();
    ASSERT_TRUE(stream->stream->Write(heartbeat));
    if (!renewed_on_the_way && absl::Now() > expiry - absl::Seconds(5)) {
      latest = Renew(*latest);
      ASSERT_THAT(latest, IsOk());
      renewed_on_the_way = true;
    }
    absl::SleepFor(absl::Milliseconds(500));
  }
  EXPECT_EQ(GetRegion().provisioners(0).connected(), true);
  EXPECT_THAT(scene_.Call(scene_.InnerWith(first->files), "Organizations/WhoAmI"),
              StatusIs(absl::StatusCode::kUnavailable));
  // Without another renewal it ends with the newest one.
  EXPECT_THAT(EndOf(*stream), FailsWith(absl::StatusCode::kUnauthenticated, "CERTIFICATE_EXPIRED"));
}

}  // namespace
}  // namespace keyferry
