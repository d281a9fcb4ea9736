// Streams: handshake, lease, ownership, drain.
#include <gtest/gtest.h>

#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/sealed_box.h"
#include "libs/storage/keys.h"
#include "services/api/testing/fake_region.h"

namespace keyferry {
namespace {

constexpr char kRegion[] = "us-west";

class RegionSessionTest : public ::testing::Test {
 protected:
  RegionSessionTest() { scene_.CreateRegion(kRegion); }

  std::unique_ptr<FakeProvisioner> Connect(const std::string& id, char boot_id = 'b') {
    auto provisioner = std::make_unique<FakeProvisioner>(region_, scene_.directory(), id, boot_id);
    provisioner->SayHello();
    scene_.executor().RunUntilIdle();
    return provisioner;
  }
  absl::Status RefusalOf(const std::function<void(v1::Hello&)>& change) {
    FakeProvisioner provisioner(region_, scene_.directory(), "p1");
    v1::Hello hello = provisioner.MakeHello();
    change(hello);
    provisioner.SayHello(hello);
    scene_.executor().RunUntilIdle();
    return provisioner.finished().value_or(absl::OkStatus());
  }

  RegionScene scene_;
  FakeRegion region_{kRegion};
};

TEST_F(RegionSessionTest, HelloIsAnsweredByWelcomeAndGrantWithADurableEpoch) {
  const auto p1 = Connect("p1");
  ASSERT_EQ(p1->log().size(), 4u);
  EXPECT_TRUE(p1->log()[0].has_welcome());
  EXPECT_EQ(p1->log()[0].welcome().heartbeat_interval().seconds(), 5);
  EXPECT_EQ(p1->log()[0].welcome().lease_duration().seconds(), 15);
  EXPECT_EQ(p1->log()[0].welcome().session_id().size(), 16u);
  EXPECT_EQ(p1->log()[1].grant().epoch(), 1u);
  EXPECT_EQ(scene_.State(kRegion).epoch, 1u);
  EXPECT_EQ(scene_.State(kRegion).target_incarnation, region_.incarnation());
}

TEST_F(RegionSessionTest, TheEpochGrowsWithEveryOwner) {
  Connect("p1");
  scene_.executor().RunUntilIdle();
  const auto p2 = Connect("p2");
  Settle(scene_, {p2.get()});
  EXPECT_EQ(p2->epoch(), 2u);
}

TEST_F(RegionSessionTest, AnotherProtocolVersionIsRefused) {
  EXPECT_THAT(RefusalOf([](v1::Hello& hello) { hello.set_protocol_version(2); }),
              FailsWith(absl::StatusCode::kFailedPrecondition, "PROTOCOL_VERSION"));
}

TEST_F(RegionSessionTest, AnotherRegionThanTheCertificatesIsRefused) {
  EXPECT_THAT(RefusalOf([](v1::Hello& hello) { hello.set_region("us-east"); }),
              FailsWith(absl::StatusCode::kPermissionDenied, "REGION_MISMATCH"));
}

TEST_F(RegionSessionTest, AnotherProvisionerThanTheCertificatesIsRefused) {
  EXPECT_THAT(RefusalOf([](v1::Hello& hello) { hello.set_provisioner_id("p2"); }),
              FailsWith(absl::StatusCode::kPermissionDenied, "REGION_MISMATCH"));
}

TEST_F(RegionSessionTest, AnotherSealingKeyIsRefused) {
  EXPECT_THAT(RefusalOf([](v1::Hello& hello) { hello.set_sealing_key_id(std::string(16, 'x')); }),
              FailsWith(absl::StatusCode::kFailedPrecondition, "UNKNOWN_SEALING_KEY"));
}

TEST_F(RegionSessionTest, AnIncarnationOfFifteenOrSeventeenBytesIsRefused) {
  for (const size_t size : {15u, 17u}) {
    EXPECT_THAT(RefusalOf([&](v1::Hello& hello) { hello.set_target_incarnation(std::string(size, 'x')); }),
                FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_HELLO"));
  }
}

TEST_F(RegionSessionTest, AWindowOfNothingIsRefused) {
  EXPECT_THAT(RefusalOf([](v1::Hello& hello) { hello.set_max_inflight_objects(0); }),
              FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_HELLO"));
}

TEST_F(RegionSessionTest, ARevisionOfAnImpossibleLineageIsRefusedAndRewindsNothing) {
  EXPECT_THAT(RefusalOf([](v1::Hello& hello) { hello.set_max_revision_seen(~uint64_t{0}); }),
              FailsWith(absl::StatusCode::kFailedPrecondition, "REVISION_OUT_OF_RANGE"));
  EXPECT_EQ(scene_.rewind_count(), 0);
}

TEST_F(RegionSessionTest, ARegionThatDoesNotExistIsRefused) {
  FakeRegion nowhere("nowhere");
  FakeProvisioner provisioner(nowhere, scene_.directory(), "p1");
  provisioner.SayHello();
  scene_.executor().RunUntilIdle();
  EXPECT_THAT(*provisioner.finished(), FailsWith(absl::StatusCode::kNotFound, "REGION_NOT_FOUND"));
}

TEST_F(RegionSessionTest, TheFirstMessageMustBeHello) {
  FakeProvisioner provisioner(region_, scene_.directory(), "p1");
  provisioner.Heartbeat();
  scene_.executor().RunUntilIdle();
  EXPECT_THAT(*provisioner.finished(), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_HELLO"));
}

TEST_F(RegionSessionTest, ASecondHelloEndsTheStream) {
  const auto p1 = Connect("p1");
  p1->SayHello();
  scene_.executor().RunUntilIdle();
  EXPECT_THAT(*p1->finished(), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_HELLO"));
}

TEST_F(RegionSessionTest, SilenceInsteadOfHelloEndsTheStreamAfterTenSeconds) {
  FakeProvisioner provisioner(region_, scene_.directory(), "p1");
  scene_.executor().Advance(absl::Seconds(9));
  EXPECT_FALSE(provisioner.finished());
  scene_.executor().Advance(absl::Seconds(1));
  EXPECT_THAT(*provisioner.finished(), FailsWith(absl::StatusCode::kUnavailable, "NO_HELLO"));
}

TEST_F(RegionSessionTest, AnotherProvisionerStandsByAndIsToldWhoOwns) {
  const auto p1 = Connect("p1");
  const auto p2 = Connect("p2");
  Settle(scene_, {p1.get(), p2.get()});
  EXPECT_TRUE(p1->owner());
  EXPECT_FALSE(p2->owner());
  EXPECT_EQ(p2->Last(&v1::ApiMessage::has_standby)->standby().owner_id(), "p1");
}

TEST_F(RegionSessionTest, TheOldestStandbyFollowsWhenTheOwnersLeaseEnds) {
  const auto p1 = Connect("p1");
  const auto p2 = Connect("p2");
  const auto p3 = Connect("p3");
  Pass(scene_, absl::Seconds(14), {p2.get(), p3.get()});
  EXPECT_FALSE(p1->finished());
  EXPECT_FALSE(p2->owner());
  Pass(scene_, absl::Seconds(2), {p2.get(), p3.get()});
  EXPECT_THAT(*p1->finished(), FailsWith(absl::StatusCode::kUnavailable, "LEASE_EXPIRED"));
  EXPECT_TRUE(p2->owner());
  EXPECT_FALSE(p3->owner());
}

TEST_F(RegionSessionTest, HeartbeatsKeepTheLease) {
  const auto p1 = Connect("p1");
  Pass(scene_, absl::Minutes(5), {p1.get()});
  EXPECT_FALSE(p1->finished());
}

TEST_F(RegionSessionTest, ABrokenStreamsRegionGoesToTheStandbyAtOnce) {
  const auto p1 = Connect("p1");
  const auto p2 = Connect("p2");
  p1->Break();
  Settle(scene_, {p2.get()});
  EXPECT_TRUE(p2->owner());
}

TEST_F(RegionSessionTest, TheSameProvisionersNextProcessTakesOverAtOnceAndBeforeAnyStandby) {
  const auto p1 = Connect("p1", 'b');
  const auto p2 = Connect("p2");
  const auto again = Connect("p1", 'c');
  Settle(scene_, {p1.get(), p2.get(), again.get()});
  EXPECT_EQ(p1->Last(&v1::ApiMessage::has_drain)->drain().reason(), "SUPERSEDED");
  EXPECT_THAT(*p1->finished(), IsOk());
  EXPECT_TRUE(again->owner());
  EXPECT_FALSE(p2->owner());
}

TEST_F(RegionSessionTest, StandbysGetBookmarksWithoutAFloor) {
  const auto p1 = Connect("p1");
  const auto p2 = Connect("p2");
  Pass(scene_, absl::Seconds(11), {p1.get(), p2.get()});
  ASSERT_NE(p2->Last(&v1::ApiMessage::has_bookmark), nullptr);
  EXPECT_EQ(p2->Last(&v1::ApiMessage::has_bookmark)->bookmark().settled_floor(), 0u);
}

TEST_F(RegionSessionTest, AcksOfAStandbyAreNotHeard) {
  const std::string payload = scene_.Write(kRegion, "my-set");
  const auto p1 = Connect("p1");
  const auto p2 = Connect("p2");
  std::vector<v1::Event> events;
  while (events.empty()) events = p1->TakeEvents();
  p2->Ack(events[0]);
  scene_.executor().RunUntilIdle();
  EXPECT_EQ(scene_.ReadinessOf(kRegion, SetNamed("my-set")), Readiness::kPending);
}

TEST_F(RegionSessionTest, DrainWaitsForWhatIsInFlightAndFinishesWell) {
  const auto p1 = Connect("p1");
  Settle(scene_, {p1.get()});
  scene_.Write(kRegion, "my-set");
  scene_.executor().RunUntilIdle();
  scene_.random = 0.5;
  scene_.directory().DrainAll(absl::Seconds(10));
  scene_.executor().RunUntilIdle();
  EXPECT_EQ(p1->Last(&v1::ApiMessage::has_drain)->drain().reconnect_after().seconds(), 5);
  EXPECT_FALSE(p1->finished());
  p1->WorkAll();
  scene_.executor().Advance(absl::Seconds(1));
  EXPECT_THAT(*p1->finished(), IsOk());
  EXPECT_EQ(scene_.ReadinessOf(kRegion, SetNamed("my-set")), Readiness::kReady);
  EXPECT_TRUE(scene_.directory().AwaitEmpty(absl::ZeroDuration()));
}

TEST_F(RegionSessionTest, DrainWaitsFiveSecondsAndNotLongerAndSuspectsNobody) {
  const auto p1 = Connect("p1");
  scene_.Write(kRegion, "my-set");
  scene_.executor().RunUntilIdle();
  scene_.directory().DrainAll(absl::ZeroDuration());
  scene_.executor().Advance(kDrainTimeout);
  EXPECT_THAT(*p1->finished(), IsOk());
  EXPECT_EQ(scene_.Rows(kRegion, SetNamed("my-set")).observed.value_or(Observation{}).suspect, 0);
}

TEST_F(RegionSessionTest, NobodyComesInWhileDraining) {
  scene_.directory().DrainAll(absl::ZeroDuration());
  FakeProvisioner late(region_, scene_.directory(), "p1");
  EXPECT_THAT(*late.finished(), FailsWith(absl::StatusCode::kUnavailable, "DRAINING"));
}

TEST_F(RegionSessionTest, DrainEndsStreamsThatNeverSaidHello) {
  FakeProvisioner provisioner(region_, scene_.directory(), "p1");
  scene_.directory().DrainAll(absl::ZeroDuration());
  scene_.executor().RunUntilIdle();
  EXPECT_THAT(*provisioner.finished(), IsOk());
  EXPECT_TRUE(scene_.directory().AwaitEmpty(absl::ZeroDuration()));
}

TEST_F(RegionSessionTest, TheDirectoryTellsWhoIsConnectedTheOwnerFirst) {
  EXPECT_FALSE(scene_.directory().IsConnected(kRegion));
  const auto p1 = Connect("p1");
  const auto p2 = Connect("p2");
  const std::vector<SessionSummary> provisioners = scene_.directory().Provisioners(kRegion);
  ASSERT_EQ(provisioners.size(), 2u);
  EXPECT_EQ(provisioners[0].provisioner_id, "p1");
  EXPECT_TRUE(provisioners[0].active);
  EXPECT_FALSE(provisioners[1].active);
  EXPECT_TRUE(scene_.directory().IsConnected(kRegion));
  p1->Break();
  p2->Break();
  scene_.executor().RunUntilIdle();
  EXPECT_FALSE(scene_.directory().IsConnected(kRegion));
}

class KeyedSessionTest : public RegionSessionTest {
 protected:
  KeyedSessionTest() {
    EXPECT_THAT(scene_.Commit([&](Transaction& transaction) -> absl::Status {
      ASSIGN_OR_RETURN(auto row, transaction.Get<RegionRow>(keys::Region(kRegion)));
      old_key_ = row->value.sealing_key;
      row->value.previous_sealing_keys = {old_key_};
      row->value.sealing_key = new_key_;
      transaction.Put(keys::Region(kRegion), Encode(row->value));
      return absl::OkStatus();
    }), IsOk());
  }
  std::unique_ptr<FakeProvisioner> ConnectUnder(const std::string& key, const std::string& id) {
    auto provisioner = std::make_unique<FakeProvisioner>(region_, scene_.directory(), id);
    v1::Hello hello = provisioner->MakeHello();
    hello.set_sealing_key_id(SealingKeyId(key));
    provisioner->SayHello(hello);
    Settle(scene_, {provisioner.get()});
    return provisioner;
  }
  // To what is written now.
  void AnswerCannotOpen(FakeProvisioner& provisioner) {
    v1::Ack failure;
    failure.set_result(v1::ACK_RESULT_FAILED);
    failure.set_error_reason("CANNOT_OPEN");
    failure.set_permanent(true);
    region_.failing[SetNamed("my-set")] = failure;
    scene_.Write(kRegion, "my-set");
    Settle(scene_, {&provisioner});
  }

  const std::string new_key_ = RegionKey::Generate().public_key();
  std::string old_key_;
};

TEST_F(KeyedSessionTest, AStandbyWithThePresentKeyFollowsBeforeThoseWithAnOlderOne) {
  const auto owner = ConnectUnder(old_key_, "p1");
  const auto older = ConnectUnder(old_key_, "p2");
  const auto newer = ConnectUnder(new_key_, "p3");
  EXPECT_TRUE(owner->owner());
  owner->Break();
  Settle(scene_, {older.get(), newer.get()});
  EXPECT_FALSE(older->owner());
  EXPECT_TRUE(newer->owner());
}

TEST_F(KeyedSessionTest, WhatAnOlderKeyDoesNotOpenIsNotLostForGood) {
  const auto owner = ConnectUnder(old_key_, "p1");
  AnswerCannotOpen(*owner);
  EXPECT_FALSE(scene_.Rows(kRegion, SetNamed("my-set")).observed->permanent);
  EXPECT_FALSE(owner->finished());
}

TEST_F(KeyedSessionTest, WhatThePresentKeyDoesNotOpenIs) {
  const auto owner = ConnectUnder(new_key_, "p1");
  AnswerCannotOpen(*owner);
  EXPECT_TRUE(scene_.Rows(kRegion, SetNamed("my-set")).observed->permanent);
}

TEST_F(KeyedSessionTest, AnOwnerThatCannotOpenGivesWayToAStandbyWithThePresentKey) {
  const auto owner = ConnectUnder(old_key_, "p1");
  const auto newer = ConnectUnder(new_key_, "p2");
  AnswerCannotOpen(*owner);
  region_.failing.clear();
  Pass(scene_, absl::Seconds(10), {owner.get(), newer.get()});
  ASSERT_TRUE(owner->finished());
  EXPECT_THAT(*owner->finished(), IsOk());
  EXPECT_TRUE(newer->owner());
  EXPECT_EQ(scene_.ReadinessOf(kRegion, SetNamed("my-set")), Readiness::kReady);
}

class RevocationTest : public RegionSessionTest {
 protected:
  static constexpr absl::Duration kCertificate = absl::Seconds(60);

  std::unique_ptr<FakeProvisioner> ConnectUntil(const std::string& id, absl::Time expiry) {
    auto provisioner = std::make_unique<FakeProvisioner>(region_, scene_.directory(), id, 'b', expiry);
    provisioner->SayHello();
    scene_.executor().RunUntilIdle();
    return provisioner;
  }
  void SetKeys(const std::string& sealing_key, std::vector<std::string> previous) {
    EXPECT_THAT(scene_.Commit([&](Transaction& transaction) {
      transaction.Put(keys::Region(kRegion), Encode(RegionRow{.sealing_key = sealing_key, .previous_sealing_keys = std::move(previous)}));
      return absl::OkStatus();
    }), IsOk());
  }

  const std::string p1_ = "spiffe://keyferry.test/region/us-west/provisioner/p1";
};

TEST_F(RevocationTest, ARevokedOwnersStreamEndsAtOnceAndTheStandbyFollows) {
  const auto p1 = Connect("p1");
  const auto p2 = Connect("p2");
  scene_.revoked.insert(p1_);
  scene_.directory().CheckRevoked();
  Settle(scene_, {p1.get(), p2.get()});
  EXPECT_THAT(*p1->finished(), FailsWith(absl::StatusCode::kPermissionDenied, "PROVISIONER_REVOKED"));
  EXPECT_FALSE(p2->finished());
  EXPECT_TRUE(p2->owner());
}

TEST_F(RevocationTest, ARevokedStandbysStreamEndsToo) {
  const auto p2 = Connect("p2");
  const auto p1 = Connect("p1");
  scene_.revoked.insert(p1_);
  scene_.directory().CheckRevoked();
  Settle(scene_, {p1.get(), p2.get()});
  EXPECT_THAT(*p1->finished(), FailsWith(absl::StatusCode::kPermissionDenied, "PROVISIONER_REVOKED"));
  EXPECT_TRUE(p2->owner());
}

TEST_F(RevocationTest, AStreamThatWasNotToldEndsWithinASecond) {
  const auto p1 = Connect("p1");
  scene_.revoked.insert(p1_);
  Pass(scene_, absl::Seconds(1), {p1.get()});
  EXPECT_THAT(*p1->finished(), FailsWith(absl::StatusCode::kPermissionDenied, "PROVISIONER_REVOKED"));
}

TEST_F(RevocationTest, WhatWasInFlightToARevokedProvisionerIsNotSuspect) {
  const auto p1 = Connect("p1");
  scene_.Write(kRegion, "my-set");
  Settle(scene_, {});
  scene_.revoked.insert(p1_);
  scene_.directory().CheckRevoked();
  scene_.executor().RunUntilIdle();
  const PlacementRows rows = scene_.Rows(kRegion, SetNamed("my-set"));
  EXPECT_TRUE(!rows.observed || rows.observed->suspect == 0);
}

TEST_F(RevocationTest, ARenewedCertificateKeepsTheStream) {
  const auto p1 = ConnectUntil("p1", scene_.clock().Now() + kCertificate);
  Pass(scene_, kCertificate / 2, {p1.get()});
  const absl::Time renewed = scene_.clock().Now() + kCertificate;
  scene_.directory().ExtendCertificate(kRegion, "p1", renewed);
  Pass(scene_, kCertificate - absl::Seconds(1), {p1.get()});
  EXPECT_FALSE(p1->finished());
  EXPECT_EQ(scene_.directory().Provisioners(kRegion)[0].certificate_expiry, renewed);
  Pass(scene_, absl::Seconds(1), {p1.get()});
  EXPECT_THAT(*p1->finished(), FailsWith(absl::StatusCode::kUnauthenticated, "CERTIFICATE_EXPIRED"));
}

TEST_F(RevocationTest, ARenewalIsOfOneProvisionerOfOneRegionAndNeverShortens) {
  const auto p1 = ConnectUntil("p1", scene_.clock().Now() + kCertificate);
  scene_.directory().ExtendCertificate(kRegion, "p2", absl::InfiniteFuture());
  scene_.directory().ExtendCertificate("us-east", "p1", absl::InfiniteFuture());
  scene_.directory().ExtendCertificate(kRegion, "p1", scene_.clock().Now());
  Pass(scene_, kCertificate - absl::Seconds(1), {p1.get()});
  EXPECT_FALSE(p1->finished());
  Pass(scene_, absl::Seconds(1), {p1.get()});
  EXPECT_TRUE(p1->finished());
}

TEST_F(RevocationTest, DuringAChangeThePreviousSealingKeyIsKnownToo) {
  SetKeys(std::string(32, 'n'), {SealingKeyOf(kRegion)});
  EXPECT_TRUE(Connect("p1")->owner() || !scene_.directory().Provisioners(kRegion).empty());
  SetKeys(std::string(32, 'n'), {});
  EXPECT_THAT(RefusalOf([](v1::Hello&) {}), FailsWith(absl::StatusCode::kFailedPrecondition, "UNKNOWN_SEALING_KEY"));
}

TEST_F(RevocationTest, ARegionWithoutASealingKeySaysSo) {
  SetKeys("", {});
  EXPECT_THAT(RefusalOf([](v1::Hello&) {}), FailsWith(absl::StatusCode::kFailedPrecondition, "REGION_NOT_ENROLLED"));
}

}  // namespace
}  // namespace keyferry
