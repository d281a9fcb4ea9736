#include "libs/crypto/sealing_key_proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/common/clock.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

class SealingKeyProofTest : public ::testing::Test {
 protected:
  std::string SealedIn(const std::string& context) {
    return sender_->Seal(key_.public_key(), secret_, context).value();
  }

  const RegionKey key_ = RegionKey::Generate();
  const SecretBytes secret_ = SecretBytes::Random(32);
  const std::unique_ptr<SealedBoxSender> sender_ = SealedBoxSender::Create(SystemClock());
};

TEST_F(SealingKeyProofTest, TheHolderOfTheKeyTellsWhatIsInTheBox) {
  const std::string context = SealingKeyProofContext("us-west");
  const auto proof = ProveSealingKey(key_, SealedIn(context), context);
  ASSERT_THAT(proof, IsOk());
  EXPECT_TRUE(proof->Equals(secret_));
}

TEST_F(SealingKeyProofTest, AnotherKeyCannotTell) {
  const std::string context = SealingKeyProofContext("us-west");
  EXPECT_THAT(ProveSealingKey(RegionKey::Generate(), SealedIn(context), context),
              StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(SealingKeyProofTest, ADataKeyIsNotOpenedForWhoeverAsksForAProof) {
  const std::string context = JoinParts({"keyferry/data-key/v1", "organization", "set", "data key"});
  const std::string box = SealedIn(context);
  EXPECT_THAT(ProveSealingKey(key_, box, context), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ProveSealingKey(key_, box, SealingKeyProofContext(context)), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ProveSealingKey(key_, box, ""), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(SealingKeyProofTest, AChangeTakesBothBoxes) {
  const std::string context = SealingKeyProofContext("us-west");
  std::vector<RegionKey> held;
  held.push_back(RegionKey::Generate());
  const SecretBytes of_next = SecretBytes::Random(32);
  const std::string to_next = sender_->Seal(held.front().public_key(), of_next, context).value();
  const std::string boxes = JoinBoxes(to_next, SealedIn(context));
  EXPECT_THAT(ProveSealingKeyChange(held, boxes, context), StatusIs(absl::StatusCode::kDataLoss));
  held.push_back(*RegionKey::FromPrivate(key_.private_key().Clone()));
  const auto proof = ProveSealingKeyChange(held, boxes, context);
  ASSERT_THAT(proof, IsOk());
  EXPECT_TRUE(proof->Equals(JoinProofs(of_next, secret_)));
}

TEST_F(SealingKeyProofTest, WhatIsNotTwoBoxesIsRefused) {
  const std::string context = SealingKeyProofContext("us-west");
  std::vector<RegionKey> held;
  held.push_back(*RegionKey::FromPrivate(key_.private_key().Clone()));
  const std::string box = SealedIn(context), boxes = JoinBoxes(box, box);
  ASSERT_THAT(ProveSealingKeyChange(held, boxes, context), IsOk());
  for (size_t size = 0; size < boxes.size(); ++size) {
    EXPECT_THAT(ProveSealingKeyChange(held, boxes.substr(0, size), context), StatusIs(absl::StatusCode::kDataLoss));
  }
  EXPECT_THAT(ProveSealingKeyChange(held, boxes + "x", context), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ProveSealingKeyChange(held, std::string(8, '\xff'), context), StatusIs(absl::StatusCode::kDataLoss));
  const std::string data_key = JoinParts({"keyferry/data-key/v1", "organization", "set", "data key"});
  const std::string other = SealedIn(data_key);
  EXPECT_THAT(ProveSealingKeyChange(held, JoinBoxes(other, other), data_key), StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace keyferry
