// All regions' sessions. Owned by main; ends before the executor and the store, after the gRPC server.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_REGION_DIRECTORY_H_
#define KEYFERRY_SERVICES_API_REGION_DIRECTORY_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/api/region_ownership.h"

namespace keyferry {

class RegionDirectory {
 public:
  struct Options {
    Writer writer;
    const Clock& clock;
    // As in OwnershipSettings.
    Executor* prompt = nullptr;
    // Makes the store's lineage the next one (Store::AcquireWriter(Lineage::kNext)), so that Writer::term tells the new term from then on.
    // Called on the executor, at most once at a time; may block.
    std::function<void()> on_rewind;
    // 0 to 1; absent: a random one.
    std::function<double()> random;
    // As in OwnershipSettings.
    std::function<bool(const std::string& spiffe_id)> is_revoked;
  };
  explicit RegionDirectory(Options options);
  ~RegionDirectory();

  // The caller's certificate decides the region. Unavailable (DRAINING) after DrainAll.
  absl::StatusOr<std::shared_ptr<RegionSession>> Open(const Caller& caller, std::shared_ptr<SyncTransport> transport);

  // Tells every provisioner to come back after up to this time, and ends its stream once what is in flight is acked, within 5 s.
  // Sessions that come later are refused.
  void DrainAll(absl::Duration max_reconnect_after);
  // False when sessions are still open after the timeout.
  bool AwaitEmpty(absl::Duration timeout);

  // Somebody's identity counts no longer: streams of such identities end at once.
  void CheckRevoked();
  // The provisioner's certificate was renewed: its streams live on until then.
  void ExtendCertificate(const std::string& region, const std::string& provisioner_id, absl::Time expiry);

  // The region's RegionState asks for a full resync.
  void CheckResync(const std::string& region);
  // Compares the region's inventory now.
  void BeginAudit(const std::string& region);
  // The owner first.
  std::vector<SessionSummary> Provisioners(const std::string& region) const;
  // Whether there are any.
  bool HasProvisioners(const std::string& region) const;
  // Whether a provisioner owns the region now.
  bool IsConnected(const std::string& region) const;
  // Shared with the region's sessions; nullptr when the region never connected.
  std::shared_ptr<const RegionMemory> Memory(const std::string& region) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REGION_DIRECTORY_H_
