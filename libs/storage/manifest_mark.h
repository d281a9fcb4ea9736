// The manifest mark: a small file beside the database that says which MANIFEST it had, and the checksum of what was durable of it. RocksDB takes a
// damaged length near a MANIFEST's end for a torn one and forgets the tables named behind it, without an error; this file tells.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_STORAGE_MANIFEST_MARK_H_
#define KEYFERRY_STORAGE_MANIFEST_MARK_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace keyferry {

class ManifestMark {
 public:
  // The mark's file, and the database's directory.
  ManifestMark(std::string path, std::string directory) : path_(std::move(path)), directory_(std::move(directory)) {}

  // Before the database is opened. OK also where there is no mark (a new store, a copy, one of an older version) or no database, or the database has gone on to
  // another MANIFEST since. DataLoss: marked bytes are not as they were, CURRENT went back, or the mark itself is damaged.
  absl::Status Check() const;
  // After the MANIFEST grew: marks what it holds now, which is made durable first. A failure leaves the mark before, which goes on counting.
  void Update();

 private:
  absl::Status Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  const std::string directory_;
  absl::Mutex mutex_;
  // What was read of this MANIFEST already.
  std::string name_ ABSL_GUARDED_BY(mutex_);
  uint64_t size_ ABSL_GUARDED_BY(mutex_) = 0;
  uint32_t checksum_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_MANIFEST_MARK_H_
