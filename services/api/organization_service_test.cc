#include "services/api/organization_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keyferry/v1/organizations.grpc.pb.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/rpc/status_conversion.h"
#include "services/api/testing/edge_scene.h"

namespace keyferry {
namespace {

constexpr char kOperator[] = "spiffe://keyferry.test/operator/ada";

class OrganizationServiceTest : public testing::Test {
 protected:
  using Stub = v1::Organizations::Stub;

  // Calls as the operator, or with an API key on the edge door.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*rpc)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request, const std::string& key = "") {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    if (!key.empty()) context.AddMetadata("authorization", "Bearer " + key);
    Response response;
    const grpc::Status status = ((key.empty() ? *operator_ : *edge_).*rpc)(&context, request, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return response;
  }

  absl::StatusOr<v1::Organization> Create(const std::string& name) {
    v1::CreateOrganizationRequest request;
    request.set_name(name);
    request.set_display_name("The " + name);
    return Call(&Stub::CreateOrganization, request);
  }

  absl::StatusOr<v1::CreateApiKeyResponse> CreateKey(int role, const std::string& by = "") {
    v1::CreateApiKeyRequest request;
    request.set_organization("acme");
    request.set_display_name("laptop");
    request.set_role(static_cast<v1::Role>(role));
    return Call(&Stub::CreateApiKey, request, by);
  }

  EdgeScene scene_;
  std::unique_ptr<Stub> operator_ = v1::Organizations::NewStub(scene_.InnerChannel(kOperator));
  std::unique_ptr<Stub> edge_ = v1::Organizations::NewStub(scene_.EdgeChannel());
};

TEST_F(OrganizationServiceTest, ACreatedOrganizationIsListed) {
  const auto created = Create("acme");
  ASSERT_THAT(created, IsOk());
  EXPECT_EQ(created->name(), "acme");
  EXPECT_EQ(created->display_name(), "The acme");
  EXPECT_EQ(created->uid().size(), 32U);
  EXPECT_EQ(created->create_time().seconds(), absl::ToUnixSeconds(scene_.clock.Now()));
  const auto listed = Call(&Stub::ListOrganizations, v1::ListOrganizationsRequest());
  ASSERT_THAT(listed, IsOk());
  ASSERT_EQ(listed->organizations_size(), 1);
  EXPECT_EQ(listed->organizations(0).uid(), created->uid());
}

TEST_F(OrganizationServiceTest, AnApiKeyIsShownOnceAndWorksUntilItIsRevoked) {
  ASSERT_THAT(Create("acme"), IsOk());
  const auto admin = CreateKey(v1::ROLE_ADMIN);
  ASSERT_THAT(admin, IsOk());
  const auto member = CreateKey(v1::ROLE_MEMBER, admin->key());
  ASSERT_THAT(member, IsOk());
  EXPECT_EQ(member->api_key().author(), "apiKey:" + admin->api_key().id());
  EXPECT_EQ(member->api_key().display_name(), "laptop");
  EXPECT_EQ(member->api_key().role(), v1::ROLE_MEMBER);
  EXPECT_THAT(Call(&Stub::WhoAmI, v1::WhoAmIRequest(), member->key()), IsOk());

  const auto listed = Call(&Stub::ListApiKeys, v1::ListApiKeysRequest(), admin->key());
  ASSERT_THAT(listed, IsOk());
  EXPECT_EQ(listed->api_keys_size(), 2);
  for (const v1::ApiKey& key : listed->api_keys()) EXPECT_FALSE(key.has_revoke_time());
  EXPECT_EQ(listed->SerializeAsString().find(ParseApiKey(member->key())->secret), std::string::npos);

  v1::RevokeApiKeyRequest revoke;
  revoke.set_id(member->api_key().id());
  ASSERT_THAT(Call(&Stub::RevokeApiKey, revoke, admin->key()), IsOk());
  EXPECT_THAT(Call(&Stub::WhoAmI, v1::WhoAmIRequest(), member->key()), StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(OrganizationServiceTest, WhoAmITellsAnApiKeyItsOrganizationAndHowPeopleCallIt) {
  ASSERT_THAT(Create("acme"), IsOk());
  const auto viewer = CreateKey(v1::ROLE_VIEWER);
  ASSERT_THAT(viewer, IsOk());

  const auto who = Call(&Stub::WhoAmI, v1::WhoAmIRequest(), viewer->key());

  ASSERT_THAT(who, IsOk());
  EXPECT_EQ(who->principal(), "apiKey:" + viewer->api_key().id());
  EXPECT_EQ(who->organization(), "acme");
  EXPECT_EQ(who->organization_display_name(), "The acme");
  EXPECT_EQ(who->role(), v1::ROLE_VIEWER);
}

TEST_F(OrganizationServiceTest, WhoAmITellsAnOperatorThatItHasNoOrganization) {
  const auto who = Call(&Stub::WhoAmI, v1::WhoAmIRequest());
  ASSERT_THAT(who, IsOk());
  EXPECT_EQ(who->principal(), kOperator);
  EXPECT_EQ(who->organization(), "");
  EXPECT_EQ(who->organization_display_name(), "");
}

TEST_F(OrganizationServiceTest, ARoleThatIsNoneIsRefused) {
  ASSERT_THAT(Create("acme"), IsOk());
  for (const int role : {0, 5, 260, -1}) {
    EXPECT_THAT(CreateKey(role), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_API_KEY")) << role;
  }
}

TEST_F(OrganizationServiceTest, PropertiesChangeOnlyWhenGiven) {
  ASSERT_THAT(Create("acme"), IsOk());
  scene_.PutRegion("us-east");
  const std::string admin = CreateKey(v1::ROLE_ADMIN)->key();
  EXPECT_EQ(Call(&Stub::GetProperties, v1::GetPropertiesRequest(), admin)->default_region(), "us-west");
  v1::UpdatePropertiesRequest update;
  EXPECT_THAT(Call(&Stub::UpdateProperties, update, admin),
              FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_PROPERTY"));
  update.set_default_region("us-east");
  const auto updated = Call(&Stub::UpdateProperties, update, admin);
  ASSERT_THAT(updated, IsOk());
  EXPECT_EQ(updated->default_region(), "us-east");
  ASSERT_EQ(updated->available_regions_size(), 1);
  EXPECT_EQ(updated->available_regions(0), "us-east");
}

}  // namespace
}  // namespace keyferry
