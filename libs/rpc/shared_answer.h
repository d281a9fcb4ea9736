// The messages of a unary method whose answer many calls may share: what is made once is sent by each without a copy.
//
//   SetMessageAllocatorFor_Get(&allocator_);                        // in the service's constructor; an AnswerSharing<Request, Response>
//   ShareAnswer<Request, Response>(*context, std::move(answer));    // in the method, instead of filling the response
//
// Thread safety: all methods from any thread; ShareAnswer once a call, before it is finished.
#ifndef KEYFERRY_RPC_SHARED_ANSWER_H_
#define KEYFERRY_RPC_SHARED_ANSWER_H_

#include <grpcpp/support/message_allocator.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <utility>

namespace keyferry {

template <typename Request, typename Response>
class AnswerSharing final : public grpc::MessageAllocator<Request, Response> {
 public:
  class Messages final : public grpc::MessageHolder<Request, Response> {
   public:
    Messages() {
      this->set_request(&request_);
      this->set_response(&response_);
    }
    void Release() override { delete this; }

    // gRPC only reads it.
    void Share(std::shared_ptr<const Response> answer) {
      answer_ = std::move(answer);
      this->set_response(const_cast<Response*>(answer_.get()));
    }

   private:
    Request request_;
    Response response_;
    std::shared_ptr<const Response> answer_;
  };

  grpc::MessageHolder<Request, Response>* AllocateMessages() override { return new Messages; }
};

// REQUIRES: the method's messages are of an AnswerSharing.
template <typename Request, typename Response>
void ShareAnswer(grpc::CallbackServerContext& context, std::shared_ptr<const Response> answer) {
  static_cast<typename AnswerSharing<Request, Response>::Messages*>(context.GetRpcAllocatorState())->Share(std::move(answer));
}

}  // namespace keyferry

#endif  // KEYFERRY_RPC_SHARED_ANSWER_H_
