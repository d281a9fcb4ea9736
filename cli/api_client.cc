#include "cli/api_client.h"

#include <grpcpp/client_context.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/security/credentials.h>

#include <chrono>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/usage.h"
#include "libs/common/error.h"
#include "libs/common/status_macros.h"
#include "libs/model/names.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/status_conversion.h"

namespace keyferry {
namespace {

using google::protobuf::Message;

constexpr char kSystemRoots[] = "/etc/ssl/certs/ca-certificates.crt";
// The API's logs and audit carry it.
constexpr char kCallIdMetadata[] = "x-request-id";
constexpr int kMaxAttempts = 3;
constexpr absl::Duration kMaxPause = absl::Seconds(5);

bool MayComeTwice(std::string_view rpc, const Message& request) {
  const absl::string_view method(rpc.data() + rpc.find('/') + 1, rpc.size() - rpc.find('/') - 1);
  for (const char* verb : {"Get", "List", "Wait", "WhoAmI"}) {
    if (absl::StartsWith(method, verb)) return true;
  }
  const auto* field = request.GetDescriptor()->FindFieldByName("request_id");
  return field != nullptr && !request.GetReflection()->GetString(request, field).empty();
}

absl::Duration PauseAfter(const absl::Status& status, int attempt) {
  const auto details = DetailsOf(status);
  const absl::Duration pause = absl::Milliseconds(200) * (1 << attempt);
  return details && details->retry_after ? std::min(*details->retry_after, kMaxPause) : pause;
}

class GrpcApiClient final : public ApiClient {
 public:
  GrpcApiClient(Options options, std::shared_ptr<grpc::Channel> channel)
      : options_(std::move(options)), channel_(std::move(channel)) {}

  absl::Status Call(std::string_view rpc, const Message& request, Message& response, absl::Duration timeout) override {
    const absl::Time deadline = absl::Now() + timeout;
    const std::string call_id = NewUid();
    for (int attempt = 0;; ++attempt) {
      const absl::Status status = CallOnce(rpc, request, response, deadline, call_id);
      if (!absl::IsUnavailable(status) || attempt + 1 == kMaxAttempts || !MayComeTwice(rpc, request))
        return Explain(status, call_id);
      absl::SleepFor(std::min(PauseAfter(status, attempt), deadline - absl::Now()));
    }
  }

 private:
  absl::Status CallOnce(std::string_view rpc, const Message& request, Message& response, absl::Time deadline,
                        const std::string& call_id) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    context.AddMetadata(kCallIdMetadata, call_id);
    if (!options_.api_key.empty()) {
      std::string authorization = "Bearer ";
      authorization.append(options_.api_key.Access());
      context.AddMetadata("authorization", authorization);
      Wipe(authorization);
    }
    const std::string path = absl::StrCat("/keyferry.v1.", std::string(rpc));
    const grpc::internal::RpcMethod method(path.c_str(), grpc::internal::RpcMethod::NORMAL_RPC);
    return FromGrpcStatus(grpc::internal::BlockingUnaryCall<Message, Message, google::protobuf::MessageLite,
                                                            google::protobuf::MessageLite>(
        channel_.get(), method, &context, request, &response));
  }

  absl::Status Explain(const absl::Status& status, const std::string& call_id) const {
    auto details = DetailsOf(status);
    if (details) {
      details->metadata.emplace("requestId", call_id);
      return MakeError(status.code(), std::string(status.message()), *std::move(details));
    }
    // gRPC's own words do not name the endpoint.
    if (!absl::IsUnavailable(status)) return status;
    return absl::UnavailableError(absl::StrCat("cannot reach ", options_.endpoint, ": ", status.message()));
  }

  const Options options_;
  const std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ApiClient>> ApiClient::Create(Options options) {
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (absl::StartsWith(options.endpoint, "unix:")) {
    credentials = grpc::InsecureChannelCredentials();
  } else {
    ASSIGN_OR_RETURN(credentials,
                     TlsChannelCredentials({.certificate_chain = options.certificate_file,
                                            .private_key = options.key_file,
                                            .roots = options.ca_file.empty() ? kSystemRoots : options.ca_file}));
  }
  auto channel = NewChannel(options.endpoint, std::move(credentials));
  return std::make_unique<GrpcApiClient>(std::move(options), std::move(channel));
}

}  // namespace keyferry
