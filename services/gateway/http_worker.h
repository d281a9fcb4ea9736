// One thread and the connections that live on it.
//
// Thread safety: Launch and ForEach run on the worker's thread, as all that is posted to its executor; the rest from
// any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_HTTP_WORKER_H_
#define KEYFERRY_SERVICES_GATEWAY_HTTP_WORKER_H_

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "services/gateway/http_connection.h"

namespace keyferry::gateway {

class HttpWorker {
 public:
  HttpWorker();
  // Drops what is left without ceremony.
  ~HttpWorker();
  HttpWorker(const HttpWorker&) = delete;
  HttpWorker& operator=(const HttpWorker&) = delete;

  asio::io_context& io() { return io_; }
  // From any thread: the connection runs on this worker; when_done afterwards.
  void Adopt(std::shared_ptr<HttpConnection> connection, std::function<void()> when_done);
  // From any thread, soon.
  void ForEach(std::function<void(HttpConnection&)> visit);
  // Adopted and not done.
  int connection_count() const { return connection_count_; }
  // Returns when the thread has ended. Nothing may be adopted any more.
  void Stop();

 private:
  using Connections = std::list<std::shared_ptr<HttpConnection>>;

  void Launch(std::shared_ptr<HttpConnection> connection, std::function<void()> when_done);
  void Visit(const std::function<void(HttpConnection&)>& visit);
  void Tick();

  // One thread runs it: the hint spares it some locking.
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  asio::steady_timer ticker_{io_};
  Connections connections_;
  std::atomic<int> connection_count_ = 0;
  std::thread thread_;
};

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_HTTP_WORKER_H_
