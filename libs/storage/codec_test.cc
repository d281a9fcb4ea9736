// Golden bytes: a change here is a change of the disk format (docs/storage-format.md).
#include "libs/storage/codec.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

const absl::Time kTime = absl::FromUnixSeconds(1'700'000'000) + absl::Nanoseconds(5);

OrganizationRow SomeOrganization() {
  return {.uid = "u", .display_name = "Acme", .create_time = kTime, .default_region = "us-east"};
}
WrappedKeysRow SomeWrappedKey() { return {.keys = {{.root_key_id = "r1", .wrapped_key = "frame", .create_time = kTime}}}; }
ApiKeyRow SomeApiKey() {
  return {.organization = "acme",
          .display_name = "ci",
          .role = Role::kDeployer,
          .secret_hmac = "mac",
          .pepper_id = "p1",
          .author = "admin",
          .create_time = kTime};
}
RegionRow SomeRegion() { return {.display_name = "West", .sealing_key = "key", .blind = true, .create_time = kTime}; }
RegionStateRow SomeRegionState() {
  return {.target_incarnation = "t1",
          .epoch = 3,
          .synced_incarnation = "t0",
          .synced_lineage = 2,
          .resync_requested = true,
          .allow_mass_delete = true};
}
RequestRow SomeRequest() { return {.content_digest = "digest", .response = "answer", .create_time = kTime}; }
SecretSet SomeSet() {
  return {.uid = "u1",
          .type = SecretSetType::kImagePullSecret,
          .region = "us-west",
          .generation = 2,
          .create_time = kTime,
          .update_time = kTime,
          .entries = {{"A", 3, "fa"}, {"B", 0, ""}},
          .host = "registry/",
          .digest = "d",
          .last_author = "k1"};
}
Generation SomeGeneration() {
  return {.sealed_object = "sealed",
          .escrowed_keys = {{"id", "wrapped"}},
          .entries = {{"A", 3, "fa"}},
          .host = "registry/",
          .create_time = kTime,
          .author = "k1"};
}
Deployment SomeDeployment() {
  return {.uid = "u2",
          .region = "us-west",
          .image = "i:1",
          .secret_set = "web",
          .secret_set_uid = "u1",
          .secret_set_generation = 2,
          .image_pull_secret = "pull",
          .image_pull_secret_uid = "u3",
          .image_pull_secret_generation = 1,
          .required_keys = {"A"},
          .keys = {"A", "B"},
          .generation = 4,
          .client_data = "{}",
          .create_time = kTime,
          .update_time = kTime,
          .sealed_object = "sealed",
          .digest = "d"};
}
DesiredState SomeDesired() {
  return {.uid = "u1", .operation = Operation::kDelete, .generation = 2, .digest = "d", .desired_time = kTime};
}
Observation SomeObservation() {
  return {.revision = (uint64_t{1} << 48) | 9,
          .target_incarnation = "t1",
          .result = AckResult::kFailed,
          .generation = 2,
          .ready_generation = 1,
          .uid = "u1",
          .error_reason = "SINK",
          .error_message = "disk full",
          .permanent = true,
          .attempts = 3,
          .next_attempt = kTime,
          .observed_time = kTime,
          .suspect = 1,
          .suspect_revision = 8};
}

template <typename T>
std::string Hex(const T& value) {
  return absl::BytesToHexString(Encode(value));
}

// Decoded and encoded again: every field that a record holds comes back.
template <typename T>
void ExpectRoundTrip(const T& value) {
  const std::string bytes = Encode(value);
  const auto decoded = Decode<T>(bytes);
  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(absl::BytesToHexString(Encode(*decoded)), absl::BytesToHexString(bytes));
}

TEST(CodecTest, BytesAreGolden) {
  EXPECT_EQ(Hex(SomeOrganization()), "010a0175120441636d651a080880e2cfaa061005220775732d65617374");
  EXPECT_EQ(Hex(SomeWrappedKey()), "010a02723112056672616d651a080880e2cfaa0610052001");
  EXPECT_EQ(Hex(SomeApiKey()), "010a0461636d6512026369180322036d61632a027031320561646d696e3a080880e2cfaa061005");
  EXPECT_EQ(Hex(SomeRegion()), "010a045765737412036b6579180122080880e2cfaa061005");
  EXPECT_EQ(Hex(SomeRegionState()), "010a02743110031a027430200228013001");
  EXPECT_EQ(Hex(SomeRequest()), "010a066469676573741206616e737765721a080880e2cfaa061005");
  EXPECT_EQ(Hex(SomeSet()),
            "010a02753110021a0775732d7765737420022a080880e2cfaa06100532080880e2cfaa0610053a090a014110031a0266"
            "613a030a0142420972656769737472792f4a016452026b31");
  EXPECT_EQ(Hex(SomeGeneration()),
            "010a067365616c6564120d0a0269641207777261707065641a090a014110031a02666122080880e2cfaa0610052a026b"
            "31320972656769737472792f");
  EXPECT_EQ(Hex(SomeDeployment()),
            "010a027532120775732d776573741a03693a3122037765622a02753130023a0470756c6c4202753348015201415a0141"
            "5a014260046a027b7d72080880e2cfaa0610057a080880e2cfaa0610058201067365616c65648a010164");
  EXPECT_EQ(Hex(SomeDesired()), "010a027531100218022201642a080880e2cfaa061005");
  EXPECT_EQ(Hex(SomeObservation()),
            "01088980808080804012027431180220022801320275313a0453494e4b42096469736b2066756c6c480150035a080880"
            "e2cfaa06100562080880e2cfaa06100568017008");
}

TEST(CodecTest, EveryRecordComesBackAsItWas) {
  ExpectRoundTrip(SomeOrganization());
  ExpectRoundTrip(SomeWrappedKey());
  ExpectRoundTrip(SomeApiKey());
  ExpectRoundTrip(SomeRegion());
  ExpectRoundTrip(SomeRegionState());
  ExpectRoundTrip(SomeRequest());
  ExpectRoundTrip(SomeSet());
  ExpectRoundTrip(SomeGeneration());
  ExpectRoundTrip(SomeDeployment());
  ExpectRoundTrip(SomeDesired());
  ExpectRoundTrip(SomeObservation());
}

TEST(CodecTest, FieldsLandWhereTheyBelong) {
  const auto set = Decode<SecretSet>(Encode(SomeSet()));
  ASSERT_THAT(set, IsOk());
  EXPECT_EQ(set->uid, "u1");
  EXPECT_EQ(set->type, SecretSetType::kImagePullSecret);
  EXPECT_EQ(set->generation, 2);
  EXPECT_EQ(set->update_time, kTime);
  ASSERT_EQ(set->entries.size(), 2u);
  EXPECT_EQ(set->entries[0].fingerprint, "fa");
  const auto observation = Decode<Observation>(Encode(SomeObservation()));
  ASSERT_THAT(observation, IsOk());
  EXPECT_EQ(observation->revision, (uint64_t{1} << 48) | 9);
  EXPECT_EQ(observation->result, AckResult::kFailed);
  EXPECT_EQ(observation->suspect_revision, 8u);
  EXPECT_EQ(observation->error_reason, "SINK");
}

TEST(CodecTest, AKeyThatWasNotRevokedNeverWill) {
  ApiKeyRow key = SomeApiKey();
  EXPECT_EQ(Decode<ApiKeyRow>(Encode(key))->revoke_time, absl::InfiniteFuture());
  key.revoke_time = kTime;
  EXPECT_EQ(Decode<ApiKeyRow>(Encode(key))->revoke_time, kTime);
}

TEST(CodecTest, EndlessTimesStayEndless) {
  Observation observation = SomeObservation();
  observation.next_attempt = absl::InfiniteFuture();
  observation.observed_time = absl::InfinitePast();
  const auto decoded = Decode<Observation>(Encode(observation));
  EXPECT_EQ(decoded->next_attempt, absl::InfiniteFuture());
  EXPECT_EQ(decoded->observed_time, absl::InfinitePast());
}

TEST(CodecTest, NoValueIsEmptySoThatAnEmptyOneIsNoRecord) {
  EXPECT_EQ(Encode(RegionStateRow{}).size(), 1u);
  EXPECT_THAT(Decode<RegionStateRow>(Encode(RegionStateRow{})), IsOk());
  EXPECT_THAT(Decode<RegionStateRow>(""), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(Decode<SecretSet>(""), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(CodecTest, AnotherFormatVersionIsDataLoss) {
  std::string bytes = Encode(SomeSet());
  bytes[0] = 2;
  EXPECT_THAT(Decode<SecretSet>(bytes), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(CodecTest, BytesThatAreNoRecordAreDataLoss) {
  EXPECT_THAT(Decode<SecretSet>("\x01\xff\xff\xff"), StatusIs(absl::StatusCode::kDataLoss));
  const std::string bytes = Encode(SomeDeployment());
  EXPECT_THAT(Decode<Deployment>(bytes.substr(0, bytes.size() - 1)), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(CodecTest, NumbersOutsideTheirEnumerationAreDataLoss) {
  const auto with_number = [](char field, char number) { return std::string("\x01") + field + number; };
  for (const char number : {0, 5}) {
    EXPECT_THAT(Decode<ApiKeyRow>(with_number(0x18, number)), StatusIs(absl::StatusCode::kDataLoss)) << int{number};
  }
  for (const char number : {0, 3}) {
    EXPECT_THAT(Decode<SecretSet>(with_number(0x10, number)), StatusIs(absl::StatusCode::kDataLoss)) << int{number};
    EXPECT_THAT(Decode<Observation>(with_number(0x18, number)), StatusIs(absl::StatusCode::kDataLoss)) << int{number};
  }
  for (const char number : {0, 4}) {
    EXPECT_THAT(Decode<DesiredState>(with_number(0x10, number)), StatusIs(absl::StatusCode::kDataLoss)) << int{number};
  }
  EXPECT_THAT(Decode<ApiKeyRow>(with_number(0x18, 4)), IsOk());
  EXPECT_THAT(Decode<SecretSet>(with_number(0x10, 2)), IsOk());
}

}  // namespace
}  // namespace keyferry
