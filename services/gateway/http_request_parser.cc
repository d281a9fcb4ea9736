#include "services/gateway/http_request_parser.h"

#include <openssl/rand.h>

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cstdlib>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "libs/common/limits.h"

namespace keyferry::gateway {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

// At first; then the body grows with what comes.
constexpr size_t kFirstBodyBytes = 64 * 1024;
// Of a chunk's line, and of all trailers.
constexpr size_t kMaxChunkLineBytes = 8 * 1024;
// Of a chunked body at least `0 CRLF CRLF` is yet to come; Beast asserts that it is given no less, where the first
// chunk is the last.
constexpr size_t kLeastChunkedBytes = 5;
constexpr size_t kRandomIdBytes = 16;

// A character of a method or of a header's name.
bool IsTokenCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsRequestIdCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
}

bool IsWellFormedRequestId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxRequestIdLength && std::ranges::all_of(id, IsRequestIdCharacter);
}

// Whether what came of a request line can still become one: a peer that speaks something else may wait for ever.
bool MayBecomeRequestLine(std::string_view bytes) {
  const size_t end = bytes.find('\n');
  const std::string_view line = bytes.substr(0, end);
  const size_t space = line.find(' ');
  if (!std::ranges::all_of(line.substr(0, space), IsTokenCharacter)) return false;
  return end == std::string_view::npos || line.ends_with(" HTTP/1.1\r") || line.ends_with(" HTTP/1.0\r");
}

size_t TargetBytes(std::string_view line) {
  const size_t start = std::min(line.find(' '), line.size() - 1) + 1;
  return std::min(line.find_first_of(" \r\n", start), line.size()) - start;
}

bool Is(std::string_view value, std::string_view name) {
  return absl::EqualsIgnoreCase({value.data(), value.size()}, {name.data(), name.size()});
}

bool IsHostCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("-._~%!$&'()*+,;=").find(c) != std::string_view::npos;
}

bool IsAddressCharacter(char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)) || c == ':' || c == '.'; }

// A name or an address, and maybe a port: nothing that a server in front could take for a path, a user or a second
// host.
bool IsHost(std::string_view text) {
  const size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == std::string_view::npos) return false;
  const size_t host_end = std::min(text.find(':', bracket), text.size());
  if (bracket > 0 && host_end != bracket + 1) return false;
  const std::string_view port = text.substr(std::min(host_end + 1, text.size()));
  const bool is_known = bracket > 0 ? std::ranges::all_of(text.substr(1, bracket - 1), IsAddressCharacter)
                                    : std::ranges::all_of(text.substr(0, host_end), IsHostCharacter);
  return is_known && std::ranges::all_of(port, absl::ascii_isdigit);
}

// Of `http://host/path`, what a client sends to a proxy, only `/path` stays; other forms stay as they are. False:
// there is no such host.
bool StripAuthority(std::string& target) {
  size_t start = std::string::npos;
  for (const char* scheme : {"http://", "https://"})
    if (absl::StartsWithIgnoreCase(target, scheme)) start = std::string_view(scheme).size();
  if (start == std::string::npos) return true;
  const size_t end = std::min(target.find_first_of("/?", start), target.size());
  const std::string_view authority = std::string_view(target).substr(start, end - start);
  if (authority.empty() || authority.starts_with(':') || !IsHost(authority)) return false;
  target.erase(0, end);
  if (!target.starts_with('/')) target.insert(target.begin(), '/');
  return true;
}

// Whether a line of these headers goes on in the next (obs-fold): to some that is one header, to others two.
// `has_line`: the request line came before.
bool HasFold(std::string_view bytes, bool has_line) {
  if (has_line && bytes.starts_with("\r\n")) return false;
  const std::string_view headers = bytes.substr(0, bytes.find("\r\n\r\n"));
  return headers.find("\r\n ") != std::string_view::npos || headers.find("\r\n\t") != std::string_view::npos;
}

struct NameCounts {
  int host = 0;
  int content_length = 0;
  int transfer_encoding = 0;
  int expect = 0;
};

NameCounts CountNames(const std::vector<Header>& headers) {
  NameCounts counts;
  for (const Header& header : headers) {
    if (Is(header.name, "Host")) ++counts.host;
    if (Is(header.name, "Content-Length")) ++counts.content_length;
    if (Is(header.name, "Transfer-Encoding")) ++counts.transfer_encoding;
    if (Is(header.name, "Expect")) ++counts.expect;
  }
  return counts;
}

// Where a client asks for both, it is closed.
bool KeepsAlive(const std::vector<Header>& headers, bool is_http_1_0) {
  bool keeps = !is_http_1_0;
  for (const Header& header : headers) {
    if (!Is(header.name, "Connection")) continue;
    for (absl::string_view option : absl::StrSplit(header.value, ',')) {
      option = absl::StripAsciiWhitespace(option);
      if (absl::EqualsIgnoreCase(option, "close")) return false;
      keeps = keeps || absl::EqualsIgnoreCase(option, "keep-alive");
    }
  }
  return keeps;
}

}  // namespace

class HttpRequestParser::Sink final : public http::basic_parser<true> {
 public:
  Sink(HttpRequestParser& parser, Request& request) : parser_(parser), request_(request) {
    // The limits are ours: Beast's do not tell a long target from large headers, and count other things.
    header_limit(std::numeric_limits<uint32_t>::max());
    body_limit(boost::none);
  }

  bool is_body_too_large = false;

 private:
  // Beast's, since it only knows its own names for errors.
  static error_code Stop() { return http::error::body_limit; }

  void on_request_impl(http::verb, beast::string_view method, beast::string_view target, int version,
                       error_code&) override {
    request_.method = std::string_view(method.data(), method.size());
    request_.target = std::string_view(target.data(), target.size());
    parser_.is_http_1_0_ = version == 10;
  }
  void on_response_impl(int, beast::string_view, int, error_code&) override {}
  void on_field_impl(http::field, beast::string_view name, beast::string_view value, error_code&) override {
    if (is_header_done_) return;
    request_.headers.push_back({.name = {name.data(), name.size()}, .value = {value.data(), value.size()}});
  }
  void on_header_impl(error_code&) override { is_header_done_ = true; }
  void on_body_init_impl(const boost::optional<uint64_t>& length, error_code&) override {
    if (length) request_.body.reserve(std::min<size_t>(*length, kFirstBodyBytes));
  }
  size_t on_body_impl(beast::string_view bytes, error_code&) override { return Append(bytes); }
  void on_chunk_header_impl(uint64_t size, beast::string_view, error_code& error) override {
    is_body_too_large = size > parser_.limits_.body_bytes - request_.body.size();
    if (is_body_too_large) error = Stop();
  }
  size_t on_chunk_body_impl(uint64_t, beast::string_view bytes, error_code&) override { return Append(bytes); }
  void on_finish_impl(error_code&) override {}

  size_t Append(beast::string_view bytes) {
    request_.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  HttpRequestParser& parser_;
  Request& request_;
  bool is_header_done_ = false;
};

HttpRequestParser::HttpRequestParser(const HttpLimits& limits, Request& request)
    : limits_(limits), request_(request), sink_(new Sink(*this, request)) {}

HttpRequestParser::~HttpRequestParser() = default;

HttpRequestParser::Step HttpRequestParser::Parse(std::string_view bytes, size_t& consumed) {
  consumed = 0;
  return sink_->is_header_done() ? ParseBody(bytes, consumed) : ParseHeaders(bytes, consumed);
}

HttpRequestParser::Step HttpRequestParser::ParseHeaders(std::string_view bytes, size_t& consumed) {
  // Old clients send a line end after a body.
  if (!has_started_) consumed = std::min(bytes.find_first_not_of("\r\n"), bytes.size());
  header_bytes_ += consumed;
  const std::string_view rest = bytes.substr(consumed);
  has_started_ = has_started_ || !rest.empty();
  if (header_bytes_ > limits_.header_bytes) return FailHeaders(rest);
  const std::string_view allowed = rest.substr(0, limits_.header_bytes - header_bytes_);
  if (HasFold(allowed, !request_.method.empty())) return FailInvalid("a header that goes on in the next line");
  error_code error;
  const size_t taken = sink_->put({allowed.data(), allowed.size()}, error);
  consumed += taken;
  header_bytes_ += taken;
  if (request_.target.size() > limits_.target_bytes) return FailHeaders({});
  if (error && error != http::error::need_more)
    return FailInvalid(error == http::error::bad_version ? "this is not HTTP/1.0 or 1.1"
                                                         : "bad request line or headers");
  if (sink_->is_header_done()) return EndHeaders();
  if (allowed.size() < rest.size() || allowed.size() + header_bytes_ - taken >= limits_.header_bytes)
    return FailHeaders(rest);
  if (request_.method.empty() && !MayBecomeRequestLine(rest)) return FailInvalid("this is no HTTP/1.1 request line");
  return Step::kMoreBytes;
}

HttpRequestParser::Step HttpRequestParser::EndHeaders() {
  const NameCounts counts = CountNames(request_.headers);
  if (counts.host > 1 || (counts.host == 0 && !is_http_1_0_)) return FailInvalid("exactly one Host header is needed");
  if (counts.host == 1 && !IsHost(*request_.FindHeader("Host"))) return FailInvalid("Host is one name or address");
  if (!StripAuthority(request_.target)) return FailInvalid("the target names no host that can be");
  if (counts.content_length + counts.transfer_encoding > 1)
    return FailInvalid("more than one header tells the length of the body");
  if (counts.content_length == 1 && !std::ranges::all_of(*request_.FindHeader("Content-Length"), absl::ascii_isdigit))
    return FailInvalid("Content-Length is one number");
  if (counts.transfer_encoding == 1 && (is_http_1_0_ || !Is(*request_.FindHeader("Transfer-Encoding"), "chunked")))
    return FailInvalid("the only Transfer-Encoding is chunked, and HTTP/1.1 alone has it");
  if (counts.expect > 0 && !is_http_1_0_) {
    if (counts.expect > 1 || !Is(*request_.FindHeader("Expect"), "100-continue"))
      return FailInvalid("the only Expect is 100-continue");
    expects_continue_ = true;
  }
  keeps_alive_ = KeepsAlive(request_.headers, is_http_1_0_);
  sink_->eager(true);
  if (sink_->is_done()) return Step::kRequest;
  return sink_->content_length().value_or(0) > limits_.body_bytes ? FailBody() : Step::kHeaders;
}

HttpRequestParser::Step HttpRequestParser::ParseBody(std::string_view bytes, size_t& consumed) {
  if (sink_->chunked() && bytes.size() < kLeastChunkedBytes) return Step::kMoreBytes;
  error_code error;
  consumed = sink_->put({bytes.data(), bytes.size()}, error);
  if (sink_->is_body_too_large) return FailBody();
  if (error && error != http::error::need_more) return FailInvalid("bad framing of the body");
  if (sink_->is_done()) return Step::kRequest;
  if (bytes.size() - consumed > kMaxChunkLineBytes) return FailInvalid("a chunk's line or the trailers are too long");
  return Step::kMoreBytes;
}

HttpRequestParser::Step HttpRequestParser::Fail(std::string_view reason, std::string message) {
  fault_ = {.reason = reason, .message = std::move(message)};
  return Step::kFault;
}

HttpRequestParser::Step HttpRequestParser::FailInvalid(std::string_view what) {
  return Fail("INVALID_HTTP", absl::StrCat("invalid HTTP: ", std::string(what)));
}

HttpRequestParser::Step HttpRequestParser::FailBody() {
  return Fail("BODY_TOO_LARGE",
              absl::StrCat("the body is larger than ", limits_.body_bytes, " bytes; send less at a time"));
}

HttpRequestParser::Step HttpRequestParser::FailHeaders(std::string_view bytes) {
  const size_t target_bytes = request_.target.empty() && !bytes.empty() ? TargetBytes(bytes) : request_.target.size();
  if (target_bytes > limits_.target_bytes)
    return Fail("TARGET_TOO_LONG", absl::StrCat("path and query are longer than ", limits_.target_bytes, " bytes"));
  return Fail("HEADERS_TOO_LARGE",
              absl::StrCat("request line and headers are larger than ", limits_.header_bytes, " bytes"));
}

std::string ChooseRequestId(const Request& request) {
  if (const auto given = request.FindHeader("X-Request-Id"); given && IsWellFormedRequestId(*given))
    return std::string(*given);
  unsigned char random[kRandomIdBytes];
  // Fails only without any entropy, when nothing of this process could be trusted.
  if (RAND_bytes(random, sizeof(random)) != 1) std::abort();
  return absl::BytesToHexString({reinterpret_cast<const char*>(random), sizeof(random)});
}

}  // namespace keyferry::gateway
