#include "services/gateway/pending_call.h"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace keyferry::gateway {

CallQueues::CallQueues(int count) {
  for (int i = 0; i < count; ++i) {
    Shard& shard = *shards_.emplace_back(std::make_unique<Shard>());
    shard.thread = std::thread([&shard] {
      void* tag = nullptr;
      bool ok = false;
      while (shard.queue.Next(&tag, &ok)) static_cast<PendingCall*>(tag)->Complete(ok);
    });
  }
}

void CallQueues::Close() {
  for (const auto& shard : shards_) {
    const absl::MutexLock lock(&shard->mutex);
    shard->closed = true;
    for (PendingCall* call : shard->under_way) call->Cancel();
  }
  for (const auto& shard : shards_) {
    {
      const absl::MutexLock lock(&shard->mutex);
      shard->mutex.Await(absl::Condition(&shard->under_way, &absl::flat_hash_set<PendingCall*>::empty));
    }
    shard->queue.Shutdown();
    shard->thread.join();
  }
}

struct PendingCall::Waiter {
  // A task's handler has its executor, which can post; the erased handler's can not.
  template <typename Handler>
  explicit Waiter(Handler waiting)
      : slot(asio::get_associated_cancellation_slot(waiting)),
        executor(asio::prefer(asio::get_associated_executor(waiting), asio::execution::outstanding_work.tracked)),
        handler(std::move(waiting)) {}

  asio::cancellation_slot slot;
  // Has work until the task resumes.
  asio::any_io_executor executor;
  asio::any_completion_handler<void()> handler;
};

PendingCall::PendingCall(std::shared_ptr<CallQueues> queues, size_t queue)
    : queues_(std::move(queues)), shard_(*queues_->shards_[queue]) {}

PendingCall::~PendingCall() = default;

asio::awaitable<bool> PendingCall::Step(std::function<void(void* tag)> start) {
  const std::shared_ptr<PendingCall> self = shared_from_this();
  const auto begin = [](auto handler, PendingCall* call, const std::function<void(void* tag)>* started) {
    call->self_ = call->shared_from_this();
    call->waiter_ = std::make_unique<Waiter>(std::move(handler));
    if (call->waiter_->slot.is_connected()) {
      call->waiter_->slot.assign([cancelled = call->self_](asio::cancellation_type) { cancelled->Cancel(); });
    }
    if (!call->Enter()) return call->Complete(false);
    (*started)(call);
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(begin, asio::use_awaitable, this, &start);
  co_return ok_;
}

void PendingCall::Cancel() {
  cancelled_ = true;
  context_.TryCancel();
}

bool PendingCall::Enter() {
  const absl::MutexLock lock(&shard_.mutex);
  if (shard_.closed) {
    cancelled_ = true;
    return false;
  }
  shard_.under_way.insert(this);
  return true;
}

void PendingCall::Leave() {
  const absl::MutexLock lock(&shard_.mutex);
  shard_.under_way.erase(this);
}

void PendingCall::Complete(bool ok) {
  Leave();
  ok_ = ok;
  const asio::any_io_executor executor = std::move(waiter_->executor);
  asio::post(executor, [self = std::move(self_), waiter = std::move(waiter_)]() mutable {
    if (waiter->slot.is_connected()) waiter->slot.clear();
    std::move(waiter->handler)();
  });
}

}  // namespace keyferry::gateway
