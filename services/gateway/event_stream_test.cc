#include "services/gateway/event_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/secret_routes.h"
#include "services/gateway/testing/fake_api_calls.h"

namespace keyferry::gateway {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr absl::Duration kNever = absl::Hours(1);
constexpr char kSetEvent[] =
    "event: set\n"
    R"(data: {"name":"app","type":"secret","region":"us-west","status":"ready","generation":1,"readyGeneration":1,"etag":"a.1",)"
    R"("createdAt":"1970-01-01T00:00:00.000Z","updatedAt":"1970-01-01T00:00:00.000Z"})"
    "\n\n";
constexpr char kDeletedEvent[] = "event: deleted\ndata: {\"name\":\"old\"}\n\n";
constexpr char kSnapshotEvent[] = "event: snapshot\ndata: {\"complete\":true}\n\n";

v1::WatchSecretSetsResponse Updated() {
  v1::WatchSecretSetsResponse change;
  v1::SecretSet& set = *change.mutable_updated();
  set.set_name("app");
  set.set_type(v1::SECRET_SET_TYPE_SECRET);
  set.set_region("us-west");
  set.set_readiness(v1::READINESS_READY);
  set.set_generation(1);
  set.set_ready_generation(1);
  set.set_etag("a.1");
  return change;
}
v1::WatchSecretSetsResponse Deleted() {
  v1::WatchSecretSetsResponse change;
  change.set_deleted("old");
  return change;
}
v1::WatchSecretSetsResponse SnapshotComplete() {
  v1::WatchSecretSetsResponse change;
  change.set_snapshot_complete(true);
  return change;
}

// Keeps what it gets, and leaves when it has got `patience` bytes.
class Client final : public BodyStream {
 public:
  asio::awaitable<bool> Write(std::string chunk) override {
    chunks.push_back(chunk);
    absl::StrAppend(&text, chunk);
    if (pause.count() > 0) {
      asio::steady_timer timer(co_await asio::this_coro::executor, pause);
      co_await timer.async_wait(asio::use_awaitable);
    }
    co_return text.size() < patience;
  }

  std::vector<std::string> chunks;
  std::string text;
  size_t patience = 1'000'000'000;
  std::chrono::milliseconds pause{0};
};

class EventStreamTest : public testing::Test {
 protected:
  EventStreamTest() {
    request_.id = "r1";
    api_.On<v1::GetSecretSetRequest, v1::SecretSet>(kGetSecretSet, [this](const auto&) { return set_; });
  }

  absl::StatusOr<Answer> Watch(absl::Duration keep_alive = kNever) {
    return RunTask(WatchWithKeepAlive(request_, api_, keep_alive));
  }
  // What the client was sent by the end of the stream.
  std::string Streamed(absl::Duration keep_alive = kNever) {
    const absl::StatusOr<Answer> answer = Watch(keep_alive);
    EXPECT_THAT(answer, IsOk());
    if (!answer.ok()) return "";
    asio::io_context io;
    asio::co_spawn(io, answer->stream(client_), [](const std::exception_ptr& failed) { EXPECT_EQ(failed, nullptr); });
    io.run();
    return client_.text;
  }

  FakeApiCalls api_;
  Request request_;
  Client client_;
  absl::StatusOr<v1::SecretSet> set_ = v1::SecretSet();
};

TEST_F(EventStreamTest, ChangesAreEvents) {
  api_.Streams<v1::WatchSecretSetsResponse>({Updated(), SnapshotComplete(), Deleted()}, absl::OkStatus());
  EXPECT_EQ(Streamed(), absl::StrCat("retry: 1000\n\n", kSetEvent, kSnapshotEvent, kDeletedEvent));
  EXPECT_EQ(api_.stream_count(), 0);
}

TEST_F(EventStreamTest, ChangeOfANewerApiIsNoEvent) { EXPECT_EQ(EventText(v1::WatchSecretSetsResponse()), ""); }

TEST_F(EventStreamTest, AnswerIsAnEventStream) {
  api_.Streams<v1::WatchSecretSetsResponse>({SnapshotComplete()}, absl::OkStatus());
  request_.parameters = {{"org", "acme"}};
  request_.query = {{"region", "eu-1"}};
  const auto answer = Watch();
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->content_type, "text/event-stream");
  EXPECT_TRUE(answer->stream);
  v1::WatchSecretSetsRequest watched;
  ASSERT_TRUE(watched.ParseFromString(api_.opened_with));
  EXPECT_EQ(watched.organization(), "acme");
  EXPECT_EQ(watched.region(), "eu-1");
  EXPECT_EQ(watched.secret_set(), "");
}

TEST_F(EventStreamTest, StreamThatIsNeverSentEndsWithItsAnswer) {
  api_.Streams<v1::WatchSecretSetsResponse>({SnapshotComplete()}, absl::OkStatus());
  auto answer = Watch();
  EXPECT_EQ(api_.stream_count(), 1);
  answer = Answer();
  EXPECT_EQ(api_.stream_count(), 0);
}

TEST_F(EventStreamTest, ErrorBeforeTheFirstChangeIsAnError) {
  api_.Streams<v1::WatchSecretSetsResponse>(
      {}, MakeError(StatusCode::kResourceExhausted, "too many", {.reason = "TOO_MANY_WATCHES"}));
  EXPECT_THAT(Watch(), FailsWith(StatusCode::kResourceExhausted, "TOO_MANY_WATCHES"));
  api_.Streams<v1::WatchSecretSetsResponse>({}, absl::OkStatus());
  EXPECT_THAT(Watch(), FailsWith(StatusCode::kUnavailable, "API_UNAVAILABLE"));
  api_.open_status = MakeError(StatusCode::kResourceExhausted, "too many", {.reason = "TOO_MANY_STREAMS"});
  EXPECT_THAT(Watch(), FailsWith(StatusCode::kResourceExhausted, "TOO_MANY_STREAMS"));
  EXPECT_EQ(api_.stream_count(), 0);
}

TEST_F(EventStreamTest, AbsentSetIsNotFound) {
  request_.parameters = {{"set", "app"}};
  set_ = NotFound("SECRET_SET_NOT_FOUND", "there is no such set", "app");
  const auto absent = Watch();
  EXPECT_THAT(absent, FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  EXPECT_EQ(absent.status().message(), "Set not found");
  EXPECT_THAT(api_.called, ElementsAre("/keyferry.v1.SecretSets/GetSecretSet"));
}

TEST_F(EventStreamTest, QueriesThatNobodyKnowsAreRefused) {
  request_.query = {{"wait", "ready"}};
  const auto refused = Watch();
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "INVALID_QUERY"));
  EXPECT_EQ(refused.status().message(), "wait: unknown query parameter; the query parameters here are: region");
  EXPECT_THAT(api_.called, testing::IsEmpty());
}

TEST_F(EventStreamTest, OneSetIsWatchedByName) {
  request_.parameters = {{"set", "app"}};
  api_.Streams<v1::WatchSecretSetsResponse>({Updated()}, absl::OkStatus());
  EXPECT_THAT(Streamed(), HasSubstr(kSetEvent));
  v1::WatchSecretSetsRequest watched;
  ASSERT_TRUE(watched.ParseFromString(api_.opened_with));
  EXPECT_EQ(watched.secret_set(), "app");
}

TEST_F(EventStreamTest, ErrorInTheStreamIsItsLastEvent) {
  api_.Streams<v1::WatchSecretSetsResponse>(
      {SnapshotComplete()}, MakeError(StatusCode::kUnavailable, "the API\nis away", {.reason = "API_UNAVAILABLE"}));
  const std::string text = Streamed();
  const std::string head = absl::StrCat("retry: 1000\n\n", kSnapshotEvent, "event: failure\ndata: ");
  ASSERT_THAT(text, StartsWith(head));
  ASSERT_THAT(text, testing::EndsWith("}\n\n"));
  const auto body = nlohmann::json::parse(text.substr(head.size()));
  EXPECT_EQ(body["code"], "UNAVAILABLE");
  EXPECT_EQ(body["reason"], "API_UNAVAILABLE");
  EXPECT_EQ(body["requestId"], "r1");
  EXPECT_EQ(std::count(text.begin() + head.size(), text.end(), '\n'), 2);
}

TEST_F(EventStreamTest, IdleStreamShowsLifeAndLosesNothing) {
  api_.stream_delay = std::chrono::milliseconds(50);
  api_.Streams<v1::WatchSecretSetsResponse>({SnapshotComplete(), Updated(), Deleted()}, absl::OkStatus());
  std::string text = Streamed(absl::Milliseconds(5));
  EXPECT_THAT(client_.chunks, testing::Contains(": keep-alive\n\n"));
  for (const std::string_view comment = ": keep-alive\n\n"; text.find(comment) != std::string::npos;) {
    text.erase(text.find(comment), comment.size());
  }
  EXPECT_EQ(text, absl::StrCat("retry: 1000\n\n", kSnapshotEvent, kSetEvent, kDeletedEvent));
}

TEST_F(EventStreamTest, ClientThatLeavesEndsTheStream) {
  api_.streams_stay_open = true;
  api_.Streams<v1::WatchSecretSetsResponse>({SnapshotComplete()}, absl::OkStatus());
  client_.patience = 200;
  EXPECT_THAT(Streamed(absl::Milliseconds(1)), HasSubstr(": keep-alive"));
}

TEST_F(EventStreamTest, CancelledStreamCancelsTheApis) {
  api_.streams_stay_open = true;
  api_.Streams<v1::WatchSecretSetsResponse>({SnapshotComplete()}, absl::OkStatus());
  absl::StatusOr<Answer> answer = Watch();
  ASSERT_THAT(answer, IsOk());
  asio::io_context io;
  asio::cancellation_signal leave;
  bool ended = false;
  asio::co_spawn(io, answer->stream(client_),
                 asio::bind_cancellation_slot(leave.slot(), [&](const std::exception_ptr&) { ended = true; }));
  io.poll();
  EXPECT_FALSE(ended);
  leave.emit(asio::cancellation_type::terminal);
  io.restart();
  io.run();
  EXPECT_TRUE(ended);
  answer = Answer();
  EXPECT_EQ(api_.stream_count(), 0);
}

TEST_F(EventStreamTest, ServerThatStopsTakesItsStreamsAlong) {
  api_.streams_stay_open = true;
  api_.Streams<v1::WatchSecretSetsResponse>({SnapshotComplete()}, absl::OkStatus());
  absl::StatusOr<Answer> answer = Watch();
  ASSERT_THAT(answer, IsOk());
  {
    asio::io_context io;
    asio::co_spawn(io, answer->stream(client_), asio::detached);
    io.poll();
    EXPECT_THAT(client_.text, HasSubstr(kSnapshotEvent));
  }
  answer = Answer();
  EXPECT_EQ(api_.stream_count(), 0);
}

TEST_F(EventStreamTest, SlowClientHoldsBackTheReading) {
  const size_t size = EventText(Updated()).size();
  const size_t most = kMaxWaitingEventBytes + size;
  api_.Streams(std::vector<v1::WatchSecretSetsResponse>(1000, Updated()), absl::OkStatus());
  client_.pause = std::chrono::milliseconds(1);
  EXPECT_EQ(Streamed().size(), std::string("retry: 1000\n\n").size() + 1000 * size);
  for (const std::string& chunk : client_.chunks) EXPECT_LT(chunk.size(), most);
  EXPECT_GT(client_.chunks.size(), 1000 * size / most);
}

TEST_F(EventStreamTest, AcceptMustTakeEvents) {
  const auto status_with = [&](std::vector<Header> headers) {
    request_.headers = std::move(headers);
    api_.Streams<v1::WatchSecretSetsResponse>({SnapshotComplete()}, absl::OkStatus());
    return Watch().status();
  };
  EXPECT_THAT(status_with({}), IsOk());
  for (const char* good :
       {"text/event-stream", "*/*", "text/*;q=0.1", "application/json, Text/Event-Stream ; charset=utf-8"}) {
    EXPECT_THAT(status_with({{"accept", good}}), IsOk()) << good;
  }
  EXPECT_THAT(status_with({{"Accept", "application/json"}, {"Accept", "text/event-stream"}}), IsOk());
  for (const char* bad : {"application/json", "", "text/event-stream;q=0", "text/html, application/*", "*"}) {
    EXPECT_THAT(status_with({{"Accept", bad}}), FailsWith(StatusCode::kInvalidArgument, "NOT_ACCEPTABLE")) << bad;
  }
}

}  // namespace
}  // namespace keyferry::gateway
