#include "services/api/set_wait.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/returns_soon.h"
#include "services/api/bell.h"

namespace keyferry {
namespace {

constexpr absl::Duration kLookInterval = absl::Seconds(1);
// Looks of many waits come together.
constexpr absl::Duration kLookGrid = absl::Milliseconds(100);

// From now to the first point of the grid that is an interval away, or to the wait's end where that is sooner.
absl::Duration UntilLook(absl::Duration now, absl::Duration left) {
  const absl::Duration look = absl::Ceil(now + kLookInterval, kLookGrid) - now;
  return std::max(std::min(left, look), absl::Milliseconds(1));
}

// All of it runs on the strand. The look that is due keeps it alive, so it ends at most one interval after its answer.
class Waiting final : public std::enable_shared_from_this<Waiting> {
 public:
  Waiting(const UseCaseDeps& deps, SetWait wait, std::function<void(absl::StatusOr<SecretSetView>)> done)
      : deps_(deps), wait_(std::move(wait)), done_(std::move(done)), strand_(Strand::Create(deps_.writer.executor)) {}

  void Start() {
    const ReturnsSoon soon;
    strand_->Run([self = shared_from_this()] { self->Begin(); });
  }

 private:
  void Begin() {
    const absl::StatusOr<SecretSetView> now = GetSet(deps_, wait_.organization, wait_.name);
    if (!now.ok()) return Finish(now.status());
    uid_ = now->set.uid;
    if (wait_.generation == 0) wait_.generation = now->set.generation;
    Store& store = deps_.writer.store;
    const ObjectId object = ObjectIdOf(now->set);
    bell_.emplace(strand_, weak_from_this(), [this] { Check(); });
    bell_->Watch(store, keys::SecretSet(wait_.organization, wait_.name));
    bell_->Watch(store, keys::Desired(now->set.region, object));
    bell_->Watch(store, keys::Observed(now->set.region, object));
    bell_->Watch(store, keys::RegionState(now->set.region));
    Look();
  }

  // Now, and again every interval, in case that a ring was lost or nobody listens any more.
  void Look() {
    if (!Check()) return;
    if (wait_.cancelled && wait_.cancelled()) return Finish(absl::CancelledError("nobody waits for this set any more"));
    if (absl::Status refused = wait_.check_caller ? wait_.check_caller() : absl::OkStatus(); !refused.ok())
      return Finish(std::move(refused));
    const absl::Duration now = deps_.clock.Monotonic();
    deps_.writer.executor.RunAfter(UntilLook(now, wait_.timeout - (now - start_)),
                                   [self = shared_from_this()] { self->strand_->Run([self] { self->Look(); }); });
  }

  // Whether to go on waiting.
  bool Check() {
    if (!done_) return false;
    absl::StatusOr<SecretSetView> now = GetSet(deps_, wait_.organization, wait_.name);
    if (now.ok() && now->set.uid != uid_) now = SecretSetNotFound(wait_.name);
    const bool proved =
        now.ok() && now->set.generation >= wait_.generation && now->status.readiness != Readiness::kPending;
    const bool late = deps_.clock.Monotonic() - start_ >= wait_.timeout;
    if (now.ok() && !proved && !late) return true;
    Finish(std::move(now));
    return false;
  }

  void Finish(absl::StatusOr<SecretSetView> answer) {
    bell_.reset();
    std::exchange(done_, nullptr)(std::move(answer));
  }

  const UseCaseDeps deps_;
  SetWait wait_;
  std::function<void(absl::StatusOr<SecretSetView>)> done_;
  const std::shared_ptr<Strand> strand_;
  const absl::Duration start_ = deps_.clock.Monotonic();
  std::string uid_;
  std::optional<Bell> bell_;
};

absl::Status CheckWait(const SetWait& wait) {
  Violations violations;
  if (wait.timeout < absl::ZeroDuration() || wait.timeout > kMaxWait) {
    violations.Add("INVALID_TIMEOUT",
                   FieldViolation{"timeout", absl::StrCat("must be 0 to ", absl::FormatDuration(kMaxWait), "; found ",
                                                          absl::FormatDuration(wait.timeout))});
  }
  if (wait.generation < 0) {
    violations.Add("INVALID_GENERATION",
                   FieldViolation{"generation", absl::StrCat("must be 0 or more; found ", wait.generation)});
  }
  return violations.ToStatus();
}

}  // namespace

void WaitUntilReady(const UseCaseDeps& deps, SetWait wait, std::function<void(absl::StatusOr<SecretSetView>)> done) {
  if (absl::Status invalid = CheckWait(wait); !invalid.ok()) return done(invalid);
  if (wait.timeout == absl::ZeroDuration()) wait.timeout = kDefaultWait;
  std::make_shared<Waiting>(deps, std::move(wait), std::move(done))->Start();
}

}  // namespace keyferry
