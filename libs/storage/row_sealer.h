// Seals and opens row values under an owner's barrier keys: the newest seals, all open. A frame finds its key by its commitment. The frame is suite 1's (crypto/aead.h); a key expansion is shared
// by many frames, because it costs more than sealing a row.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_STORAGE_ROW_SEALER_H_
#define KEYFERRY_STORAGE_ROW_SEALER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/secret_bytes.h"
#include "libs/storage/lru_map.h"

namespace keyferry {

// A salt serves this many seals or this long, whichever ends first.
inline constexpr int kMaxSealsPerSalt = 65'536;
inline constexpr absl::Duration kMaxSaltAge = absl::Seconds(60);
inline constexpr size_t kMaxOpenedSalts = 128;

class RowSealer {
 public:
  // The clock outlives the sealer.
  RowSealer(const SecretBytes& key, const Clock& clock);
  // One key or more, the newest last.
  RowSealer(std::vector<SecretBytes> keys, const Clock& clock);

  std::string Seal(std::string_view value, std::string_view associated_data);
  // DataLoss, with the same words whatever is wrong.
  absl::StatusOr<std::string> Open(std::string_view frame, std::string_view associated_data);
  // Whether the newest key sealed it: it need not be sealed again.
  bool IsUnderNewest(std::string_view frame);

 private:
  using SharedKey = std::shared_ptr<const CommittedKey>;
  struct Opened {
    SharedKey key;
    bool newest = true;
  };
  SharedKey KeyToSeal();
  absl::StatusOr<Opened> KeyToOpen(std::string_view salt_and_commitment);

  const std::vector<SecretBytes> keys_;  // the newest last
  const Clock& clock_;
  absl::Mutex mutex_;
  SharedKey current_ ABSL_GUARDED_BY(mutex_);
  int seal_count_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration created_ ABSL_GUARDED_BY(mutex_);
  // By salt and commitment; only what was found to hold.
  LruMap<Opened> opened_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_ROW_SEALER_H_
