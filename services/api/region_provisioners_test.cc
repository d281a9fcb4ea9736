#include "services/api/region_provisioners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/api/testing/enrollment_scene.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RegionProvisionersTest : public ::testing::Test {
 protected:
  RegionProvisionersTest() {
    for (const char* id : {"p1", "p2"}) EXPECT_THAT(scene_.Enroll("eu-1", id, key_), IsOk());
  }
  bool IsRevoked(const std::string& region, const std::string& id) {
    return scene_.revoked->IsRevoked(IdentityOf(region, id));
  }

  EnrollmentScene scene_;
  const RegionKey key_ = RegionKey::Generate();
};

TEST_F(RegionProvisionersTest, ThoseThatEnrolledAreListedWithoutAStream) {
  const auto listed = scene_.provisioners->List("eu-1");
  ASSERT_THAT(listed, IsOk());
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ((*listed)[0].id, "p1");
  EXPECT_FALSE((*listed)[0].session);
  EXPECT_EQ((*listed)[0].row->enroll_time, scene_.clock.Now());
  EXPECT_THAT(*scene_.provisioners->List("us-west"), IsEmpty());
}

TEST_F(RegionProvisionersTest, OneIsRevokedForGood) {
  scene_.clock.Advance(absl::Minutes(1));
  EXPECT_THAT(scene_.Revoke("eu-1", "p1"), IsOkAndHolds(ElementsAre("p1")));
  EXPECT_TRUE(IsRevoked("eu-1", "p1"));
  EXPECT_FALSE(IsRevoked("eu-1", "p2"));
  EXPECT_EQ(scene_.ProvisionerOf("eu-1", "p1")->revoke_time, scene_.clock.Now());
  EXPECT_THAT(scene_.Revoke("eu-1", "p1"), IsOkAndHolds(IsEmpty()));
}

TEST_F(RegionProvisionersTest, AllOfARegionAreRevokedAndNoneOfAnother) {
  ASSERT_THAT(scene_.Enroll("us-west", "p1", scene_.region_keys.at("us-west")), IsOk());
  EXPECT_THAT(scene_.Revoke("eu-1", ""), IsOkAndHolds(ElementsAre("p1", "p2")));
  EXPECT_TRUE(IsRevoked("eu-1", "p2"));
  EXPECT_FALSE(IsRevoked("us-west", "p1"));
  EXPECT_THAT(scene_.Revoke("eu-1", ""), IsOkAndHolds(IsEmpty()));
}

TEST_F(RegionProvisionersTest, UnusedTokensOfTheRegionGoWithThem) {
  const auto token = scene_.MakeToken("eu-1"), elsewhere = scene_.MakeToken("us-west");
  const Caller admitted = *scene_.Admit(*token);
  ASSERT_THAT(scene_.Revoke("eu-1", "p1"), IsOk());
  EXPECT_THAT(scene_.Admit(*token), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  EXPECT_THAT(scene_.Enroll(admitted, scene_.Ask("p3", key_), key_),
              FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  EXPECT_THAT(scene_.Admit(*elsewhere), IsOk());
  EXPECT_THAT(scene_.MakeToken("eu-1"), IsOk());
}

TEST_F(RegionProvisionersTest, OneThatNobodyKnowsIsRevokedAndNeverEnrolls) {
  EXPECT_THAT(scene_.Revoke("eu-1", "p9"), IsOkAndHolds(ElementsAre("p9")));
  EXPECT_TRUE(IsRevoked("eu-1", "p9"));
  EXPECT_EQ(scene_.ProvisionerOf("eu-1", "p9")->certificate_expiry, absl::InfinitePast());
  EXPECT_THAT(scene_.Enroll("eu-1", "p9", key_), FailsWith(absl::StatusCode::kAlreadyExists, "PROVISIONER_EXISTS"));
  scene_.clock.Advance(absl::Hours(24 * 365));
  EXPECT_THAT(scene_.Enroll("eu-1", "p9", key_), FailsWith(absl::StatusCode::kAlreadyExists, "PROVISIONER_EXISTS"));
  EXPECT_THAT(scene_.Revoke("eu-1", "p9"), IsOkAndHolds(IsEmpty()));
}

TEST_F(RegionProvisionersTest, WhatIsNoIdIsNotFound) {
  EXPECT_THAT(scene_.Revoke("eu-1", "P/9"), FailsWith(absl::StatusCode::kNotFound, "PROVISIONER_NOT_FOUND"));
  EXPECT_THAT(scene_.Revoke("nowhere", ""), FailsWith(absl::StatusCode::kNotFound, "REGION_NOT_FOUND"));
  EXPECT_THAT(scene_.Revoke("", ""), FailsWith(absl::StatusCode::kNotFound, "REGION_NOT_FOUND"));
  EXPECT_THAT(scene_.Revoke("us-west", ""), IsOkAndHolds(IsEmpty()));
}

TEST_F(RegionProvisionersTest, WhoeverEnrollsWhileAllAreRevokedIsRevokedOrRefused) {
  for (int i = 0; i < 20; ++i) {
    const std::string id = "q" + std::to_string(i);
    const Caller caller = *scene_.Admit(*scene_.MakeToken("eu-1"));
    const EnrollmentAsk ask = scene_.Ask(id, key_);
    const auto challenge = scene_.enrollment->Begin(caller, ask);
    const SecretBytes proof = *ProveSealingKey(key_, challenge->box, challenge->context);
    absl::Notification enrolled;
    absl::Status answer;
    scene_.enrollment->Complete(caller, ask, std::string(proof.Access()),
                                [&](const absl::StatusOr<ProvisionerCertificate>& certificate) {
                                  answer = certificate.status();
                                  enrolled.Notify();
                                });
    ASSERT_THAT(scene_.Revoke("eu-1", ""), IsOk());
    enrolled.WaitForNotification();
    EXPECT_NE(answer.ok(), !IsRevoked("eu-1", id)) << answer;
  }
}

}  // namespace
}  // namespace keyferry
