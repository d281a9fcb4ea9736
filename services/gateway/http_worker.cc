#include "services/gateway/http_worker.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

namespace keyferry::gateway {

HttpWorker::HttpWorker() {
  Tick();
  thread_ = std::thread([this] { io_.run(); });
}

HttpWorker::~HttpWorker() { Stop(); }

void HttpWorker::Stop() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

void HttpWorker::Adopt(std::shared_ptr<HttpConnection> connection, std::function<void()> when_done) {
  ++connection_count_;
  asio::post(io_, [this, connection = std::move(connection), when_done = std::move(when_done)]() mutable {
    Launch(std::move(connection), std::move(when_done));
  });
}

void HttpWorker::Launch(std::shared_ptr<HttpConnection> connection, std::function<void()> when_done) {
  const auto place = connections_.insert(connections_.end(), connection);
  HttpConnection& runs = *connection;
  // The task itself keeps its connection, so that neither outlives the other where the worker drops what is left.
  auto done = [this, place, connection = std::move(connection),
               when_done = std::move(when_done)](const std::exception_ptr&) {
    connections_.erase(place);
    --connection_count_;
    when_done();
  };
  asio::co_spawn(io_, runs.Run(), asio::bind_cancellation_slot(runs.cancellation().slot(), std::move(done)));
}

void HttpWorker::ForEach(std::function<void(HttpConnection&)> visit) {
  asio::post(io_, [this, visit = std::move(visit)] { Visit(visit); });
}

void HttpWorker::Visit(const std::function<void(HttpConnection&)>& visit) {
  for (auto next = connections_.begin(); next != connections_.end();) {
    // A visit may end the connection, which erases it.
    const std::shared_ptr<HttpConnection> connection = *next++;
    visit(*connection);
  }
}

void HttpWorker::Tick() {
  ticker_.expires_after(kConnectionTick);
  ticker_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    const HttpConnection::Time now = HttpChannel::Clock::now();
    Visit([now](HttpConnection& connection) { connection.OnTick(now); });
    Tick();
  });
}

}  // namespace keyferry::gateway
