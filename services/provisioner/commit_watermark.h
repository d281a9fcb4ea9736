// How far the region's store was committed, in a file of its own, so that a store which lost its tail (RocksDB's
// point-in-time recovery drops everything behind one flipped byte, without a word) is noticed when it is opened.
//
// The file is written after each durable commit, by write(2): it survives the process at once and a power loss once its
// thread has synced it, which it does within kSyncInterval. It is never ahead of the store.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_PROVISIONER_COMMIT_WATERMARK_H_
#define KEYFERRY_SERVICES_PROVISIONER_COMMIT_WATERMARK_H_

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace keyferry {

// Of a process that cannot tell any more what its store holds: the disk refused a write.
inline constexpr int kRegionStoreFailedExitCode = 70;

class CommitWatermark {
 public:
  static constexpr absl::Duration kSyncInterval = absl::Milliseconds(10);

  // Creates the file when there is none. Unavailable when it cannot be opened or written.
  static absl::StatusOr<std::unique_ptr<CommitWatermark>> Open(const std::string& path);
  // Syncs what was written.
  ~CommitWatermark();
  CommitWatermark(const CommitWatermark&) = delete;
  CommitWatermark& operator=(const CommitWatermark&) = delete;

  // What the file said when it was opened; nullopt when it was new or damaged.
  std::optional<uint64_t> recovered() const { return recovered_; }

  // Takes the place of what the file says. REQUIRES: the store holds this commit durably. Ends the process when the
  // write fails, as does its sync.
  void Write(uint64_t sequence);

 private:
  CommitWatermark(int fd, std::optional<uint64_t> recovered);
  void SyncUntilStopped();

  const int fd_;
  const std::optional<uint64_t> recovered_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool dirty_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_COMMIT_WATERMARK_H_
