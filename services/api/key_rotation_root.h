// Wrapping of all owners' keys by the current root key: at the start, and whenever that is another one than before.
// What is wrapped by it already is passed over; so nothing needs to be remembered of a round that a crash cuts short.
//
// Thread safety: all methods on the strand.
#ifndef KEYFERRY_SERVICES_API_KEY_ROTATION_ROOT_H_
#define KEYFERRY_SERVICES_API_KEY_ROTATION_ROOT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libs/common/executor.h"
#include "services/api/call_scope.h"
#include "services/api/key_rotation.h"

namespace keyferry {

// At most 50 keys a second: a KMS may be behind it.
inline constexpr absl::Duration kRewrapInterval = absl::Milliseconds(20);

class RootRewrap : public std::enable_shared_from_this<RootRewrap> {
 public:
  RootRewrap(const KeyRotationParts& parts, std::shared_ptr<Strand> strand)
      : parts_(parts), strand_(std::move(strand)) {}

  // Looks now, and then every kRootPollInterval.
  void KeepLooking();
  // Begins a round when the root key is not the one of the last whole round. It is recorded when the root key is another
  // than that of the last recorded round, or when something was moved: an owner whose key cannot be wrapped is tried at
  // each look, and leaves one record.
  void Look();
  // Records the call (null: none), and begins a round.
  void Begin(std::shared_ptr<const AuditedCall> call, std::function<void(absl::Status)> done);

 private:
  void Plan();
  void Record(std::shared_ptr<const AuditedCall> call, std::function<void(absl::Status)> done);
  void Step();
  void EndRound();
  // Under this root key all is; the wrapped keys before are purged from the store's files.
  void Settle();
  absl::StatusOr<std::vector<std::string>> OwnersUnderOthers(const std::string& root_key_id) const;

  const KeyRotationParts parts_;
  const std::shared_ptr<Strand> strand_;
  // Under it all keys were when the last whole round ended.
  std::string settled_id_;
  // Of the last round that was recorded.
  std::string recorded_id_;
  bool round_recorded_ = false;
  // Records of rounds that are to begin are being written.
  int recording_count_ = 0;
  // Of the round; running until `left_` is empty.
  std::string root_key_id_;
  std::vector<std::string> left_;
  bool running_ = false;
  bool failed_ = false;
  int64_t moved_count_ = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_KEY_ROTATION_ROOT_H_
