// A gRPC call whose steps a coroutine waits for, and the completion queues that its steps come back from. gRPC's
// callback API would spare the queues, but its threads nap when calls are sparse.
//
// Invariants:
//   1. Between its start and its event a step keeps its call alive: nobody has to wait before letting go of one.
//   2. A task resumes on its own executor, never on a queue's thread.
//
// Thread safety: CallQueues: all methods from any thread, Close once. PendingCall: Cancel from any thread; Step from
// one task at a time.
#ifndef KEYFERRY_SERVICES_GATEWAY_PENDING_CALL_H_
#define KEYFERRY_SERVICES_GATEWAY_PENDING_CALL_H_

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"

namespace keyferry::gateway {

namespace asio = boost::asio;

class PendingCall;

class CallQueues {
 public:
  // A thread for each.
  explicit CallQueues(int count);
  // REQUIRES: closed.
  ~CallQueues() = default;

  size_t count() const { return shards_.size(); }
  // Cancels every call with a step under way, waits for those steps, ends the threads. A step that starts later fails
  // at once.
  void Close();

 private:
  friend class PendingCall;
  struct Shard {
    grpc::CompletionQueue queue;
    absl::Mutex mutex;
    bool closed ABSL_GUARDED_BY(mutex) = false;
    absl::flat_hash_set<PendingCall*> under_way ABSL_GUARDED_BY(mutex);
    std::thread thread;
  };

  std::vector<std::unique_ptr<Shard>> shards_;
};

// Made by make_shared. What derives from it holds what gRPC writes to.
class PendingCall : public std::enable_shared_from_this<PendingCall> {
 public:
  // queue: below queues->count().
  PendingCall(std::shared_ptr<CallQueues> queues, size_t queue);
  virtual ~PendingCall();

  // Runs `start`, which hands its tag to one operation of gRPC, and waits for the event: whether the operation went
  // well. A cancelled task cancels the call, and still waits for the event. False without a start when the queues are
  // closed.
  asio::awaitable<bool> Step(std::function<void(void* tag)> start);
  void Cancel();
  // By Cancel, the task or the queues' end; not by the server.
  bool cancelled() const { return cancelled_; }

  grpc::ClientContext& context() { return context_; }
  grpc::CompletionQueue* queue() { return &shard_.queue; }

 private:
  friend class CallQueues;
  // The task that waits.
  struct Waiter;

  bool Enter();
  void Leave();
  void Complete(bool ok);

  const std::shared_ptr<CallQueues> queues_;
  CallQueues::Shard& shard_;
  grpc::ClientContext context_;
  std::atomic<bool> cancelled_ = false;
  // Of the step under way.
  std::shared_ptr<PendingCall> self_;
  std::unique_ptr<Waiter> waiter_;
  bool ok_ = false;
};

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_PENDING_CALL_H_
