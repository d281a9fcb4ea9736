// Closed-loop load over REST: each client is one kept-alive TLS connection. Arguments: load.h; TARGET is host:port of a
// gateway.
//   gate   POST /v1/agents, validateOnly, of the set `bench-0`
//   set    PUT /v1/secrets/bench-N of 4 keys of 1 KiB, each client its own set, fresh values every time
//   get    GET /v1/secrets/bench-0
// Prints what load.h says.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "tests/bench/load.h"

namespace keyferry {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Stream = asio::ssl::stream<asio::ip::tcp::socket>;
using HttpRequest = http::request<http::string_body>;

constexpr int kThreads = 2;

HttpRequest NewRequest(const LoadOptions& options, int number) {
  HttpRequest request;
  request.version(11);
  request.set(http::field::host, options.target);
  request.set(http::field::authorization, "Bearer " + options.api_key);
  if (options.mode == "get") {
    request.method(http::verb::get);
    request.target("/v1/secrets/bench-0");
    return request;
  }
  request.set(http::field::content_type, "application/json");
  if (options.mode == "gate") {
    request.method(http::verb::post);
    request.target("/v1/agents");
    request.body() =
        R"({"serviceName":"bench","image":"bench:1","secretSet":"bench-0","region":"us-west","validateOnly":true})";
  } else {
    request.method(http::verb::put);
    request.target("/v1/secrets/bench-" + std::to_string(number));
  }
  return request;
}

// Values that were never written, so that each call makes a generation.
std::string FreshEntries() {
  const std::string stamp = std::to_string(Load::Clock::now().time_since_epoch().count());
  std::string body = R"({"secrets":[)";
  for (int i = 0; i < 4; ++i) {
    body += std::string(i == 0 ? "" : ",") + R"({"secretKey":"KEY_)" + std::to_string(i) + R"(","secretValue":")" +
            stamp + std::string(1024 - stamp.size(), 'x') + "\"}";
  }
  return body + "]}";
}

asio::awaitable<void> Run(const LoadOptions& options, int number, Stream& stream, Load& load) {
  boost::beast::flat_buffer buffer;
  HttpRequest request = NewRequest(options, number);
  while (load.Next() >= 0) {
    if (options.mode == "set") request.body() = FreshEntries();
    request.prepare_payload();
    http::response<http::string_body> answer;
    const auto begin = Load::Clock::now();
    co_await http::async_write(stream, request, asio::use_awaitable);
    co_await http::async_read(stream, buffer, answer, asio::use_awaitable);
    load.Done(begin, answer.result_int() < 300 ? "" : answer.body());
  }
}

asio::awaitable<void> Connect(const LoadOptions& options, Stream& stream) {
  const size_t colon = options.target.rfind(':');
  asio::ip::tcp::resolver resolver(stream.get_executor());
  const auto found = co_await resolver.async_resolve(options.target.substr(0, colon), options.target.substr(colon + 1),
                                                     asio::use_awaitable);
  co_await asio::async_connect(stream.lowest_layer(), found, asio::use_awaitable);
  stream.lowest_layer().set_option(asio::ip::tcp::no_delay(true));
  co_await stream.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
}

asio::awaitable<void> Live(const LoadOptions& options, int number, Stream& stream, Load& load) {
  try {
    co_await Run(options, number, stream, load);
  } catch (const std::exception& error) {
    load.Done(Load::Clock::now(), error.what());
  }
  load.ClientEnded();
}

int RunAll(const LoadOptions& options) {
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.load_verify_file(options.ca_file);
  tls.set_verify_mode(asio::ssl::verify_peer);
  asio::thread_pool threads(kThreads);
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < options.clients; ++i) {
    streams.push_back(std::make_unique<Stream>(asio::make_strand(threads), tls));
    asio::co_spawn(streams.back()->get_executor(), Connect(options, *streams.back()), asio::use_future).get();
  }
  Load load(options);
  const auto begin = Load::Clock::now();
  for (int i = 0; i < options.clients; ++i)
    asio::co_spawn(streams[i]->get_executor(), Live(options, i, *streams[i], load), asio::detached);
  const int code = load.Report(begin);
  threads.join();
  return code;
}

}  // namespace
}  // namespace keyferry

int main(int count, char** arguments) {
  const keyferry::LoadOptions options = keyferry::LoadOptions::Parse(count, arguments);
  try {
    return keyferry::RunAll(options);
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "%s: %s\n", options.target.c_str(), error.what()), 1;
  }
}
