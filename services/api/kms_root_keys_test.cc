#include "services/api/kms_root_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/crypto/aead.h"
#include "services/api/moving_root_keys.h"
#include "services/api/testing/fake_kms.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kTimeout = absl::Milliseconds(300);
constexpr char kContext[] = "a context";

class KmsRootKeysTest : public testing::Test {
 protected:
  KmsRootKeysTest() { EXPECT_THAT(root_keys_->Refresh(), IsOk()); }

  absl::StatusOr<RootWrapped> Wrap() { return root_keys_->Wrap(key_, kContext); }
  absl::StatusOr<RootWrapped> WrapTold(KmsLies lies) {
    kms_->Tell(std::move(lies));
    auto wrapped = Wrap();
    kms_->Tell({});
    return wrapped;
  }
  absl::StatusOr<SecretBytes> UnwrapTold(const RootWrapped& wrapped, KmsLies lies) {
    kms_->Tell(std::move(lies));
    return root_keys_->Unwrap(wrapped, kContext);
  }

  static constexpr absl::StatusCode kUnavailable = absl::StatusCode::kUnavailable;
  static constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;

  const SecretBytes key_ = SecretBytes::Random(kKeyBytes);
  TempDir directory_;
  const std::unique_ptr<FakeKms> kms_ = FakeKms::Start(directory_.File("socket"));
  const std::unique_ptr<KmsClient> client_ = KmsClient::Create(directory_.File("socket"), kTimeout);
  const std::unique_ptr<KmsRootKeys> root_keys_ = KmsRootKeys::Create(*client_, {.keeps_asking = false});
};

TEST_F(KmsRootKeysTest, UnwrapGivesBackWhatWrapWasGiven) {
  const auto wrapped = Wrap();
  ASSERT_THAT(wrapped, IsOk());
  EXPECT_EQ(wrapped->root_key_id, "kms:key-1");
  EXPECT_THAT(root_keys_->CurrentId(), IsOkAndHolds("kms:key-1"));
  EXPECT_EQ(wrapped->annotations.count("kms.example.com"), 1);
  const auto key = root_keys_->Unwrap(*wrapped, kContext);
  ASSERT_THAT(key, IsOk());
  EXPECT_TRUE(key->Equals(key_));
}

TEST_F(KmsRootKeysTest, AKeyOfAnotherContextDoesNotUnwrap) {
  const auto wrapped = Wrap();
  ASSERT_THAT(wrapped, IsOk());
  EXPECT_THAT(root_keys_->Unwrap(*wrapped, "another context"), StatusIs(kDataLoss));
  EXPECT_THAT(root_keys_->Unwrap(*wrapped, ""), StatusIs(kDataLoss));
}

TEST_F(KmsRootKeysTest, AnOtherwisePerfectCiphertextOfAnotherContextDoesNotUnwrap) {
  const auto mine = Wrap();
  const auto other = root_keys_->Wrap(key_, "another context");
  ASSERT_THAT(other, IsOk());
  RootWrapped swapped = *mine;
  swapped.bytes = other->bytes;
  EXPECT_THAT(root_keys_->Unwrap(swapped, kContext), StatusIs(kDataLoss));
}

TEST_F(KmsRootKeysTest, APlaintextThatWasChangedCutOrReplacedDoesNotUnwrap) {
  const auto wrapped = Wrap();
  ASSERT_THAT(wrapped, IsOk());
  const std::function<std::string(const std::string&)> lies[] = {
      [](const std::string&) { return ""; },
      [](const std::string& all) { return all.substr(0, 31); },
      [](const std::string& all) { return all.substr(0, 32); },
      [](const std::string& all) { return all.substr(0, 33); },
      [](const std::string& all) { return all.substr(0, all.size() - 1); },
      [](const std::string& all) { return all.substr(32); },
      [](const std::string& all) { return all + "x"; },
      [](const std::string& all) { return std::string(all.size(), '\0'); },
      [](const std::string& all) { return RandomBytes(all.size()); }};
  for (const auto& lie : lies) EXPECT_THAT(UnwrapTold(*wrapped, {.plaintext = lie}), StatusIs(kDataLoss));
  for (size_t i = 0; i < 64; ++i) {
    const auto flip = [i](std::string all) {
      all[i] ^= 1;
      return all;
    };
    EXPECT_THAT(UnwrapTold(*wrapped, {.plaintext = flip}), StatusIs(kDataLoss)) << i;
  }
  EXPECT_THAT(UnwrapTold(*wrapped, {}), IsOk());
}

TEST_F(KmsRootKeysTest, EveryDamagedByteOfTheStoredCiphertextIsRefused) {
  const auto wrapped = Wrap();
  ASSERT_THAT(wrapped, IsOk());
  for (size_t i = 0; i < wrapped->bytes.size(); ++i) {
    RootWrapped damaged = *wrapped;
    damaged.bytes[i] ^= 0x40;
    EXPECT_FALSE(root_keys_->Unwrap(damaged, kContext).ok()) << i;
  }
  EXPECT_THAT(root_keys_->Health(), IsOk());
}

TEST_F(KmsRootKeysTest, AnEncryptByAnotherKeyThanStatusNamesIsThrownAway) {
  EXPECT_THAT(WrapTold({.encrypt_key_id = "key-2"}), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
  EXPECT_EQ(kms_->CountOf("Encrypt"), 2);
}

TEST_F(KmsRootKeysTest, AKeyThatChangedSinceTheLastStatusIsAskedForAtOnce) {
  kms_->Rotate("key-2");
  EXPECT_THAT(root_keys_->CurrentId(), IsOkAndHolds("kms:key-1"));
  const auto wrapped = Wrap();
  ASSERT_THAT(wrapped, IsOk());
  EXPECT_EQ(wrapped->root_key_id, "kms:key-2");
  EXPECT_THAT(root_keys_->CurrentId(), IsOkAndHolds("kms:key-2"));
  EXPECT_EQ(kms_->CountOf("Encrypt"), 2);
}

TEST_F(KmsRootKeysTest, AKeyIdThatFlapsBetweenStatusAndEncryptIsRefused) {
  EXPECT_THAT(WrapTold({.status_key_id = "key-2", .encrypt_key_id = "key-3"}),
              FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
  EXPECT_EQ(kms_->CountOf("Encrypt"), 2);
}

TEST_F(KmsRootKeysTest, AfterARotationOlderKeysUnwrapAndNewOnesAreWrappedByTheNewKey) {
  const auto old = Wrap();
  kms_->Rotate("key-2");
  ASSERT_THAT(root_keys_->Refresh(), IsOk());
  EXPECT_THAT(root_keys_->CurrentId(), IsOkAndHolds("kms:key-2"));
  EXPECT_THAT(root_keys_->Unwrap(*old, kContext), IsOk());
  EXPECT_EQ(Wrap()->root_key_id, "kms:key-2");
}

TEST_F(KmsRootKeysTest, APluginThatDoesNotEncryptIsRefused) {
  EXPECT_THAT(WrapTold({.encrypts = false}), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
}

TEST_F(KmsRootKeysTest, ACiphertextThatDoesNotComeBackIsRefusedBeforeAnythingIsUnderIt) {
  EXPECT_THAT(WrapTold({.ciphertext = "rubbish"}), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
  EXPECT_THAT(WrapTold({.plaintext = [](const std::string& all) { return std::string(all.size(), 'x'); }}),
              FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
}

TEST_F(KmsRootKeysTest, EachLieOfStatusMakesItUnhealthyAndTheTruthWellAgain) {
  const KmsLies lies[] = {{.version = "v1"},
                          {.healthz = "no"},
                          {.status_key_id = ""},
                          {.status_key_id = std::string(1025, 'k')},
                          {.fails = true}};
  for (const KmsLies& lie : lies) {
    kms_->Tell(lie);
    EXPECT_FALSE(root_keys_->Refresh().ok());
    EXPECT_THAT(root_keys_->Health(), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
    EXPECT_THAT(root_keys_->CurrentId(), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
    EXPECT_THAT(Wrap(), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
    kms_->Tell({});
    EXPECT_THAT(root_keys_->Refresh(), IsOk());
    EXPECT_THAT(Wrap(), IsOk());
  }
}

TEST_F(KmsRootKeysTest, NothingIsEncryptedBeforeTheFirstHealthyStatus) {
  const auto fresh = KmsRootKeys::Create(*client_, {.keeps_asking = false});
  EXPECT_THAT(fresh->Wrap(key_, kContext), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
  EXPECT_EQ(kms_->CountOf("Encrypt"), 0);
}

TEST_F(KmsRootKeysTest, WhileThePluginHangsOneCallWaitsForItAndTheOthersAreRefusedAtOnce) {
  const auto wrapped = Wrap();
  kms_->Tell({.delay = absl::Seconds(30)});
  EXPECT_FALSE(root_keys_->Refresh().ok());
  const int before = kms_->CountOf("Decrypt");
  std::atomic<int> quick = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 32; ++i) {
    callers.emplace_back([&] {
      const absl::Time begin = absl::Now();
      EXPECT_THAT(root_keys_->Unwrap(*wrapped, kContext), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
      if (absl::Now() - begin < kTimeout / 2) ++quick;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_LE(kms_->CountOf("Decrypt") - before, 2);
  EXPECT_GE(quick, 30);
}

TEST_F(KmsRootKeysTest, AKeyUnwrapsWhileStatusIsUnhealthyButDecryptWorks) {
  const auto wrapped = Wrap();
  kms_->Tell({.healthz = "cannot encrypt now"});
  EXPECT_FALSE(root_keys_->Refresh().ok());
  EXPECT_THAT(root_keys_->Unwrap(*wrapped, kContext), IsOk());
}

TEST_F(KmsRootKeysTest, ACallThatFindsThePluginAwayMakesItUnhealthyWithoutWaitingForStatus) {
  kms_->Die();
  EXPECT_THAT(Wrap(), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
  EXPECT_THAT(root_keys_->Health(), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
  kms_->Return();
  EXPECT_THAT(root_keys_->Refresh(), IsOk());
  EXPECT_THAT(Wrap(), IsOk());
}

TEST_F(KmsRootKeysTest, AwaitHealthyWaitsForAPluginThatComesLater) {
  kms_->Die();
  std::thread later([this] {
    absl::SleepFor(absl::Milliseconds(200));
    kms_->Return();
  });
  EXPECT_THAT(root_keys_->AwaitHealthy(absl::Seconds(20)), IsOk());
  later.join();
}

TEST_F(KmsRootKeysTest, AwaitHealthyGivesUpAtOnceWhereWaitingDoesNotHelp) {
  kms_->Tell({.version = "v1"});
  const absl::Time begin = absl::Now();
  EXPECT_THAT(root_keys_->AwaitHealthy(absl::Seconds(20)), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
}

TEST_F(KmsRootKeysTest, AwaitHealthyEndsWithItsPatience) {
  kms_->Die();
  EXPECT_THAT(root_keys_->AwaitHealthy(absl::ZeroDuration()), StatusIs(kUnavailable));
}

TEST(KmsStatusDelayTest, IsSixtySecondsOrTenGiveOrTakeATenth) {
  EXPECT_EQ(KmsStatusDelay(true, 0), absl::Seconds(54));
  EXPECT_EQ(KmsStatusDelay(true, 0.5), absl::Seconds(60));
  EXPECT_EQ(KmsStatusDelay(true, 1), absl::Seconds(66));
  EXPECT_EQ(KmsStatusDelay(false, 0), absl::Seconds(9));
  EXPECT_EQ(KmsStatusDelay(false, 1), absl::Seconds(11));
}

class MovingRootKeysTest : public KmsRootKeysTest {
 protected:
  const std::unique_ptr<KeyringRootKeys> keyring_ = KeyringRootKeys::Create(Keyring::ForTest());
  const std::unique_ptr<RootKeys> before_ = NewMovingRootKeys(*keyring_, nullptr, false);
  const std::unique_ptr<RootKeys> moved_ = NewMovingRootKeys(*keyring_, root_keys_.get(), true);
  const std::unique_ptr<RootKeys> leaving_ = NewMovingRootKeys(*keyring_, root_keys_.get(), false);
};

TEST_F(MovingRootKeysTest, AfterTheMoveTheKmsWrapsAndTheKeyringStillUnwrapsItsOwn) {
  const auto old = before_->Wrap(key_, kContext);
  ASSERT_THAT(old, IsOk());
  EXPECT_THAT(moved_->Unwrap(*old, kContext), IsOk());
  EXPECT_EQ(moved_->provider(), "kms");
  EXPECT_THAT(moved_->CurrentId(), IsOkAndHolds("kms:key-1"));
  EXPECT_EQ(moved_->Wrap(key_, kContext)->root_key_id, "kms:key-1");
}

TEST_F(MovingRootKeysTest, TheKeyringsKeysUnwrapWhileTheKmsIsAway) {
  const auto old = before_->Wrap(key_, kContext);
  kms_->Die();
  EXPECT_FALSE(root_keys_->Refresh().ok());
  EXPECT_THAT(moved_->Unwrap(*old, kContext), IsOk());
  EXPECT_THAT(moved_->Health(), FailsWith(kUnavailable, "KMS_UNAVAILABLE"));
}

TEST_F(MovingRootKeysTest, OnTheWayBackTheKeyringWrapsAndTheKmsStillUnwraps) {
  const auto wrapped = moved_->Wrap(key_, kContext);
  EXPECT_EQ(leaving_->provider(), "keyring");
  EXPECT_THAT(leaving_->Unwrap(*wrapped, kContext), IsOk());
  const auto back = leaving_->Wrap(key_, kContext);
  EXPECT_THAT(before_->Unwrap(*back, kContext), IsOk());
}

TEST_F(MovingRootKeysTest, WithoutTheFlagAKeyOfTheKmsNamesTheFlag) {
  const auto wrapped = moved_->Wrap(key_, kContext);
  const auto opened = before_->Unwrap(*wrapped, kContext);
  EXPECT_THAT(opened, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("--kms-socket"));
}

}  // namespace
}  // namespace keyferry
