#include "services/gateway/event_stream.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/gateway/error_answer.h"
#include "services/gateway/secret_views.h"

namespace keyferry::gateway {
namespace {

constexpr char kRetry[] = "retry: 1000\n\n";
constexpr char kKeepAlive[] = ": keep-alive\n\n";

std::string Event(std::string_view name, std::string_view data) {
  return absl::StrCat("event: ", absl::string_view(name.data(), name.size()),
                      "\ndata: ", absl::string_view(data.data(), data.size()), "\n\n");
}

// Between the coroutine that reads the API's stream and the one that writes to the client. A pending Read cannot be
// given up for a while, as a timer would ask for: that would cancel the stream. So each waits for the other on a timer
// of its own.
struct Feed {
  Feed(const asio::any_io_executor& executor, std::shared_ptr<EventSource> events)
      : source(std::move(events)), news(executor), room(executor) {}

  void End() {
    ended = true;
    news.cancel();
  }

  const std::shared_ptr<EventSource> source;
  std::string text = std::exchange(source->text, "");
  bool ended = false;
  // Cancelled when there is news for the writer; expires when it is time to show life.
  asio::steady_timer news;
  // Cancelled when there is room again for the reader; never expires.
  asio::steady_timer room;
  asio::cancellation_signal stop;
};

asio::awaitable<void> AwaitRoom(Feed& feed) {
  while (feed.text.size() >= kMaxWaitingEventBytes) {
    feed.room.expires_at(asio::steady_timer::time_point::max());
    co_await feed.room.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

asio::awaitable<void> Collect(std::shared_ptr<Feed> feed) {
  v1::WatchSecretSetsResponse change;
  absl::Status status;
  for (;;) {
    co_await AwaitRoom(*feed);
    const bool more = co_await feed->source->stream->Read(change, status);
    if (!more) break;
    feed->text.append(EventText(change));
    feed->news.cancel();
  }
  if (!status.ok()) feed->text.append(Event("failure", ErrorAnswer(status, feed->source->request_id).body));
}

// Empty at the end.
asio::awaitable<std::string> NextText(Feed& feed) {
  if (feed.text.empty() && !feed.ended) {
    feed.news.expires_after(absl::ToChronoNanoseconds(feed.source->keep_alive));
    co_await feed.news.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  if (feed.text.empty()) co_return feed.ended ? "" : kKeepAlive;
  feed.room.cancel();
  co_return std::exchange(feed.text, "");
}

// Stops the reader however the writer ends, also by an exception.
struct ReaderStop {
  explicit ReaderStop(Feed& feed) : feed(feed) {}
  ReaderStop(const ReaderStop&) = delete;
  ReaderStop& operator=(const ReaderStop&) = delete;
  ~ReaderStop() { feed.stop.emit(asio::cancellation_type::terminal); }
  Feed& feed;
};

}  // namespace

std::string EventText(const v1::WatchSecretSetsResponse& change) {
  switch (change.change_case()) {
    case v1::WatchSecretSetsResponse::kUpdated:
      return Event("set", JsonLine(SetEntryJson(change.updated())));
    case v1::WatchSecretSetsResponse::kDeleted:
      return Event("deleted", JsonLine({{"name", change.deleted()}}));
    case v1::WatchSecretSetsResponse::kSnapshotComplete:
      return Event("snapshot", JsonLine({{"complete", true}}));
    default:
      return "";
  }
}

asio::awaitable<void> SendEvents(std::shared_ptr<EventSource> source, BodyStream& client) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const auto feed = std::make_shared<Feed>(executor, std::move(source));
  const ReaderStop stop(*feed);
  // The reader's last step keeps the feed, and in it the signal that its slot belongs to.
  asio::co_spawn(executor, Collect(feed),
                 asio::bind_cancellation_slot(feed->stop.slot(), [feed](const std::exception_ptr&) { feed->End(); }));
  std::string text = kRetry;
  while (!text.empty()) {
    const bool taken = co_await client.Write(std::move(text));
    if (!taken) co_return;
    text = co_await NextText(*feed);
  }
}

}  // namespace keyferry::gateway
