#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/rpc/testing/test_authority.h"
#include "services/gateway/testing/http_fixture.h"

namespace keyferry::gateway {
namespace {

using testing::HasSubstr;

struct TlsRules {
  // PEM; empty: whoever it is.
  std::string roots;
  // As on the wire: "\x08http/1.1"; empty: no ALPN.
  std::string protocols;
  int max_version = 0;
};

class TlsClient final : public HttpClient {
 public:
  TlsClient(const std::string& address, const TlsRules& rules) : HttpClient(address) {
    // OpenSSL writes without MSG_NOSIGNAL.
    std::signal(SIGPIPE, SIG_IGN);
    // Old versions only where the server takes them: this client would.
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_.get(), rules.max_version);
    if (!rules.roots.empty()) {
      SSL_CTX_load_verify_locations(context_.get(), rules.roots.c_str(), nullptr);
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    }
    ssl_.reset(SSL_new(context_.get()));
    if (!rules.protocols.empty())
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(rules.protocols.data()),
                          static_cast<unsigned int>(rules.protocols.size()));
    SSL_set_fd(ssl_.get(), descriptor_.get());
    is_connected_ = is_connected_ && SSL_connect(ssl_.get()) == 1;
  }

  SSL* ssl() const { return ssl_.get(); }
  std::string ServerSerial() const {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl_.get()), X509_free);
    return std::to_string(ASN1_INTEGER_get(X509_get_serialNumber(certificate.get())));
  }

 private:
  ssize_t Receive(char* bytes, size_t size) override {
    return std::max(0, SSL_read(ssl_.get(), bytes, static_cast<int>(size)));
  }
  ssize_t Transmit(const char* bytes, size_t size) override {
    return SSL_write(ssl_.get(), bytes, static_cast<int>(size));
  }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, SSL_free};
};

class HttpTlsTest : public HttpFixture {
 protected:
  void StartTls(HttpLimits limits = {}) {
    Install(authority.Issue({}));
    StartDoors({Door()}, limits);
  }
  HttpDoor Door() const { return {.address = "0.0.0.0:0", .certificate_chain = chain, .private_key = key}; }
  // As an operator would.
  void Install(const TlsFiles& files) {
    std::filesystem::copy_file(files.certificate_chain, chain, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::copy_file(files.private_key, key, std::filesystem::copy_options::overwrite_existing);
  }
  TlsClient ConnectTls() { return TlsClient(server->addresses()[0], {.roots = authority.roots()}); }
  absl::Status StartError() { return HttpServer::Start({.doors = {Door()}, .handler = Echo}).status(); }

  TempDir directory;
  const std::string chain = directory.File("tls.crt");
  const std::string key = directory.File("tls.key");
  TestAuthority authority{directory.path(), "authority"};
};

TEST_F(HttpTlsTest, ServesOverTls) {
  StartTls();
  TlsClient client = ConnectTls();
  ASSERT_TRUE(client.is_connected());
  EXPECT_STREQ(SSL_get_version(client.ssl()), "TLSv1.3");
  for (int i = 0; i < 3; ++i) {
    ClientAnswer answer = client.Ask(kGet);
    EXPECT_EQ(answer.body, "GET /x ");
    EXPECT_EQ(answer.headers["strict-transport-security"], "max-age=31536000");
  }
}

TEST_F(HttpTlsTest, LargeBodiesPass) {
  StartTls();
  TlsClient client = ConnectTls();
  const std::string body(4 * 1024 * 1024, 'b');
  const ClientAnswer answer =
      client.Ask(absl::StrCat("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
  EXPECT_TRUE(answer.body == "PUT /x " + body) << answer.body.size();
}

TEST_F(HttpTlsTest, SpeaksTls12ButNothingOlder) {
  StartTls();
  TlsClient client(server->addresses()[0], {.roots = authority.roots(), .max_version = TLS1_2_VERSION});
  EXPECT_EQ(client.Ask(kGet).status, 200);
  EXPECT_THAT(SSL_get_cipher_name(client.ssl()), HasSubstr("ECDHE"));
  EXPECT_FALSE(TlsClient(server->addresses()[0], {.max_version = TLS1_1_VERSION}).is_connected());
}

TEST_F(HttpTlsTest, ChoosesHttp11AndNothingElse) {
  StartTls();
  TlsClient both(server->addresses()[0], {.protocols = "\x02h2\x08http/1.1"});
  ASSERT_TRUE(both.is_connected());
  const unsigned char* chosen = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(both.ssl(), &chosen, &size);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(chosen), size), "http/1.1");
  EXPECT_EQ(both.Ask(kGet).status, 200);
  EXPECT_FALSE(TlsClient(server->addresses()[0], {.protocols = "\x02h2"}).is_connected());
}

TEST_F(HttpTlsTest, EndsWithACloseNotify) {
  StartTls();
  TlsClient client = ConnectTls();
  client.Ask("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.IsClosed());
  EXPECT_EQ(SSL_get_shutdown(client.ssl()), SSL_RECEIVED_SHUTDOWN);
}

TEST_F(HttpTlsTest, TellsAClientThatSpeaksPlainHttp) {
  StartTls();
  HttpClient client = Connect();
  ClientAnswer answer = client.Ask(kGet);
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.Reason(), "INVALID_HTTP");
  EXPECT_THAT(answer.body, HasSubstr("use https"));
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(HttpTlsTest, AHandshakeThatStallsIsCut) {
  StartTls({.header = absl::Milliseconds(100)});
  HttpClient silent = Connect();
  HttpClient stalled = Connect();
  stalled.Send("\x16\x03\x01");
  EXPECT_TRUE(silent.IsClosed());
  EXPECT_TRUE(stalled.IsClosed());
}

TEST_F(HttpTlsTest, SlowHeadersAreAnsweredOverTls) {
  StartTls({.header = absl::Milliseconds(500)});
  TlsClient client = ConnectTls();
  EXPECT_EQ(client.Ask("GET /x HT").Reason(), "REQUEST_TIMEOUT");
}

TEST_F(HttpTlsTest, BeyondTheConnectionLimitItJustCloses) {
  StartTls({.connection_count = 1});
  TlsClient first = ConnectTls();
  EXPECT_EQ(first.Ask(kGet).status, 200);
  EXPECT_FALSE(ConnectTls().is_connected());
  EXPECT_EQ(first.Ask(kGet).status, 200);
}

TEST_F(HttpTlsTest, ReloadsCertificatesForTheNextHandshakes) {
  StartTls();
  TlsClient before = ConnectTls();
  const std::string serial = before.ServerSerial();
  Install(authority.Issue({}));
  EXPECT_EQ(ConnectTls().ServerSerial(), serial);
  ASSERT_THAT(server->ReloadCertificates(), IsOk());
  TlsClient after = ConnectTls();
  EXPECT_NE(after.ServerSerial(), serial);
  EXPECT_EQ(after.Ask(kGet).status, 200);
  EXPECT_EQ(before.Ask(kGet).status, 200);
}

TEST_F(HttpTlsTest, KeepsItsCertificatesWhenOneOfTheNewIsWrong) {
  StartTls();
  const std::string serial = ConnectTls().ServerSerial();
  Install({.certificate_chain = authority.Issue({}).certificate_chain, .private_key = authority.Issue({}).private_key});
  const absl::Status status = server->ReloadCertificates();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(status.ToString(),
              HasSubstr(absl::StrCat(key, ": is not the private key of the certificate in ", chain)));
  EXPECT_EQ(ConnectTls().ServerSerial(), serial);
}

TEST_F(HttpTlsTest, SaysWhichFileDoesNotLoad) {
  EXPECT_THAT(StartError().ToString(), HasSubstr(chain));
  Install(authority.Issue({}));
  std::ofstream(key, std::ios::trunc) << "no key";
  EXPECT_THAT(StartError(), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(StartError().ToString(), HasSubstr(key));
  std::filesystem::remove(key);
  EXPECT_THAT(StartError().ToString(), HasSubstr(key));
}

TEST_F(HttpTlsTest, NeedsBothFiles) {
  Install(authority.Issue({}));
  for (HttpDoor door : {HttpDoor{.address = "127.0.0.1:0", .certificate_chain = chain},
                        HttpDoor{.address = "127.0.0.1:0", .private_key = key}}) {
    EXPECT_THAT(HttpServer::Start({.doors = {door}, .handler = Echo}).status(),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace keyferry::gateway
