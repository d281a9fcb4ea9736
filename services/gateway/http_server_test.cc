#include "services/gateway/http_server.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/rpc/acceptor.h"
#include "libs/rpc/testing/descriptor_hog.h"
#include "services/gateway/testing/http_fixture.h"

namespace keyferry::gateway {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class HttpServerTest : public HttpFixture {
 protected:
  // The answer, after which the connection must have ended.
  ClientAnswer AskLast(const std::string& bytes) {
    HttpClient client = Connect();
    EXPECT_TRUE(client.Send(bytes));
    ClientAnswer answer = client.Read();
    EXPECT_EQ(answer.headers["connection"], "close");
    EXPECT_TRUE(client.IsClosed());
    return answer;
  }
  void ExpectRefused(const std::string& bytes, int status, const std::string& reason, const std::string& code) {
    ClientAnswer answer = AskLast(bytes);
    EXPECT_EQ(answer.status, status) << bytes.substr(0, 100);
    EXPECT_EQ(answer.Reason(), reason);
    EXPECT_EQ(answer.Code(), code);
    EXPECT_EQ(answer.headers["content-type"], "application/json");
    EXPECT_THAT(answer.body, HasSubstr(answer.headers["x-request-id"]));
  }
};

std::string Put(size_t body_bytes) {
  return absl::StrCat("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: ", body_bytes, "\r\n\r\n",
                      std::string(body_bytes, 'b'));
}

TEST_F(HttpServerTest, AnswersARequest) {
  Start();
  ClientAnswer answer = Ask("PUT /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX-Request-Id: id-1\r\n\r\nxyz");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "PUT /a?b=c xyz");
  EXPECT_EQ(answer.headers["content-type"], "text/plain");
  EXPECT_EQ(answer.headers["content-length"], "14");
  EXPECT_EQ(answer.headers["x-request-id"], "id-1");
  EXPECT_EQ(answer.headers["cache-control"], "no-store");
  EXPECT_EQ(answer.headers["x-content-type-options"], "nosniff");
  EXPECT_THAT(answer.headers["date"], MatchesRegex("[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} GMT"));
  EXPECT_FALSE(answer.headers.contains("connection"));
  EXPECT_FALSE(answer.headers.contains("strict-transport-security"));
}

TEST_F(HttpServerTest, RecordsEachExchange) {
  Start();
  Ask("GET /x HTTP/1.1\r\nHost: h\r\nX-Request-Id: one\r\n\r\n");
  Ask("nonsense\r\n");
  const auto records = Records(2);
  ASSERT_EQ(records.size(), 2);
  EXPECT_EQ(records[0].status, 200);
  EXPECT_EQ(records[0].request_id, "one");
  EXPECT_EQ(records[0].remote_address, "127.0.0.1");
  EXPECT_GT(records[0].bytes_sent, 100);
  EXPECT_FALSE(records[0].client_left);
  EXPECT_EQ(records[1].status, 400);
  EXPECT_EQ(records[1].reason, "INVALID_HTTP");
  EXPECT_THAT(records[1].request_id, MatchesRegex("[0-9a-f]{32}"));
}

TEST_F(HttpServerTest, KeepsAConnectionForManyRequests) {
  Start();
  HttpClient client = Connect();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.Ask(kGet).body, "GET /x ");
  EXPECT_EQ(server->connection_count(), 1);
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  Start();
  HttpClient client = Connect();
  std::string requests;
  for (int i = 0; i < 50; ++i)
    absl::StrAppend(&requests, "PUT /", i, " HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nb");
  client.Send(requests);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.Read().body, absl::StrCat("PUT /", i, " b"));
}

TEST_F(HttpServerTest, ClosesWhereTheClientAsksForIt) {
  Start();
  EXPECT_EQ(AskLast("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").body, "GET /x ");
  EXPECT_EQ(AskLast("GET /x HTTP/1.0\r\n\r\n").body, "GET /x ");
}

TEST_F(HttpServerTest, KeepsAnOldClientThatAsksForIt) {
  Start();
  HttpClient client = Connect();
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(client.Ask("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").headers["connection"], "keep-alive");
}

TEST_F(HttpServerTest, HeadHasLengthButNoBody) {
  Start();
  HttpClient client = Connect();
  client.Send("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.Read(/*has_body=*/false).headers["content-length"], "8");
  EXPECT_EQ(client.Ask(kGet).body, "GET /x ");
}

TEST_F(HttpServerTest, NoContentHasNeitherBodyNorLength) {
  Start({}, [](Request&) -> asio::awaitable<Answer> { co_return Answer{.status = 204, .body = "x"}; });
  HttpClient client = Connect();
  for (int i = 0; i < 2; ++i) {
    ClientAnswer answer = client.Ask(kGet);
    EXPECT_EQ(answer.status, 204);
    EXPECT_FALSE(answer.headers.contains("content-length"));
  }
}

TEST_F(HttpServerTest, HandsAnyMethodAndTargetToTheHandler) {
  Start();
  EXPECT_EQ(Ask("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n").body, "CONNECT h:443 ");
  EXPECT_EQ(Ask("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n").body, "TRACE / ");
  EXPECT_EQ(Ask("BREW http://h/x HTTP/1.1\r\nHost: h\r\n\r\n").body, "BREW /x ");
  EXPECT_EQ(Ask("OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n").body, "OPTIONS * ");
}

TEST_F(HttpServerTest, TakesAChunkedBody) {
  Start();
  EXPECT_EQ(Ask("PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n").body,
            "PUT /x abc");
}

TEST_F(HttpServerTest, SendsAndTakesLargeBodies) {
  Start();
  const std::string body(4 * 1024 * 1024, 'b');
  const ClientAnswer answer = Ask(Put(body.size()));
  EXPECT_TRUE(answer.body == "PUT /x " + body) << answer.body.size();
}

TEST_F(HttpServerTest, RefusesABodyLargerThanTheLimitWithoutReadingIt) {
  Start();
  constexpr size_t kLimit = 4 * 1024 * 1024;
  ExpectRefused(absl::StrCat("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: ", kLimit + 1, "\r\n\r\n"), 413,
                "BODY_TOO_LARGE", "PAYLOAD_TOO_LARGE");
  EXPECT_EQ(Records(1)[0].reason, "BODY_TOO_LARGE");
}

TEST_F(HttpServerTest, AClientThatSendsALargeBodyFirstStillReadsTheAnswer) {
  Start();
  ExpectRefused(Put(4 * 1024 * 1024 + 1), 413, "BODY_TOO_LARGE", "PAYLOAD_TOO_LARGE");
  std::string chunks = "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 70; ++i) absl::StrAppend(&chunks, "10000\r\n", std::string(65536, 'b'), "\r\n");
  ExpectRefused(chunks, 413, "BODY_TOO_LARGE", "PAYLOAD_TOO_LARGE");
}

TEST_F(HttpServerTest, ABodyLimitOfZeroTakesRequestsWithoutBody) {
  Start({.body_bytes = 0});
  EXPECT_EQ(Ask(kGet).status, 200);
  ExpectRefused(Put(1), 413, "BODY_TOO_LARGE", "PAYLOAD_TOO_LARGE");
}

TEST_F(HttpServerTest, BodiesOfAllConnectionsHaveALimitTogether) {
  Start({.buffered_bytes = 100});
  HttpClient first = Connect();
  const std::string start = Put(60);
  first.Send(start.substr(0, start.size() - 1));
  const auto await_buffered = [this](size_t bytes) {
    while (server->buffered_bytes() != bytes) absl::SleepFor(absl::Milliseconds(1));
  };
  await_buffered(59);
  ClientAnswer answer = Ask(Put(42));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.Reason(), "SERVER_BUSY");
  EXPECT_EQ(answer.headers["retry-after"], "1");
  EXPECT_EQ(answer.headers["connection"], "close");
  HttpClient second = Connect();
  await_buffered(59);
  EXPECT_EQ(second.Ask(Put(41)).status, 200);
  await_buffered(59);
  EXPECT_EQ(first.Ask("b").status, 200);
  await_buffered(0);
  EXPECT_EQ(second.Ask(Put(100)).status, 200);
  await_buffered(0);
  ExpectRefused(Put(101), 503, "SERVER_BUSY", "UNAVAILABLE");
  await_buffered(0);
  first.Leave(/*abruptly=*/true);
  EXPECT_EQ(second.Ask(Put(100)).status, 200);
}

TEST_F(HttpServerTest, ABodyThatIsNeverWholeIsNoLongerCountedOnceItsClientHasLeft) {
  Start({.buffered_bytes = 100});
  HttpClient client = Connect();
  client.Send(Put(100).substr(0, 60));
  client.Leave(/*abruptly=*/true);
  EXPECT_EQ(Records(1)[0].reason, "INVALID_HTTP");
  while (server->connection_count() > 0) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(Ask(Put(100)).status, 200);
}

TEST_F(HttpServerTest, ARequestThatIsRefusedByItsHeadersHasNoBodyRead) {
  refuse_early = [](Request& request) -> std::optional<Answer> {
    if (request.FindHeader("X-Good")) return std::nullopt;
    return Answer{.status = 401, .body = absl::StrCat(request.body.size(), " ", request.id)};
  };
  Start();
  ClientAnswer answer =
      AskLast("PUT /x HTTP/1.1\r\nHost: h\r\nX-Request-Id: one\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.body, "0 one");
  EXPECT_EQ(Records(1)[0].status, 401);
  EXPECT_EQ(AskLast("PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").status, 401);
  EXPECT_EQ(AskLast(Put(4 * 1024 * 1024)).status, 401);
  EXPECT_EQ(Ask("PUT /x HTTP/1.1\r\nHost: h\r\nX-Good: 1\r\nContent-Length: 3\r\n\r\nabc").body, "PUT /x abc");
  EXPECT_EQ(Ask("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").status, 200);
  EXPECT_EQ(Ask(kGet).status, 200);
}

TEST_F(HttpServerTest, HeadersHaveALimit) {
  Start();
  const std::string start = "GET /x HTTP/1.1\r\nHost: h\r\nX: ";
  const auto request = [&](size_t bytes) { return start + std::string(bytes - start.size() - 4, 'x') + "\r\n\r\n"; };
  EXPECT_EQ(Ask(request(16 * 1024)).status, 200);
  ExpectRefused(request(16 * 1024 + 1), 431, "HEADERS_TOO_LARGE", "HEADERS_TOO_LARGE");
}

TEST_F(HttpServerTest, TheTargetHasALimit) {
  Start();
  const auto request = [](size_t bytes) {
    return absl::StrCat("GET /", std::string(bytes - 1, 'x'), " HTTP/1.1\r\nHost: h\r\n\r\n");
  };
  EXPECT_EQ(Ask(request(4 * 1024)).status, 200);
  ExpectRefused(request(4 * 1024 + 1), 414, "TARGET_TOO_LONG", "URI_TOO_LONG");
  ExpectRefused(request(40 * 1024), 414, "TARGET_TOO_LONG", "URI_TOO_LONG");
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
  Start();
  for (const char* bytes :
       {"nonsense\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x01", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n"}) {
    ExpectRefused(bytes, 400, "INVALID_HTTP", "GENERIC_BAD_REQUEST");
  }
}

TEST_F(HttpServerTest, ARequestThatEndsTooEarlyIsRefused) {
  Start();
  HttpClient client = Connect();
  client.Send("GET /x HTT");
  client.HalfClose();
  EXPECT_EQ(client.Read().Reason(), "INVALID_HTTP");
}

TEST_F(HttpServerTest, WhatFollowsAFaultIsNotAnswered) {
  Start();
  ExpectRefused(absl::StrCat("GET / HTTP/1.1\r\n\r\n", kGet), 400, "INVALID_HTTP", "GENERIC_BAD_REQUEST");
  EXPECT_EQ(Records(1).size(), 1);
}

TEST_F(HttpServerTest, ContinuesAClientThatWaitsForIt) {
  Start();
  HttpClient client = Connect();
  EXPECT_EQ(client.Ask("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n").status, 100);
  EXPECT_EQ(client.Ask("abc").body, "PUT /x abc");
}

TEST_F(HttpServerTest, DoesNotContinueAClientThatIsRefused) {
  Start();
  ExpectRefused("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 4194305\r\nExpect: 100-continue\r\n\r\n", 413,
                "BODY_TOO_LARGE", "PAYLOAD_TOO_LARGE");
  ExpectRefused("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: cake\r\n\r\n", 400, "INVALID_HTTP",
                "GENERIC_BAD_REQUEST");
}

TEST_F(HttpServerTest, AHandlersHeadersCannotBreakOut) {
  Start({}, [](Request&) -> asio::awaitable<Answer> {
    Answer answer;
    answer.content_type = "text/plain\r\nEvil: 1";
    answer.headers = {
        {"Allow", "GET"}, {"X-A", "b\r\nEvil: 1"}, {"X-B\r\nEvil", "1"}, {"Date", "never"}, {"content-length", "7"}};
    co_return answer;
  });
  ClientAnswer answer = Ask(kGet);
  EXPECT_EQ(answer.headers["allow"], "GET");
  EXPECT_EQ(answer.headers["content-type"], "application/octet-stream");
  EXPECT_EQ(answer.headers["content-length"], "0");
  EXPECT_NE(answer.headers["date"], "never");
  for (const char* name : {"evil", "x-a", "x-b"}) EXPECT_FALSE(answer.headers.contains(name)) << name;
}

TEST_F(HttpServerTest, AHandlerThatThrowsIsAnInternalErrorWithoutDetail) {
  Start({}, [](Request&) -> asio::awaitable<Answer> {
    throw std::runtime_error("sesame");
    co_return Answer{};
  });
  testing::internal::CaptureStderr();
  HttpClient client = Connect();
  ClientAnswer answer = client.Ask(kGet);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.Reason(), "INTERNAL");
  EXPECT_THAT(answer.body, testing::Not(HasSubstr("sesame")));
  EXPECT_THAT(log, HasSubstr(answer.headers["x-request-id"]));
  EXPECT_THAT(log, testing::Not(HasSubstr("sesame")));
  EXPECT_EQ(client.Ask(kGet).status, 500);
}

TEST_F(HttpServerTest, TheConnectionLimitIsTold) {
  Start({.connection_count = 2});
  HttpClient first = Connect();
  HttpClient second = Connect();
  EXPECT_EQ(first.Ask(kGet).status, 200);
  EXPECT_EQ(second.Ask(kGet).status, 200);
  HttpClient third = Connect();
  ClientAnswer answer = third.Ask(kGet);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.Reason(), "TOO_MANY_CONNECTIONS");
  EXPECT_EQ(answer.headers["retry-after"], "1");
  EXPECT_TRUE(third.IsClosed());
  EXPECT_EQ(server->connection_count(), 2);
  first.Leave();
  while (server->connection_count() == 2) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(Ask(kGet).status, 200);
}

TEST_F(HttpServerTest, ConnectionsAreNoMoreThanDescriptorsHaveRoomFor) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit low = before;
  low.rlim_cur = kReservedDescriptors + kMinConnections + 1;
  setrlimit(RLIMIT_NOFILE, &low);
  Start();
  setrlimit(RLIMIT_NOFILE, &before);
  std::vector<HttpClient> clients;
  for (int i = 0; i < kMinConnections + 1; ++i) {
    clients.push_back(Connect());
    EXPECT_EQ(clients.back().Ask(kGet).status, 200) << i;
  }
  EXPECT_EQ(Ask(kGet).Reason(), "TOO_MANY_CONNECTIONS");
}

TEST_F(HttpServerTest, RefusalsAreFewAtATime) {
  Start({.connection_count = 0});
  std::vector<HttpClient> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(Connect());
  int refused = 0;
  for (HttpClient& client : clients) refused += client.Read().status == 503 ? 1 : 0;
  EXPECT_GE(refused, 64);
  EXPECT_LT(refused, 200);
  EXPECT_EQ(server->connection_count(), 0);
}

TEST_F(HttpServerTest, GoesOnAfterAllDescriptorsWereTaken) {
  Start();
  EXPECT_EQ(Ask(kGet).status, 200);
  HttpClient waiting = [&] {
    DescriptorHog hog;
    hog.GiveOne();
    HttpClient client = Connect();
    EXPECT_TRUE(client.is_connected());
    EXPECT_FALSE(client.HasBytesWithin(150));
    return client;
  }();
  EXPECT_EQ(waiting.Ask(kGet).status, 200);
  EXPECT_EQ(Ask(kGet).status, 200);
}

TEST_F(HttpServerTest, ServesIpv6AndManyDoors) {
  StartDoors({{.address = "127.0.0.1:0"}, {.address = "[::1]:0"}});
  ASSERT_EQ(server->addresses().size(), 2);
  EXPECT_THAT(server->addresses()[1], MatchesRegex("\\[::1\\]:[0-9]+"));
  for (const std::string& address : server->addresses()) {
    HttpClient client(address);
    EXPECT_EQ(client.Ask(kGet).status, 200) << address;
  }
}

absl::Status StartError(HttpDoor door) {
  return HttpServer::Start({.doors = {std::move(door)}, .handler = nullptr}).status();
}

TEST_F(HttpServerTest, RefusesBadAddresses) {
  for (const char* address : {"", "127.0.0.1", ":80", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
                              "300.0.0.1:0", "unix:/tmp/x"}) {
    EXPECT_THAT(StartError({.address = address}), StatusIs(absl::StatusCode::kInvalidArgument)) << address;
  }
}

TEST_F(HttpServerTest, ServesPlainHttpOnLoopbackOnly) {
  const absl::Status status = StartError({.address = "0.0.0.0:0"});
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(status.ToString(), HasSubstr("only a loopback address"));
  EXPECT_THAT(StartError({.address = "[::]:0"}), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(HttpServerTest, SaysThatAnAddressIsInUse) {
  Start();
  const absl::Status status = StartError({.address = server->addresses()[0]});
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(status.ToString(), HasSubstr("in use"));
}

}  // namespace
}  // namespace keyferry::gateway
