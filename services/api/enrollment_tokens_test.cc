#include "services/api/enrollment_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/api/api_keys.h"
#include "services/api/testing/enrollment_scene.h"

namespace keyferry {
namespace {

class EnrollmentTokensTest : public ::testing::Test {
 protected:
  absl::StatusOr<VerifiedEnrollmentToken> Verify(const NewEnrollmentToken& token) {
    return scene_.tokens->Verify(token.text.Access());
  }
  absl::StatusOr<size_t> Sweep() {
    return Await<absl::StatusOr<size_t>>([&](auto done) { scene_.tokens->Sweep(std::move(done)); });
  }

  EnrollmentScene scene_;
};

TEST_F(EnrollmentTokensTest, ATokenHasAnApiKeysFormUnderItsOwnPrefix) {
  const auto token = scene_.MakeToken("eu-1");
  ASSERT_THAT(token, IsOk());
  EXPECT_TRUE(token->text.Access().starts_with("ke_"));
  EXPECT_EQ(token->text.size(), 3u + 10 + 1 + 30 + 6);
  EXPECT_TRUE(ParseApiKey(token->text.Access(), kEnrollmentTokenPrefix));
  EXPECT_FALSE(ParseApiKey(token->text.Access()));
  EXPECT_EQ(token->expire_time, scene_.clock.Now() + absl::Minutes(10));
}

TEST_F(EnrollmentTokensTest, ATokenCountsForItsRegionUntilItsTimeIsOver) {
  const auto token = scene_.MakeToken("eu-1");
  scene_.clock.Advance(kEnrollmentTokenLifetime - absl::Seconds(1));
  const auto verified = Verify(*token);
  ASSERT_THAT(verified, IsOk());
  EXPECT_EQ(verified->region, "eu-1");
  EXPECT_EQ(verified->id, token->id);
  scene_.clock.Advance(absl::Seconds(1));
  EXPECT_THAT(Verify(*token), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
}

TEST_F(EnrollmentTokensTest, WhateverIsWrongGetsTheSameAnswer) {
  const auto old = scene_.MakeToken("eu-1");
  scene_.clock.Advance(kEnrollmentTokenLifetime);
  const auto used = scene_.MakeToken("eu-1");
  ASSERT_THAT(scene_.Commit(
                  [&](Transaction& transaction) { return scene_.tokens->UseIn(transaction, used->id, "eu-1", "p1"); }),
              IsOk());
  const auto good = scene_.MakeToken("eu-1");
  const SecretBytes unknown = GenerateApiKey(kEnrollmentTokenPrefix), api_key = GenerateApiKey();
  // A right id with another secret, and a checksum that fits.
  const SecretBytes other = GenerateApiKey(kEnrollmentTokenPrefix);
  const std::vector<std::string> texts = {"",
                                          "ke_",
                                          std::string(used->text.Access()),
                                          std::string(old->text.Access()),
                                          std::string(unknown.Access()),
                                          std::string(other.Access()),
                                          std::string(api_key.Access()),
                                          std::string(good->text.Access()) + "x",
                                          std::string(1 << 16, 'k')};
  for (const std::string& text : texts) {
    const auto verified = scene_.tokens->Verify(text);
    ASSERT_THAT(verified, FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
    EXPECT_EQ(verified.status(), scene_.tokens->Verify("").status());
  }
  EXPECT_THAT(Verify(*good), IsOk());
}

TEST_F(EnrollmentTokensTest, ATokenOfAnotherRegionIsOfNoUse) {
  const auto token = scene_.MakeToken("us-west");
  EXPECT_THAT(scene_.Commit(
                  [&](Transaction& transaction) { return scene_.tokens->UseIn(transaction, token->id, "eu-1", "p1"); }),
              FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
}

TEST_F(EnrollmentTokensTest, ARegionThatDoesNotExistGetsNone) {
  for (const char* region : {"nowhere", "No Where", ""}) {
    EXPECT_THAT(scene_.MakeToken(region), FailsWith(absl::StatusCode::kNotFound, "REGION_NOT_FOUND"));
  }
}

TEST_F(EnrollmentTokensTest, ARegionHasAHundredLiveTokensAndNotOneMore) {
  std::vector<NewEnrollmentToken> made;
  for (size_t i = 0; i < kMaxEnrollmentTokensPerRegion; ++i) {
    auto token = scene_.MakeToken("eu-1");
    ASSERT_THAT(token, IsOk()) << i;
    made.push_back(*std::move(token));
  }
  EXPECT_THAT(scene_.MakeToken("eu-1"), FailsWith(absl::StatusCode::kResourceExhausted, "TOO_MANY_ENROLLMENT_TOKENS"));
  EXPECT_THAT(scene_.MakeToken("us-west"), IsOk());
  ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
    return scene_.tokens->UseIn(transaction, made[0].id, "eu-1", "p1");
  }),
              IsOk());
  EXPECT_THAT(scene_.MakeToken("eu-1"), IsOk());
  scene_.clock.Advance(kEnrollmentTokenLifetime);
  EXPECT_THAT(scene_.MakeToken("eu-1"), IsOk());
}

TEST_F(EnrollmentTokensTest, TokensWhoseTimeIsOverAreSweptUsedOrNot) {
  const auto used = scene_.MakeToken("eu-1");
  ASSERT_THAT(scene_.MakeToken("eu-1"), IsOk());
  ASSERT_THAT(scene_.Commit(
                  [&](Transaction& transaction) { return scene_.tokens->UseIn(transaction, used->id, "eu-1", "p1"); }),
              IsOk());
  EXPECT_THAT(Sweep(), IsOkAndHolds(0u));
  scene_.clock.Advance(kEnrollmentTokenLifetime);
  const auto live = scene_.MakeToken("eu-1");
  EXPECT_THAT(Sweep(), IsOkAndHolds(2u));
  EXPECT_THAT(Verify(*live), IsOk());
}

}  // namespace
}  // namespace keyferry
