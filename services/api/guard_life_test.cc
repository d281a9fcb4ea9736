// The guard beside API keys and certificates: enrollees, revoked identities, limits, records of refusals, and streams
// whose credential ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "keyferry/v1/organizations.grpc.pb.h"
#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/rpc/status_conversion.h"
#include "services/api/audit_trail.h"
#include "services/api/call_scope.h"
#include "services/api/credential_watch.h"
#include "services/api/enrollment_tokens.h"
#include "services/api/testing/edge_scene.h"

namespace keyferry {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kOperator[] = "spiffe://keyferry.test/operator/ada";
constexpr char kService[] = "spiffe://keyferry.test/organization/acme/role/deployer/service/ci";
constexpr absl::Duration kEndsWithin = absl::Seconds(5);

// Knows one token.
class OneToken final : public EnrollmentTokens {
 public:
  absl::StatusOr<VerifiedEnrollmentToken> Verify(std::string_view text) override {
    if (text == "ke_good") return VerifiedEnrollmentToken{.id = "0000000001", .region = "us-west"};
    return MakeError(StatusCode::kUnauthenticated, "the token is not valid", {.reason = "UNAUTHENTICATED"});
  }
  void Make(const std::string&, const std::string&, std::function<void(absl::StatusOr<NewEnrollmentToken>)>) override {}
  void MakeReplacing(const std::string&, const std::string&, std::function<void(absl::StatusOr<NewEnrollmentToken>)>) override {}
  absl::Status UseIn(Transaction&, std::string_view, const std::string&, const std::string&) const override {
    return absl::UnimplementedError("");
  }
  absl::Status RevokeIn(Transaction&, const std::string&) const override { return absl::UnimplementedError(""); }
  void Sweep(std::function<void(absl::StatusOr<size_t>)>) override {}
};

// Each as `principal method organization reason`.
class RememberedDenials final : public AuditTrail {
 public:
  void Denied(const Caller& caller, std::string_view method, const absl::Status& status) override {
    const std::lock_guard lock(mutex_);
    denials_.push_back(
        absl::StrCat(caller.principal, " ", std::string(method), " ", caller.organization, " ", ReasonOf(status)));
  }
  std::vector<std::string> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(denials_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> denials_;
};

std::unique_ptr<grpc::ClientContext> With(const std::string& token, const std::string& forwarded_for = "") {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  if (!token.empty()) context->AddMetadata("authorization", "Bearer " + token);
  if (!forwarded_for.empty()) context->AddMetadata("x-forwarded-for", forwarded_for);
  return context;
}

class GuardLifeTest : public testing::Test {
 protected:
  explicit GuardLifeTest(const EdgeSceneOptions& options = {}) : scene_(WithParts(options)) {
    EXPECT_THAT(scene_.MakeOrganization("acme"), IsOk());
    EXPECT_THAT(scene_.MakeOrganization("other"), IsOk());
    const NewApiKey admin = *scene_.MakeApiKey("acme", Role::kAdmin);
    admin_id_ = admin.api_key.id;
    admin_ = std::string(admin.text.Access());
    viewer_ = std::string(scene_.MakeApiKey("acme", Role::kViewer)->text.Access());
  }

  absl::StatusOr<v1::WhoAmIResponse> WhoAmI(const std::shared_ptr<grpc::Channel>& channel,
                                            std::unique_ptr<grpc::ClientContext> context) {
    v1::WhoAmIResponse response;
    const grpc::Status status = v1::Organizations::NewStub(channel)->WhoAmI(context.get(), {}, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return response;
  }
  absl::Status WhoAmI(const std::string& token, const std::string& forwarded_for = "") {
    return WhoAmI(scene_.EdgeChannel(), With(token, forwarded_for)).status();
  }
  absl::Status ListKeys(const std::shared_ptr<grpc::Channel>& channel, const std::string& token,
                        const std::string& organization) {
    const auto context = With(token);
    v1::ListApiKeysRequest request;
    request.set_organization(organization);
    v1::ListApiKeysResponse response;
    return FromGrpcStatus(v1::Organizations::NewStub(channel)->ListApiKeys(context.get(), request, &response));
  }
  absl::Status ListRegions(const std::string& token) {
    const auto context = With(token);
    v1::ListRegionsResponse response;
    return FromGrpcStatus(v1::Regions::NewStub(scene_.EdgeChannel())->ListRegions(context.get(), {}, &response));
  }

  EdgeSceneOptions WithParts(EdgeSceneOptions options) {
    options.audit = &denials_;
    options.enrollment_tokens = &tokens_;
    return options;
  }

  OneToken tokens_;
  RememberedDenials denials_;
  EdgeScene scene_;
  std::string admin_;
  std::string admin_id_;
  std::string viewer_;
};

TEST_F(GuardLifeTest, AnEnrolleeIsKnownByItsTokenAndMayEnrollAlone) {
  EXPECT_THAT(ListRegions("ke_good"), FailsWith(StatusCode::kPermissionDenied, "PERMISSION_DENIED"));
  EXPECT_THAT(denials_.Take(), ElementsAre("enrollment:0000000001 Regions/ListRegions  PERMISSION_DENIED"));
  EXPECT_THAT(ListRegions("ke_bad"), FailsWith(StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
}

TEST_F(GuardLifeTest, ARevokedIdentityIsRefusedFromTheAnswerOnWhateverItAsks) {
  for (const char* id : {kOperator, kService, "spiffe://keyferry.test/region/us-west/provisioner/p1"}) {
    const auto channel = scene_.InnerChannel(id);
    ASSERT_THAT(WhoAmI(channel, With("")), IsOk());
    ASSERT_THAT(scene_.RevokeIdentity(id), IsOk());
    EXPECT_THAT(WhoAmI(channel, With("")), FailsWith(StatusCode::kUnauthenticated, "IDENTITY_REVOKED"));
    EXPECT_THAT(ListKeys(channel, "", "ghost"), FailsWith(StatusCode::kUnauthenticated, "IDENTITY_REVOKED"));
  }
  EXPECT_THAT(WhoAmI(scene_.InnerChannel(absl::StrCat(kOperator, "2")), With("")), IsOk());
}

TEST_F(GuardLifeTest, ABodyWorksOnBehalfOfItsCall) {
  std::shared_ptr<const AuditedCall> seen;
  scene_.regions->body = [&](const Caller&, const Guard::Done& done) {
    seen = CallScope::Current();
    done(absl::OkStatus());
  };
  ASSERT_THAT(ListRegions(admin_), IsOk());
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(seen->method, "Regions/ListRegions");
  EXPECT_EQ(seen->caller.principal, "apiKey:" + admin_id_);
  EXPECT_EQ(seen->caller.organization, "acme");
}

TEST_F(GuardLifeTest, AQuickAnswerWaitsForNoThread) {
  scene_.regions->quick = [](const Caller&) { return absl::OkStatus(); };
  scene_.regions->body = [](const Caller&, const Guard::Done& done) { done(absl::InternalError("the body ran")); };
  const auto released = std::make_shared<absl::Notification>();
  for (int i = 0; i < 2; ++i) scene_.executor->Run([released] { released->WaitForNotification(); });
  for (int i = 0; i < kSceneCallsWaiting + 1; ++i) EXPECT_THAT(ListRegions(admin_), IsOk());
  released->Notify();
}

TEST_F(GuardLifeTest, WhatHasNoQuickAnswerRunsItsBody) {
  bool asked = false;
  scene_.regions->quick = [&](const Caller& caller) {
    asked = caller.principal == "apiKey:" + admin_id_;
    return std::nullopt;
  };
  scene_.regions->body = [](const Caller&, const Guard::Done& done) { done(absl::OkStatus()); };
  EXPECT_THAT(ListRegions(admin_), IsOk());
  EXPECT_TRUE(asked);
}

TEST_F(GuardLifeTest, WhoIsRefusedGetsNoQuickAnswer) {
  scene_.regions->quick = [](const Caller&) -> std::optional<absl::Status> {
    ADD_FAILURE() << "asked";
    return absl::OkStatus();
  };
  EXPECT_THAT(ListRegions(""), FailsWith(StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  EXPECT_THAT(ListRegions("ke_good"), FailsWith(StatusCode::kPermissionDenied, "PERMISSION_DENIED"));
  EXPECT_EQ(denials_.Take().size(), 2U);
}

TEST_F(GuardLifeTest, AQuickRefusalIsRecordedAndToldAsAnyOther) {
  scene_.regions->quick = [](const Caller&) { return MakeError(StatusCode::kAborted, "no", {.reason = "SECRET_SET_PENDING"}); };
  EXPECT_THAT(ListRegions(admin_), FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
  EXPECT_EQ(denials_.Take().size(), 1U);
  scene_.regions->quick = [](const Caller&) { return absl::InternalError("of the house"); };
  const absl::Status hidden = ListRegions(admin_);
  EXPECT_THAT(hidden, StatusIs(StatusCode::kInternal));
  EXPECT_FALSE(absl::StrContains(hidden.message(), "house"));
}

TEST_F(GuardLifeTest, EveryRefusalByRightIsRecordedOnce) {
  EXPECT_THAT(WhoAmI(admin_), IsOk());
  EXPECT_THAT(denials_.Take(), IsEmpty());
  EXPECT_FALSE(WhoAmI("").ok());
  EXPECT_THAT(denials_.Take(), ElementsAre(" Organizations/WhoAmI  UNAUTHENTICATED"));
  EXPECT_FALSE(ListKeys(scene_.EdgeChannel(), viewer_, "").ok());
  EXPECT_THAT(denials_.Take(), ElementsAre(testing::EndsWith(" Organizations/ListApiKeys acme PERMISSION_DENIED")));
  for (const char* organization : {"other", "ghost"}) {
    EXPECT_FALSE(ListKeys(scene_.EdgeChannel(), admin_, organization).ok());
    EXPECT_THAT(denials_.Take(), ElementsAre(absl::StrCat("apiKey:", admin_id_,
                                                          " Organizations/ListApiKeys acme ORGANIZATION_NOT_FOUND")));
  }
  EXPECT_FALSE(ListKeys(scene_.InnerChannel(kOperator), "", "ghost").ok());
  EXPECT_THAT(denials_.Take(),
              ElementsAre(absl::StrCat(kOperator, " Organizations/ListApiKeys  ORGANIZATION_NOT_FOUND")));
}

TEST_F(GuardLifeTest, RefusalsByRuleAreRecordedAndConflictsAreNot) {
  const auto answer = [&](const absl::Status& status) {
    scene_.regions->body = [status](const Caller&, const Guard::Done& done) { done(status); };
    EXPECT_FALSE(ListRegions(admin_).ok());
    return denials_.Take().size();
  };
  const auto error = [](StatusCode code, std::string reason) {
    return MakeError(code, "no", {.reason = std::move(reason)});
  };
  EXPECT_EQ(answer(error(StatusCode::kAborted, "SECRET_SET_PENDING")), 1U);
  EXPECT_EQ(answer(error(StatusCode::kAborted, "SECRET_SET_IN_USE")), 1U);
  EXPECT_EQ(answer(error(StatusCode::kFailedPrecondition, "API_KEY_ROTATION_RUNS")), 1U);
  EXPECT_EQ(answer(error(StatusCode::kResourceExhausted, "QUOTA_EXCEEDED")), 1U);
  EXPECT_EQ(answer(error(StatusCode::kAborted, "CONCURRENT_MODIFICATION")), 0U);
  EXPECT_EQ(answer(error(StatusCode::kAborted, "ETAG_MISMATCH")), 0U);
  EXPECT_EQ(answer(error(StatusCode::kResourceExhausted, "RATE_LIMITED")), 0U);
  EXPECT_EQ(answer(error(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND")), 0U);
  EXPECT_EQ(answer(error(StatusCode::kInvalidArgument, "INVALID_REGION")), 0U);
  EXPECT_EQ(answer(absl::FailedPreconditionError("of the house")), 0U);
  EXPECT_EQ(answer(absl::InternalError("of the house")), 0U);
}

class GuardLimitsTest : public GuardLifeTest {
 protected:
  GuardLimitsTest() : GuardLifeTest({.limits = CallLimitSettings{.key_calls_per_second = 3}, .proxies = {"unix"}}) {}
};

TEST_F(GuardLimitsTest, AKeyThatCallsTooOftenIsToldWhen) {
  for (int i = 0; i < 6; ++i) ASSERT_THAT(WhoAmI(admin_), IsOk());
  const absl::Status refused = WhoAmI(admin_);
  EXPECT_THAT(refused, FailsWith(StatusCode::kResourceExhausted, "RATE_LIMITED"));
  EXPECT_GT(DetailsOf(refused)->retry_after, absl::ZeroDuration());
  EXPECT_THAT(WhoAmI(viewer_), IsOk());
  scene_.clock.Advance(absl::Seconds(1));
  EXPECT_THAT(WhoAmI(admin_), IsOk());
}

TEST_F(GuardLimitsTest, GuessesFromOneAddressAreRefusedUnrecordedAndWhoIsRightGoesOn) {
  for (int i = 0; i < kDefaultFailuresPerMinute; ++i)
    ASSERT_THAT(WhoAmI(std::string(GenerateApiKey().Access()), "192.0.2.1"), StatusIs(StatusCode::kUnauthenticated));
  EXPECT_EQ(denials_.Take().size(), static_cast<size_t>(kDefaultFailuresPerMinute));
  for (const std::string& token : {std::string(GenerateApiKey().Access()), std::string("rubbish"), std::string()})
    EXPECT_THAT(WhoAmI(token, "192.0.2.1"), FailsWith(StatusCode::kResourceExhausted, "RATE_LIMITED"));
  EXPECT_THAT(denials_.Take(), IsEmpty());
  EXPECT_THAT(WhoAmI(admin_, "192.0.2.1"), IsOk());
  EXPECT_THAT(WhoAmI("rubbish", "192.0.2.2"), StatusIs(StatusCode::kUnauthenticated));
  scene_.clock.Advance(kFailureCoolDown);
  EXPECT_THAT(WhoAmI("rubbish", "192.0.2.1"), StatusIs(StatusCode::kUnauthenticated));
}

// What nobody has to guess: no authorization, or none that could be one.
TEST_F(GuardLimitsTest, AFloodWithoutACredentialIsRecordedTwentyTimesAMinute) {
  for (int i = 0; i < 3 * kDefaultFailuresPerMinute; ++i) EXPECT_FALSE(WhoAmI("", "192.0.2.1").ok());
  EXPECT_EQ(denials_.Take().size(), static_cast<size_t>(kDefaultFailuresPerMinute));
  for (int i = 0; i < 3 * kDefaultFailuresPerMinute; ++i) {
    auto context = With("", "192.0.2.2");
    context->AddMetadata("authorization", "Basic abc");
    EXPECT_FALSE(WhoAmI(scene_.EdgeChannel(), std::move(context)).ok());
  }
  EXPECT_EQ(denials_.Take().size(), static_cast<size_t>(kDefaultFailuresPerMinute));
}

TEST_F(GuardLimitsTest, ARevokedCertificateThatGoesOnIsRecordedTwentyTimesAMinuteAndStopsNobodyElse) {
  const auto channel = scene_.InnerChannel(kOperator);
  const auto other = scene_.InnerChannel(absl::StrCat(kOperator, "2"));
  ASSERT_THAT(scene_.RevokeIdentity(kOperator), IsOk());
  for (int i = 0; i < kDefaultFailuresPerMinute; ++i)
    ASSERT_THAT(WhoAmI(channel, With("")), FailsWith(StatusCode::kUnauthenticated, "IDENTITY_REVOKED"));
  EXPECT_THAT(WhoAmI(channel, With("")), FailsWith(StatusCode::kResourceExhausted, "RATE_LIMITED"));
  EXPECT_EQ(denials_.Take().size(), static_cast<size_t>(kDefaultFailuresPerMinute));
  EXPECT_THAT(WhoAmI(other, With("")), IsOk());
}

TEST_F(GuardLimitsTest, AForgedEntryBeforeTheProxysDoesNotHelp) {
  for (int i = 0; i < kDefaultFailuresPerMinute; ++i)
    ASSERT_FALSE(WhoAmI("rubbish", absl::StrCat("203.0.113.", i, ", 192.0.2.1")).ok());
  EXPECT_THAT(WhoAmI("rubbish", "203.0.113.77, 192.0.2.1"), FailsWith(StatusCode::kResourceExhausted, "RATE_LIMITED"));
}

TEST_F(GuardLimitsTest, GuessesOfAKeysSecretDoNotLockItsOwnerOut) {
  // The same id with a secret that fits its checksum: only the server can tell.
  for (int i = 0; i < kDefaultFailuresPerMinute; ++i) scene_.limits->Failed(admin_id_, absl::StrCat("203.0.113.", i));
  EXPECT_THAT(WhoAmI(admin_, "198.51.100.1"), IsOk());
}

TEST_F(GuardLimitsTest, AKeyThatHasEndedIsNoGuessAndIsRecordedAsItsOwners) {
  const std::string wrong = WhoAmI(std::string(GenerateApiKey().Access()), "192.0.2.9").ToString();
  ASSERT_THAT(scene_.RevokeApiKey("acme", admin_id_), IsOk());
  denials_.Take();
  for (int i = 0; i < 2 * kDefaultFailuresPerMinute; ++i) ASSERT_EQ(WhoAmI(admin_, "192.0.2.1").ToString(), wrong) << i;
  EXPECT_THAT(denials_.Take(),
              testing::Each(absl::StrCat("apiKey:", admin_id_, " Organizations/WhoAmI acme UNAUTHENTICATED")));
  EXPECT_THAT(WhoAmI("rubbish", "192.0.2.1"), StatusIs(StatusCode::kUnauthenticated));
}

class GuardQuotaTest : public GuardLifeTest {
 protected:
  GuardQuotaTest() : GuardLifeTest({.limits = CallLimitSettings{.organization_calls_per_second = 2}}) {}
  absl::Status GetQuota() {
    const auto context = With(admin_);
    v1::Quota response;
    return FromGrpcStatus(v1::Organizations::NewStub(scene_.EdgeChannel())->GetQuota(context.get(), {}, &response));
  }
};

TEST_F(GuardQuotaTest, WhoReadsAQuotaFillsNoBucket) {
  for (int i = 0; i < 4; ++i) ASSERT_THAT(GetQuota(), IsOk()) << i;
  EXPECT_THAT(GetQuota(), FailsWith(StatusCode::kResourceExhausted, "RATE_LIMITED"));
}

TEST_F(GuardLifeTest, AnEndedCertificateIsRecordedAsItsOwners) {
  EXPECT_FALSE(WhoAmI(scene_.InnerChannel(kOperator), With(admin_)).ok());
  EXPECT_THAT(denials_.Take(), ElementsAre(absl::StrCat(kOperator, " Organizations/WhoAmI  UNAUTHENTICATED")));
  const auto channel = scene_.InnerChannel(kService);
  ASSERT_THAT(WhoAmI(channel, With("")), IsOk());
  scene_.clock.Advance(absl::Now() + absl::Hours(2) - scene_.clock.Now());
  EXPECT_FALSE(WhoAmI(channel, With("")).ok());
  EXPECT_THAT(denials_.Take(), ElementsAre(absl::StrCat(kService, " Organizations/WhoAmI acme UNAUTHENTICATED")));
}

TEST_F(GuardLifeTest, WhatAnOperatorNamesIsANameBeforeItIsLoggedOrLookedUp) {
  testing::internal::CaptureStderr();
  const absl::Status refused = ListKeys(scene_.InnerChannel(kOperator), "", admin_);
  scene_.Stop();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::Not(testing::HasSubstr(admin_)));
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "INVALID_ORGANIZATION"));
  EXPECT_THAT(refused.ToString(), testing::Not(testing::HasSubstr(admin_)));
}

// Streams and waits end with the credential that opened them.
class CredentialEndTest : public GuardLifeTest {
 protected:
  struct Watching {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<v1::SecretSets::Stub> stub;
    std::unique_ptr<grpc::ClientReader<v1::WatchSecretSetsResponse>> reader;
    v1::WatchSecretSetsResponse last;

    absl::Status End() {
      while (reader->Read(&last)) continue;
      return FromGrpcStatus(reader->Finish());
    }
  };
  std::unique_ptr<Watching> Watch(const std::shared_ptr<grpc::Channel>& channel, const std::string& token) {
    auto watching = std::make_unique<Watching>();
    watching->context = With(token);
    watching->stub = v1::SecretSets::NewStub(channel);
    watching->reader = watching->stub->WatchSecretSets(watching->context.get(), {});
    EXPECT_TRUE(watching->reader->Read(&watching->last));
    return watching;
  }
};

TEST_F(CredentialEndTest, AWatchEndsWithItsRevokedKeyAndTheOthersGoOn) {
  const auto watching = Watch(scene_.EdgeChannel(), admin_);
  const auto other = Watch(scene_.EdgeChannel(), viewer_);
  const absl::Time revoked = absl::Now();
  ASSERT_THAT(scene_.RevokeApiKey("acme", admin_id_), IsOk());
  EXPECT_THAT(watching->End(), FailsWith(StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  EXPECT_LT(absl::Now() - revoked, kEndsWithin);
  // Two more checks.
  absl::SleepFor(2 * kCredentialCheckInterval);
  other->context->TryCancel();
  EXPECT_THAT(other->End(), StatusIs(StatusCode::kCancelled));
}

TEST_F(CredentialEndTest, AWatchEndsWhenItsKeyExpires) {
  const auto key = scene_.MakeApiKey(
      {.organization = "acme", .role = Role::kViewer, .author = "test", .time_to_live = absl::Minutes(1)});
  const auto watching = Watch(scene_.EdgeChannel(), std::string(key->text.Access()));
  scene_.clock.Advance(absl::Minutes(1));
  const absl::Time expired = absl::Now();
  EXPECT_THAT(watching->End(), FailsWith(StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  EXPECT_LT(absl::Now() - expired, kEndsWithin);
}

TEST_F(CredentialEndTest, AWatchEndsWhenItsIdentityIsRevoked) {
  const auto watching = Watch(scene_.InnerChannel(kService), "");
  const absl::Time revoked = absl::Now();
  ASSERT_THAT(scene_.RevokeIdentity(kService), IsOk());
  EXPECT_THAT(watching->End(), FailsWith(StatusCode::kUnauthenticated, "IDENTITY_REVOKED"));
  EXPECT_LT(absl::Now() - revoked, kEndsWithin);
}

// The scene's two threads are taken; a stranger's stream does not queue for them.
TEST_F(CredentialEndTest, AWatchIsRefusedBeforeItWaitsForAThread) {
  const auto go = std::make_shared<absl::Notification>();
  for (int i = 0; i < 2; ++i) scene_.executor->Run([go] { go->WaitForNotification(); });
  const auto context = With("rubbish");
  const auto stub = v1::SecretSets::NewStub(scene_.EdgeChannel());
  const auto reader = stub->WatchSecretSets(context.get(), {});
  v1::WatchSecretSetsResponse response;
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_THAT(FromGrpcStatus(reader->Finish()), StatusIs(StatusCode::kUnauthenticated));
  go->Notify();
}

TEST_F(CredentialEndTest, ManyWatchesEndTogether) {
  std::vector<std::unique_ptr<Watching>> watching;
  for (int i = 0; i < 7; ++i) watching.push_back(Watch(scene_.EdgeChannel(), admin_));
  const absl::Time revoked = absl::Now();
  ASSERT_THAT(scene_.RevokeApiKey("acme", admin_id_), IsOk());
  for (const auto& each : watching) EXPECT_THAT(each->End(), StatusIs(StatusCode::kUnauthenticated));
  EXPECT_LT(absl::Now() - revoked, kEndsWithin);
}

}  // namespace
}  // namespace keyferry
