#include "tests/system/history_watcher.h"

#include <chrono>
#include <thread>
#include <utility>

namespace keyferry {
namespace {

using nlohmann::json;

}  // namespace

HistoryWatcher::HistoryWatcher(int number, uint64_t seed, const HistoryServer& server, std::string region,
                               HistoryRecord& record)
    : watcher_("w" + std::to_string(number)),
      random_(seed * 1000 + 500 + number),
      token_(server.token),
      region_(std::move(region)),
      record_(record),
      sets_(v1::SecretSets::NewStub(server.NewChannel())) {}

void HistoryWatcher::Run() {
  while (!stopped_) {
    FollowOneStream();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

void HistoryWatcher::Stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  if (context_) context_->TryCancel();
}

void HistoryWatcher::FollowOneStream() {
  stream_ = watcher_ + "-" + std::to_string(++streams_);
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + token_);
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    context_ = &context;
  }
  // Every second stream ends early, by the number of its messages, so that a seed says when.
  const uint64_t most = random_() % 2 == 0 ? 1 + random_() % 400 : UINT64_MAX;
  v1::WatchSecretSetsRequest request;
  request.set_region(region_);
  record_.Append({{"k", "watch"}, {"s", stream_}, {"region", region_}, {"e", "open"}, {"t", NowNanoseconds()}});
  auto reader = sets_->WatchSecretSets(&context, request);
  v1::WatchSecretSetsResponse message;
  for (uint64_t count = 0; count < most && reader->Read(&message); ++count) Note(message);
  const bool alive = stopped_;
  {
    std::lock_guard lock(mutex_);
    context_ = nullptr;
    context.TryCancel();
  }
  const grpc::Status status = reader->Finish();
  record_.Append({{"k", "watch"}, {"s", stream_}, {"e", alive ? "stopped" : "end"}, {"t", NowNanoseconds()},
                  {"code", static_cast<int>(status.error_code())}, {"text", status.error_message()}});
}

void HistoryWatcher::Note(const v1::WatchSecretSetsResponse& message) {
  json line = {{"k", "watch"}, {"s", stream_}, {"t", NowNanoseconds()}};
  if (message.has_updated()) {
    const v1::SecretSet& set = message.updated();
    line["e"] = "set";
    line["h"] = set.name();
    line["uid"] = set.uid();
    line["gen"] = set.generation();
    line["rd"] = static_cast<int>(set.readiness());
    line["keys"] = json::array();
    for (const std::string& key : set.keys()) line["keys"].push_back(key);
  } else if (message.has_snapshot_complete()) {
    line["e"] = "complete";
  } else {
    line["e"] = "gone";
    line["h"] = message.deleted();
  }
  record_.Append(line);
}

}  // namespace keyferry
