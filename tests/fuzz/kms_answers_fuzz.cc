// A KMS plugin that lies: any version, health, key id, ciphertext and annotations. What is taken keeps the limits; no
// error holds what was to be encrypted or, unprintable, what the plugin said.
#include <algorithm>
#include <string>

#include "absl/strings/str_split.h"
#include "libs/common/testing/temp_dir.h"
#include "services/api/kms_client.h"
#include "services/api/testing/fake_kms.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

// In no dictionary: a plugin can only quote what it was given.
constexpr std::string_view kPlaintext = "pl4in-kEy-0f-an-0wner";

// Fields of the input, separated by 0xFF.
KmsLies LiesOf(std::string_view text) {
  std::vector<std::string> fields = absl::StrSplit(absl::string_view(text.data(), text.size()), '\xFF');
  fields.resize(std::max<size_t>(fields.size(), 6));
  KmsLies lies;
  if (!fields[0].empty()) lies.version = fields[0];
  if (!fields[1].empty()) lies.healthz = fields[1];
  lies.status_key_id = fields[2];
  lies.encrypt_key_id = fields[3];
  lies.ciphertext = fields[4];
  lies.annotations = std::map<std::string, std::string>{{fields[5], fields.back()}};
  return lies;
}

void RequirePrintable(const absl::Status& status) {
  Require(status.message().find(absl::string_view(kPlaintext.data(), kPlaintext.size())) == absl::string_view::npos,
          "an error does not quote what was to be encrypted");
  Require(std::none_of(status.message().begin(), status.message().end(),
                       [](unsigned char c) { return c < 0x20 || c == 0x7F; }),
          "an error holds no control characters");
}

class Plugin {
 public:
  void Run(std::string_view text) {
    kms_->Tell(LiesOf(text));
    if (const auto id = client_->FetchKeyId(); id.ok()) {
      Require(!id->empty() && id->size() <= kMaxKmsKeyIdBytes, "a key id keeps its limit");
    } else {
      RequirePrintable(id.status());
    }
    const auto ciphertext = client_->Encrypt(SecretBytes::Take(std::string(kPlaintext)));
    if (!ciphertext.ok()) return RequirePrintable(ciphertext.status());
    Require(!ciphertext->bytes.empty() && ciphertext->bytes.size() <= kMaxKmsCiphertextBytes,
            "a ciphertext keeps its limit");
    for (const auto& [name, value] : ciphertext->annotations) {
      Require(IsQualifiedDomainName(name) && name.size() + value.size() <= kMaxKmsAnnotationBytes,
              "so does an annotation");
    }
  }

 private:
  TempDir directory_;
  const std::unique_ptr<FakeKms> kms_ = FakeKms::Start(directory_.File("socket"));
  const std::unique_ptr<KmsClient> client_ = KmsClient::Create(directory_.File("socket"));
};

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const plugin = new keyferry::Plugin();
  plugin->Run(keyferry::TextOf(data, size));
  return 0;
}
