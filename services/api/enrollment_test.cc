// Enrollment, renewal, sealing keys: the use cases, without gRPC.
#include "services/api/enrollment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "libs/crypto/aead.h"
#include "libs/crypto/certificate.h"
#include "services/api/testing/enrollment_scene.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

class EnrollmentTest : public ::testing::Test {
 protected:
  EnrollmentScene scene_;
  const RegionKey key_ = RegionKey::Generate();
  const Caller p1_ = EnrollmentScene::Provisioner("eu-1", "p1");
};

TEST_F(EnrollmentTest, TheFirstProvisionerBringsTheSealingKey) {
  const auto certificate = scene_.Enroll("eu-1", "p1", key_);
  ASSERT_THAT(certificate, IsOk());
  EXPECT_EQ(certificate->spiffe_id, IdentityOf("eu-1", "p1"));
  EXPECT_EQ(scene_.Region("eu-1").sealing_key, key_.public_key());
  EXPECT_EQ(scene_.Region("eu-1").sealing_key_time, scene_.clock.Now());
  const auto row = scene_.ProvisionerOf("eu-1", "p1");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->certificate_expiry, scene_.clock.Now() + absl::Hours(1));
  EXPECT_EQ(row->certificate_serial, certificate->serial);
  EXPECT_EQ(row->enroll_time, scene_.clock.Now());
}

TEST_F(EnrollmentTest, TheCertificateIsOfTheAuthorityForThisIdentityAlone) {
  const auto certificate = scene_.Enroll("eu-1", "p1", key_);
  ASSERT_THAT(certificate, IsOk());
  const auto facts = ReadCertificate(certificate->chain);
  EXPECT_THAT(facts->uris, ElementsAre(IdentityOf("eu-1", "p1")));
  EXPECT_LT(facts->not_before, scene_.clock.Now());
  EXPECT_EQ(facts->not_after, certificate->expire_time);
  EXPECT_TRUE(IsSignedBy(certificate->chain, scene_.authority->certificate_pem()));
  EXPECT_TRUE(certificate->chain.ends_with(scene_.authority->certificate_pem()));
}

TEST_F(EnrollmentTest, RenewalsAreDueAtHalfOfTheLifeGiveOrTakeATenth) {
  for (int i = 0; i < 200; ++i) {
    const auto certificate = scene_.authority->Issue("eu-1", "p1", *PublicKeyOfCsr(NewCertificateRequest()->csr));
    const absl::Duration after = certificate->renew_time - scene_.clock.Now();
    EXPECT_GE(after, absl::Minutes(27));
    EXPECT_LE(after, absl::Minutes(33));
  }
}

TEST_F(EnrollmentTest, StandbysEnrollWithTheRegionsKeyAndTheirOwnTokens) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  EXPECT_THAT(scene_.Enroll("eu-1", "p2", key_), IsOk());
  EXPECT_THAT(scene_.Enroll("eu-1", "p3", RegionKey::Generate()),
              FailsWith(absl::StatusCode::kFailedPrecondition, "SEALING_KEY_MISMATCH"));
  EXPECT_FALSE(scene_.ProvisionerOf("eu-1", "p3"));
}

TEST_F(EnrollmentTest, ARegionThatWasMadeWithAKeyKeepsIt) {
  EXPECT_THAT(scene_.Enroll("us-west", "p1", key_),
              FailsWith(absl::StatusCode::kFailedPrecondition, "SEALING_KEY_MISMATCH"));
  EXPECT_THAT(scene_.Enroll("us-west", "p1", scene_.region_keys.at("us-west")), IsOk());
}

TEST_F(EnrollmentTest, APreviousKeyDoesNotEnroll) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  const RegionKey next = RegionKey::Generate();
  ASSERT_THAT(scene_.ChangeKey(p1_, next, key_), IsOk());
  EXPECT_THAT(scene_.Enroll("eu-1", "p2", key_),
              FailsWith(absl::StatusCode::kFailedPrecondition, "SEALING_KEY_MISMATCH"));
  EXPECT_THAT(scene_.Enroll("eu-1", "p2", next), IsOk());
}

TEST_F(EnrollmentTest, ATokenEnrollsOnce) {
  const auto token = scene_.MakeToken("eu-1");
  const Caller caller = *scene_.Admit(*token);
  ASSERT_THAT(scene_.Enroll(caller, scene_.Ask("p1", key_), key_), IsOk());
  EXPECT_THAT(scene_.Admit(*token), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  // The guard let it in before.
  EXPECT_THAT(scene_.Enroll(caller, scene_.Ask("p2", key_), key_),
              FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  EXPECT_FALSE(scene_.ProvisionerOf("eu-1", "p2"));
}

TEST_F(EnrollmentTest, OfManyThatUseATokenAtOnceOneEnrolls) {
  const auto token = scene_.MakeToken("eu-1");
  const Caller caller = *scene_.Admit(*token);
  std::vector<absl::Notification> done(8);
  std::vector<absl::Status> answers(done.size());
  for (size_t i = 0; i < done.size(); ++i) {
    const EnrollmentAsk ask = scene_.Ask("p" + std::to_string(i), key_);
    const auto challenge = scene_.enrollment->Begin(caller, ask);
    const SecretBytes proof = *ProveSealingKey(key_, challenge->box, challenge->context);
    scene_.enrollment->Complete(caller, ask, std::string(proof.Access()),
                                [&, i](const absl::StatusOr<ProvisionerCertificate>& certificate) {
                                  answers[i] = certificate.status();
                                  done[i].Notify();
                                });
  }
  for (absl::Notification& one : done) one.WaitForNotification();
  EXPECT_EQ(std::count_if(answers.begin(), answers.end(), [](const absl::Status& status) { return status.ok(); }), 1);
}

TEST_F(EnrollmentTest, ATokenThatEndsBetweenTheStepsEnrollsNobody) {
  const Caller caller = *scene_.Admit(*scene_.MakeToken("eu-1"));
  scene_.clock.Advance(kEnrollmentTokenLifetime);
  EXPECT_THAT(scene_.Enroll(caller, scene_.Ask("p1", key_), key_),
              FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  EXPECT_EQ(scene_.Region("eu-1").sealing_key, "");
}

TEST_F(EnrollmentTest, AForgedProofEnrollsNobodyAndLeavesTheTokenUnused) {
  const Caller caller = *scene_.Admit(*scene_.MakeToken("eu-1"));
  const EnrollmentAsk ask = scene_.Ask("p1", key_);
  for (const std::string& proof :
       {std::string(), std::string(31, 'x'), std::string(32, 'x'), std::string(33, 'x'), std::string(1 << 20, 'x')}) {
    EXPECT_THAT(scene_.Complete(caller, ask, proof),
                FailsWith(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED"));
  }
  EXPECT_THAT(scene_.Enroll(caller, ask, key_), IsOk());
}

TEST_F(EnrollmentTest, AProofIsWorthNothingForAnotherRequest) {
  const Caller caller = *scene_.Admit(*scene_.MakeToken("eu-1"));
  const EnrollmentAsk ask = scene_.Ask("p1", key_);
  const auto challenge = scene_.enrollment->Begin(caller, ask);
  const std::string proof(ProveSealingKey(key_, challenge->box, challenge->context)->Access());
  EnrollmentAsk other_csr = ask, other_id = ask, other_key = ask;
  other_csr.csr = NewCertificateRequest()->csr;
  other_id.provisioner_id = "p2";
  other_key.sealing_key = RegionKey::Generate().public_key();
  for (const EnrollmentAsk& changed : {other_csr, other_id, other_key}) {
    EXPECT_THAT(scene_.Complete(caller, changed, proof),
                FailsWith(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED"));
  }
  const Caller other_token = *scene_.Admit(*scene_.MakeToken("eu-1"));
  EXPECT_THAT(scene_.Complete(other_token, ask, proof),
              FailsWith(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED"));
  Caller other_region = caller;
  other_region.region = "us-west";
  EXPECT_THAT(scene_.Complete(other_region, ask, proof),
              FailsWith(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED"));
  EXPECT_THAT(scene_.Complete(caller, ask, proof), IsOk());
}

TEST_F(EnrollmentTest, BeginChangesNothingAndMayComeAgain) {
  const Caller caller = *scene_.Admit(*scene_.MakeToken("eu-1"));
  const EnrollmentAsk ask = scene_.Ask("p1", key_);
  const auto before = scene_.RawRows();
  ASSERT_THAT(scene_.enrollment->Begin(caller, ask), IsOk());
  ASSERT_THAT(scene_.enrollment->Begin(caller, ask), IsOk());
  EXPECT_EQ(scene_.RawRows().size(), before.size());
  EXPECT_THAT(scene_.Enroll(caller, ask, key_), IsOk());
}

TEST_F(EnrollmentTest, BadRequestsAreNamed) {
  const Caller caller = *scene_.Admit(*scene_.MakeToken("eu-1"));
  const EnrollmentAsk good = scene_.Ask("p1", key_);
  for (const std::string id : {"", "P1", "p_1", "-p", "p-", "p.1", "../p1", "p1/p2"}) {
    EnrollmentAsk ask = good;
    ask.provisioner_id = id;
    EXPECT_THAT(scene_.enrollment->Begin(caller, ask),
                FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_PROVISIONER_ID"))
        << id;
    EXPECT_THAT(scene_.Complete(caller, ask, ""),
                FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_PROVISIONER_ID"))
        << id;
  }
  for (const size_t size : {size_t{63}, size_t{64}}) {
    EnrollmentAsk ask = good;
    ask.provisioner_id = std::string(size, 'p');
    EXPECT_EQ(scene_.enrollment->Begin(caller, ask).ok(), size == 63);
  }
  for (const std::string& key : {std::string(), std::string(31, 'k'), std::string(33, 'k'), std::string(32, '\0')}) {
    EnrollmentAsk ask = good;
    ask.sealing_key = key;
    EXPECT_THAT(scene_.enrollment->Begin(caller, ask),
                FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_SEALING_KEY"));
  }
  EnrollmentAsk ask = good;
  ask.csr = "no request";
  EXPECT_THAT(scene_.enrollment->Begin(caller, ask), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_CSR"));
}

TEST_F(EnrollmentTest, AnIdComesBackWithATokenOnceItsCertificateRanOutButNeverARevokedOne) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  scene_.clock.Advance(absl::Hours(1) - absl::Seconds(1));
  EXPECT_THAT(scene_.Enroll("eu-1", "p1", key_), FailsWith(absl::StatusCode::kAlreadyExists, "PROVISIONER_EXISTS"));
  scene_.clock.Advance(absl::Seconds(1));
  EXPECT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  ASSERT_THAT(scene_.Revoke("eu-1", "p1"), IsOk());
  scene_.clock.Advance(absl::Hours(2));
  EXPECT_THAT(scene_.Enroll("eu-1", "p1", key_), FailsWith(absl::StatusCode::kAlreadyExists, "PROVISIONER_EXISTS"));
}

TEST_F(EnrollmentTest, AnIdIsNotGivenTwice) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  EXPECT_THAT(scene_.Enroll("eu-1", "p1", key_), FailsWith(absl::StatusCode::kAlreadyExists, "PROVISIONER_EXISTS"));
  ASSERT_THAT(scene_.Revoke("eu-1", "p1"), IsOk());
  EXPECT_THAT(scene_.Enroll("eu-1", "p1", key_), FailsWith(absl::StatusCode::kAlreadyExists, "PROVISIONER_EXISTS"));
}

TEST_F(EnrollmentTest, ARevokedIdentityDoesNotEnroll) {
  ASSERT_THAT(Await<absl::StatusOr<NamedRevokedIdentity>>(
                  [&](auto done) { scene_.revoked->Revoke(IdentityOf("eu-1", "p1"), "ada", "", std::move(done)); }),
              IsOk());
  EXPECT_THAT(scene_.Enroll("eu-1", "p1", key_), FailsWith(absl::StatusCode::kAlreadyExists, "PROVISIONER_EXISTS"));
}

TEST_F(EnrollmentTest, ARenewalIsOfTheSameIdentityAndTellsTheStreams) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  scene_.clock.Advance(absl::Minutes(30));
  const auto renewed = scene_.Renew(p1_);
  ASSERT_THAT(renewed, IsOk());
  EXPECT_THAT(ReadCertificate(renewed->chain)->uris, ElementsAre(IdentityOf("eu-1", "p1")));
  EXPECT_EQ(renewed->expire_time, scene_.clock.Now() + absl::Hours(1));
  EXPECT_EQ(scene_.ProvisionerOf("eu-1", "p1")->certificate_expiry, renewed->expire_time);
  EXPECT_EQ(scene_.ProvisionerOf("eu-1", "p1")->certificate_serial, renewed->serial);
  EXPECT_THAT(scene_.renewed, ElementsAre("eu-1/p1"));
}

TEST_F(EnrollmentTest, OnlyWhoEnrolledAndIsNotRevokedRenews) {
  EXPECT_THAT(scene_.Renew(p1_), FailsWith(absl::StatusCode::kNotFound, "PROVISIONER_NOT_FOUND"));
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  EXPECT_THAT(scene_.Renew(p1_, "no request"), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_CSR"));
  ASSERT_THAT(scene_.Revoke("eu-1", "p1"), IsOk());
  EXPECT_THAT(scene_.Renew(p1_), FailsWith(absl::StatusCode::kPermissionDenied, "PROVISIONER_REVOKED"));
  EXPECT_THAT(scene_.renewed, IsEmpty());
}

TEST_F(EnrollmentTest, AChangedSealingKeyLeavesThePreviousOneBehind) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  const RegionKey next = RegionKey::Generate();
  scene_.clock.Advance(absl::Hours(1));
  ASSERT_THAT(scene_.ChangeKey(p1_, next, key_), IsOk());
  const RegionRow region = scene_.Region("eu-1");
  EXPECT_EQ(region.sealing_key, next.public_key());
  EXPECT_EQ(region.sealing_key_time, scene_.clock.Now());
  EXPECT_THAT(region.previous_sealing_keys, ElementsAre(key_.public_key()));
  EXPECT_THAT(scene_.key_changed, ElementsAre("eu-1"));
}

TEST_F(EnrollmentTest, ChangesDoNotWaitForOneAnotherUntilTooManyKeysAreInUse) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  std::vector<RegionKey> keys;
  keys.push_back(*RegionKey::FromPrivate(key_.private_key().Clone()));
  for (size_t i = 0; i < kMaxPreviousSealingKeys; ++i) {
    keys.push_back(RegionKey::Generate());
    ASSERT_THAT(scene_.ChangeKey(p1_, keys.back(), keys[keys.size() - 2]), IsOk()) << i;
  }
  EXPECT_EQ(scene_.Region("eu-1").previous_sealing_keys.size(), kMaxPreviousSealingKeys);
  EXPECT_THAT(scene_.enrollment->BeginSealingKeyChange(p1_, RegionKey::Generate().public_key()),
              FailsWith(absl::StatusCode::kFailedPrecondition, "SEALING_KEY_CHANGE_RUNS"));
  // A key that came before may come back: it adds none.
  ASSERT_THAT(scene_.ChangeKey(p1_, key_, keys.back()), IsOk());
  const RegionRow region = scene_.Region("eu-1");
  EXPECT_EQ(region.sealing_key, key_.public_key());
  EXPECT_EQ(region.previous_sealing_keys.size(), kMaxPreviousSealingKeys);
  EXPECT_EQ(region.previous_sealing_keys.front(), keys.back().public_key());
  EXPECT_EQ(std::count(region.previous_sealing_keys.begin(), region.previous_sealing_keys.end(), key_.public_key()), 0);
}

TEST_F(EnrollmentTest, ACertificateWithoutTheRegionsPresentKeyChangesNothing) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  const RegionKey thiefs = RegionKey::Generate();
  EXPECT_THAT(scene_.ChangeKey(p1_, thiefs, thiefs), StatusIs(absl::StatusCode::kDataLoss));
  const auto challenge = scene_.enrollment->BeginSealingKeyChange(p1_, thiefs.public_key());
  ASSERT_THAT(challenge, IsOk());
  const std::string all = *scene_.ProofOfChange(*challenge, thiefs, key_);
  const std::string half = all.substr(4, all.size() / 2 - 4);
  for (const std::string& proof : {half, JoinParts({half, half}), JoinParts({half, std::string(32, 'x')}), std::string()}) {
    EXPECT_THAT(scene_.CompleteKeyChange(p1_, thiefs, proof),
                FailsWith(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED"));
  }
  EXPECT_EQ(scene_.Region("eu-1").sealing_key, key_.public_key());
}

TEST_F(EnrollmentTest, ARevokedProvisionerChangesNoKey) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  const RegionKey next = RegionKey::Generate();
  const auto challenge = scene_.enrollment->BeginSealingKeyChange(p1_, next.public_key());
  const std::string proof = *scene_.ProofOfChange(*challenge, next, key_);
  ASSERT_THAT(scene_.Revoke("eu-1", "p1"), IsOk());
  EXPECT_THAT(scene_.CompleteKeyChange(p1_, next, proof),
              FailsWith(absl::StatusCode::kPermissionDenied, "PROVISIONER_REVOKED"));
  EXPECT_THAT(scene_.enrollment->BeginSealingKeyChange(p1_, next.public_key()),
              FailsWith(absl::StatusCode::kPermissionDenied, "PROVISIONER_REVOKED"));
  EXPECT_EQ(scene_.Region("eu-1").sealing_key, key_.public_key());
}

TEST_F(EnrollmentTest, ARevokedIdentityOfAnotherAuthorityChangesNoKey) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  const Caller other = EnrollmentScene::Provisioner("eu-1", "external");
  ASSERT_THAT(Await<absl::StatusOr<NamedRevokedIdentity>>(
                  [&](auto done) { scene_.revoked->Revoke(other.principal, "ada", "", std::move(done)); }),
              IsOk());
  EXPECT_THAT(scene_.ChangeKey(other, RegionKey::Generate(), key_),
              FailsWith(absl::StatusCode::kPermissionDenied, "PROVISIONER_REVOKED"));
}

TEST_F(EnrollmentTest, AKeyThatWasNotProvedDoesNotBecomeTheRegions) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  const RegionKey next = RegionKey::Generate(), other = RegionKey::Generate();
  const auto challenge = scene_.enrollment->BeginSealingKeyChange(p1_, next.public_key());
  ASSERT_THAT(challenge, IsOk());
  const std::string proof = *scene_.ProofOfChange(*challenge, next, key_);
  EXPECT_THAT(scene_.CompleteKeyChange(p1_, next, std::string(32, 'x')),
              FailsWith(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED"));
  EXPECT_THAT(scene_.CompleteKeyChange(p1_, other, proof),
              FailsWith(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED"));
  EXPECT_THAT(scene_.CompleteKeyChange(scene_.Provisioner("eu-1", "p2"), next, proof),
              FailsWith(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED"));
  EXPECT_THAT(scene_.CompleteKeyChange(scene_.Provisioner("us-west", "p1"), next, proof),
              FailsWith(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED"));
  EXPECT_EQ(scene_.Region("eu-1").sealing_key, key_.public_key());
  EXPECT_THAT(scene_.CompleteKeyChange(p1_, next, proof), IsOk());
}

TEST_F(EnrollmentTest, AChangeWhoseAnswerWasLostIsDoneWhenItIsTriedAgain) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  const RegionKey next = RegionKey::Generate();
  for (int i = 0; i < 2; ++i) ASSERT_THAT(scene_.ChangeKey(p1_, next, i == 0 ? key_ : next), IsOk());
  EXPECT_EQ(scene_.Region("eu-1").sealing_key, next.public_key());
  EXPECT_THAT(scene_.Region("eu-1").previous_sealing_keys, ElementsAre(key_.public_key()));
}

TEST_F(EnrollmentTest, AChangeToAnUnusableKeyIsRefused) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  for (const std::string& key : {std::string(31, 'k'), std::string(32, '\0')}) {
    EXPECT_THAT(scene_.enrollment->BeginSealingKeyChange(p1_, key),
                FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_SEALING_KEY"));
  }
}

TEST_F(EnrollmentTest, ARegionThatHasNoKeyGetsItByEnrollingAlone) {
  EXPECT_THAT(scene_.enrollment->BeginSealingKeyChange(p1_, key_.public_key()),
              FailsWith(absl::StatusCode::kFailedPrecondition, "REGION_NOT_ENROLLED"));
}

TEST_F(EnrollmentTest, AnEnrollmentsProofChangesNoKey) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  const RegionKey next = RegionKey::Generate();
  const Caller caller = *scene_.Admit(*scene_.MakeToken("eu-1"));
  EXPECT_THAT(scene_.enrollment->Begin(caller, scene_.Ask("p2", next)),
              FailsWith(absl::StatusCode::kFailedPrecondition, "SEALING_KEY_MISMATCH"));
}

TEST_F(EnrollmentTest, ATokenThatAnOperatorMadeForThatReplacesALostKeyOnce) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  const RegionKey next = RegionKey::Generate();
  const Caller caller = *scene_.Admit(*scene_.MakeReplacingToken("eu-1"));
  scene_.clock.Advance(absl::Seconds(1));
  ASSERT_THAT(scene_.Enroll(caller, scene_.Ask("p2", next), next), IsOk());
  const RegionRow region = scene_.Region("eu-1");
  EXPECT_EQ(region.sealing_key, next.public_key());
  EXPECT_EQ(region.sealing_key_time, scene_.clock.Now());
  EXPECT_THAT(region.previous_sealing_keys, ElementsAre(key_.public_key()));
  EXPECT_THAT(scene_.Enroll(caller, scene_.Ask("p3", key_), key_), Not(IsOk()));
  EXPECT_EQ(scene_.Region("eu-1").sealing_key, next.public_key());
}

TEST_F(EnrollmentTest, AReplacingTokenStillTakesTheProofOfTheNewKeyAndAFreeId) {
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  const RegionKey next = RegionKey::Generate();
  const Caller caller = *scene_.Admit(*scene_.MakeReplacingToken("eu-1"));
  EXPECT_THAT(scene_.Complete(caller, scene_.Ask("p2", next), std::string(32, 'x')),
              FailsWith(absl::StatusCode::kPermissionDenied, "SEALING_KEY_NOT_PROVED"));
  EXPECT_THAT(scene_.Enroll(caller, scene_.Ask("p1", next), next),
              FailsWith(absl::StatusCode::kAlreadyExists, "PROVISIONER_EXISTS"));
  EXPECT_EQ(scene_.Region("eu-1").sealing_key, key_.public_key());
  EXPECT_THAT(scene_.Enroll(caller, scene_.Ask("p2", key_), key_), IsOk());
  EXPECT_THAT(scene_.Region("eu-1").previous_sealing_keys, IsEmpty());
}

TEST_F(EnrollmentTest, NothingIsWrittenForARegionThatDidNotEnroll) {
  EXPECT_THAT(scene_.Set("app", {{"A", "1"}}, "eu-1"),
              FailsWith(absl::StatusCode::kFailedPrecondition, "REGION_NOT_ENROLLED"));
  EXPECT_THAT(scene_.Deploy({.organization = "acme", .agent = "bot", .region = "eu-1", .image = "image"}),
              FailsWith(absl::StatusCode::kFailedPrecondition, "REGION_NOT_ENROLLED"));
  ASSERT_THAT(scene_.Enroll("eu-1", "p1", key_), IsOk());
  EXPECT_THAT(scene_.Set("app", {{"A", "1"}}, "eu-1"), IsOk());
}

TEST_F(EnrollmentTest, NoRowHoldsATokenOrAProofInTheClear) {
  const auto token = scene_.MakeToken("eu-1");
  const std::string secret(token->text.Access().substr(14, 30));
  const Caller caller = *scene_.Admit(*token);
  ASSERT_THAT(scene_.Enroll(caller, scene_.Ask("p1", key_), key_), IsOk());
  for (const KeyedRow& row : scene_.Rows()) EXPECT_EQ(row.row.value.find(secret), std::string::npos);
}

}  // namespace
}  // namespace keyferry
