// From bytes to one request, within limits, strictly: what two HTTP parsers could understand differently is refused. No
// I/O, no clock.
//
// Invariants:
//   P1  Headers that came after the body (trailers) decide nothing and are dropped; one that would tell a length is
//   refused. P2  A body has one length: at most one Content-Length, or `Transfer-Encoding: chunked` and nothing else.
//   P3  A target that names its host (`http://host/path`) is its path alone, which then is all of it that counts.
//   P4  Memory grows with what came, never with what was announced.
//
// Thread safety: none. The request outlives its parser.
#ifndef KEYFERRY_SERVICES_GATEWAY_HTTP_REQUEST_PARSER_H_
#define KEYFERRY_SERVICES_GATEWAY_HTTP_REQUEST_PARSER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "services/gateway/exchange.h"
#include "services/gateway/http_server.h"

namespace keyferry::gateway {

// Why what came is no request, or not one that is taken.
struct HttpFault {
  // For HttpFaultAnswer; empty: none.
  std::string_view reason;
  std::string message;
};

class HttpRequestParser {
 public:
  enum class Step : uint8_t {
    kMoreBytes,
    // Once, when the headers are whole and a body follows.
    kHeaders,
    // The request is whole.
    kRequest,
    // The parser is of no more use; `fault` says why. What was read of the request is in it.
    kFault,
  };

  HttpRequestParser(const HttpLimits& limits, Request& request);
  ~HttpRequestParser();

  // Takes from the front of `bytes` what it can; consumed says how much. The rest is to be offered again with what
  // comes after. REQUIRES: neither kRequest nor kFault was answered.
  Step Parse(std::string_view bytes, size_t& consumed);

  const HttpFault& fault() const { return fault_; }
  // A byte of a request came; line ends before one are none.
  bool has_started() const { return has_started_; }
  bool is_http_1_0() const { return is_http_1_0_; }
  // Once kHeaders or kRequest was answered.
  bool keeps_alive() const { return keeps_alive_; }
  bool expects_continue() const { return expects_continue_; }

 private:
  class Sink;

  Step ParseHeaders(std::string_view bytes, size_t& consumed);
  Step ParseBody(std::string_view bytes, size_t& consumed);
  Step EndHeaders();
  Step Fail(std::string_view reason, std::string message);
  Step FailInvalid(std::string_view what);
  Step FailBody();
  Step FailHeaders(std::string_view bytes);

  const HttpLimits& limits_;
  Request& request_;
  std::unique_ptr<Sink> sink_;
  HttpFault fault_;
  size_t header_bytes_ = 0;
  bool has_started_ = false;
  bool is_http_1_0_ = false;
  bool expects_continue_ = false;
  bool keeps_alive_ = false;
};

// The caller's own, where it is well-formed and the only one, else 32 random hexadecimal digits.
std::string ChooseRequestId(const Request& request);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_HTTP_REQUEST_PARSER_H_
