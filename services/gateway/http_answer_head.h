// Status line and headers of an answer, as bytes.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_HTTP_ANSWER_HEAD_H_
#define KEYFERRY_SERVICES_GATEWAY_HTTP_ANSWER_HEAD_H_

#include <string>
#include <string_view>

#include "services/gateway/exchange.h"

namespace keyferry::gateway {

// What the connection decides about an answer.
struct AnswerFraming {
  bool keep_alive = true;
  bool is_http_1_0 = false;
  bool is_tls = false;
};

// 204 and 304 have no body, whatever the handler put there.
bool HasBody(const Answer& answer);

// Appends. Of the handler's headers those are left out that the server itself writes, and those that would break out of
// their line.
void AppendAnswerHead(const Answer& answer, std::string_view request_id, const AnswerFraming& framing,
                      std::string& bytes);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_HTTP_ANSWER_HEAD_H_
