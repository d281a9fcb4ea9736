// A server in this process, and what it recorded.
//
// Thread safety: of HttpServer; Records from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_TESTING_HTTP_FIXTURE_H_
#define KEYFERRY_SERVICES_GATEWAY_TESTING_HTTP_FIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "services/gateway/http_server.h"
#include "services/gateway/testing/http_client.h"

namespace keyferry::gateway {

class HttpFixture : public ::testing::Test {
 protected:
  struct Recorded {
    int status = 0;
    std::string reason;
    std::string request_id;
    std::string remote_address;
    size_t bytes_sent = 0;
    bool client_left = false;
    absl::Duration duration;
  };

  // The records outlive the server, which writes them to its end.
  void TearDown() override { server.reset(); }

  // Answers `METHOD target body`, as text.
  static asio::awaitable<Answer> Echo(Request& request) {
    co_return Answer{.body = request.method + " " + request.target + " " + request.body, .content_type = "text/plain"};
  }

  void Start(HttpLimits limits = {}, std::function<asio::awaitable<Answer>(Request&)> handler = Echo) {
    StartDoors({{.address = "127.0.0.1:0"}}, limits, std::move(handler));
  }
  void StartDoors(std::vector<HttpDoor> doors, HttpLimits limits = {},
                  std::function<asio::awaitable<Answer>(Request&)> handler = Echo) {
    auto started = HttpServer::Start({.doors = std::move(doors),
                                      .limits = limits,
                                      .handler = std::move(handler),
                                      .refuse_early = refuse_early,
                                      .record = [this](const ExchangeRecord& record) {
                                        absl::MutexLock lock(&mutex_);
                                        records_.push_back({.status = record.answer.status,
                                                            .reason = record.answer.reason,
                                                            .request_id = record.request.id,
                                                            .remote_address = record.request.remote_address,
                                                            .bytes_sent = record.bytes_sent,
                                                            .client_left = record.client_left,
                                                            .duration = record.duration});
                                      }});
    ASSERT_TRUE(started.ok()) << started.status();
    server = *std::move(started);
  }

  HttpClient Connect() { return HttpClient(server->addresses()[0]); }
  ClientAnswer Ask(const std::string& bytes) {
    HttpClient client = Connect();
    return client.Ask(bytes);
  }
  // Waits for at least so many, at most ten seconds.
  std::vector<Recorded> Records(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto has_them = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return records_.size() >= count; };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&has_them), absl::Seconds(10)));
    std::vector<Recorded> records = records_;
    records.resize(std::max(count, records.size()));
    return records;
  }

  // Of the servers that are started after it was set.
  std::function<std::optional<Answer>(Request&)> refuse_early;
  std::unique_ptr<HttpServer> server;

 private:
  absl::Mutex mutex_;
  std::vector<Recorded> records_ ABSL_GUARDED_BY(mutex_);
};

inline constexpr char kGet[] = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_TESTING_HTTP_FIXTURE_H_
