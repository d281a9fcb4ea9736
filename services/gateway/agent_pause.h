// A pause of an update that others keep getting ahead of.
#ifndef KEYFERRY_SERVICES_GATEWAY_AGENT_PAUSE_H_
#define KEYFERRY_SERVICES_GATEWAY_AGENT_PAUSE_H_

#include <boost/asio/awaitable.hpp>

#include "services/gateway/exchange.h"

namespace keyferry::gateway {

// Up to 20 ms after attempt 0, twice as long after each one more, half a second at most; at random, so that many who
// met once do not meet again. False when the task was cancelled meanwhile.
asio::awaitable<bool> LeaveItToOthers(int attempt);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_AGENT_PAUSE_H_
