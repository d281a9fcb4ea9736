// An API that answers what a test tells it, and remembers what it was asked.
//
// Thread safety: none.
#ifndef KEYFERRY_SERVICES_GATEWAY_TESTING_FAKE_API_CALLS_H_
#define KEYFERRY_SERVICES_GATEWAY_TESTING_FAKE_API_CALLS_H_

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/gateway/api_calls.h"

namespace keyferry::gateway {

class FakeApiCalls final : public ApiCalls {
 public:
  // From now on the method answers what `answer` says; a method that no test spoke of is UNIMPLEMENTED.
  template <typename RequestT, typename ResponseT>
  void On(ApiMethod<RequestT, ResponseT> method, std::function<absl::StatusOr<ResponseT>(const RequestT&)> answer) {
    answers_[method.path] = [answer = std::move(answer)](const google::protobuf::Message& request,
                                                         google::protobuf::Message& response) -> absl::Status {
      absl::StatusOr<ResponseT> answered = answer(static_cast<const RequestT&>(request));
      if (!answered.ok()) return answered.status();
      static_cast<ResponseT&>(response) = *std::move(answered);
      return absl::OkStatus();
    };
  }
  // What the next stream of any method sends; it then ends with `status`.
  template <typename ResponseT>
  void Streams(std::vector<ResponseT> messages, absl::Status status) {
    for (const ResponseT& message : messages) streamed_.push_back(message.SerializeAsString());
    stream_status_ = std::move(status);
  }

  asio::awaitable<absl::Status> CallRaw(const Request& caller, const char* path, Repeat,
                                        const google::protobuf::Message& request, google::protobuf::Message& response,
                                        absl::Duration timeout) override {
    called.push_back(path);
    callers.push_back(caller.id);
    timeouts.push_back(timeout);
    const auto answer = answers_.find(path);
    if (answer == answers_.end()) co_return absl::UnimplementedError(path);
    co_return answer->second(request, response);
  }

  asio::awaitable<absl::StatusOr<std::unique_ptr<ApiStream>>> Open(const Request&, const char* path,
                                                                   const google::protobuf::Message& request) override {
    called.push_back(path);
    opened_with = request.SerializeAsString();
    if (!open_status.ok()) co_return open_status;
    co_return std::make_unique<Stream>(*this);
  }

  asio::awaitable<bool> IsReady() override { co_return ready; }
  int stream_count() const override { return stream_count_; }

  std::vector<std::string> called;
  std::vector<std::string> callers;
  std::vector<absl::Duration> timeouts;
  bool ready = true;
  // What the last stream was opened with, serialized; and what Open answers when it is no OK.
  std::string opened_with;
  absl::Status open_status;
  // Streams stay open behind their last message, until they are cancelled.
  bool streams_stay_open = false;
  // Before each message but the first of a stream.
  std::chrono::milliseconds stream_delay{0};

 private:
  class Stream final : public ApiStream {
   public:
    explicit Stream(FakeApiCalls& api) : api_(api) { ++api_.stream_count_; }
    ~Stream() override { --api_.stream_count_; }
    asio::awaitable<bool> Read(google::protobuf::Message& message, absl::Status& status) override {
      const bool stays = api_.streamed_.empty() && api_.streams_stay_open;
      const auto delay = stays ? std::chrono::milliseconds(std::chrono::hours(24)) : api_.stream_delay;
      if (read_ && delay.count() > 0) {
        asio::steady_timer timer(co_await asio::this_coro::executor, delay);
        co_await timer.async_wait(asio::use_awaitable);
      }
      read_ = true;
      if (api_.streamed_.empty()) {
        status = api_.stream_status_;
        co_return false;
      }
      message.ParseFromString(api_.streamed_.front());
      api_.streamed_.pop_front();
      co_return true;
    }

   private:
    FakeApiCalls& api_;
    bool read_ = false;
  };

  std::map<std::string, std::function<absl::Status(const google::protobuf::Message&, google::protobuf::Message&)>>
      answers_;
  std::deque<std::string> streamed_;
  absl::Status stream_status_;
  int stream_count_ = 0;
};

// Runs a task to its end and answers its result.
template <typename T>
T RunTask(asio::awaitable<T> task) {
  asio::io_context io;
  std::future<T> result = asio::co_spawn(io, std::move(task), asio::use_future);
  io.run();
  return result.get();
}

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_TESTING_FAKE_API_CALLS_H_
