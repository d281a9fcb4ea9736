// A KMS plugin that lies: any version, health, key id, ciphertext, annotations and plaintext; or it fails, is slow,
// dies, or its socket says anything at all and closes. What is taken keeps the limits; no error holds what was to be
// encrypted or, unprintable, what the plugin said; and a plugin that is back and honest is heard.
//
// The input: `socket:` and what the socket says; or fields, separated by 0xFF, a `=` for the truth.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/rpc/socket.h"
#include "services/api/kms_client.h"
#include "services/api/testing/fake_kms.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

// In no dictionary: a plugin can only quote what it was given.
constexpr std::string_view kPlaintext = "pl4in-kEy-0f-an-0wner";
constexpr std::string_view kSocketSays = "socket:";
constexpr std::string_view kTruth = "=";
constexpr absl::Duration kPatience = absl::Milliseconds(50);
// Of a client that is to be answered, however busy the machine is.
constexpr absl::Duration kLongPatience = absl::Seconds(30);

enum Field {
  kVersion,
  kHealth,
  kStatusKeyId,
  kEncryptKeyId,
  kCiphertext,
  kAnnotation,
  kAnnotationValue,
  kDecrypted,
  kFate,
  kFieldCount
};

std::vector<std::string> FieldsOf(std::string_view text) {
  std::vector<std::string> fields = absl::StrSplit(absl::string_view(text.data(), text.size()), '\xFF');
  fields.resize(std::max<size_t>(fields.size(), kFieldCount));
  return fields;
}

std::optional<std::string> LieOf(const std::string& field) {
  return field == kTruth ? std::nullopt : std::optional(field);
}

KmsLies LiesOf(const std::vector<std::string>& fields) {
  KmsLies lies;
  if (!fields[kVersion].empty()) lies.version = fields[kVersion];
  if (!fields[kHealth].empty()) lies.healthz = fields[kHealth];
  lies.status_key_id = LieOf(fields[kStatusKeyId]);
  lies.encrypt_key_id = LieOf(fields[kEncryptKeyId]);
  lies.ciphertext = LieOf(fields[kCiphertext]);
  lies.annotations = std::map<std::string, std::string>{{fields[kAnnotation], fields[kAnnotationValue]}};
  if (!fields[kDecrypted].empty()) lies.plaintext = [said = fields[kDecrypted]](const std::string&) { return said; };
  lies.fails = fields[kFate] == "fails";
  if (fields[kFate] == "slow") lies.delay = 2 * kPatience;
  return lies;
}

void RequirePrintable(const absl::Status& status) {
  Require(!status.ok(), "it is an error");
  Require(status.message().find(absl::string_view(kPlaintext.data(), kPlaintext.size())) == absl::string_view::npos,
          "an error does not quote what was to be encrypted");
  Require(std::none_of(status.message().begin(), status.message().end(),
                       [](unsigned char c) { return c < 0x20 || c == 0x7F; }),
          "an error holds no control characters");
}

// A socket that says something to whoever comes, and closes.
class TalkingSocket {
 public:
  explicit TalkingSocket(const std::string& path) : listener_(*Listen("unix:" + path, 0600)) {
    talking_ = std::thread([this] { TalkToEach(); });
  }
  ~TalkingSocket() {
    ended_ = true;
    // Wakes who waits for somebody to come.
    shutdown(listener_.descriptor.get(), SHUT_RDWR);
    talking_.join();
  }
  void Say(std::string_view bytes) {
    const absl::MutexLock lock(&mutex_);
    bytes_ = bytes;
  }

 private:
  void TalkToEach() {
    while (!ended_) {
      pollfd waiting{.fd = listener_.descriptor.get(), .events = POLLIN};
      poll(&waiting, 1, -1);
      const Descriptor caller(accept(listener_.descriptor.get(), nullptr, nullptr));
      if (caller.get() < 0) continue;
      const absl::MutexLock lock(&mutex_);
      // Whoever has gone already does not hear it.
      static_cast<void>(send(caller.get(), bytes_.data(), bytes_.size(), MSG_NOSIGNAL));
    }
  }

  const Listener listener_;
  std::atomic<bool> ended_ = false;
  absl::Mutex mutex_;
  std::string bytes_ ABSL_GUARDED_BY(mutex_);
  std::thread talking_;
};

void Ask(KmsClient& client) {
  if (const auto id = client.FetchKeyId(); id.ok()) {
    Require(!id->empty() && id->size() <= kMaxKmsKeyIdBytes, "a key id keeps its limit");
  } else {
    RequirePrintable(id.status());
  }
  const auto ciphertext = client.Encrypt(SecretBytes::Take(std::string(kPlaintext)));
  if (!ciphertext.ok()) return RequirePrintable(ciphertext.status());
  Require(!ciphertext->bytes.empty() && ciphertext->bytes.size() <= kMaxKmsCiphertextBytes,
          "a ciphertext keeps its limit");
  for (const auto& [name, value] : ciphertext->annotations) {
    Require(IsQualifiedDomainName(name) && name.size() + value.size() <= kMaxKmsAnnotationBytes,
            "so does an annotation");
  }
  if (const auto plaintext = client.Decrypt(*ciphertext); !plaintext.ok()) RequirePrintable(plaintext.status());
}

class Plugin {
 public:
  void Run(std::string_view text) {
    if (text.starts_with(kSocketSays)) {
      socket_.Say(text.substr(kSocketSays.size()));
      return Ask(*of_socket_);
    }
    const std::vector<std::string> fields = FieldsOf(text);
    kms_->Tell(LiesOf(fields));
    if (fields[kFate] == "dies") kms_->Die();
    Ask(fields[kFate] == "slow" ? *impatient_ : *client_);
    if (fields[kFate] == "dies") kms_->Return();
    kms_->Tell({});
    RequireHeard();
  }

 private:
  void RequireHeard() const {
    const auto ciphertext = client_->Encrypt(SecretBytes::Take(std::string(kPlaintext)));
    Require(ciphertext.ok(), "an honest plugin is heard");
    const auto plaintext = client_->Decrypt(*ciphertext);
    Require(plaintext.ok() && plaintext->Access() == kPlaintext, "what it encrypted it decrypts");
  }

  TempDir directory_;
  const std::unique_ptr<FakeKms> kms_ = FakeKms::Start(directory_.File("socket"));
  const std::unique_ptr<KmsClient> client_ = KmsClient::Create(directory_.File("socket"), kLongPatience);
  const std::unique_ptr<KmsClient> impatient_ = KmsClient::Create(directory_.File("socket"), kPatience);
  TalkingSocket socket_{directory_.File("talking")};
  const std::unique_ptr<KmsClient> of_socket_ = KmsClient::Create(directory_.File("talking"), kPatience);
};

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto plugin = std::make_unique<keyferry::Plugin>();
  plugin->Run(keyferry::TextOf(data, size));
  return 0;
}
