// `admin keys`
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/testing/keyferry_fixture.h"
#include "keyferry/v1/keys.pb.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Json = nlohmann::json;

class AdminKeysTest : public KeyferryTest {
 protected:
  AdminKeysTest() {
    api_.On<v1::RotateOrganizationKeyRequest, v1::RotateOrganizationKeyResponse>(
        "Keys/RotateOrganizationKey", [this](const auto& request, auto& response) {
          rotated_.push_back(request.organization());
          response.set_key_number(2);
          return absl::OkStatus();
        });
    api_.On<v1::RewrapKeysRequest, v1::RewrapKeysResponse>("Keys/RewrapKeys", [this](const auto&, auto&) {
      rotated_.push_back("root");
      return absl::OkStatus();
    });
    api_.On<v1::GetKeyStatusRequest, v1::KeyStatus>("Keys/GetKeyStatus", [this](const auto&, auto& response) {
      response = status_;
      if (status_.rotations_size() > 0 && --polls_left_ == 0) status_.clear_rotations();
      return absl::OkStatus();
    });
    status_.set_root_provider("keyring");
    status_.set_root_key_id("abcd");
    status_.set_key_count(2);
    v1::RegionKeyStatus& region = *status_.add_regions();
    region.set_region("us-west");
    region.set_sealing_key_id("\x01\xff");
    region.add_previous_sealing_key_ids("\x02");
  }

  v1::KeyStatus status_;
  int polls_left_ = 1;
  std::vector<std::string> rotated_;
};

TEST_F(AdminKeysTest, StatusShowsTheRootKeyAndEachRegionsSealingKey) {
  v1::KeyRotation& rotation = *status_.add_rotations();
  rotation.set_region("us-west");
  rotation.set_visited_count(12);
  rotation.set_blocked_count(3);
  const Json json = Json::parse(Run({"admin", "keys", "status", "-o", "json"}).output);
  EXPECT_EQ(json["rootKey"]["id"], "abcd");
  EXPECT_EQ(json["rotations"][0]["blockedCount"], 3);
  EXPECT_EQ(json["regions"][0]["sealingKeyId"], "01ff");
  EXPECT_EQ(json["regions"][0]["previousSealingKeyIds"], (Json{"02"}));
  EXPECT_THAT(Run({"admin", "keys", "status"}).output, HasSubstr("no rotation runs"));
}

TEST_F(AdminKeysTest, RotateTakesExactlyOneTargetAndTheOrganizationFromTheLineAlone) {
  // KEYFERRY_ORG is set.
  EXPECT_EQ(Run({"admin", "keys", "rotate"}).exit_code, 2);
  EXPECT_EQ(Run({"admin", "keys", "rotate", "--system", "--root"}).exit_code, 2);
  EXPECT_EQ(Run({"admin", "keys", "rotate", "--organization", "bravo", "--root"}).exit_code, 2);
  EXPECT_THAT(rotated_, IsEmpty());
  EXPECT_EQ(Run({"admin", "keys", "rotate", "--organization", "bravo"}).exit_code, 0);
  EXPECT_EQ(Run({"admin", "keys", "rotate", "--system"}).exit_code, 0);
  EXPECT_EQ(Run({"admin", "keys", "rotate", "--root"}).exit_code, 0);
  EXPECT_EQ(rotated_, (std::vector<std::string>{"bravo", "", "root"}));
}

TEST_F(AdminKeysTest, WaitEndsWithTheRotation) {
  status_.add_rotations()->set_organization("bravo");
  polls_left_ = 3;
  const Json json =
      Json::parse(Run({"admin", "keys", "rotate", "--organization", "bravo", "--wait", "-o", "json"}).output);
  EXPECT_EQ(json["keyNumber"], 2);
  EXPECT_EQ(json["done"], true);
  EXPECT_EQ(polls_left_, 0);
}

TEST_F(AdminKeysTest, WaitThatIsTooShortSaysThatTheRotationGoesOn) {
  status_.set_keys_under_old_root(1);
  const Outcome outcome = Run({"admin", "keys", "rotate", "--root", "--wait=100ms"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.error, HasSubstr("it goes on"));
}

}  // namespace
}  // namespace keyferry
