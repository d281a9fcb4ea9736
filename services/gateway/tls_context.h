// What a TLS door presents: certificate, key and the rules of the handshake.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_TLS_CONTEXT_H_
#define KEYFERRY_SERVICES_GATEWAY_TLS_CONTEXT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace boost::asio::ssl {
class context;
}

namespace keyferry::gateway {

// TLS 1.2 and 1.3, forward secret and authenticated ciphers, no renegotiation, no resumption, HTTP/1.1 where ALPN is
// spoken. PEM files. InvalidArgument names the file that does not load, or the key that is another certificate's.
absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> LoadTlsContext(const std::string& certificate_chain,
                                                                          const std::string& private_key);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_TLS_CONTEXT_H_
