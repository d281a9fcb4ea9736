#include "services/api/region_reseal.h"

#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/log.h"
#include "libs/storage/keys.h"
#include "services/api/paging.h"
#include "services/api/region_reseal_job.h"

namespace keyferry {
namespace {

constexpr absl::Duration kStartRetry = absl::Seconds(5);

// Outlives RegionReseal for as long as work of it is under way.
class RegionJobs : public std::enable_shared_from_this<RegionJobs> {
 public:
  explicit RegionJobs(const UseCaseDeps& deps) : deps_(deps), strand_(Strand::Create(deps.writer.executor)) {}

  void BeginNeeded() {
    strand_->Run([self = shared_from_this()] { self->BeginAll(); });
  }

  void Begin(const std::string& region) {
    strand_->Run([self = shared_from_this(), region] { self->BeginNow(region); });
  }

  std::vector<RegionResealProgress> Running() const {
    const absl::MutexLock lock(&mutex_);
    std::vector<RegionResealProgress> running;
    for (const auto& [region, job] : jobs_) running.push_back(job->progress());
    return running;
  }

 private:
  void BeginAll() {
    const absl::Status visited =
        VisitRows(deps_.writer.store, keys::Regions(), "", [this](const KeyedRow& row) -> absl::StatusOr<bool> {
          ASSIGN_OR_RETURN(const RegionRow region, Decode<RegionRow>(row.row.value));
          if (!region.previous_sealing_keys.empty()) BeginNow(keys::LastPart(row.key));
          return true;
        });
    if (visited.ok()) return;
    Log(Severity::kWarning, "region_reseal_waits", {{"error", visited}});
    strand_->RunAfter(kStartRetry, [self = shared_from_this()] { self->BeginAll(); });
  }

  void BeginNow(const std::string& region) {
    if (const std::shared_ptr<RegionResealJob> running = Find(region)) return running->Wake();
    const auto job = std::make_shared<RegionResealJob>(deps_, strand_, region, [self = weak_from_this(), region] {
      if (const auto jobs = self.lock()) jobs->Forget(region);
    });
    {
      const absl::MutexLock lock(&mutex_);
      jobs_[region] = job;
    }
    Log(Severity::kInfo, "region_reseal_begun", {{"region", region}});
    job->Run();
  }

  std::shared_ptr<RegionResealJob> Find(const std::string& region) const {
    const absl::MutexLock lock(&mutex_);
    const auto found = jobs_.find(region);
    return found == jobs_.end() ? nullptr : found->second;
  }

  void Forget(const std::string& region) {
    const absl::MutexLock lock(&mutex_);
    jobs_.erase(region);
  }

  const UseCaseDeps deps_;
  const std::shared_ptr<Strand> strand_;
  mutable absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<RegionResealJob>> jobs_ ABSL_GUARDED_BY(mutex_);
};

class StoredRegionReseal final : public RegionReseal {
 public:
  explicit StoredRegionReseal(const UseCaseDeps& deps) : deps_(deps), jobs_(std::make_shared<RegionJobs>(deps)) {}

  void Start() override {
    const RowKey regions = keys::Regions();
    changes_ = deps_.writer.store.Ring(regions, PrefixEnd(regions.bytes), [jobs = jobs_] { jobs->BeginNeeded(); });
    jobs_->BeginNeeded();
  }

  void Begin(const std::string& region) override { jobs_->Begin(region); }
  std::vector<RegionResealProgress> Running() const override { return jobs_->Running(); }

 private:
  const UseCaseDeps deps_;
  const std::shared_ptr<RegionJobs> jobs_;
  std::unique_ptr<Store::Subscription> changes_;
};

}  // namespace

std::unique_ptr<RegionReseal> RegionReseal::Create(const UseCaseDeps& deps) {
  return std::make_unique<StoredRegionReseal>(deps);
}

}  // namespace keyferry
