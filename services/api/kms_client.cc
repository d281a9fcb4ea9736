#include "services/api/kms_client.h"

#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "kms/v2/api.grpc.pb.h"
#include "libs/common/limits.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "services/api/kms_socket.h"

namespace keyferry {
namespace {

constexpr size_t kMaxDomainNameBytes = 253;
constexpr size_t kMaxPrintedBytes = 64;
// Far above every limit below it, far below what would hurt.
constexpr int kMaxAnswerBytes = 128 * 1024;

struct Connection {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v2::KeyManagementService::Stub> stub;
};

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  // As kube-apiserver says it; some servers refuse a path.
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  return arguments;
}

// Each call under way takes one; whoever finds none waits, but not for ever.
class Places {
 public:
  bool Take(absl::Time deadline) {
    const absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithDeadline(absl::Condition(+[](int* free) { return *free > 0; }, &free_), deadline)) return false;
    --free_;
    return true;
  }
  void Leave() {
    const absl::MutexLock lock(&mutex_);
    ++free_;
  }

 private:
  absl::Mutex mutex_;
  int free_ ABSL_GUARDED_BY(mutex_) = kMaxKmsCalls;
};

bool IsLabel(std::string_view label) {
  if (label.empty() || label.size() > kMaxDnsLabelLength || label.front() == '-' || label.back() == '-') return false;
  for (const char c : label) {
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '-') return false;
  }
  return true;
}

class SocketKmsClient final : public KmsClient {
 public:
  SocketKmsClient(std::string socket_path, absl::Duration call_timeout)
      : path_(std::move(socket_path)), call_timeout_(call_timeout) {}

  absl::StatusOr<std::string> FetchKeyId() override {
    v2::StatusResponse answer;
    RETURN_IF_ERROR(Call("Status", "", &v2::KeyManagementService::Stub::Status, v2::StatusRequest(), answer));
    if (answer.version() != "v2" && answer.version() != "v2beta1") {
      return absl::FailedPreconditionError(absl::StrCat("KMS socket ", path_, ": the plugin speaks version `",
                                                        Printable(answer.version()),
                                                        "`, not v2; name the socket of a KMS v2 plugin"));
    }
    if (answer.healthz() != "ok") return Refuse("it says of itself: ", Printable(answer.healthz()));
    RETURN_IF_ERROR(CheckKeyId(answer.key_id()));
    return answer.key_id();
  }

  absl::StatusOr<KmsCiphertext> Encrypt(const SecretBytes& plaintext) override {
    v2::EncryptRequest request;
    request.set_uid(NewUid());
    *request.mutable_plaintext() = plaintext.Access();
    v2::EncryptResponse answer;
    const absl::Status done = Call("Encrypt", request.uid(), &v2::KeyManagementService::Stub::Encrypt, request, answer);
    Wipe(*request.mutable_plaintext());
    RETURN_IF_ERROR(done);
    RETURN_IF_ERROR(CheckKeyId(answer.key_id()));
    const std::string& bytes = answer.ciphertext();
    if (bytes.empty()) return Refuse("its ciphertext is empty");
    if (bytes.size() > kMaxKmsCiphertextBytes) {
      return Refuse("its ciphertext has ", bytes.size(), " bytes, more than ", kMaxKmsCiphertextBytes);
    }
    RETURN_IF_ERROR(CheckAnnotations(answer.annotations()));
    return KmsCiphertext{.key_id = answer.key_id(),
                         .bytes = bytes,
                         .annotations = {answer.annotations().begin(), answer.annotations().end()}};
  }

  absl::StatusOr<SecretBytes> Decrypt(const KmsCiphertext& ciphertext) override {
    v2::DecryptRequest request;
    request.set_uid(NewUid());
    request.set_ciphertext(ciphertext.bytes);
    request.set_key_id(ciphertext.key_id);
    for (const auto& [key, value] : ciphertext.annotations) (*request.mutable_annotations())[key] = value;
    v2::DecryptResponse answer;
    RETURN_IF_ERROR(Call("Decrypt", request.uid(), &v2::KeyManagementService::Stub::Decrypt, request, answer));
    return SecretBytes::Take(std::move(*answer.mutable_plaintext()));
  }

 private:
  template <typename... Parts>
  absl::Status Refuse(const Parts&... parts) const {
    return absl::UnknownError(absl::StrCat("the KMS plugin at ", path_, ": ", parts...));
  }
  template <typename... Parts>
  absl::Status Away(const Parts&... parts) const {
    return absl::UnavailableError(absl::StrCat("the KMS plugin at ", path_, ": ", parts...));
  }

  static std::string NewUid() { return absl::BytesToHexString(RandomBytes(16)); }

  absl::Status CheckKeyId(const std::string& key_id) const {
    if (key_id.empty()) return Refuse("its key_id is empty");
    if (key_id.size() > kMaxKmsKeyIdBytes)
      return Refuse("its key_id has ", key_id.size(), " bytes, more than ", kMaxKmsKeyIdBytes);
    return absl::OkStatus();
  }

  template <typename Annotations>
  absl::Status CheckAnnotations(const Annotations& annotations) const {
    size_t size = 0;
    for (const auto& [key, value] : annotations) {
      if (!IsQualifiedDomainName(key))
        return Refuse("its annotation `", Printable(key), "` is not a fully qualified domain name");
      size += key.size() + value.size();
    }
    if (size > kMaxKmsAnnotationBytes)
      return Refuse("its annotations have ", size, " bytes, more than ", kMaxKmsAnnotationBytes);
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<Connection>> Connect() {
    const absl::MutexLock lock(&mutex_);
    if (connection_ != nullptr) return connection_;
    absl::StatusOr<Descriptor> descriptor = ConnectKmsSocket(path_);
    if (absl::IsNotFound(descriptor.status())) return absl::UnavailableError(descriptor.status().message());
    if (!descriptor.ok()) return descriptor.status();
    auto made = std::make_shared<Connection>();
    made->channel = grpc::CreateCustomInsecureChannelFromFd("kms", descriptor->Release(), ChannelArguments());
    made->stub = v2::KeyManagementService::NewStub(made->channel);
    connection_ = made;
    return made;
  }

  void Drop(const std::shared_ptr<Connection>& connection) {
    const absl::MutexLock lock(&mutex_);
    if (connection_ == connection) connection_ = nullptr;
  }

  template <typename Method, typename Request, typename Answer>
  absl::Status Call(const char* name, const std::string& uid, Method method, const Request& request, Answer& answer) {
    const absl::Time begin = absl::Now();
    const absl::Time deadline = begin + call_timeout_;
    if (!places_.Take(deadline)) {
      return Away(kMaxKmsCalls, " calls are under way, and none of them came to its end in ",
                  absl::FormatDuration(call_timeout_));
    }
    const absl::Status status = CallTwice(name, method, request, answer, deadline);
    places_.Leave();
    const int64_t millis = absl::ToInt64Milliseconds(absl::Now() - begin);
    if (!status.ok()) {
      Log(Severity::kWarning, "kms_call_failed",
          {{"method", name}, {"uid", uid}, {"millis", millis}, {"error", status}});
    } else {
      Log(uid.empty() ? Severity::kDebug : Severity::kInfo, "kms_call",
          {{"method", name}, {"uid", uid}, {"millis", millis}});
    }
    return status;
  }

  // A plugin that started anew has closed the connection; that shows only with the next call.
  template <typename Method, typename Request, typename Answer>
  absl::Status CallTwice(const char* name, Method method, const Request& request, Answer& answer, absl::Time deadline) {
    for (int attempt = 0;; ++attempt) {
      ASSIGN_OR_RETURN(const std::shared_ptr<Connection> connection, Connect());
      grpc::ClientContext context;
      context.set_deadline(absl::ToChronoTime(deadline));
      const grpc::Status status = ((*connection->stub).*method)(&context, request, &answer);
      if (status.ok()) return absl::OkStatus();
      // A plugin that ends cancels what it has not answered.
      const bool broken =
          status.error_code() == grpc::StatusCode::UNAVAILABLE || status.error_code() == grpc::StatusCode::CANCELLED;
      if (broken || status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) Drop(connection);
      if (broken && attempt == 0) continue;
      if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
        return Away(name, " came to no end in ", absl::FormatDuration(call_timeout_));
      }
      if (broken) return Away("it closed the connection during ", name, "; does it run?");
      // Its own words may quote what it was given.
      return Refuse(name, " failed with gRPC code ", static_cast<int>(status.error_code()),
                    "; the plugin's log says why");
    }
  }

  const std::string path_;
  const absl::Duration call_timeout_;
  Places places_;
  absl::Mutex mutex_;
  std::shared_ptr<Connection> connection_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<KmsClient> KmsClient::Create(std::string socket_path, absl::Duration call_timeout) {
  return std::make_unique<SocketKmsClient>(std::move(socket_path), call_timeout);
}

bool IsQualifiedDomainName(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > kMaxDomainNameBytes) return false;
  const std::vector<absl::string_view> labels = absl::StrSplit(absl::string_view(name.data(), name.size()), '.');
  if (labels.size() < 2) return false;
  for (const absl::string_view label : labels) {
    if (!IsLabel({label.data(), label.size()})) return false;
  }
  return true;
}

std::string Printable(std::string_view text) {
  const std::string_view begin = text.substr(0, kMaxPrintedBytes);
  return absl::StrCat(absl::CHexEscape({begin.data(), begin.size()}), text.size() > kMaxPrintedBytes ? "..." : "");
}

}  // namespace keyferry
