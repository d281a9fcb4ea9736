// Who of a region's sessions owns it. One owner at a time, each with an epoch of its own that is durable before it is granted; the others stand by
// and follow in the order in which they came, those first that have the region's present sealing key.
//
// Thread safety: Provisioners, HasProvisioners, Post, ExtendCertificate, Abandon, strand, memory and settings from any thread; all else on the region's strand.
#ifndef KEYFERRY_SERVICES_API_REGION_OWNERSHIP_H_
#define KEYFERRY_SERVICES_API_REGION_OWNERSHIP_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "services/api/region_session.h"

namespace keyferry {

struct OwnershipSettings {
  Writer writer;
  const Clock& clock;
  // Where a region's stream runs while it keeps up, since somebody may wait for what it does; with more to do it runs on the writer's. nullptr: always there.
  Executor* prompt = nullptr;
  // 0 to 1. Any thread.
  std::function<double()> random;
  // A region knows this revision, above the ceiling. Any thread; must not block.
  std::function<void(uint64_t revision)> rewound;
  // A session has ended. Any thread; must not block.
  std::function<void()> session_ended;
  // Whether a SPIFFE id counts no longer. Any thread; must not block. May be empty.
  std::function<bool(const std::string& spiffe_id)> is_revoked;
};

class RegionOwnership : public std::enable_shared_from_this<RegionOwnership> {
 public:
  RegionOwnership(OwnershipSettings settings, std::string region)
      : settings_(std::move(settings)), region_(std::move(region)), strand_(Strand::Create(settings_.writer.executor)) {}

  // Runs it on the strand, on each open session.
  void Post(std::function<void(RegionSession&)> work);
  // The owner first.
  std::vector<SessionSummary> Provisioners() const;
  bool HasProvisioners() const;
  // To the streams of this provisioner.
  void ExtendCertificate(const std::string& provisioner_id, absl::Time expiry);

  // It is open, and has not said Hello.
  void Arrived(const std::shared_ptr<RegionSession>& session) { ungreeted_.insert(session); }
  // Its Hello was accepted.
  void Join(const std::shared_ptr<RegionSession>& session);
  // Suspects: what was in flight when the session died.
  void Left(const std::shared_ptr<RegionSession>& session, std::map<ObjectId, EventWindow::Flight> suspects);
  void Rewound(uint64_t revision) { settings_.rewound(revision); }
  // Forgets every session; for the end of the process.
  void Abandon();
  // A standby has the region's present sealing key, as its Hello says.
  bool HasStandbyUnder(const std::string& sealing_key_id) const;
  // Of the region's present sealing key, as the store has it now.
  absl::StatusOr<std::string> SealingKeyIdNow() const;
  // The store's head in its present lineage.
  uint64_t Head() const;
  // Nobody was given a revision above it.
  uint64_t Ceiling() const;

  const OwnershipSettings& settings() const { return settings_; }
  Strand& strand() { return *strand_; }
  const std::shared_ptr<Strand>& shared_strand() const { return strand_; }
  const std::shared_ptr<RegionMemory>& memory() const { return memory_; }

 private:
  std::vector<std::shared_ptr<RegionSession>> Sessions() const;
  void Advance();
  // REQUIRES: there is a standby.
  std::deque<std::shared_ptr<RegionSession>>::iterator NextOwner();
  void Grant(const std::shared_ptr<RegionSession>& session);
  void GrantCommitted(const std::shared_ptr<RegionSession>& session, const RegionStateRow& state, absl::StatusOr<Revision> committed);
  void MarkSuspects(const RegionSession& session, std::map<ObjectId, EventWindow::Flight> suspects);
  void Publish();

  const OwnershipSettings settings_;
  const std::string region_;
  const std::shared_ptr<Strand> strand_;
  const std::shared_ptr<RegionMemory> memory_ = std::make_shared<RegionMemory>();

  std::set<std::shared_ptr<RegionSession>> ungreeted_;
  std::shared_ptr<RegionSession> owner_;
  std::deque<std::shared_ptr<RegionSession>> standbys_;
  // A commit is under way that the next grant waits for.
  bool committing_ = false;

  mutable absl::Mutex mutex_;
  std::vector<SessionSummary> published_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REGION_OWNERSHIP_H_
