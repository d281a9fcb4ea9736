// `regions`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/testing/keyferry_fixture.h"
#include "keyferry/v1/regions.pb.h"
#include "libs/common/error.h"

namespace keyferry {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Json = nlohmann::json;

class RegionCommandsTest : public KeyferryTest {
 protected:
  RegionCommandsTest() {
    api_.On<v1::CreateRegionRequest, v1::Region>("Regions/CreateRegion", [this](const auto& request, auto& region) {
      created_ = request;
      region.set_code(request.code());
      region.set_sealing_key(request.sealing_key());
      region.mutable_create_time()->set_seconds(1'700'000'000);
      return absl::OkStatus();
    });
    api_.On<v1::RevokeProvisionersRequest, v1::RevokeProvisionersResponse>("Regions/RevokeProvisioners",
                                                                           [this](const auto& request, auto& response) {
                                                                             revoked_ = request;
                                                                             for (const std::string& id : revokes_)
                                                                               response.add_provisioner_ids(id);
                                                                             return absl::OkStatus();
                                                                           });
    api_.On<v1::GetRegionRequest, v1::Region>("Regions/GetRegion", [this](const auto&, auto& region) {
      region = region_;
      return absl::OkStatus();
    });
    region_.set_code("us-west");
    region_.mutable_create_time()->set_seconds(1'700'000'000);
  }

  v1::CreateRegionRequest created_;
  v1::RevokeProvisionersRequest revoked_;
  std::vector<std::string> revokes_ = {"us-west-1"};
  v1::Region region_;
};

TEST_F(RegionCommandsTest, CreateWithoutAKeyTellsTheNextStep) {
  const Outcome outcome = Run({"regions", "create", "us-west", "--blind"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(outcome.output, "created: region us-west\n");
  EXPECT_THAT(outcome.error, AllOf(HasSubstr("keyferry regions token us-west"), HasSubstr("nothing can be written")));
  EXPECT_THAT(created_.sealing_key(), IsEmpty());
  EXPECT_TRUE(created_.blind());
}

TEST_F(RegionCommandsTest, CreateTakesAKeyOfThirtyTwoBytesOnly) {
  EXPECT_EQ(Run({"regions", "create", "us-west", "--sealing-key", std::string(43, 'A') + "="}).exit_code, 0);
  EXPECT_EQ(created_.sealing_key(), std::string(32, '\0'));
  EXPECT_EQ(Run({"regions", "create", "us-west", "--sealing-key", "AAAA"}).exit_code, 2);
}

TEST_F(RegionCommandsTest, ATokenIsAloneOnStandardOutput) {
  api_.On<v1::CreateEnrollmentTokenRequest, v1::CreateEnrollmentTokenResponse>(
      "Regions/CreateEnrollmentToken", [](const auto& request, auto& response) {
        EXPECT_EQ(request.code(), "us-west");
        response.set_token("ke_token");
        response.mutable_expire_time()->set_seconds(1'700'000'000);
        return absl::OkStatus();
      });
  const Outcome outcome = Run({"regions", "token", "us-west"});
  EXPECT_EQ(outcome.output, "ke_token\n");
  EXPECT_THAT(outcome.error, AllOf(HasSubstr("2023-11-14T22:13:20Z"), Not(HasSubstr("ke_token"))));
  const Json json = Json::parse(Run({"regions", "token", "us-west", "-o", "json"}).output);
  EXPECT_EQ(json["token"], "ke_token");
  EXPECT_EQ(json["expiresAt"], "2023-11-14T22:13:20Z");
}

TEST_F(RegionCommandsTest, ATokenReplacesTheRegionsKeyOnlyWhenThatIsAskedFor) {
  std::vector<bool> asked;
  api_.On<v1::CreateEnrollmentTokenRequest, v1::CreateEnrollmentTokenResponse>(
      "Regions/CreateEnrollmentToken", [&](const auto& request, auto&) {
        asked.push_back(request.replace_sealing_key());
        return absl::OkStatus();
      });
  EXPECT_EQ(Run({"regions", "token", "us-west"}).exit_code, 0);
  EXPECT_EQ(Run({"regions", "token", "us-west", "--replace-sealing-key"}).exit_code, 0);
  EXPECT_EQ(asked, (std::vector<bool>{false, true}));
}

TEST_F(RegionCommandsTest, RevokeNamesOneOrAll) {
  EXPECT_EQ(Run({"regions", "revoke", "us-west", "--provisioner", "us-west-1"}).output, "revoked: us-west-1\n");
  EXPECT_EQ(revoked_.provisioner_id(), "us-west-1");
  revokes_ = {"us-west-1", "us-west-2"};
  EXPECT_EQ(Json::parse(Run({"regions", "revoke", "us-west", "-o", "json"}).output)["revoked"],
            Json({"us-west-1", "us-west-2"}));
  EXPECT_THAT(revoked_.provisioner_id(), IsEmpty());
  revokes_.clear();
  EXPECT_EQ(Run({"regions", "revoke", "us-west"}).output, "revoked already\n");
}

TEST_F(RegionCommandsTest, ShowTellsWhoServesTheRegionAndWhoDid) {
  v1::Provisioner& active = *region_.add_provisioners();
  active.set_id("us-west-1");
  active.set_connected(true);
  active.set_active(true);
  active.set_version("1.2.3");
  v1::Provisioner& revoked = *region_.add_provisioners();
  revoked.set_id("us-west-2");
  revoked.mutable_enroll_time()->set_seconds(1'700'000'000);
  revoked.mutable_revoke_time()->set_seconds(1'700'000'000);
  region_.add_provisioners()->set_id("us-west-3");
  const std::string text = Run({"regions", "show", "us-west"}).output;
  EXPECT_THAT(text, AllOf(HasSubstr("us-west-1    active "), HasSubstr("us-west-2    revoked"),
                          HasSubstr("us-west-3    away\n")));
  const Json shown = Json::parse(Run({"regions", "show", "us-west", "-o", "json"}).output)["provisioners"];
  EXPECT_EQ(shown[0]["version"], "1.2.3");
  EXPECT_EQ(shown[1]["connected"], false);
  EXPECT_EQ(shown[1]["revokedAt"], "2023-11-14T22:13:20Z");
  EXPECT_FALSE(shown[2].contains("enrolledAt"));
}

TEST_F(RegionCommandsTest, ShowTellsOfTheKeys) {
  EXPECT_THAT(Run({"regions", "show", "us-west"}).output,
              HasSubstr("none yet: the first provisioner that enrolls brings it"));
  region_.set_sealing_key("key");
  region_.set_sealing_key_id("\x01\x02");
  region_.add_previous_sealing_keys("old");
  EXPECT_THAT(Run({"regions", "show", "us-west"}).output,
              HasSubstr("0102 (values are still sealed to 1 key before it)"));
  EXPECT_EQ(Json::parse(Run({"regions", "show", "us-west", "-o", "json"}).output)["previousSealingKeyCount"], 1);
}

}  // namespace
}  // namespace keyferry
