// HistoryWatcher: follows the sets of a region, or one set, by WatchSecretSets; every message becomes a line of the history. A stream is left
// after a random time and begun again: what a resumed one shows must miss nothing.
//
// Thread safety: one thread a watcher; Stop from any thread.
#ifndef KEYFERRY_TESTS_SYSTEM_HISTORY_WATCHER_H_
#define KEYFERRY_TESTS_SYSTEM_HISTORY_WATCHER_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <string>

#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "tests/system/history_player.h"
#include "tests/system/history_record.h"

namespace keyferry {

class HistoryWatcher {
 public:
  HistoryWatcher(int number, uint64_t seed, const HistoryServer& server, std::string region, HistoryRecord& record);

  // Follows until Stop. The last stream lives until then.
  void Run();
  void Stop();

 private:
  void FollowOneStream();
  void Note(const v1::WatchSecretSetsResponse& message);

  const std::string watcher_;
  std::mt19937_64 random_;
  const std::string token_;
  const std::string region_;
  HistoryRecord& record_;
  std::unique_ptr<v1::SecretSets::Stub> sets_;
  int streams_ = 0;
  std::string stream_;
  std::mutex mutex_;
  grpc::ClientContext* context_ = nullptr;
  std::atomic<bool> stopped_ = false;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SYSTEM_HISTORY_WATCHER_H_
