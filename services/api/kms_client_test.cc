// A plugin that lies in every field, one at a time.
#include "services/api/kms_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "services/api/testing/fake_kms.h"

namespace keyferry {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Not;

constexpr absl::Duration kTimeout = absl::Milliseconds(300);
constexpr char kPlaintext[] = "a plaintext that no message may hold";

MATCHER_P2(FailsSaying, code, words, "") {
  const absl::Status status = StatusOf(arg);
  *result_listener << status.ToString();
  return status.code() == code && std::string(status.message()).find(words) != std::string::npos;
}

class KmsClientTest : public testing::Test {
 protected:
  absl::StatusOr<KmsCiphertext> Encrypt() { return client_->Encrypt(SecretBytes::Copy(kPlaintext)); }
  absl::StatusOr<KmsCiphertext> EncryptTold(KmsLies lies) {
    kms_->Tell(std::move(lies));
    return Encrypt();
  }
  absl::StatusOr<std::string> KeyIdTold(KmsLies lies) {
    kms_->Tell(std::move(lies));
    return client_->FetchKeyId();
  }

  static constexpr absl::StatusCode kUnknown = absl::StatusCode::kUnknown;
  static constexpr absl::StatusCode kUnavailable = absl::StatusCode::kUnavailable;

  TempDir directory_;
  const std::unique_ptr<FakeKms> kms_ = FakeKms::Start(directory_.File("socket"));
  const std::unique_ptr<KmsClient> client_ = KmsClient::Create(directory_.File("socket"), kTimeout);
};

TEST_F(KmsClientTest, DecryptGivesBackWhatEncryptWasGiven) {
  const auto ciphertext = Encrypt();
  ASSERT_THAT(ciphertext, IsOk());
  EXPECT_EQ(ciphertext->key_id, "key-1");
  const auto plaintext = client_->Decrypt(*ciphertext);
  ASSERT_THAT(plaintext, IsOk());
  EXPECT_EQ(plaintext->Access(), kPlaintext);
}

TEST_F(KmsClientTest, AnnotationsAndKeyIdComeBackToThePluginAsItGaveThem) {
  const std::map<std::string, std::string> annotations = {{"a.kms.example.com", std::string("\0\xff bytes", 8)},
                                                          {"b.example.com", ""}};
  const auto ciphertext = EncryptTold({.annotations = annotations});
  ASSERT_THAT(ciphertext, IsOk());
  EXPECT_EQ(ciphertext->annotations, annotations);
  ASSERT_THAT(client_->Decrypt(*ciphertext), IsOk());
  EXPECT_EQ(kms_->calls().back().annotations, annotations);
  EXPECT_EQ(kms_->calls().back().key_id, "key-1");
}

TEST_F(KmsClientTest, EachCallHasAUidOfItsOwnAndAuthorityLocalhost) {
  const auto ciphertext = Encrypt();
  ASSERT_THAT(ciphertext, IsOk());
  ASSERT_THAT(client_->Decrypt(*ciphertext), IsOk());
  const auto calls = kms_->calls();
  ASSERT_EQ(calls.size(), 2);
  EXPECT_EQ(calls[0].uid.size(), 32);
  EXPECT_NE(calls[0].uid, calls[1].uid);
  EXPECT_EQ(calls[0].authority, "localhost");
}

TEST_F(KmsClientTest, TakesV2AndItsNameBeforeAndNoOtherVersion) {
  EXPECT_THAT(KeyIdTold({.version = "v2"}), IsOkAndHolds("key-1"));
  EXPECT_THAT(KeyIdTold({.version = "v2beta1"}), IsOkAndHolds("key-1"));
  for (const char* version : {"", "v1", "v1beta1", "v2alpha1", "V2", "v2 ", "v3"}) {
    EXPECT_THAT(KeyIdTold({.version = version}), FailsSaying(absl::StatusCode::kFailedPrecondition, "not v2"))
        << version;
  }
}

TEST_F(KmsClientTest, TakesNoHealthButOk) {
  for (const char* healthz : {"", "OK", "ok ", "the HSM is away", "okay"}) {
    EXPECT_THAT(KeyIdTold({.healthz = healthz}), FailsSaying(kUnknown, absl::StrCat("it says of itself: ", healthz)))
        << healthz;
  }
}

TEST_F(KmsClientTest, PrintsNoControlCharactersOfThePlugin) {
  EXPECT_THAT(KeyIdTold({.healthz = "\x1b[31m\n" + std::string(1000, 'x')}), FailsSaying(kUnknown, "\\x1b[31m\\n"));
  EXPECT_LT(KeyIdTold({.healthz = std::string(1000, 'x')}).status().message().size(), 300);
}

TEST_F(KmsClientTest, TakesAKeyIdOf1To1024BytesInStatus) {
  EXPECT_THAT(KeyIdTold({.status_key_id = "k"}), IsOk());
  EXPECT_THAT(KeyIdTold({.status_key_id = std::string(1024, 'k')}), IsOk());
  EXPECT_THAT(KeyIdTold({.status_key_id = std::string(1025, 'k')}), FailsSaying(kUnknown, "1025 bytes"));
  EXPECT_THAT(KeyIdTold({.status_key_id = ""}), FailsSaying(kUnknown, "key_id is empty"));
}

TEST_F(KmsClientTest, TakesAKeyIdOf1To1024BytesInEncrypt) {
  EXPECT_THAT(EncryptTold({.encrypt_key_id = std::string(1024, 'k')}), IsOk());
  EXPECT_THAT(EncryptTold({.encrypt_key_id = std::string(1025, 'k')}), FailsSaying(kUnknown, "1025 bytes"));
  EXPECT_THAT(EncryptTold({.encrypt_key_id = ""}), FailsSaying(kUnknown, "key_id is empty"));
}

TEST_F(KmsClientTest, TakesACiphertextOf1To1024Bytes) {
  EXPECT_THAT(EncryptTold({.ciphertext = "c"}), IsOk());
  EXPECT_THAT(EncryptTold({.ciphertext = std::string(1024, 'c')}), IsOk());
  EXPECT_THAT(EncryptTold({.ciphertext = std::string(1025, 'c')}), FailsSaying(kUnknown, "1025 bytes"));
  EXPECT_THAT(EncryptTold({.ciphertext = ""}), FailsSaying(kUnknown, "ciphertext is empty"));
}

TEST_F(KmsClientTest, TakesAnnotationsOf32KiBKeysAndValuesTogether) {
  const std::string value(kMaxKmsAnnotationBytes - 2 * 5, 'v');
  EXPECT_THAT(EncryptTold({.annotations = {{{"a.com", value}, {"b.com", ""}}}}), IsOk());
  EXPECT_THAT(EncryptTold({.annotations = {{{"a.com", value}, {"b.com", "v"}}}}), FailsSaying(kUnknown, "32769 bytes"));
}

TEST_F(KmsClientTest, TakesAnnotationsWhoseKeysAreDomainNames) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  for (const std::string& key :
       {std::string("a.b"), std::string("kms.example.com."), std::string("1.2"), label + ".com", longest}) {
    EXPECT_THAT(EncryptTold({.annotations = {{{key, "v"}}}}), IsOk()) << key;
  }
  for (const std::string& key :
       {std::string(""), std::string("."), std::string("com"), std::string("com."), std::string("a..b"),
        std::string(".a.b"), std::string("-a.b"), std::string("a-.b"), std::string("A.b"), std::string("a_b.c"),
        std::string("a b.c"), label + "a.com", longest + "a", std::string("a.b\n")}) {
    EXPECT_THAT(EncryptTold({.annotations = {{{key, "v"}}}}),
                FailsSaying(kUnknown, "not a fully qualified domain name"))
        << key;
  }
}

TEST_F(KmsClientTest, ErrorsOfThePluginAreNamedButNotQuoted) {
  EXPECT_THAT(EncryptTold({.fails = true}),
              AllOf(FailsSaying(kUnknown, "gRPC code 13"), Not(FailsSaying(kUnknown, kPlaintext))));
}

TEST_F(KmsClientTest, AnAnswerFarBeyondTheLimitsIsNotRead) {
  EXPECT_THAT(EncryptTold({.ciphertext = std::string(4 * 1024 * 1024, 'c')}), StatusIs(kUnknown));
}

TEST_F(KmsClientTest, APluginThatHangsIsGivenUpAfterTheTimeout) {
  kms_->Tell({.delay = absl::Seconds(30)});
  const absl::Time begin = absl::Now();
  EXPECT_THAT(client_->FetchKeyId(), FailsSaying(kUnavailable, "came to no end"));
  EXPECT_THAT(Encrypt(), FailsSaying(kUnavailable, "came to no end"));
  EXPECT_GE(absl::Now() - begin, 2 * kTimeout);
  EXPECT_LT(absl::Now() - begin, 2 * kTimeout + absl::Seconds(5));
}

TEST_F(KmsClientTest, APluginThatDiesInTheMiddleOfACallIsUnavailable) {
  const auto client = KmsClient::Create(directory_.File("socket"));
  kms_->Tell({.delay = absl::Seconds(30)});
  absl::StatusOr<KmsCiphertext> answer = absl::UnknownError("not yet");
  std::thread caller([&] { answer = client->Encrypt(SecretBytes::Copy(kPlaintext)); });
  while (kms_->CountOf("Encrypt") == 0) absl::SleepFor(absl::Milliseconds(1));
  kms_->Die();
  caller.join();
  EXPECT_THAT(answer, StatusIs(kUnavailable));
}

TEST_F(KmsClientTest, APluginThatIsNotThereIsUnavailableAndItsReturnNeedsNoSecondCall) {
  const auto ciphertext = Encrypt();
  ASSERT_THAT(ciphertext, IsOk());
  kms_->Die();
  EXPECT_THAT(client_->FetchKeyId(), FailsSaying(kUnavailable, "it is not there; does the plugin run"));
  kms_->Return();
  EXPECT_THAT(client_->Decrypt(*ciphertext), IsOk());
}

TEST_F(KmsClientTest, APluginThatStartedAnewBetweenTwoCallsIsNotNoticed) {
  ASSERT_THAT(client_->FetchKeyId(), IsOk());
  kms_->Die();
  kms_->Return();
  EXPECT_THAT(client_->FetchKeyId(), IsOkAndHolds("key-1"));
}

TEST_F(KmsClientTest, ASocketThatWasReplacedByALooserOneIsRefusedAtTheNextConnection) {
  ASSERT_THAT(client_->FetchKeyId(), IsOk());
  kms_->Die();
  kms_->Return();
  std::filesystem::permissions(directory_.File("socket"), std::filesystem::perms(0666));
  EXPECT_THAT(client_->FetchKeyId(), FailsSaying(absl::StatusCode::kFailedPrecondition, "more than 0660"));
}

TEST_F(KmsClientTest, EightCallsAreUnderWayAndANinthWaits) {
  const auto client = KmsClient::Create(directory_.File("socket"), absl::Seconds(20));
  kms_->Tell({.delay = absl::Milliseconds(200)});
  std::vector<absl::Status> statuses(kMaxKmsCalls + 1);
  std::vector<std::thread> callers;
  for (absl::Status& status : statuses) callers.emplace_back([&] { status = client->FetchKeyId().status(); });
  for (std::thread& caller : callers) caller.join();
  EXPECT_THAT(statuses, Each(IsOk()));
  EXPECT_EQ(kms_->peak(), kMaxKmsCalls);
}

TEST_F(KmsClientTest, ANinthCallDoesNotWaitForEver) {
  kms_->Tell({.delay = absl::Seconds(30)});
  std::vector<std::thread> callers;
  const auto patient = KmsClient::Create(directory_.File("socket"), absl::Seconds(2));
  for (int i = 0; i < kMaxKmsCalls; ++i) callers.emplace_back([&] { EXPECT_FALSE(patient->FetchKeyId().ok()); });
  while (kms_->CountOf("Status") < kMaxKmsCalls) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_THAT(patient->FetchKeyId(), StatusIs(kUnavailable));
  for (std::thread& caller : callers) caller.join();
  EXPECT_THAT(kms_->peak(), Le(kMaxKmsCalls + 1));
}

}  // namespace
}  // namespace keyferry
