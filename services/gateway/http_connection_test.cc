// Time, streams, clients that leave, and the drain.
#include "services/gateway/http_connection.h"

#include <gmock/gmock.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "services/gateway/testing/http_fixture.h"

namespace keyferry::gateway {
namespace {

constexpr absl::Duration kShort = absl::Milliseconds(100);
// A limit, and a tick or two: less than any other limit of these tests.
constexpr absl::Duration kSoon = absl::Seconds(3);
constexpr absl::Duration kPatience = absl::Seconds(10);

asio::awaitable<void> Wait(std::chrono::milliseconds duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(duration);
  co_await timer.async_wait(asio::use_awaitable);
}

// What a handler lives to see.
struct Witness {
  absl::Notification began;
  absl::Notification cancelled;
  absl::Notification go_on;

  // Until it is cancelled, or told to go on.
  asio::awaitable<void> Linger() {
    began.Notify();
    try {
      while (!go_on.HasBeenNotified()) co_await Wait(std::chrono::milliseconds(5));
    } catch (const boost::system::system_error&) {
      cancelled.Notify();
      throw;
    }
  }
  asio::awaitable<Answer> Handle() {
    co_await Linger();
    co_return Answer{.body = "done"};
  }
};

class HttpConnectionTest : public HttpFixture {
 protected:
  void StartLingering(HttpLimits limits = {}) {
    Start(limits, [this](Request&) { return witness.Handle(); });
  }
  void StartStream(std::function<asio::awaitable<void>(BodyStream&)> stream, HttpLimits limits = {}) {
    Start(limits, [stream = std::move(stream)](Request&) -> asio::awaitable<Answer> {
      co_return Answer{.content_type = "text/event-stream", .stream = stream};
    });
  }
  // Takes less than kSoon.
  void ExpectTimedOut(HttpClient& client) {
    const absl::Time start = absl::Now();
    ClientAnswer answer = client.Read();
    EXPECT_EQ(answer.status, 408);
    EXPECT_EQ(answer.Reason(), "REQUEST_TIMEOUT");
    EXPECT_EQ(answer.headers["connection"], "close");
    EXPECT_TRUE(client.IsClosed());
    EXPECT_LT(absl::Now() - start, kSoon);
  }

  Witness witness;
};

TEST_F(HttpConnectionTest, AnIdleClientIsClosedWithoutAnAnswer) {
  Start({.idle = kShort, .header = kShort});
  HttpClient silent = Connect();
  HttpClient served = Connect();
  HttpClient blank = Connect();
  blank.Send("\r\n");
  EXPECT_EQ(served.Ask(kGet).status, 200);
  EXPECT_TRUE(silent.IsClosed());
  EXPECT_TRUE(served.IsClosed());
  EXPECT_EQ(Records(1).size(), 1);
}

TEST_F(HttpConnectionTest, ANewClientHasAsLongForItsFirstByteAsForItsHeaders) {
  Start({.header = kShort});
  HttpClient silent = Connect();
  HttpClient served = Connect();
  EXPECT_EQ(served.Ask(kGet).status, 200);
  const absl::Time start = absl::Now();
  EXPECT_TRUE(silent.IsClosed());
  EXPECT_LT(absl::Now() - start, kSoon);
  EXPECT_FALSE(served.HasBytesWithin(600));
}

TEST_F(HttpConnectionTest, SlowHeadersAreCut) {
  Start({.header = kShort});
  HttpClient client = Connect();
  client.Send("G");
  ExpectTimedOut(client);
}

TEST_F(HttpConnectionTest, ATrickleOfHeadersIsCut) {
  Start({.header = absl::Milliseconds(400)});
  HttpClient client = Connect();
  client.Send("GET / HTTP/1.1\r\n");
  const absl::Time start = absl::Now();
  for (int i = 0; !client.HasBytesWithin(50) && absl::Now() - start < kPatience; ++i)
    client.Send(absl::StrCat("X-", i, ": y\r\n"));
  ExpectTimedOut(client);
  EXPECT_LT(absl::Now() - start, kSoon);
}

TEST_F(HttpConnectionTest, ASlowBodyIsCut) {
  Start({.body = kShort});
  HttpClient client = Connect();
  client.Send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  ExpectTimedOut(client);
  HttpClient waiting = Connect();
  EXPECT_EQ(waiting.Ask("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n").status, 100);
  ExpectTimedOut(waiting);
}

TEST_F(HttpConnectionTest, TheBodyHasItsOwnTime) {
  Start({.header = kShort});
  HttpClient client = Connect();
  client.Send("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
  EXPECT_FALSE(client.HasBytesWithin(600));
  EXPECT_EQ(client.Ask("abc").body, "PUT /x abc");
}

TEST_F(HttpConnectionTest, AHandlerMayTakeLongerThanAnyLimit) {
  StartLingering({.idle = kShort, .header = kShort, .body = kShort, .write = kShort});
  HttpClient client = Connect();
  client.Send(kGet);
  EXPECT_FALSE(client.HasBytesWithin(700));
  witness.go_on.Notify();
  EXPECT_EQ(client.Read().body, "done");
}

TEST_F(HttpConnectionTest, AReaderThatDoesNotReadIsCut) {
  const std::string large(32 * 1024 * 1024, 'x');
  Start({.write = kShort}, [&large](Request&) -> asio::awaitable<Answer> { co_return Answer{.body = large}; });
  HttpClient client(server->addresses()[0], /*receive_buffer_bytes=*/4096);
  client.Send(kGet);
  const auto records = Records(1);
  ASSERT_EQ(records.size(), 1);
  EXPECT_TRUE(records[0].client_left);
  EXPECT_LT(records[0].duration, kSoon);
  EXPECT_LT(records[0].bytes_sent, large.size());
}

// Reads an answer of this size at a steady pace, and answers how much of it came.
size_t ReadSteadily(HttpClient& client, size_t bytes) {
  constexpr int kParts = 16;
  size_t read = 0;
  for (int i = 0; i < kParts; ++i) {
    absl::SleepFor(absl::Milliseconds(150));
    read += client.ReadBytes(bytes / kParts).size();
  }
  return read;
}

TEST_F(HttpConnectionTest, ASlowReaderMayTakeLongerThanTheWriteLimit) {
  const std::string large(32 * 1024 * 1024, 'x');
  Start({.write = absl::Milliseconds(700)},
        [&large](Request&) -> asio::awaitable<Answer> { co_return Answer{.body = large}; });
  HttpClient client = Connect();
  client.Send(kGet);
  client.Read(/*has_body=*/false);
  EXPECT_EQ(ReadSteadily(client, large.size()), large.size());
  EXPECT_FALSE(Records(1)[0].client_left);
}

TEST_F(HttpConnectionTest, AnAnswerHasAnEnd) {
  const std::string large(32 * 1024 * 1024, 'x');
  Start({.answer = absl::Milliseconds(700)},
        [&large](Request&) -> asio::awaitable<Answer> { co_return Answer{.body = large}; });
  HttpClient client = Connect();
  client.Send(kGet);
  client.Read(/*has_body=*/false);
  EXPECT_LT(ReadSteadily(client, large.size()), large.size());
  EXPECT_TRUE(Records(1)[0].client_left);
}

TEST_F(HttpConnectionTest, AHandlerIsCancelledWhenItsClientLeaves) {
  for (const bool abruptly : {false, true}) {
    Witness seen;
    Start({}, [&seen](Request&) { return seen.Handle(); });
    HttpClient client = Connect();
    client.Send(kGet);
    seen.began.WaitForNotification();
    client.Leave(abruptly);
    EXPECT_TRUE(seen.cancelled.WaitForNotificationWithTimeout(kSoon)) << abruptly;
    EXPECT_TRUE(Records(abruptly ? 2 : 1).back().client_left);
    EXPECT_EQ(Records(1).back().status, 499);
    server.reset();
  }
}

TEST_F(HttpConnectionTest, AClientThatLeftIsSeenBehindUnreadBytes) {
  StartLingering();
  HttpClient client = Connect();
  client.Send(absl::StrCat(kGet, kGet, std::string(100'000, 'x')));
  witness.began.WaitForNotification();
  client.Leave();
  EXPECT_TRUE(witness.cancelled.WaitForNotificationWithTimeout(kSoon));
}

TEST_F(HttpConnectionTest, CancellationReachesAllBranchesOfAHandler) {
  Witness other;
  Start({}, [&](Request&) -> asio::awaitable<Answer> {
    using asio::experimental::awaitable_operators::operator&&;
    co_await (witness.Linger() && other.Linger());
    co_return Answer{};
  });
  HttpClient client = Connect();
  client.Send(kGet);
  other.began.WaitForNotification();
  client.Leave();
  EXPECT_TRUE(witness.cancelled.WaitForNotificationWithTimeout(kSoon));
  EXPECT_TRUE(other.cancelled.WaitForNotificationWithTimeout(kSoon));
}

TEST_F(HttpConnectionTest, AHandlerThatSwallowsTheCancellationIsNotAnswered) {
  Start({}, [this](Request&) -> asio::awaitable<Answer> {
    try {
      co_await witness.Linger();
    } catch (const boost::system::system_error&) {
    }
    co_return Answer{.status = 503};
  });
  HttpClient client = Connect();
  client.Send(kGet);
  witness.began.WaitForNotification();
  client.Leave();
  const auto records = Records(1);
  EXPECT_TRUE(records[0].client_left);
  EXPECT_EQ(records[0].bytes_sent, 0);
}

TEST_F(HttpConnectionTest, AStreamArrivesAsItIsWritten) {
  absl::Notification read;
  StartStream([&read](BodyStream& body) -> asio::awaitable<void> {
    bool goes_on = co_await body.Write("one");
    EXPECT_TRUE(goes_on);
    goes_on = co_await body.Write("");
    EXPECT_TRUE(goes_on);
    while (!read.HasBeenNotified()) co_await Wait(std::chrono::milliseconds(5));
    std::string large(100'000, 'x');
    goes_on = co_await body.Write(std::move(large));
    EXPECT_TRUE(goes_on);
  });
  HttpClient client = Connect();
  client.Send(kGet);
  ClientAnswer answer = client.Read(/*has_body=*/false);
  EXPECT_EQ(answer.headers["transfer-encoding"], "chunked");
  EXPECT_EQ(answer.headers["content-type"], "text/event-stream");
  EXPECT_FALSE(answer.headers.contains("content-length"));
  EXPECT_EQ(client.ReadChunk(), "one");
  read.Notify();
  EXPECT_EQ(client.ReadChunk(), std::string(100'000, 'x'));
  EXPECT_EQ(client.ReadChunk(), "");
  EXPECT_EQ(client.Ask(kGet).body, "one" + std::string(100'000, 'x'));
}

TEST_F(HttpConnectionTest, AStreamToAnOldClientEndsWithTheConnection) {
  StartStream([](BodyStream& body) -> asio::awaitable<void> {
    for (int i = 0; i < 3; ++i) co_await body.Write("abc");
  });
  ClientAnswer answer = Ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(answer.body, "abcabcabc");
  EXPECT_EQ(answer.headers["connection"], "close");
  EXPECT_FALSE(answer.headers.contains("transfer-encoding"));
}

TEST_F(HttpConnectionTest, HeadDoesNotRunAStream) {
  StartStream([](BodyStream&) -> asio::awaitable<void> {
    ADD_FAILURE();
    co_return;
  });
  HttpClient client = Connect();
  for (int i = 0; i < 2; ++i) {
    client.Send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(client.Read(/*has_body=*/false).status, 200);
  }
}

TEST_F(HttpConnectionTest, AStreamThatFailsIsNotEnded) {
  StartStream([](BodyStream& body) -> asio::awaitable<void> {
    co_await body.Write("abc");
    throw std::runtime_error("sesame");
  });
  HttpClient client = Connect();
  client.Send(kGet);
  client.Read(/*has_body=*/false);
  EXPECT_EQ(client.ReadBytes(1000), "3\r\nabc\r\n");
}

TEST_F(HttpConnectionTest, AStreamIsCancelledWhenItsClientLeaves) {
  StartStream([this](BodyStream&) { return witness.Linger(); });
  HttpClient client = Connect();
  client.Send(kGet);
  witness.began.WaitForNotification();
  client.Leave();
  EXPECT_TRUE(witness.cancelled.WaitForNotificationWithTimeout(kSoon));
  EXPECT_TRUE(Records(1)[0].client_left);
}

TEST_F(HttpConnectionTest, AStreamLearnsThatItsReaderDoesNotRead) {
  std::atomic<int> written = 0;
  StartStream(
      [&written](BodyStream& body) -> asio::awaitable<void> {
        for (bool goes_on = true; goes_on; ++written) {
          std::string chunk(1024 * 1024, 'x');
          goes_on = co_await body.Write(std::move(chunk));
        }
      },
      {.write = kShort});
  HttpClient client(server->addresses()[0], /*receive_buffer_bytes=*/4096);
  client.Send(kGet);
  const auto records = Records(1);
  ASSERT_EQ(records.size(), 1);
  EXPECT_TRUE(records[0].client_left);
  EXPECT_LT(written, 100);
}

TEST_F(HttpConnectionTest, DrainClosesIdleConnectionsAndTakesNoMore) {
  Start();
  HttpClient fresh = Connect();
  HttpClient served = Connect();
  EXPECT_EQ(served.Ask(kGet).status, 200);
  while (server->connection_count() < 2) absl::SleepFor(absl::Milliseconds(1));
  std::thread drain([&] { server->Drain(kPatience); });
  EXPECT_TRUE(fresh.IsClosed());
  EXPECT_TRUE(served.IsClosed());
  const std::string address = server->addresses()[0];
  fresh.Leave();
  served.Leave();
  drain.join();
  EXPECT_EQ(server->connection_count(), 0);
  EXPECT_FALSE(HttpClient(address).is_connected());
}

TEST_F(HttpConnectionTest, DrainAnswersWhatIsInHand) {
  StartLingering();
  HttpClient handled = Connect();
  handled.Send(kGet);
  witness.began.WaitForNotification();
  std::thread drain([&] { server->Drain(kPatience); });
  while (HttpClient(server->addresses()[0]).is_connected()) absl::SleepFor(absl::Milliseconds(1));
  witness.go_on.Notify();
  ClientAnswer answer = handled.Read();
  EXPECT_EQ(answer.body, "done");
  EXPECT_EQ(answer.headers["connection"], "close");
  handled.Leave();
  drain.join();
  EXPECT_FALSE(witness.cancelled.HasBeenNotified());
}

void ExpectRefusedByDrain(HttpClient& client) {
  ClientAnswer answer = client.Read();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.Reason(), "API_UNAVAILABLE");
  EXPECT_EQ(answer.headers["retry-after"], "1");
  EXPECT_EQ(answer.headers["connection"], "close");
  EXPECT_TRUE(client.IsClosed());
  client.Leave();
}

TEST_F(HttpConnectionTest, DrainRefusesWhatHasComeInPart) {
  Start();
  HttpClient body = Connect();
  EXPECT_EQ(body.Ask("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n").status, 100);
  body.Send("ab");
  HttpClient headers = Connect();
  EXPECT_EQ(headers.Ask(kGet).status, 200);
  headers.Send("GET /x HTTP");
  // The last to have been read: then the others have been, too.
  HttpClient last = Connect();
  EXPECT_EQ(last.Ask(kGet).status, 200);
  const absl::Time start = absl::Now();
  std::thread drain([&] { server->Drain(kPatience); });
  ExpectRefusedByDrain(body);
  ExpectRefusedByDrain(headers);
  last.Leave();
  drain.join();
  EXPECT_LT(absl::Now() - start, kSoon);
}

TEST_F(HttpConnectionTest, DrainAnswersAHandlerThatItCancels) {
  StartLingering();
  HttpClient client = Connect();
  client.Send(kGet);
  witness.began.WaitForNotification();
  const absl::Time start = absl::Now();
  std::thread drain([&] { server->Drain(absl::Milliseconds(2500)); });
  EXPECT_FALSE(client.HasBytesWithin(400));
  ExpectRefusedByDrain(client);
  drain.join();
  EXPECT_LT(absl::Now() - start, absl::Milliseconds(2000));
  EXPECT_TRUE(witness.cancelled.HasBeenNotified());
  EXPECT_EQ(Records(1)[0].status, 503);
}

TEST_F(HttpConnectionTest, DrainSendsWhatACancelledHandlerAnswersAllTheSame) {
  Start({}, [this](Request&) -> asio::awaitable<Answer> {
    try {
      co_await witness.Linger();
    } catch (const boost::system::system_error&) {
    }
    co_return Answer{.status = 202, .body = "done"};
  });
  HttpClient client = Connect();
  client.Send(kGet);
  witness.began.WaitForNotification();
  std::thread drain([&] { server->Drain(absl::Seconds(2)); });
  EXPECT_EQ(client.Read().body, "done");
  client.Leave();
  drain.join();
}

TEST_F(HttpConnectionTest, DrainEndsAStreamInOrder) {
  StartStream([this](BodyStream& body) -> asio::awaitable<void> {
    co_await body.Write("one");
    co_await witness.Linger();
  });
  HttpClient client = Connect();
  client.Send(kGet);
  client.Read(/*has_body=*/false);
  EXPECT_EQ(client.ReadChunk(), "one");
  witness.began.WaitForNotification();
  std::thread drain([&] { server->Drain(kPatience); });
  EXPECT_EQ(client.ReadBytes(1000), "0\r\n\r\n");
  client.Leave();
  drain.join();
  EXPECT_FALSE(Records(1)[0].client_left);
}

TEST_F(HttpConnectionTest, DrainTellsAStreamThatGoesOnWriting) {
  std::atomic<bool> was_told = false;
  StartStream([&was_told](BodyStream& body) -> asio::awaitable<void> {
    bool goes_on = true;
    while (goes_on) goes_on = co_await body.Write("x");
    was_told = true;
  });
  HttpClient client = Connect();
  client.Send(kGet);
  client.Read(/*has_body=*/false);
  EXPECT_EQ(client.ReadChunk(), "x");
  std::thread reader([&] {
    while (!client.ReadChunk().empty()) {
    }
    client.Leave();
  });
  server->Drain(kPatience);
  reader.join();
  EXPECT_TRUE(was_told);
}

TEST_F(HttpConnectionTest, DrainCutsOffWhatOutlastsItsPatience) {
  const std::string large(32 * 1024 * 1024, 'x');
  Start({}, [&](Request&) -> asio::awaitable<Answer> {
    witness.began.Notify();
    co_return Answer{.body = large};
  });
  HttpClient client(server->addresses()[0], /*receive_buffer_bytes=*/4096);
  client.Send(kGet);
  witness.began.WaitForNotification();
  const absl::Time start = absl::Now();
  server->Drain(kShort);
  EXPECT_LT(absl::Now() - start, kSoon);
  EXPECT_LT(client.Read().body.size(), large.size());
}

TEST_F(HttpConnectionTest, ManyClientsAtOnceGetTheirOwnAnswers) {
  Start();
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([this, i] {
      HttpClient client = Connect();
      for (int j = 0; j < 100; ++j) {
        const std::string path = absl::StrCat("/", i, "/", j);
        EXPECT_EQ(client.Ask(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: h\r\n\r\n")).body,
                  absl::StrCat("GET ", path, " "));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Records(1600).size(), 1600);
}

}  // namespace
}  // namespace keyferry::gateway
