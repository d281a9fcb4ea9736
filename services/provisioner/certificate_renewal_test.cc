#include "services/provisioner/certificate_renewal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/common/testing/fake_clock.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "services/provisioner/testing/identity_authority.h"

namespace keyferry {
namespace {

constexpr absl::Duration kLifetime = absl::Hours(2);

class CertificateRenewalTest : public ::testing::Test {
 protected:
  CertificateRenewalTest() { Enroll(); }

  void Enroll() {
    const CertificateRequest request = NewCertificateRequest().value();
    const IssuedCertificate issued = authority_.Issue(request.csr, clock_.Now(), kLifetime);
    EXPECT_THAT(identity_.Write(issued.identity, issued.chain, request.private_key), IsOk());
  }
  absl::StatusOr<IssuedCertificate> Renew(const std::string& csr) {
    keys_.push_back(PublicKeyOfCsr(csr).value());
    if (!refusal_.ok()) return refusal_;
    IssuedCertificate issued = authority_.Issue(csr, clock_.Now() - lag_, kLifetime);
    if (!spiffe_id_.empty()) issued.identity.spiffe_id = spiffe_id_;
    return issued;
  }

  const TempDir directory_;
  FakeClock clock_;
  const IdentityAuthority authority_{directory_.File("ca.pem")};
  const IdentityDirectory identity_ =
      IdentityDirectory::Open(directory_.File("identity"), directory_.File("ca.pem")).value();
  // Of every request.
  std::vector<std::string> keys_;
  absl::Status refusal_;
  // Of the API's clock.
  absl::Duration lag_;
  std::string spiffe_id_;
  CertificateRenewal renewal_{
      {.identity = identity_, .renew = [this](const std::string& csr) { return Renew(csr); }, .clock = clock_}};
};

TEST_F(CertificateRenewalTest, NothingIsAskedBeforeTheRenewTime) {
  EXPECT_EQ(renewal_.Step(), kMaxRenewalPause);
  clock_.Advance(kLifetime / 2 - absl::Seconds(1));
  EXPECT_EQ(renewal_.Step(), absl::Seconds(1));
  EXPECT_TRUE(keys_.empty());
}

TEST_F(CertificateRenewalTest, AtTheRenewTimeTheNextCertificateIsWritten) {
  clock_.Advance(kLifetime / 2);
  EXPECT_EQ(renewal_.Step(), kMaxRenewalPause);
  const absl::Time expiry = clock_.Now() + kLifetime;
  EXPECT_EQ(identity_.Read()->expire_time, expiry);
  EXPECT_EQ(renewal_.Expiry(), expiry);
  EXPECT_THAT(CheckTlsFiles(identity_.Files().value()), IsOk());
  EXPECT_EQ(renewal_.Step(), kMaxRenewalPause);
}

TEST_F(CertificateRenewalTest, UnderAClockThatIsAheadItDoesNotAskAllTheTime) {
  lag_ = kLifetime;
  clock_.Advance(kLifetime / 2);
  EXPECT_EQ(renewal_.Step(), kMaxRenewalPause);
  clock_.Advance(kLifetime / 8 - absl::Seconds(1));
  EXPECT_EQ(renewal_.Step(), absl::Seconds(1));
  EXPECT_EQ(keys_.size(), 1u);
  clock_.Advance(absl::Seconds(1));
  renewal_.Step();
  EXPECT_EQ(keys_.size(), 2u);
}

TEST_F(CertificateRenewalTest, EachRequestHasAKeyOfItsOwn) {
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(kLifetime / 2);
    renewal_.Step();
  }
  ASSERT_EQ(keys_.size(), 3u);
  EXPECT_NE(keys_[0], keys_[1]);
  EXPECT_NE(keys_[1], keys_[2]);
}

TEST_F(CertificateRenewalTest, TellsTheExpiryOnceItHasLooked) {
  EXPECT_EQ(renewal_.Expiry(), absl::InfinitePast());
  renewal_.Step();
  EXPECT_EQ(renewal_.Expiry(), clock_.Now() + kLifetime);
}

TEST_F(CertificateRenewalTest, AFailureIsTriedAgainSoonAndAlsoAfterTheCertificateExpired) {
  refusal_ = absl::UnavailableError("away");
  clock_.Advance(kLifetime / 2);
  for (int i = 0; i < 40; ++i) {
    const absl::Duration pause = renewal_.Step();
    EXPECT_GE(pause, kMinRenewalRetry);
    EXPECT_LE(pause, kMaxRenewalRetry);
  }
  clock_.Advance(kLifetime);
  EXPECT_LE(renewal_.Step(), kMaxRenewalRetry);
  EXPECT_EQ(keys_.size(), 41u);
  refusal_ = absl::OkStatus();
  renewal_.Step();
  EXPECT_EQ(renewal_.Expiry(), clock_.Now() + kLifetime);
}

TEST_F(CertificateRenewalTest, AnotherOnesCertificateIsNotTaken) {
  spiffe_id_ = "spiffe://keyferry.test/region/us-east/provisioner/us-west-1";
  clock_.Advance(kLifetime / 2);
  EXPECT_GE(renewal_.Step(), kMinRenewalRetry);
  EXPECT_EQ(identity_.Read()->expire_time, clock_.Now() + kLifetime / 2);
}

TEST_F(CertificateRenewalTest, WhatSomebodyElseWroteMeanwhileCounts) {
  clock_.Advance(kLifetime * 2);
  Enroll();
  EXPECT_EQ(renewal_.Step(), kMaxRenewalPause);
  EXPECT_EQ(renewal_.Expiry(), clock_.Now() + kLifetime);
  EXPECT_TRUE(keys_.empty());
}

}  // namespace
}  // namespace keyferry
