#include "services/api/testing/generic_call.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "libs/rpc/status_conversion.h"

namespace keyferry {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void NameOrganization(Message& request, const std::string& organization) {
  if (const FieldDescriptor* const field = request.GetDescriptor()->FindFieldByName("organization")) {
    return request.GetReflection()->SetString(&request, field, organization);
  }
  if (const FieldDescriptor* const field = request.GetDescriptor()->FindFieldByName("deployment")) {
    NameOrganization(*request.GetReflection()->MutableMessage(&request, field), organization);
  }
}

grpc::ByteBuffer RequestOf(std::string_view method, const std::string& organization) {
  const std::vector<std::string> parts = absl::StrSplit(absl::string_view(method.data(), method.size()), '/');
  const auto* service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName("keyferry.v1." + parts[0]);
  const auto* type = service->FindMethodByName(parts[1])->input_type();
  const std::unique_ptr<Message> request(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  NameOrganization(*request, organization);
  const grpc::Slice slice(request->SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

GenericAnswer CallAny(const std::shared_ptr<grpc::Channel>& channel, std::string_view method,
                      const std::string& organization, const CallMetadata& metadata) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel);
  const auto call = stub.PrepareUnaryCall(&context, absl::StrCat("/keyferry.v1.", std::string(method)),
                                          RequestOf(method, organization), &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return {.status = FromGrpcStatus(status), .details = status.error_details()};
}

}  // namespace keyferry
