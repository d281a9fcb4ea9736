#include "libs/rpc/sealed_object_codec.h"

#include <gtest/gtest.h>

#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

SealedObject EveryFieldSet() {
  return {.generation = 7,
          .organization_uid = "o-uid",
          .host = "registry.example/",
          .image_pull_secret = true,
          .entries = {{.key = "A", .data_key_id = "id-a", .ciphertext = std::string("\0sealed", 7)}, {.key = "B"}},
          .data_keys = {{.id = "id-a", .salt = "salt", .commitment = "commitment", .region_box = "box"}},
          .image = "image:1",
          .secret_set = "payments",
          .secret_set_uid = "s-uid",
          .secret_set_generation = 3,
          .image_pull_secret_name = "registry",
          .pull_secret_uid = "p-uid",
          .pull_secret_host = "pull.example/",
          .pull_entry = {.key = "", .data_key_id = "id-a", .ciphertext = "auth"}};
}

TEST(SealedObjectCodecTest, EveryFieldMakesTheRoundTrip) {
  const SealedObject object = EveryFieldSet();
  const auto parsed = ParseSealedObject(SerializeSealedObject(object));
  ASSERT_THAT(parsed, IsOk());
  EXPECT_EQ(parsed->generation, 7);
  EXPECT_EQ(parsed->organization_uid, "o-uid");
  EXPECT_EQ(parsed->host, "registry.example/");
  EXPECT_TRUE(parsed->image_pull_secret);
  EXPECT_EQ(parsed->entries, object.entries);
  EXPECT_EQ(parsed->data_keys, object.data_keys);
  EXPECT_EQ(parsed->image, "image:1");
  EXPECT_EQ(parsed->secret_set, "payments");
  EXPECT_EQ(parsed->secret_set_uid, "s-uid");
  EXPECT_EQ(parsed->secret_set_generation, 3);
  EXPECT_EQ(parsed->image_pull_secret_name, "registry");
  EXPECT_EQ(parsed->pull_secret_uid, "p-uid");
  EXPECT_EQ(parsed->pull_secret_host, "pull.example/");
  EXPECT_EQ(parsed->pull_entry, object.pull_entry);
}

TEST(SealedObjectCodecTest, SerializesEqualObjectsToEqualBytes) {
  EXPECT_EQ(SerializeSealedObject(EveryFieldSet()), SerializeSealedObject(EveryFieldSet()));
}

TEST(SealedObjectCodecTest, BytesThatAreNoObjectAreDataLoss) {
  EXPECT_THAT(ParseSealedObject("\xff\xff\xff"), StatusIs(absl::StatusCode::kDataLoss));
  const std::string bytes = SerializeSealedObject(EveryFieldSet());
  EXPECT_THAT(ParseSealedObject(std::string_view(bytes).substr(0, bytes.size() - 1)),
              StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace keyferry
