// A connection's bytes, as HTTP. However they come in pieces, the same requests come out, within the
// limits.
#include <string>
#include <vector>

#include "services/gateway/http_request_parser.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

using gateway::HttpRequestParser;
using gateway::Request;
using Step = HttpRequestParser::Step;

constexpr gateway::HttpLimits kLimits{.header_bytes = 1024, .target_bytes = 128, .body_bytes = 512};
// A connection that gets so far can go on.
constexpr size_t kMaxRequests = 16;

struct Outcome {
  std::vector<Request> requests;
  std::string fault_reason;
  std::string fault_message;
  std::vector<bool> keeps_alive;
};

// Offers what `unread` holds of one request; false when it is to be offered again with more.
bool Offer(HttpRequestParser& parser, std::string& unread, Step& step) {
  for (;;) {
    size_t consumed = 0;
    step = parser.Parse(unread, consumed);
    Require(consumed <= unread.size(), "no more is consumed than there is");
    unread.erase(0, consumed);
    if (step == Step::kMoreBytes) return false;
    if (step != Step::kHeaders) return true;
  }
}

// `piece`: how many bytes come at a time.
Outcome Read(std::string_view bytes, size_t piece) {
  Outcome outcome;
  std::string unread;
  while (outcome.requests.size() < kMaxRequests) {
    Request request;
    HttpRequestParser parser(kLimits, request);
    Step step = Step::kMoreBytes;
    while (!Offer(parser, unread, step)) {
      if (bytes.empty()) return outcome;
      unread += bytes.substr(0, piece);
      bytes.remove_prefix(std::min(piece, bytes.size()));
    }
    if (step == Step::kFault) {
      outcome.fault_reason = parser.fault().reason;
      outcome.fault_message = parser.fault().message;
      return outcome;
    }
    outcome.requests.push_back(std::move(request));
    outcome.keeps_alive.push_back(parser.keeps_alive());
    if (!parser.keeps_alive()) return outcome;
  }
  return outcome;
}

bool Same(const Request& left, const Request& right) {
  if (left.method != right.method || left.target != right.target || left.body != right.body) return false;
  if (left.headers.size() != right.headers.size()) return false;
  for (size_t i = 0; i < left.headers.size(); ++i) {
    if (left.headers[i].name != right.headers[i].name || left.headers[i].value != right.headers[i].value) return false;
  }
  return true;
}

void CheckRequest(const Request& request) {
  Require(!request.method.empty() && !request.target.empty(), "a request has a method and a target");
  Require(request.target.size() <= kLimits.target_bytes, "a target is within its limit");
  Require(request.body.size() <= kLimits.body_bytes, "a body is within its limit");
  size_t header_bytes = 0;
  for (const gateway::Header& header : request.headers) {
    header_bytes += header.name.size() + header.value.size();
    Require(header.name.find_first_of(" \t\r\n:") == std::string::npos, "a header's name is a token");
    Require(header.value.find_first_of("\r\n") == std::string::npos, "a header's value is one line");
    Require(header.value.find('\0') == std::string::npos, "a header's value has no NUL");
  }
  Require(header_bytes <= kLimits.header_bytes, "headers are within their limit");
}

void Check(std::string_view bytes) {
  const Outcome whole = Read(bytes, bytes.size() + 1);
  for (const Request& request : whole.requests) CheckRequest(request);
  Require(whole.fault_message.find(kSentinel) == std::string::npos, "a fault does not hold the sentinel");
  for (const size_t piece : {1, 7}) {
    const Outcome pieces = Read(bytes, piece);
    Require(pieces.requests.size() == whole.requests.size(), "as many requests in pieces as whole");
    for (size_t i = 0; i < whole.requests.size(); ++i)
      Require(Same(pieces.requests[i], whole.requests[i]), "the same requests in pieces");
    Require(pieces.keeps_alive == whole.keeps_alive, "the same connections in pieces");
    // A fault may show later, or as another: lines are looked at when the end of the headers is there.
    Require(pieces.fault_reason.empty() || !whole.fault_reason.empty(), "no fault in pieces that the whole has not");
  }
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = keyferry::TextOf(data, size);
  keyferry::Check(text);
  keyferry::Check(keyferry::WithSentinel(text));
  return 0;
}
