// One provisioner's stream: the handshake, its lease, and, while it owns the region, its EventFeed. docs/provisioning-protocol.md, section
// "A stream". Speaks the wire's messages (docs/adr/2026-11-22-sessions-speak-wire-messages.md).
//
// Thread safety: Received, Sent and Disconnected from any thread; all else on the region's strand.
#ifndef KEYFERRY_SERVICES_API_REGION_SESSION_H_
#define KEYFERRY_SERVICES_API_REGION_SESSION_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "services/api/caller.h"
#include "services/api/event_feed.h"
#include "services/api/sync_transport.h"

namespace keyferry {

namespace v1 {
class AckBatch;
class Hello;
class ProvisionerMessage;
}  // namespace v1

class RegionOwnership;

inline constexpr absl::Duration kHelloTimeout = absl::Seconds(10);
inline constexpr absl::Duration kDrainTimeout = absl::Seconds(5);
inline constexpr absl::Duration kHalfCloseGrace = absl::Milliseconds(250);
// A tick that comes later than that tells of this process, not of the provisioner.
inline constexpr absl::Duration kMaxTickDelay = absl::Seconds(5);

struct SessionSummary {
  std::string provisioner_id;
  std::string version;
  bool active = false;
  absl::Time connect_time;
  absl::Time certificate_expiry;
};

class RegionSession : public std::enable_shared_from_this<RegionSession> {
 public:
  RegionSession(std::shared_ptr<RegionOwnership> ownership, Caller caller, std::shared_ptr<SyncTransport> transport);
  void Start();

  // `handled` is called when the session is ready for the next message.
  void Received(std::shared_ptr<const v1::ProvisionerMessage> message, std::function<void()> handled);
  void Sent();
  // The stream is broken.
  void Disconnected();
  // The provisioner has no more to say, or, when Disconnected follows at once, the stream is broken.
  void HalfClosed();

  void Granted(uint64_t epoch, const RegionStateRow& state, Revision state_revision);
  void StandBy(const std::string& owner_id);
  // The same provisioner has a newer stream.
  void Supersede(const std::string& boot_id);
  void Refuse(absl::Status status);
  // Ends it when its identity counts no longer.
  void CheckRevoked();
  // The provisioner has a certificate that lives until then.
  void ExtendCertificate(absl::Time expiry);
  void Drain(const std::string& reason, absl::Duration reconnect_after);
  // nullptr unless it owns the region.
  EventFeed* feed() { return feed_.get(); }
  const std::string& provisioner_id() const { return caller_.provisioner_id; }
  // As its Hello says.
  const std::string& sealing_key_id() const { return sealing_key_id_; }
  const std::string& boot_id() const { return boot_id_; }
  const std::string& target_incarnation() const { return target_incarnation_; }
  SessionSummary Summary() const;

 private:
  void TickLater();
  void Tick();
  void Handle(const v1::ProvisionerMessage& message);
  void HandleHello(const v1::Hello& hello);
  absl::Status Admit(const v1::Hello& hello) const;
  void HandleAsOwner(const v1::ProvisionerMessage& message);
  void HandleAcks(const v1::AckBatch& acks);
  void SendStandbyBookmark();
  void EndIfDrained();
  void Rewound(uint64_t revision);
  void End(absl::Status status, Ending ending);

  const std::shared_ptr<RegionOwnership> ownership_;
  const Caller caller_;
  const std::shared_ptr<SyncTransport> transport_;
  const absl::Time connect_time_;
  // Of the stream's own certificate, or of a newer one of the same identity.
  absl::Time certificate_expiry_;
  absl::Duration last_heard_;
  absl::Duration last_tick_;
  absl::Duration last_bookmark_;
  bool greeted_ = false;
  bool draining_ = false;
  bool closed_ = false;
  std::string boot_id_;
  std::string sealing_key_id_;
  std::string target_incarnation_;
  std::string version_;
  size_t max_objects_ = 0;
  size_t max_bytes_ = 0;
  std::shared_ptr<EventFeed> feed_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REGION_SESSION_H_
