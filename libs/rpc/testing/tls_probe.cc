#include "libs/rpc/testing/tls_probe.h"

#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstdlib>
#include <memory>

#include "libs/rpc/testing/raw_connection.h"

namespace keyferry {
namespace {

constexpr timeval kPatience{.tv_sec = 10, .tv_usec = 0};
// The client's preface, and an empty SETTINGS frame.
constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

void Must(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

bool IsLetThrough(const std::string& address, const TlsFiles& files) {
  signal(SIGPIPE, SIG_IGN);
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>("\2h2"), 3);
  if (!files.certificate_chain.empty()) {
    Must(SSL_CTX_use_certificate_chain_file(context.get(), files.certificate_chain.c_str()) == 1);
    Must(SSL_CTX_use_PrivateKey_file(context.get(), files.private_key.c_str(), SSL_FILETYPE_PEM) == 1);
  }
  const Descriptor connection = ConnectRaw(address);
  Must(connection.get() >= 0);
  setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  const std::unique_ptr<SSL, decltype(&SSL_free)> session(SSL_new(context.get()), SSL_free);
  SSL_set_fd(session.get(), connection.get());
  // In TLS 1.3 a client has done its part before the server looks at its certificate: only an answer says that it
  // passed.
  if (SSL_connect(session.get()) != 1) return false;
  if (SSL_write(session.get(), kPreface, sizeof(kPreface) - 1) <= 0) return false;
  char frame[9];
  return SSL_read(session.get(), frame, sizeof(frame)) == sizeof(frame) && frame[3] == 4;
}

}  // namespace keyferry
