// The region's private keys: the current one, and previous ones that something may still be sealed to.
//
// Thread safety: RegionKeySet is immutable; RegionKeys from any thread.
#ifndef KEYFERRY_SERVICES_PROVISIONER_REGION_KEYS_H_
#define KEYFERRY_SERVICES_PROVISIONER_REGION_KEYS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "libs/crypto/envelope.h"
#include "libs/crypto/keyring.h"
#include "libs/crypto/sealed_box.h"

namespace keyferry {

class RegionKeySet {
 public:
  // REQUIRES: at least one. The first is the current one.
  explicit RegionKeySet(std::vector<RegionKey> keys);
  // As Keyring::Load; NotFound: no region key in it.
  static absl::StatusOr<RegionKeySet> Load(const std::string& keyring, const std::string& data_directory);

  const RegionKey& current() const { return keys_.front(); }
  // The current one first.
  const std::vector<RegionKey>& all() const { return keys_; }
  // Of each key's public half; the current one first.
  std::vector<std::string> ids() const;
  // By whichever key it is sealed to. DataLoss: by none, or not for this context.
  absl::StatusOr<OpenedDataKey> Open(const SealContext& context, const SealedDataKey& sealed) const;

 private:
  std::vector<RegionKey> keys_;
};

// The set that counts now; the operator may replace the keyring while the provisioner runs.
class RegionKeys {
 public:
  explicit RegionKeys(RegionKeySet keys) : keys_(std::make_shared<const RegionKeySet>(std::move(keys))) {}
  // One key and no previous one.
  explicit RegionKeys(RegionKey key);

  std::shared_ptr<const RegionKeySet> Get() const;
  void Replace(RegionKeySet keys);

 private:
  mutable absl::Mutex mutex_;
  std::shared_ptr<const RegionKeySet> keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_REGION_KEYS_H_
