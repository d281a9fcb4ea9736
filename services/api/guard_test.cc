#include "services/api/guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "keyferry/v1/organizations.grpc.pb.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/rpc/status_conversion.h"
#include "services/api/testing/edge_scene.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kOperator[] = "spiffe://keyferry.test/operator/ada";
constexpr char kService[] = "spiffe://keyferry.test/organization/acme/role/deployer/service/ci";
constexpr char kProvisioner[] = "spiffe://keyferry.test/region/us-west/provisioner/p1";

class GuardTest : public testing::Test {
 protected:
  GuardTest() {
    EXPECT_THAT(scene_.MakeOrganization("acme"), IsOk());
    EXPECT_THAT(scene_.MakeOrganization("other"), IsOk());
    NewApiKey admin = *scene_.MakeApiKey("acme", Role::kAdmin);
    admin_id_ = admin.api_key.id;
    admin_ = std::string(admin.text.Access());
    viewer_ = std::string(scene_.MakeApiKey("acme", Role::kViewer)->text.Access());
  }

  std::unique_ptr<v1::Organizations::Stub> Organizations(const std::shared_ptr<grpc::Channel>& channel) {
    return v1::Organizations::NewStub(channel);
  }

  // A context with one authorization value for each token.
  static std::unique_ptr<grpc::ClientContext> With(const std::vector<std::string>& tokens) {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    for (const std::string& token : tokens) context->AddMetadata("authorization", "Bearer " + token);
    return context;
  }

  absl::StatusOr<v1::WhoAmIResponse> WhoAmI(const std::shared_ptr<grpc::Channel>& channel,
                                            std::unique_ptr<grpc::ClientContext> context) {
    v1::WhoAmIResponse response;
    const grpc::Status status = Organizations(channel)->WhoAmI(context.get(), {}, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return response;
  }

  absl::Status ListKeys(const std::shared_ptr<grpc::Channel>& channel, const std::string& organization,
                        std::unique_ptr<grpc::ClientContext> context) {
    v1::ListApiKeysRequest request;
    request.set_organization(organization);
    v1::ListApiKeysResponse response;
    return FromGrpcStatus(Organizations(channel)->ListApiKeys(context.get(), request, &response));
  }

  absl::Status ListRegions(std::unique_ptr<grpc::ClientContext> context) {
    v1::ListRegionsResponse response;
    return FromGrpcStatus(v1::Regions::NewStub(scene_.EdgeChannel())->ListRegions(context.get(), {}, &response));
  }

  EdgeScene scene_;
  std::string admin_;
  std::string admin_id_;
  std::string viewer_;
};

TEST_F(GuardTest, EdgeDoorKnowsACallerByItsApiKey) {
  const auto me = WhoAmI(scene_.EdgeChannel(), With({admin_}));
  ASSERT_THAT(me, IsOk());
  EXPECT_EQ(me->principal(), "apiKey:" + admin_id_);
  EXPECT_EQ(me->organization(), "acme");
  EXPECT_EQ(me->role(), v1::ROLE_ADMIN);
}

TEST_F(GuardTest, InnerDoorKnowsACallerByItsCertificate) {
  const auto operator_ = WhoAmI(scene_.InnerChannel(kOperator), With({}));
  ASSERT_THAT(operator_, IsOk());
  EXPECT_EQ(operator_->principal(), kOperator);
  EXPECT_EQ(operator_->organization(), "");
  EXPECT_EQ(operator_->role(), v1::ROLE_UNSPECIFIED);
  const auto service = WhoAmI(scene_.InnerChannel(kService), With({}));
  ASSERT_THAT(service, IsOk());
  EXPECT_EQ(service->organization(), "acme");
  EXPECT_EQ(service->role(), v1::ROLE_DEPLOYER);
  const auto provisioner = WhoAmI(scene_.InnerChannel(kProvisioner), With({}));
  ASSERT_THAT(provisioner, IsOk());
  EXPECT_EQ(provisioner->organization(), "");
}

TEST_F(GuardTest, NoCredentialIsUnauthenticated) {
  EXPECT_THAT(WhoAmI(scene_.EdgeChannel(), With({})), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
}

TEST_F(GuardTest, TwoAuthorizationValuesAreUnauthenticatedEvenWhenBothAreGood) {
  EXPECT_THAT(WhoAmI(scene_.EdgeChannel(), With({admin_, admin_})), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(WhoAmI(scene_.EdgeChannel(), With({admin_ + ", Bearer " + admin_})),
              StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(GuardTest, OtherSchemesAreUnauthenticated) {
  auto context = With({});
  context->AddMetadata("authorization", "Basic " + admin_);
  EXPECT_THAT(WhoAmI(scene_.EdgeChannel(), std::move(context)), StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(GuardTest, ApiKeysDoNotCountOnTheInnerDoor) {
  for (const char* id : {kOperator, kService, kProvisioner, "spiffe://keyferry.test/unknown/x"}) {
    EXPECT_THAT(WhoAmI(scene_.InnerChannel(id), With({admin_})), StatusIs(absl::StatusCode::kUnauthenticated)) << id;
  }
}

TEST_F(GuardTest, MalformedUnknownWrongAndRevokedKeysGetTheSameAnswer) {
  NewApiKey revoked = *scene_.MakeApiKey("acme", Role::kAdmin);
  const std::string revoked_text(revoked.text.Access());
  ASSERT_THAT(WhoAmI(scene_.EdgeChannel(), With({revoked_text})), IsOk());
  ASSERT_THAT(scene_.RevokeApiKey("acme", revoked.api_key.id), IsOk());
  std::string malformed = admin_;
  malformed.back() = malformed.back() == 'a' ? 'b' : 'a';

  const absl::Status expected = WhoAmI(scene_.EdgeChannel(), With({revoked_text})).status();

  EXPECT_THAT(expected, FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  for (const std::string& text :
       {malformed, std::string(GenerateApiKey().Access()), std::string("kf_"), std::string()}) {
    const absl::Status status = WhoAmI(scene_.EdgeChannel(), With({text})).status();
    EXPECT_EQ(status.code(), expected.code()) << text;
    EXPECT_EQ(status.message(), expected.message()) << text;
  }
}

TEST_F(GuardTest, ACertificateThatExpiresOnALiveConnectionCountsNoLonger) {
  const auto channel = scene_.InnerChannel(kOperator);
  ASSERT_THAT(WhoAmI(channel, With({})), IsOk());
  scene_.clock.Advance(absl::Now() + absl::Hours(2) - scene_.clock.Now());
  EXPECT_THAT(WhoAmI(channel, With({})), StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(GuardTest, RoleDecidesBeforeExistence) {
  EXPECT_THAT(ListKeys(scene_.EdgeChannel(), "", With({admin_})), IsOk());
  for (const std::string organization : {"", "acme", "other", "absent"}) {
    EXPECT_THAT(ListKeys(scene_.EdgeChannel(), organization, With({viewer_})),
                FailsWith(absl::StatusCode::kPermissionDenied, "PERMISSION_DENIED"))
        << organization;
  }
}

TEST_F(GuardTest, AForeignOrganizationIsAnsweredAsAnAbsentOne) {
  EXPECT_THAT(ListKeys(scene_.EdgeChannel(), "acme", With({admin_})), IsOk());
  const absl::Status foreign = ListKeys(scene_.EdgeChannel(), "other", With({admin_}));
  const absl::Status absent = ListKeys(scene_.EdgeChannel(), "ghost", With({admin_}));
  EXPECT_THAT(foreign, FailsWith(absl::StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND"));
  EXPECT_THAT(absent, FailsWith(absl::StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND"));
  EXPECT_EQ(foreign.message(), "organization \"other\" does not exist");
  EXPECT_EQ(absent.message(), "organization \"ghost\" does not exist");
  const absl::Status misplaced = ListKeys(scene_.EdgeChannel(), admin_, With({admin_}));
  EXPECT_THAT(misplaced, FailsWith(absl::StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND"));
  EXPECT_EQ(misplaced.message(), "the organization does not exist");
}

TEST_F(GuardTest, AnOperatorNamesTheOrganization) {
  const auto channel = scene_.InnerChannel(kOperator);
  EXPECT_THAT(ListKeys(channel, "acme", With({})), IsOk());
  EXPECT_THAT(ListKeys(channel, "other", With({})), IsOk());
  EXPECT_THAT(ListKeys(channel, "", With({})), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_ORGANIZATION"));
}

TEST_F(GuardTest, DetailsOfErrorsArrive) {
  scene_.regions->body = [](const Caller&, const Guard::Done& done) {
    done(MakeError(absl::StatusCode::kAborted, "not ready",
                   {.reason = "SECRET_SET_PENDING", .retry_after = absl::Seconds(2)}));
  };
  const absl::Status status = ListRegions(With({admin_}));
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kAborted, "SECRET_SET_PENDING"));
  EXPECT_EQ(DetailsOf(status)->retry_after, absl::Seconds(2));
}

TEST_F(GuardTest, TheTextOfAnInternalErrorIsInTheLogAndNotInTheAnswer) {
  scene_.regions->body = [](const Caller&, const Guard::Done& done) {
    done(absl::DataLossError("row seventeen is torn"));
  };
  testing::internal::CaptureStderr();
  const absl::Status status = ListRegions(With({admin_}));
  scene_.Stop();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("seventeen")));
  const std::string incident = DetailsOf(status)->metadata.at("incident");
  EXPECT_THAT(std::string(status.message()), HasSubstr(incident));
  EXPECT_THAT(log, HasSubstr("row seventeen is torn"));
  EXPECT_THAT(log, HasSubstr(incident));
}

TEST_F(GuardTest, ABodyThatDropsItsAnswerIsInternal) {
  scene_.regions->body = [](const Caller&, const Guard::Done&) {};
  EXPECT_THAT(ListRegions(With({admin_})), StatusIs(absl::StatusCode::kInternal));
}

TEST_F(GuardTest, ACallPastItsDeadlineDoesNotRun) {
  absl::Notification blocked;
  const auto released = std::make_shared<absl::Notification>();
  std::atomic<int> runs = 0;
  scene_.regions->body = [&](const Caller&, const Guard::Done& done) {
    ++runs;
    done(absl::OkStatus());
  };
  // Both threads of the scene are busy until the call is over.
  for (int i = 0; i < 2; ++i) scene_.executor->Run([released] { released->WaitForNotification(); });
  auto context = With({admin_});
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  EXPECT_THAT(ListRegions(std::move(context)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  // The server counts from the call's arrival.
  absl::SleepFor(absl::Milliseconds(200));
  released->Notify();
  EXPECT_THAT(WhoAmI(scene_.EdgeChannel(), With({admin_})), IsOk());
  EXPECT_EQ(runs, 0);
}

TEST_F(GuardTest, MoreCallsThanMayWaitAreRefusedAndTheOthersStillRun) {
  const auto released = std::make_shared<absl::Notification>();
  for (int i = 0; i < 2; ++i) scene_.executor->Run([released] { released->WaitForNotification(); });
  const auto stub = v1::Regions::NewStub(scene_.EdgeChannel());
  struct Pending {
    std::unique_ptr<grpc::ClientContext> context;
    v1::ListRegionsRequest request;
    v1::ListRegionsResponse response;
    absl::Status status;
  };
  Pending calls[kSceneCallsWaiting + 1];
  std::atomic<int> answered = 0;
  absl::Notification first;
  absl::Notification all;
  for (Pending& call : calls) {
    call.context = With({admin_});
    stub->async()->ListRegions(call.context.get(), &call.request, &call.response, [&](const grpc::Status& status) {
      call.status = FromGrpcStatus(status);
      const int count = ++answered;
      if (count == 1) first.Notify();
      if (count == kSceneCallsWaiting + 1) all.Notify();
    });
  }
  // Only the one too many can be answered by now.
  first.WaitForNotification();
  released->Notify();
  all.WaitForNotification();
  int refused_count = 0;
  for (const Pending& call : calls) {
    if (ReasonOf(call.status) == "OVERLOADED") {
      EXPECT_EQ(DetailsOf(call.status)->retry_after, absl::Seconds(1));
    }
  }
  for (const Pending& call : calls)
    refused_count += ReasonOf(call.status) == "OVERLOADED" ? 1 : call.status.ok() ? 0 : 100;
  EXPECT_EQ(refused_count, 1);
}

TEST_F(GuardTest, WhoHasNoCredentialIsAnsweredWithoutWaitingForAThread) {
  const auto released = std::make_shared<absl::Notification>();
  for (int i = 0; i < 2; ++i) scene_.executor->Run([released] { released->WaitForNotification(); });
  for (int i = 0; i < kSceneCallsWaiting + 1; ++i) {
    EXPECT_THAT(WhoAmI(scene_.EdgeChannel(), With({})), StatusIs(absl::StatusCode::kUnauthenticated));
    EXPECT_THAT(ListKeys(scene_.EdgeChannel(), "", With({viewer_})), StatusIs(absl::StatusCode::kPermissionDenied));
  }
  released->Notify();
  EXPECT_THAT(WhoAmI(scene_.EdgeChannel(), With({admin_})), IsOk());
}

TEST_F(GuardTest, AStateOfTheHouseIsAnIncidentAndARefusalWithAReasonIsNot) {
  scene_.regions->body = [](const Caller&, const Guard::Done& done) {
    done(absl::FailedPreconditionError("keyring /etc/keyferry/keys is torn"));
  };
  const absl::Status state = ListRegions(With({admin_}));
  EXPECT_THAT(state, StatusIs(absl::StatusCode::kInternal));
  EXPECT_THAT(std::string(state.message()), Not(HasSubstr("keyring")));
  EXPECT_TRUE(DetailsOf(state)->metadata.contains("incident"));
  scene_.regions->body = [](const Caller&, const Guard::Done& done) {
    done(MakeError(absl::StatusCode::kFailedPrecondition, "too new", {.reason = "REVISION_OUT_OF_RANGE"}));
  };
  EXPECT_THAT(ListRegions(With({admin_})),
              FailsWith(absl::StatusCode::kFailedPrecondition, "REVISION_OUT_OF_RANGE"));
}

TEST_F(GuardTest, TheRequestIdComesBack) {
  for (const auto& [sent, kept] : {std::pair<std::string, bool>{"order-66", true},
                                   {std::string(64, 'r'), true},
                                   {std::string(65, 'r'), false},
                                   {"", false}}) {
    auto context = With({admin_});
    context->AddMetadata("x-request-id", sent);
    v1::WhoAmIResponse response;
    ASSERT_TRUE(Organizations(scene_.EdgeChannel())->WhoAmI(context.get(), {}, &response).ok());
    const auto& metadata = context->GetServerInitialMetadata();
    ASSERT_EQ(metadata.count("x-request-id"), 1U);
    const grpc::string_ref got = metadata.find("x-request-id")->second;
    EXPECT_EQ(std::string(got.data(), got.size()) == sent, kept) << sent;
    EXPECT_GE(got.size(), 8U);
  }
}

TEST_F(GuardTest, TheAccessLogHasThePrincipalAndNoCredential) {
  testing::internal::CaptureStderr();
  EXPECT_THAT(WhoAmI(scene_.EdgeChannel(), With({admin_})), IsOk());
  EXPECT_THAT(ListKeys(scene_.EdgeChannel(), "", With({viewer_})), StatusIs(absl::StatusCode::kPermissionDenied));
  scene_.Stop();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr(absl::StrCat("\"principal\":\"apiKey:", admin_id_, "\"")));
  EXPECT_THAT(log, HasSubstr("\"code\":\"PERMISSION_DENIED\""));
  for (const std::string& key : {admin_, viewer_})
    EXPECT_THAT(log, Not(HasSubstr(std::string(ParseApiKey(key)->secret))));
}

}  // namespace
}  // namespace keyferry
