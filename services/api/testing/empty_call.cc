#include "services/api/testing/empty_call.h"

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "libs/rpc/status_conversion.h"

namespace keyferry {

absl::Status CallWithEmptyRequest(const std::shared_ptr<grpc::Channel>& channel, std::string_view method, const std::string& token,
                                  absl::Duration timeout) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  grpc::ByteBuffer request(nullptr, 0);
  grpc::ByteBuffer response;
  absl::Notification done;
  grpc::Status status;
  grpc::GenericStub(channel).UnaryCall(&context, absl::StrCat("/keyferry.v1.", std::string(method)), grpc::StubOptions(), &request, &response,
                                       [&](grpc::Status answer) {
                                         status = std::move(answer);
                                         done.Notify();
                                       });
  done.WaitForNotification();
  return FromGrpcStatus(status);
}

}  // namespace keyferry
