// A connection without any protocol on it.
#ifndef KEYFERRY_RPC_TESTING_RAW_CONNECTION_H_
#define KEYFERRY_RPC_TESTING_RAW_CONNECTION_H_

#include <string>

#include "libs/rpc/socket.h"

namespace keyferry {

// To `127.0.0.1:port` or `unix:/path`; a descriptor of -1 when that fails.
Descriptor ConnectRaw(const std::string& address);

// Waits, at most 10 s, for the other end to close the connection.
bool IsClosedByPeer(const Descriptor& connection);

}  // namespace keyferry

#endif  // KEYFERRY_RPC_TESTING_RAW_CONNECTION_H_
