// The commit watermark: a small file beside the database that says which revision was answered as durable. RocksDB
// opens after damage with the commits before it; only this file tells that acknowledged ones are missing.
//
// Two slots, written in turn, each with a counter and a checksum, so that a torn write leaves the other. Lags behind
// the head by at most the interval; never ahead of it.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_STORAGE_COMMIT_WATERMARK_H_
#define KEYFERRY_STORAGE_COMMIT_WATERMARK_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "libs/storage/store.h"

namespace keyferry {

class CommitWatermark {
 public:
  // A new file, durable. AlreadyExists, Unavailable.
  static absl::Status Create(const std::string& path, Revision revision);
  // NotFound; DataLoss when neither slot is whole; Unavailable.
  static absl::StatusOr<std::unique_ptr<CommitWatermark>> Open(const std::string& path, absl::Duration interval);
  // Writes what Advance was last told. A failed write ends the process (FailStop).
  ~CommitWatermark();

  // What the file said when it was opened.
  Revision recovered() const { return recovered_; }
  // Durable soon, on a thread of its own.
  void Advance(Revision revision);

 private:
  CommitWatermark(int file, uint64_t counter, Revision recovered, absl::Duration interval);
  void WriteUntilClosed();
  void Write(Revision revision);

  const int file_;
  const Revision recovered_;
  const absl::Duration interval_;
  uint64_t counter_;  // of the writing thread alone
  absl::Mutex mutex_;
  Revision newest_ ABSL_GUARDED_BY(mutex_);
  Revision written_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread writing_;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_COMMIT_WATERMARK_H_
