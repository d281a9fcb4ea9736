#include "services/api/region_directory.h"

#include <random>

#include "libs/common/error.h"
#include "libs/common/log.h"

namespace keyferry {
namespace {

// A store that was put back needs one. More of them tell of a region that lies: each makes everything in every region
// pending until it was sent again, and lineages are not without end.
constexpr absl::Duration kMinRewindInterval = absl::Hours(1);
constexpr int kMaxRewinds = 10;
constexpr absl::Duration kMaxReconnectAfterRewind = absl::Seconds(5);
// A claim is of the next lineage at most (kMaxLineagesAhead): the one after it is above.
constexpr int kMaxLineagesARewind = kMaxLineagesAhead + 1;

double RandomShare() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(random);
}

}  // namespace

// Outlives the directory while sessions do.
struct RegionDirectory::State : std::enable_shared_from_this<RegionDirectory::State> {
  explicit State(Options the_options) : options(std::move(the_options)) {
    if (!options.random) options.random = RandomShare;
  }

  std::shared_ptr<RegionOwnership> Find(const std::string& region) {
    absl::MutexLock lock(&mutex);
    const auto found = regions.find(region);
    return found == regions.end() ? nullptr : found->second;
  }

  std::shared_ptr<RegionOwnership> FindOrCreate(const std::string& region) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::shared_ptr<RegionOwnership>& ownership = regions[region];
    if (ownership) return ownership;
    const std::weak_ptr<State> weak = weak_from_this();
    ownership = std::make_shared<RegionOwnership>(
        OwnershipSettings{.writer = options.writer,
                          .clock = options.clock,
                          .prompt = options.prompt,
                          .random = options.random,
                          .rewound =
                              [weak, region, &executor = options.writer.executor](uint64_t revision) {
                                executor.Run([weak, region, revision] {
                                  if (const std::shared_ptr<State> self = weak.lock()) self->Rewind(region, revision);
                                });
                              },
                          .session_ended =
                              [weak] {
                                const std::shared_ptr<State> self = weak.lock();
                                if (!self) return;
                                absl::MutexLock lock(&self->mutex);
                                --self->open_count;
                              },
                          .is_revoked = options.is_revoked},
        region);
    return ownership;
  }

  std::vector<std::shared_ptr<RegionOwnership>> All() {
    std::vector<std::shared_ptr<RegionOwnership>> all;
    absl::MutexLock lock(&mutex);
    for (const auto& [region, ownership] : regions) all.push_back(ownership);
    return all;
  }

  void Drain(const std::string& reason, absl::Duration max_reconnect_after) {
    for (const std::shared_ptr<RegionOwnership>& ownership : All()) {
      ownership->Post([reason, max_reconnect_after, random = options.random](RegionSession& session) {
        session.Drain(reason, max_reconnect_after * random());
      });
    }
  }

  uint64_t Ceiling() const { return WithLineage(options.writer.store.Ceiling(), options.writer.term().lineage); }

  // A region that goes on claiming revisions must not have everything sent again all the time, nor disconnect the others.
  void Rewind(const std::string& region, uint64_t revision) {
    {
      absl::MutexLock lock(&rewind_mutex);
      const absl::Duration now = options.clock.Monotonic();
      if (revision <= Ceiling()) return;
      if (now - last_rewind < kMinRewindInterval || rewind_count == kMaxRewinds) {
        return Log(Severity::kError, "rewind_not_repeated",
                   {{"region", region},
                    {"revision_seen", revision},
                    {"head_revision", Ceiling()},
                    {"rewind_count", rewind_count},
                    {"effect", "only this region's stream ends"},
                    {"help", "docs/provisioning-protocol.md, Rewind: is this region's host sound?"}});
      }
      Log(Severity::kError, "store_rewound",
          {{"region", region}, {"revision_seen", revision}, {"head_revision", Ceiling()}, {"effect", "new lineage, full resync of every region"}});
      last_rewind = now;
      ++rewind_count;
      for (int i = 0; i < kMaxLineagesARewind && revision > Ceiling(); ++i) options.on_rewind();
    }
    Drain("REWIND", kMaxReconnectAfterRewind);
  }

  Options options;
  absl::Mutex mutex;
  std::map<std::string, std::shared_ptr<RegionOwnership>> regions ABSL_GUARDED_BY(mutex);
  int open_count ABSL_GUARDED_BY(mutex) = 0;
  bool draining ABSL_GUARDED_BY(mutex) = false;
  absl::Mutex rewind_mutex;
  absl::Duration last_rewind ABSL_GUARDED_BY(rewind_mutex) = -absl::InfiniteDuration();
  int rewind_count ABSL_GUARDED_BY(rewind_mutex) = 0;
};

RegionDirectory::RegionDirectory(Options options) : state_(std::make_shared<State>(std::move(options))) {}
RegionDirectory::~RegionDirectory() {
  // Sessions and their region hold one another.
  absl::MutexLock lock(&state_->mutex);
  for (const auto& [region, ownership] : state_->regions) ownership->Abandon();
}

absl::StatusOr<std::shared_ptr<RegionSession>> RegionDirectory::Open(const Caller& caller, std::shared_ptr<SyncTransport> transport) {
  // Started under the lock, so that a drain comes either before or after it and never misses it.
  absl::MutexLock lock(&state_->mutex);
  if (state_->draining) {
    return MakeError(absl::StatusCode::kUnavailable, "the API is going away; connect again",
                     {.reason = "DRAINING", .retry_after = absl::Seconds(1)});
  }
  ++state_->open_count;
  auto session = std::make_shared<RegionSession>(state_->FindOrCreate(caller.region), caller, std::move(transport));
  session->Start();
  return session;
}

void RegionDirectory::DrainAll(absl::Duration max_reconnect_after) {
  {
    absl::MutexLock lock(&state_->mutex);
    state_->draining = true;
  }
  state_->Drain("DRAINING", max_reconnect_after);
}

bool RegionDirectory::AwaitEmpty(absl::Duration timeout) {
  absl::MutexLock lock(&state_->mutex);
  const auto empty = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_->mutex) { return state_->open_count == 0; };
  return state_->mutex.AwaitWithTimeout(absl::Condition(&empty), timeout);
}

void RegionDirectory::CheckRevoked() {
  for (const std::shared_ptr<RegionOwnership>& ownership : state_->All()) {
    ownership->Post([](RegionSession& session) { session.CheckRevoked(); });
  }
}

void RegionDirectory::ExtendCertificate(const std::string& region, const std::string& provisioner_id, absl::Time expiry) {
  if (const auto ownership = state_->Find(region)) ownership->ExtendCertificate(provisioner_id, expiry);
}

void RegionDirectory::CheckResync(const std::string& region) {
  if (const auto ownership = state_->Find(region)) {
    ownership->Post([](RegionSession& session) {
      if (session.feed() != nullptr) session.feed()->CheckResync();
    });
  }
}

void RegionDirectory::BeginAudit(const std::string& region) {
  if (const auto ownership = state_->Find(region)) {
    ownership->Post([](RegionSession& session) {
      if (session.feed() != nullptr) session.feed()->BeginAudit();
    });
  }
}

std::vector<SessionSummary> RegionDirectory::Provisioners(const std::string& region) const {
  const auto ownership = state_->Find(region);
  return ownership ? ownership->Provisioners() : std::vector<SessionSummary>();
}

bool RegionDirectory::HasProvisioners(const std::string& region) const {
  const auto ownership = state_->Find(region);
  return ownership && ownership->HasProvisioners();
}

bool RegionDirectory::IsConnected(const std::string& region) const {
  const std::vector<SessionSummary> provisioners = Provisioners(region);
  return !provisioners.empty() && provisioners.front().active;
}

std::shared_ptr<const RegionMemory> RegionDirectory::Memory(const std::string& region) const {
  const auto ownership = state_->Find(region);
  return ownership ? ownership->memory() : nullptr;
}

}  // namespace keyferry
