// What a server thinks of a client certificate, asked by a client that has no scruples itself: no check of keys,
// digests, sizes or the server.
#ifndef KEYFERRY_RPC_TESTING_TLS_PROBE_H_
#define KEYFERRY_RPC_TESTING_TLS_PROBE_H_

#include <string>

#include "libs/rpc/credentials.h"

namespace keyferry {

// Whether the server at `127.0.0.1:port` speaks HTTP/2 with the holder of these files, that is, let it through the
// handshake. An empty chain: without a certificate. Aborts when the files cannot even be presented.
bool IsLetThrough(const std::string& address, const TlsFiles& files);

}  // namespace keyferry

#endif  // KEYFERRY_RPC_TESTING_TLS_PROBE_H_
