#include "services/api/key_rotation.h"

#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/error.h"
#include "libs/common/log.h"
#include "libs/storage/keys.h"
#include "services/api/key_rotation_job.h"
#include "services/api/key_rotation_root.h"
#include "services/api/paging.h"
#include "services/api/use_case.h"

namespace keyferry {
namespace {

constexpr absl::Duration kStartRetry = absl::Seconds(5);

absl::Status RotationRuns(const std::string& owner) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("the last rotation of the key of ",
                                owner.empty() ? "the system's rows" : absl::StrCat("organization ", owner),
                                " is not done yet; `keyferry admin keys status` shows how far it is"),
                   {.reason = "ROTATION_RUNS", .metadata = {{"organization", owner}}});
}

// Outlives KeyRotation for as long as work of it is under way.
class RotationJobs : public std::enable_shared_from_this<RotationJobs> {
 public:
  using Added = std::function<void(absl::StatusOr<int>)>;

  explicit RotationJobs(const KeyRotationParts& parts)
      : parts_(parts),
        strand_(Strand::Create(parts.writer.executor)),
        root_(std::make_shared<RootRewrap>(parts, strand_)) {}

  void Start() {
    strand_->Run([self = shared_from_this()] {
      self->ResumeAll();
      self->root_->KeepLooking();
    });
  }

  void Rotate(const std::string& owner, Added done) {
    if (const absl::Status root = parts_.root_keys.Health(); !root.ok()) return done(root);
    const auto begun = std::make_shared<RotationRow>();
    RunTransaction(
        parts_.writer,
        [self = shared_from_this(), owner, begun](Transaction& transaction) {
          return self->PlanBegin(transaction, owner, *begun);
        },
        [self = shared_from_this(), owner, begun, done = std::move(done)](const absl::StatusOr<Revision>& committed) {
          if (!committed.ok()) return done(committed.status());
          self->strand_->Run([self, owner, begun, done] { self->Run(owner, *begun, done); });
        });
  }

  void Rewrap(std::function<void(absl::Status)> done) {
    strand_->Run([self = shared_from_this(), call = CallScope::Current(), done = std::move(done)] {
      self->root_->Begin(call, done);
    });
  }

  void CheckRoot() {
    strand_->Run([self = shared_from_this()] { self->root_->Look(); });
  }

  std::vector<KeyRotationProgress> Running() const {
    const absl::MutexLock lock(&mutex_);
    std::vector<KeyRotationProgress> running;
    for (const auto& [owner, job] : jobs_) running.push_back(job->progress());
    return running;
  }

 private:
  absl::Status PlanBegin(Transaction& transaction, const std::string& owner, RotationRow& row) const {
    if (!owner.empty()) RETURN_IF_ERROR(ReadOrganization(transaction, owner).status());
    ASSIGN_OR_RETURN(const std::optional<Row> running, transaction.Read(keys::OrganizationRotation(owner)));
    if (running) return RotationRuns(owner);
    ASSIGN_OR_RETURN(const auto stored, parts_.barrier.StoredKeysOf(owner));
    if (stored.first.keys.size() > 1) return RotationRuns(owner);
    const int number = stored.first.keys.back().number + 1;
    row = NewRotation(number, parts_.clock.Now());
    transaction.Put(keys::OrganizationRotation(owner), Encode(row));
    transaction.Describe({.kind = "key", .name = absl::StrCat(number), .organization = owner});
    return absl::OkStatus();
  }

  void ResumeAll() {
    const absl::Status visited = VisitRows(
        parts_.writer.store, keys::OrganizationRotations(), "", [this](const KeyedRow& stored) -> absl::StatusOr<bool> {
          ASSIGN_OR_RETURN(const RotationRow row, Decode<RotationRow>(stored.row.value));
          Run(keys::LastPart(stored.key), row, [](const absl::StatusOr<int>&) {});
          return true;
        });
    if (visited.ok()) return;
    Log(Severity::kWarning, "key_rotation_waits", {{"error", visited}});
    strand_->RunAfter(kStartRetry, [self = shared_from_this()] { self->ResumeAll(); });
  }

  void Run(const std::string& owner, const RotationRow& row, const Added& added) {
    if (const absl::MutexLock lock(&mutex_); jobs_.contains(owner)) {
      // Its row is gone already, or this one could not be there.
      next_[owner] = [this, owner, row, added] { Run(owner, row, added); };
      return;
    }
    const auto job = std::make_shared<KeyRotationJob>(parts_, strand_, owner, row, [self = weak_from_this(), owner] {
      if (const auto jobs = self.lock()) jobs->Ended(owner);
    });
    {
      const absl::MutexLock lock(&mutex_);
      jobs_[owner] = job;
    }
    job->Run(added);
  }

  void Ended(const std::string& owner) {
    {
      const absl::MutexLock lock(&mutex_);
      jobs_.erase(owner);
    }
    if (const auto next = next_.extract(owner)) next.mapped()();
  }

  const KeyRotationParts parts_;
  const std::shared_ptr<Strand> strand_;
  const std::shared_ptr<RootRewrap> root_;
  mutable absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<KeyRotationJob>> jobs_ ABSL_GUARDED_BY(mutex_);
  // Of the strand: what was begun while the last one had still to say that it has ended.
  std::map<std::string, std::function<void()>> next_;
};

class BackgroundKeyRotation final : public KeyRotation {
 public:
  explicit BackgroundKeyRotation(const KeyRotationParts& parts) : jobs_(std::make_shared<RotationJobs>(parts)) {}
  void Start() override { jobs_->Start(); }
  void Rotate(const std::string& owner, std::function<void(absl::StatusOr<int>)> done) override {
    jobs_->Rotate(owner, std::move(done));
  }
  void Rewrap(std::function<void(absl::Status)> done) override { jobs_->Rewrap(std::move(done)); }
  void CheckRoot() override { jobs_->CheckRoot(); }
  std::vector<KeyRotationProgress> Running() const override { return jobs_->Running(); }

 private:
  const std::shared_ptr<RotationJobs> jobs_;
};

}  // namespace

std::unique_ptr<KeyRotation> KeyRotation::Create(const KeyRotationParts& parts) {
  return std::make_unique<BackgroundKeyRotation>(parts);
}

}  // namespace keyferry
