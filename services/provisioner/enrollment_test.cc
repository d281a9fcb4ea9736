#include "services/provisioner/enrollment.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <fstream>

#include "libs/common/testing/fake_clock.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/crypto/aead.h"
#include "services/provisioner/testing/fake_enrollment.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::StatusCode kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr absl::StatusCode kUnauthenticated = absl::StatusCode::kUnauthenticated;

class EnrollmentTest : public ::testing::Test {
 protected:
  EnrollmentTest() { WriteToken(" ke_token\n"); }

  void WriteToken(const std::string& text) { std::ofstream(settings_.token_file) << text; }
  absl::StatusOr<Identity> Enroll() { return EnrollInto(identity_, settings_, *keys_.Get()); }
  absl::StatusOr<Identity> Start() { return IdentityAtStart(identity_, settings_, *keys_.Get(), clock_); }

  const TempDir directory_;
  FakeEnrollment api_{directory_.path()};
  FakeClock clock_;
  const RegionKey key_ = RegionKey::Generate();
  RegionKeys keys_{*RegionKey::FromPrivate(key_.private_key().Clone())};
  const IdentityDirectory identity_ = IdentityDirectory::Open(directory_.File("identity"), api_.roots()).value();
  EnrollmentSettings settings_{.edge_api = api_.target(),
                               .roots = api_.roots(),
                               .provisioner_id = "us-west-1",
                               .token_file = directory_.File("token")};
};

TEST_F(EnrollmentTest, LeavesAnIdentityThatCanBeUsed) {
  const auto enrolled = Enroll();
  ASSERT_THAT(enrolled, IsOk());
  EXPECT_EQ(enrolled->region, "us-west");
  EXPECT_EQ(identity_.Read()->spiffe_id, "spiffe://keyferry.test/region/us-west/provisioner/us-west-1");
  EXPECT_THAT(CheckTlsFiles(identity_.Files().value()), IsOk());
  EXPECT_EQ(api_.sealing_key, key_.public_key());
}

TEST_F(EnrollmentTest, AUsedTokenIsRefusedWithHowToGetAnother) {
  api_.token.clear();
  const auto enrolled = Enroll();
  EXPECT_THAT(enrolled, StatusIs(kUnauthenticated));
  EXPECT_THAT(std::string(enrolled.status().message()), HasSubstr("keyferry regions token"));
  EXPECT_THAT(std::string(enrolled.status().message()), Not(HasSubstr("ke_token")));
  EXPECT_THAT(identity_.Read(), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(EnrollmentTest, AnotherKeyThanTheRegionsIsRefused) {
  api_.sealing_key = RegionKey::Generate().public_key();
  EXPECT_THAT(Enroll(), FailsWith(kFailedPrecondition, "SEALING_KEY_MISMATCH"));
  EXPECT_THAT(identity_.Read(), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(EnrollmentTest, AKeyBeforeTheCurrentOneServesUntilTheCurrentOneWasAnnounced) {
  std::vector<RegionKey> keys;
  keys.push_back(RegionKey::Generate());
  keys.push_back(*RegionKey::FromPrivate(key_.private_key().Clone()));
  keys_.Replace(RegionKeySet(std::move(keys)));
  api_.sealing_key = key_.public_key();
  EXPECT_THAT(Enroll(), IsOk());
}

TEST_F(EnrollmentTest, ADataKeyThatIsPassedOffAsAChallengeIsNotOpened) {
  api_.context = JoinParts({"keyferry/data-key/v1", "organization", "set", "key"});
  EXPECT_THAT(Enroll(), StatusIs(kFailedPrecondition));
  EXPECT_EQ(api_.call_count, 1);
}

TEST_F(EnrollmentTest, AnIdOfSomebodyElseIsNotTaken) {
  settings_.provisioner_id = "us-west-2";
  EXPECT_THAT(Enroll(), StatusIs(absl::StatusCode::kInternal));
  EXPECT_THAT(identity_.Read(), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(EnrollmentTest, AFileWithoutATokenOrWithTwoIsNotSent) {
  for (const std::string& text : {std::string(), std::string(" \n"), std::string("one two"), std::string(257, 'x')}) {
    WriteToken(text);
    EXPECT_THAT(Enroll(), StatusIs(kFailedPrecondition)) << text;
  }
  EXPECT_EQ(api_.call_count, 0);
}

TEST_F(EnrollmentTest, AnApiThatIsAwayIsWorthAnotherTry) {
  settings_.edge_api = "unix:" + directory_.File("nobody");
  EXPECT_THAT(Enroll(), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(EnrollmentTest, AtFirstStartItEnrollsByItself) {
  ASSERT_THAT(Start(), IsOk());
  EXPECT_THAT(identity_.Read(), IsOk());
}

TEST_F(EnrollmentTest, LaterStartsLeaveTheTokenAlone) {
  ASSERT_THAT(Start(), IsOk());
  const int calls = api_.call_count;
  ASSERT_THAT(Start(), IsOk());
  settings_.token_file = directory_.File("gone");
  ASSERT_THAT(Start(), IsOk());
  EXPECT_EQ(api_.call_count, calls);
}

TEST_F(EnrollmentTest, WithoutIdentityAndTokenThereIsNoStart) {
  settings_.token_file.clear();
  EXPECT_THAT(Start(), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(EnrollmentTest, AnIdentityOfAnotherIdIsNotServedWith) {
  ASSERT_THAT(Start(), IsOk());
  settings_.provisioner_id = "us-west-2";
  EXPECT_THAT(Start(), StatusIs(kFailedPrecondition));
  settings_.provisioner_id.clear();
  EXPECT_THAT(Start(), IsOk());
}

TEST_F(EnrollmentTest, AnExpiredIdentityIsReplacedWithANewToken) {
  ASSERT_THAT(Start(), IsOk());
  clock_.Advance(absl::Hours(24 * 365 * 20));
  api_.token = "ke_token";
  api_.lifetime = absl::Hours(24 * 300);
  const auto started = Start();
  ASSERT_THAT(started, IsOk());
  EXPECT_GT(started->expire_time, absl::Now() + absl::Hours(24 * 200));
}

TEST_F(EnrollmentTest, AnExpiredIdentityWithAUsedTokenStillServesWhatTheRegionHolds) {
  ASSERT_THAT(Start(), IsOk());
  clock_.Advance(absl::Hours(24 * 365 * 20));
  EXPECT_THAT(Start(), IsOk());
}

TEST_F(EnrollmentTest, ANewSealingKeyAndThePresentOneAreProved) {
  const auto channel = grpc::CreateChannel(api_.target(), grpc::InsecureChannelCredentials());
  std::vector<RegionKey> held;
  held.push_back(RegionKey::Generate());
  held.push_back(RegionKey::Generate());
  api_.sealing_key = key_.public_key();
  EXPECT_THAT(ChangeSealingKey(channel, held), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(api_.sealing_key, key_.public_key());
  held.push_back(*RegionKey::FromPrivate(key_.private_key().Clone()));
  EXPECT_THAT(ChangeSealingKey(channel, held), IsOk());
  EXPECT_EQ(api_.sealing_key, held.front().public_key());
  EXPECT_THAT(ChangeSealingKey(channel, held), IsOk()) << "its answer was lost";
}

TEST_F(EnrollmentTest, ARenewedCertificateIsOfTheNewRequest) {
  const auto channel = grpc::CreateChannel(api_.target(), grpc::InsecureChannelCredentials());
  const CertificateRequest request = NewCertificateRequest().value();
  const auto renewed = RenewCertificate(channel, request.csr);
  ASSERT_THAT(renewed, IsOk());
  EXPECT_THAT(identity_.Write(renewed->identity, renewed->chain, request.private_key), IsOk());
}

}  // namespace
}  // namespace keyferry
