// Streams of WatchSecretSets, read as fast as they go. usage: watch_client TARGET CA_FILE API_KEY STREAMS SECONDS
// Prints `watching` once every stream has its snapshot, and after SECONDS events, events_per_second, and least and most
// of one stream.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "libs/rpc/callback_pulse.h"
#include "libs/rpc/credentials.h"
#include "tests/bench/channels.h"

namespace keyferry {
namespace {

// Counts down to zero, or to the first failure.
class Latch {
 public:
  explicit Latch(int count) : count_(count) {}
  void Arrive() {
    std::lock_guard lock(mutex_);
    if (--count_ <= 0) changed_.notify_all();
  }
  void Fail(const std::string& message) {
    std::lock_guard lock(mutex_);
    error_ = message;
    changed_.notify_all();
  }
  // The error's message.
  std::string Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ <= 0 || !error_.empty(); });
    return error_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_;
  std::string error_;
};

class Watch final : public grpc::ClientReadReactor<v1::WatchSecretSetsResponse> {
 public:
  Watch(const std::shared_ptr<grpc::Channel>& channel, const std::string& api_key, Latch& snapshots, Latch& ends)
      : stub_(v1::SecretSets::NewStub(channel)), snapshots_(snapshots), ends_(ends) {
    context_.AddMetadata("authorization", "Bearer " + api_key);
    stub_->async()->WatchSecretSets(&context_, &request_, this);
    StartRead(&event_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (event_.has_snapshot_complete()) {
      snapshots_.Arrive();
    } else {
      events_.fetch_add(1, std::memory_order_relaxed);
    }
    StartRead(&event_);
  }
  void OnDone(const grpc::Status& status) override {
    if (status.error_code() != grpc::StatusCode::CANCELLED) snapshots_.Fail(status.error_message() + " (watch ended)");
    ends_.Arrive();
  }

  long events() const { return events_.load(std::memory_order_relaxed); }
  void Cancel() { context_.TryCancel(); }

 private:
  const std::unique_ptr<v1::SecretSets::Stub> stub_;
  Latch& snapshots_;
  Latch& ends_;
  grpc::ClientContext context_;
  v1::WatchSecretSetsRequest request_;
  v1::WatchSecretSetsResponse event_;
  std::atomic<long> events_ = 0;
};

void Measure(const std::vector<std::unique_ptr<Watch>>& watches, double seconds) {
  std::vector<long> counts;
  for (const auto& watch : watches) counts.push_back(-watch->events());
  const auto begin = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  long events = 0;
  for (size_t i = 0; i < watches.size(); ++i) events += counts[i] += watches[i]->events();
  std::printf("events=%ld events_per_second=%.1f least=%ld most=%ld\n", events, static_cast<double>(events) / took,
              *std::min_element(counts.begin(), counts.end()), *std::max_element(counts.begin(), counts.end()));
}

int Run(const std::string& target, const std::string& ca_file, const std::string& api_key, int streams,
        double seconds) {
  const auto credentials = TlsChannelCredentials({.certificate_chain = "", .private_key = "", .roots = ca_file});
  if (!credentials.ok()) return std::fprintf(stderr, "%s\n", credentials.status().ToString().c_str()), 1;
  const auto pulse = CallbackPulse::Start();
  const auto channels = OpenChannels(target, *credentials, streams);
  if (channels.empty()) return 1;
  Latch snapshots(streams);
  Latch ends(streams);
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < streams; ++i)
    watches.push_back(std::make_unique<Watch>(channels[i % channels.size()], api_key, snapshots, ends));
  const std::string error = snapshots.Wait();
  if (error.empty()) {
    std::printf("watching\n");
    std::fflush(stdout);
    Measure(watches, seconds);
  } else {
    std::fprintf(stderr, "%s\n", error.c_str());
  }
  for (const auto& watch : watches) watch->Cancel();
  ends.Wait();
  return error.empty() ? 0 : 1;
}

}  // namespace
}  // namespace keyferry

int main(int count, char** arguments) {
  if (count != 6) return std::fputs("usage: watch_client TARGET CA_FILE API_KEY STREAMS SECONDS\n", stderr), 2;
  return keyferry::Run(arguments[1], arguments[2], arguments[3], std::atoi(arguments[4]), std::atof(arguments[5]));
}
