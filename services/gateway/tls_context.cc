#include "services/gateway/tls_context.h"

#include <openssl/ssl.h>
#include <openssl/x509err.h>

#include <boost/asio/ssl/context.hpp>

#include "absl/strings/str_cat.h"

namespace keyferry::gateway {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr char kTls12Ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr unsigned char kProtocols[] = "\x08http/1.1";

int SelectProtocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                   unsigned int offered_size, void*) {
  unsigned char* match = nullptr;
  const int found =
      SSL_select_next_proto(&match, chosen_size, kProtocols, sizeof(kProtocols) - 1, offered, offered_size);
  *chosen = match;
  // Who speaks HTTP/2 alone learns here that this is the wrong port.
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void SetRules(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, kTls12Ciphers);
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context, SelectProtocol, nullptr);
}

bool IsMismatch(const error_code& error) {
  const int reason = ERR_GET_REASON(static_cast<unsigned long>(error.value()));
  return reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH;
}

}  // namespace

absl::StatusOr<std::shared_ptr<ssl::context>> LoadTlsContext(const std::string& certificate_chain,
                                                             const std::string& private_key) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SetRules(context->native_handle());
  error_code error;
  // An encrypted key is refused: nobody is there to type its password.
  context->set_password_callback([](size_t, ssl::context::password_purpose) { return std::string(); }, error);
  context->use_certificate_chain_file(certificate_chain, error);
  if (error)
    return absl::InvalidArgumentError(
        absl::StrCat(certificate_chain, ": holds no PEM certificates, or cannot be read"));
  context->use_private_key_file(private_key, ssl::context::pem, error);
  if (error && !IsMismatch(error))
    return absl::InvalidArgumentError(
        absl::StrCat(private_key, ": holds no unencrypted PEM private key, or cannot be read"));
  if (error || SSL_CTX_check_private_key(context->native_handle()) != 1)
    return absl::InvalidArgumentError(
        absl::StrCat(private_key, ": is not the private key of the certificate in ", certificate_chain));
  return context;
}

}  // namespace keyferry::gateway
