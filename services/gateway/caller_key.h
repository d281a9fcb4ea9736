// Who calls, to count by: the credential itself is kept nowhere.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_CALLER_KEY_H_
#define KEYFERRY_SERVICES_GATEWAY_CALLER_KEY_H_

#include <cstdint>

#include "services/gateway/exchange.h"

namespace keyferry::gateway {

// The same for every spelling of one credential (`Bearer k`, `bearer k`), a hash that no other process can repeat. Two
// credentials may share one, as chance has it. Requests without a credential do.
uint64_t CallerKey(const Request& caller);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_CALLER_KEY_H_
