#include "services/api/call_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/testing/fake_clock.h"
#include "libs/common/testing/status_matchers.h"
#include "services/api/client_address.h"

namespace keyferry {
namespace {

const auto kLimited = [] { return FailsWith(absl::StatusCode::kResourceExhausted, "RATE_LIMITED"); };
constexpr char kHome[] = "192.0.2.1";
constexpr char kElsewhere[] = "198.51.100.7";

class CallLimitsTest : public testing::Test {
 protected:
  static Caller Tenant(const std::string& id = "0000000001") {
    return {.principal = "apiKey:" + id, .organization = "acme"};
  }
  absl::Status Call(const std::string& id = "0000000001", const std::string& organization = "acme") {
    Caller caller = Tenant(id);
    caller.organization = organization;
    return limits_->AdmitCaller(caller, id);
  }
  void Make(const CallLimitSettings& settings) {
    limits_ = CallLimits::Create(settings, clock_, [this](const std::string&) { return organization_rate_; });
  }

  FakeClock clock_;
  int64_t organization_rate_ = 0;
  std::unique_ptr<CallLimits> limits_ = CallLimits::Create({}, clock_, nullptr);
};

TEST_F(CallLimitsTest, AKeyMayCallTwiceItsRateAtOnceAndNotOnceMore) {
  Make({.key_calls_per_second = 10});
  for (int i = 0; i < 20; ++i) ASSERT_THAT(Call(), IsOk()) << i;
  const absl::Status refused = Call();
  EXPECT_THAT(refused, kLimited());
  EXPECT_EQ(DetailsOf(refused)->retry_after, absl::Milliseconds(100));
  EXPECT_EQ(DetailsOf(refused)->metadata.at("limit"), "key");
  EXPECT_THAT(Call("0000000002"), IsOk());
}

TEST_F(CallLimitsTest, ARefusedCallerPassesAfterTheTimeThatItWasTold) {
  Make({.key_calls_per_second = 10});
  for (int i = 0; i < 20; ++i) ASSERT_THAT(Call(), IsOk());
  clock_.Advance(*DetailsOf(Call())->retry_after - absl::Milliseconds(1));
  EXPECT_THAT(Call(), kLimited());
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_THAT(Call(), IsOk());
  EXPECT_THAT(Call(), kLimited());
}

TEST_F(CallLimitsTest, ALongPauseFillsABucketOnceAndNoMore) {
  Make({.key_calls_per_second = 10});
  ASSERT_THAT(Call(), IsOk());
  clock_.Advance(absl::Hours(100));
  for (int i = 0; i < 20; ++i) ASSERT_THAT(Call(), IsOk()) << i;
  EXPECT_THAT(Call(), kLimited());
}

TEST_F(CallLimitsTest, KeysOfOneOrganizationShareItsRate) {
  Make({.organization_calls_per_second = 3});
  for (int i = 0; i < 6; ++i) ASSERT_THAT(Call(absl::StrCat("000000000", i)), IsOk()) << i;
  const absl::Status refused = Call("0000000009");
  EXPECT_THAT(refused, kLimited());
  EXPECT_EQ(DetailsOf(refused)->metadata.at("limit"), "organization");
  EXPECT_THAT(Call("000000000A", "other"), IsOk());
}

TEST_F(CallLimitsTest, AnOrganizationsQuotaCountsInsteadOfTheDefault) {
  organization_rate_ = 1;
  Make({.organization_calls_per_second = 100});
  for (int i = 0; i < 2; ++i) ASSERT_THAT(Call(), IsOk());
  EXPECT_THAT(Call(), kLimited());
  organization_rate_ = 5;
  EXPECT_THAT(Call(), kLimited());
  limits_->ForgetOrganization("acme");
  for (int i = 0; i < 10; ++i) ASSERT_THAT(Call(), IsOk());
  EXPECT_THAT(Call(), kLimited());
}

TEST_F(CallLimitsTest, OperatorsProvisionersAndEnrolleesHaveNoKeyLimit) {
  Make({.key_calls_per_second = 1, .organization_calls_per_second = 1});
  for (const CallerKind kind : {CallerKind::kOperator, CallerKind::kProvisioner, CallerKind::kEnrollee}) {
    for (int i = 0; i < 10; ++i) EXPECT_THAT(limits_->AdmitCaller({.kind = kind, .principal = "x"}, ""), IsOk());
  }
}

TEST_F(CallLimitsTest, AServiceIsLimitedByItsIdentity) {
  Make({.key_calls_per_second = 1});
  const Caller service{.principal = "spiffe://d/organization/acme/role/viewer/service/ci", .organization = "acme"};
  for (int i = 0; i < 2; ++i) ASSERT_THAT(limits_->AdmitCaller(service, ""), IsOk());
  EXPECT_THAT(limits_->AdmitCaller(service, ""), kLimited());
}

TEST_F(CallLimitsTest, AnAddressMayCallTwiceItsRateAtOnceAndNotOnceMore) {
  Make({.address_calls_per_second = 5});
  for (int i = 0; i < 10; ++i) ASSERT_THAT(limits_->AdmitAddress(kHome), IsOk());
  EXPECT_THAT(limits_->AdmitAddress(kHome), kLimited());
  EXPECT_THAT(limits_->AdmitAddress(kElsewhere), IsOk());
}

TEST_F(CallLimitsTest, ZeroIsNoLimit) {
  Make({.key_calls_per_second = 0,
        .organization_calls_per_second = 0,
        .address_calls_per_second = 0,
        .failures_per_minute = 0});
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_THAT(limits_->AdmitAddress(kHome), IsOk());
    ASSERT_THAT(limits_->CoolDown("0000000001", kHome), IsOk());
    ASSERT_THAT(Call(), IsOk());
    limits_->Failed("0000000001", kHome);
  }
}

TEST_F(CallLimitsTest, TwentyWrongCredentialsOfAnAddressBringAMinuteOfRefusals) {
  for (int i = 0; i < kDefaultFailuresPerMinute - 1; ++i) limits_->Failed("", kHome);
  EXPECT_THAT(limits_->CoolDown("", kHome), IsOk());
  limits_->Failed("", kHome);
  const absl::Status refused = limits_->CoolDown("", kHome);
  EXPECT_THAT(refused, kLimited());
  EXPECT_EQ(DetailsOf(refused)->retry_after, kFailureCoolDown);
  EXPECT_THAT(limits_->CoolDown("", kElsewhere), IsOk());
  EXPECT_THAT(limits_->CoolDown("0000000001", kHome), kLimited());
  clock_.Advance(kFailureCoolDown - absl::Seconds(1));
  EXPECT_THAT(limits_->CoolDown("", kHome), kLimited());
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(limits_->CoolDown("", kHome), IsOk());
}

TEST_F(CallLimitsTest, SlowFailuresBringNoCoolDown) {
  for (int i = 0; i < 10 * kDefaultFailuresPerMinute; ++i) {
    limits_->Failed("", kHome);
    clock_.Advance(absl::Seconds(4));
    ASSERT_THAT(limits_->CoolDown("", kHome), IsOk()) << i;
  }
}

TEST_F(CallLimitsTest, GuessesOfOneKeyFromManyAddressesCoolTheKeyDown) {
  for (int i = 0; i < kDefaultFailuresPerMinute; ++i) limits_->Failed("0000000001", absl::StrCat("203.0.113.", i));
  const absl::Status refused = limits_->CoolDown("0000000001", kElsewhere);
  EXPECT_THAT(refused, kLimited());
  EXPECT_EQ(DetailsOf(refused)->metadata.at("limit"), "key");
  EXPECT_THAT(limits_->CoolDown("0000000002", kElsewhere), IsOk());
  EXPECT_THAT(limits_->CoolDown("", kElsewhere), IsOk());
  clock_.Advance(kFailureCoolDown);
  EXPECT_THAT(limits_->CoolDown("0000000001", kElsewhere), IsOk());
}

TEST_F(CallLimitsTest, ACoolDownStopsNoCredentialThatCounts) {
  for (int i = 0; i < 1000; ++i) limits_->Failed("0000000001", kHome);
  EXPECT_THAT(limits_->AdmitAddress(kHome), IsOk());
  EXPECT_THAT(Call(), IsOk());
}

TEST_F(CallLimitsTest, UnknownAddressesCallAsTheyLikeAndFailAsOne) {
  Make({.address_calls_per_second = 1, .failures_per_minute = 2});
  for (int i = 0; i < 10; ++i) EXPECT_THAT(limits_->AdmitAddress(""), IsOk());
  limits_->Failed("", "");
  EXPECT_THAT(limits_->CoolDown("", ""), IsOk());
  limits_->Failed("", "");
  EXPECT_THAT(limits_->CoolDown("", ""), kLimited());
}

// A flood of addresses costs a bounded number of entries, and pushes out the one that called longest ago.
TEST_F(CallLimitsTest, TheOneThatCalledLongestAgoIsForgottenFirst) {
  Make({.address_calls_per_second = 1});
  for (int i = 0; i < 2; ++i) ASSERT_THAT(limits_->AdmitAddress("first"), IsOk());
  for (size_t i = 1; i < kMaxCallersLimited; ++i) ASSERT_THAT(limits_->AdmitAddress(absl::StrCat("a", i)), IsOk());
  EXPECT_THAT(limits_->AdmitAddress("first"), kLimited());
  for (size_t i = 0; i < kMaxCallersLimited; ++i) ASSERT_THAT(limits_->AdmitAddress(absl::StrCat("b", i)), IsOk());
  EXPECT_THAT(limits_->AdmitAddress("first"), IsOk());
}

TEST(ClientAddressTest, EverySpellingOfAnAddressIsOne) {
  EXPECT_EQ(CanonicalAddress("192.0.2.1"), "192.0.2.1");
  for (const char* text : {"2001:db8:0:1::1", "2001:DB8::1:0:0:0:1", "2001:0db8:0000:0001:0000:0000:0000:0001",
                           "2001:db8:0:1:ffff:ffff:ffff:ffff"}) {
    EXPECT_EQ(CanonicalAddress(text), "2001:db8:0:1::/64") << text;
  }
  EXPECT_EQ(CanonicalAddress("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_NE(CanonicalAddress("2001:db8:0:2::1"), CanonicalAddress("2001:db8:0:1::1"));
}

TEST(ClientAddressTest, WhatIsNoAddressIsNone) {
  for (const std::string_view text :
       {std::string_view(""), std::string_view("192.0.2"), std::string_view("192.0.2.256"),
        std::string_view("192.0.2.01"), std::string_view(" 192.0.2.1"), std::string_view("192.0.2.1:80"),
        std::string_view("fe80::1%eth0"), std::string_view("unknown"), std::string_view("192.0.2.1\0x", 11),
        std::string_view("0x7f.1")}) {
    EXPECT_EQ(CanonicalAddress(text), "") << text;
  }
}

TEST(ClientAddressTest, ThePeerIsTheClientWhereItIsNoProxy) {
  const auto addresses = *ClientAddresses::Create({"192.0.2.9"});
  EXPECT_EQ(addresses->Of("ipv4:192.0.2.1:4711", {}), "192.0.2.1");
  EXPECT_EQ(addresses->Of("ipv4:192.0.2.1:4711", {"198.51.100.7"}), "192.0.2.1");
  EXPECT_EQ(addresses->Of("ipv6:%5B2001:db8::1%5D:4711", {"198.51.100.7"}), "2001:db8::/64");
  EXPECT_EQ(addresses->Of("ipv6:[2001:db8::1]:4711", {}), "2001:db8::/64");
  EXPECT_EQ(addresses->Of("unix:", {"198.51.100.7"}), "");
  EXPECT_EQ(addresses->Of("something else", {"198.51.100.7"}), "");
}

TEST(ClientAddressTest, AProxysLastEntryIsTheClient) {
  const auto addresses = *ClientAddresses::Create({"192.0.2.9", "2001:db8::9", "unix"});
  for (const char* peer :
       {"ipv4:192.0.2.9:4711", "ipv6:%5B2001:db8::9%5D:4711", "ipv6:%5B::ffff:192.0.2.9%5D:1", "unix:"}) {
    EXPECT_EQ(addresses->Of(peer, {"198.51.100.7"}), "198.51.100.7") << peer;
    EXPECT_EQ(addresses->Of(peer, {"10.0.0.1, 203.0.113.5 ,198.51.100.7"}), "198.51.100.7") << peer;
    EXPECT_EQ(addresses->Of(peer, {"10.0.0.1", "198.51.100.7"}), "198.51.100.7") << peer;
  }
  // Its neighbour in the same network is no proxy.
  EXPECT_EQ(addresses->Of("ipv6:%5B2001:db8::8%5D:4711", {"198.51.100.7"}), "2001:db8::/64");
}

TEST(ClientAddressTest, AProxyThatDoesNotSayIsTheClientItself) {
  const auto addresses = *ClientAddresses::Create({"192.0.2.9", "unix"});
  EXPECT_EQ(addresses->Of("ipv4:192.0.2.9:4711", {}), "192.0.2.9");
  EXPECT_EQ(addresses->Of("ipv4:192.0.2.9:4711", {"unknown"}), "192.0.2.9");
  EXPECT_EQ(addresses->Of("ipv4:192.0.2.9:4711", {"198.51.100.7,"}), "192.0.2.9");
  EXPECT_EQ(addresses->Of("unix:", {}), "");
}

TEST(ClientAddressTest, AProxyThatIsNoAddressIsRefused) {
  EXPECT_THAT(ClientAddresses::Create({"localhost"}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ClientAddresses::Create({"10.0.0.0/8"}), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace keyferry
