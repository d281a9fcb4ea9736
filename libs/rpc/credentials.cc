#include "libs/rpc/credentials.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fstream>
#include <iterator>
#include <optional>

#include "absl/strings/str_cat.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

using grpc::experimental::FileWatcherCertificateProvider;
using grpc::experimental::IdentityKeyCertPair;
using grpc::experimental::StaticDataCertificateProvider;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using PrivateKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

constexpr unsigned int kRefreshSeconds = 10;
constexpr int kLookAheadBytes = 64 * 1024;
// Our errors' details may be larger than the 8 KiB that gRPC accepts at first.
constexpr int kMaxTrailerBytes = 64 * 1024;
constexpr int kKeepaliveMillis = 30'000;
constexpr int kKeepaliveTimeoutMillis = 10'000;
constexpr int kFirstReconnectMillis = 100;
constexpr int kMaxReconnectMillis = 2'000;

absl::StatusOr<Bio> Open(const std::string& path) {
  Bio bio(BIO_new_file(path.c_str(), "r"), BIO_free);
  if (bio == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": cannot be read; check the path and its permissions"));
  }
  return bio;
}

absl::StatusOr<Certificate> ReadCertificate(const std::string& path) {
  ASSIGN_OR_RETURN(Bio bio, Open(path));
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free);
  if (certificate == nullptr) return absl::FailedPreconditionError(absl::StrCat(path, ": holds no PEM certificate"));
  return certificate;
}

// An encrypted key is refused: nobody is there to type its password.
int NoPassword(char*, int, int, void*) { return 0; }

absl::StatusOr<PrivateKey> ReadPrivateKey(const std::string& path) {
  ASSIGN_OR_RETURN(Bio bio, Open(path));
  PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr), EVP_PKEY_free);
  if (key == nullptr)
    return absl::FailedPreconditionError(absl::StrCat(path, ": holds no unencrypted PEM private key"));
  return key;
}

absl::Status CheckKeyPair(const TlsFiles& files) {
  ASSIGN_OR_RETURN(Certificate certificate, ReadCertificate(files.certificate_chain));
  ASSIGN_OR_RETURN(PrivateKey key, ReadPrivateKey(files.private_key));
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return absl::FailedPreconditionError(
        absl::StrCat(files.private_key, ": is not the private key of the certificate in ", files.certificate_chain));
  }
  return absl::OkStatus();
}

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

grpc::ChannelArguments HouseArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kLookAheadBytes);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMaxTrailerBytes);
  arguments.SetMaxReceiveMessageSize(kMaxReceiveMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxReceiveMessageBytes);
  return arguments;
}

}  // namespace

absl::Status CheckTlsFiles(const TlsFiles& files) {
  RETURN_IF_ERROR(CheckKeyPair(files));
  return files.roots.empty() ? absl::OkStatus() : ReadCertificate(files.roots).status();
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MutualTlsServerCredentials(const TlsFiles& files) {
  RETURN_IF_ERROR(CheckKeyPair(files));
  RETURN_IF_ERROR(ReadCertificate(files.roots).status());
  grpc::experimental::TlsServerCredentialsOptions options(std::make_shared<FileWatcherCertificateProvider>(
      files.private_key, files.certificate_chain, files.roots, kRefreshSeconds));
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return grpc::experimental::TlsServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> TlsServerCredentials(const TlsFiles& files) {
  RETURN_IF_ERROR(CheckKeyPair(files));
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<FileWatcherCertificateProvider>(files.private_key, files.certificate_chain, kRefreshSeconds));
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  return grpc::experimental::TlsServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> TlsChannelCredentials(const TlsFiles& files) {
  RETURN_IF_ERROR(ReadCertificate(files.roots).status());
  const bool has_identity = !files.certificate_chain.empty();
  if (has_identity) RETURN_IF_ERROR(CheckKeyPair(files));
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<FileWatcherCertificateProvider>(
      has_identity ? files.private_key : "", files.certificate_chain, files.roots, kRefreshSeconds));
  options.watch_root_certs();
  if (has_identity) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> FixedTlsChannelCredentials(const TlsFiles& files) {
  RETURN_IF_ERROR(CheckTlsFiles(files));
  const std::vector<IdentityKeyCertPair> identity = {
      {.private_key = ReadWhole(files.private_key), .certificate_chain = ReadWhole(files.certificate_chain)}};
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<StaticDataCertificateProvider>(ReadWhole(files.roots), identity));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

std::shared_ptr<grpc::Channel> NewChannel(const std::string& target,
                                          std::shared_ptr<grpc::ChannelCredentials> credentials) {
  return grpc::CreateCustomChannel(target, credentials, HouseArguments());
}

std::shared_ptr<grpc::Channel> NewUnsharedChannel(const std::string& target,
                                                  std::shared_ptr<grpc::ChannelCredentials> credentials) {
  grpc::ChannelArguments arguments = HouseArguments();
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMillis);
  // Also how long one attempt to connect may take.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kMaxReconnectMillis);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectMillis);
  return grpc::CreateCustomChannel(target, credentials, arguments);
}

}  // namespace keyferry
