#include "services/gateway/http_answer_head.h"

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <ctime>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/common/log.h"

namespace keyferry::gateway {
namespace {

namespace http = boost::beast::http;

constexpr std::string_view kOwnHeaders[] = {
    "Content-Type", "Content-Length", "Transfer-Encoding",      "Connection",
    "Date",         "X-Request-Id",   "X-Content-Type-Options", "Cache-Control"};

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

bool IsOwn(std::string_view name) {
  return std::ranges::any_of(kOwnHeaders,
                             [&](std::string_view own) { return absl::EqualsIgnoreCase(View(own), View(name)); });
}

bool IsSafeName(std::string_view name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; });
}

bool IsSafeValue(std::string_view value) {
  return std::ranges::none_of(value, [](unsigned char c) { return c != '\t' && absl::ascii_iscntrl(c); });
}

struct DateText {
  time_t second = -1;
  char text[32];
};

absl::string_view Date() {
  thread_local DateText date;
  const time_t now = time(nullptr);
  if (now != date.second) {
    tm parts{};
    gmtime_r(&now, &parts);
    strftime(date.text, sizeof(date.text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    date.second = now;
  }
  return date.text;
}

void AppendHandlersHeaders(const Answer& answer, std::string_view request_id, std::string& bytes) {
  for (const Header& header : answer.headers) {
    if (IsOwn(header.name)) continue;
    if (IsSafeName(header.name) && IsSafeValue(header.value)) {
      absl::StrAppend(&bytes, header.name, ": ", header.value, "\r\n");
    } else {
      Log(Severity::kError, "unsafe_header_left_out", {{"request_id", request_id}});
    }
  }
}

void AppendBodyHeaders(const Answer& answer, const AnswerFraming& framing, std::string& bytes) {
  if (!HasBody(answer)) return;
  const bool is_safe = IsSafeValue(answer.content_type);
  absl::StrAppend(&bytes, "Content-Type: ", is_safe ? answer.content_type : "application/octet-stream", "\r\n");
  if (!answer.stream) {
    absl::StrAppend(&bytes, "Content-Length: ", answer.body.size(), "\r\n");
  } else if (!framing.is_http_1_0) {
    absl::StrAppend(&bytes, "Transfer-Encoding: chunked\r\n");
  }
}

}  // namespace

bool HasBody(const Answer& answer) { return answer.status != 204 && answer.status != 304; }

void AppendAnswerHead(const Answer& answer, std::string_view request_id, const AnswerFraming& framing,
                      std::string& bytes) {
  const auto phrase = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(answer.status)));
  absl::StrAppend(&bytes, "HTTP/1.1 ", answer.status, " ", absl::string_view(phrase.data(), phrase.size()), "\r\n");
  AppendBodyHeaders(answer, framing, bytes);
  absl::StrAppend(&bytes, "Date: ", Date(), "\r\nX-Request-Id: ", View(request_id),
                  "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
  if (framing.is_tls) absl::StrAppend(&bytes, "Strict-Transport-Security: max-age=31536000\r\n");
  if (!framing.keep_alive) absl::StrAppend(&bytes, "Connection: close\r\n");
  if (framing.keep_alive && framing.is_http_1_0) absl::StrAppend(&bytes, "Connection: keep-alive\r\n");
  AppendHandlersHeaders(answer, request_id, bytes);
  bytes += "\r\n";
}

}  // namespace keyferry::gateway
