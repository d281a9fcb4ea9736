// What TSan cannot see in Debian's gRPC, which is built without it: gRPC hands an operation from the thread that starts it to the one that hears of
// its end over lock-free queues. Here each such pair is told of, by its tag, which is what gRPC promises and no more: two operations of one call, or
// an operation and a thread of ours, stay unordered unless our own locks order them; and that a call's OnDone comes after all of them. Of the programs of the tsan
// build alone (cmake/keyferry.cmake).
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <grpcpp/support/callback_common.h>
#include <grpcpp/support/server_callback.h>
#include <sanitizer/tsan_interface.h>

namespace {

using grpc::internal::CallbackWithStatusTag;
using grpc::internal::CallbackWithSuccessTag;
using grpc::internal::ServerCallbackCall;

void RunTag(CallbackWithStatusTag& tag, bool ok);
void RunTag(CallbackWithSuccessTag& tag, bool ok);
std::atomic_int& OutstandingOf(ServerCallbackCall& call);

// The members are private; naming one in an explicit instantiation is allowed.
template <typename Tag, void (Tag::*kRun)(bool)>
struct Opened {
  friend void RunTag(Tag& tag, bool ok) { (tag.*kRun)(ok); }
};
template struct Opened<CallbackWithStatusTag, &CallbackWithStatusTag::Run>;
template struct Opened<CallbackWithSuccessTag, &CallbackWithSuccessTag::Run>;

template <std::atomic_int ServerCallbackCall::*kCount>
struct OpenedCall {
  friend std::atomic_int& OutstandingOf(ServerCallbackCall& call) { return call.*kCount; }
};
template struct OpenedCall<&ServerCallbackCall::callbacks_outstanding_>;

template <typename Tag>
void AcquireAndRun(grpc_completion_queue_functor* functor, int ok) {
  __tsan_acquire(functor);
  RunTag(*static_cast<Tag*>(functor), ok != 0);
}

template <typename Function>
Function* Real(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

grpc_event Acquired(grpc_event event) {
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

}  // namespace

// In place of gRPC's inline functions of the same names, which are weak symbols.
void StatusTagStaticRun(grpc_completion_queue_functor* functor, int ok)
    __asm__("_ZN4grpc8internal21CallbackWithStatusTag9StaticRunEP29grpc_completion_queue_functori");
void StatusTagStaticRun(grpc_completion_queue_functor* functor, int ok) { AcquireAndRun<CallbackWithStatusTag>(functor, ok); }
void SuccessTagStaticRun(grpc_completion_queue_functor* functor, int ok)
    __asm__("_ZN4grpc8internal22CallbackWithSuccessTag9StaticRunEP29grpc_completion_queue_functori");
void SuccessTagStaticRun(grpc_completion_queue_functor* functor, int ok) { AcquireAndRun<CallbackWithSuccessTag>(functor, ok); }

// The last of a call's operations is often counted down inside the library, where TSan does not see that it follows the others.
void ServerCallbackCall::ScheduleOnDone(bool inline_ondone) {
  static auto* const real =
      reinterpret_cast<void (*)(ServerCallbackCall*, bool)>(dlsym(RTLD_NEXT, "_ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb"));
  __tsan_acquire(&OutstandingOf(*this));
  real(this, inline_ondone);
}

extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* operations, size_t count, void* tag, void* reserved) {
  static auto* const real = Real(&grpc_call_start_batch, "grpc_call_start_batch");
  if (tag != nullptr) __tsan_release(tag);
  return real(call, operations, count, tag, reserved);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  static auto* const real = Real(&grpc_completion_queue_next, "grpc_completion_queue_next");
  return Acquired(real(queue, deadline, reserved));
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag, gpr_timespec deadline, void* reserved) {
  static auto* const real = Real(&grpc_completion_queue_pluck, "grpc_completion_queue_pluck");
  return Acquired(real(queue, tag, deadline, reserved));
}

}  // extern "C"
