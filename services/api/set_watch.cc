#include "services/api/set_watch.h"

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/storage/keys.h"
#include "services/api/bell.h"

namespace keyferry {
namespace {

constexpr absl::Duration kShortestPause = absl::Milliseconds(10);
constexpr int kPausePerWork = 4;

// What a reader was last told of a set, as far as it can change.
struct Told {
  Revision row_revision = 0;
  Readiness readiness = Readiness::kPending;
  int64_t observed_generation = 0;
  int64_t ready_generation = 0;
  std::optional<bool> region_connected;
  std::string error_message;
  friend bool operator==(const Told&, const Told&) = default;
};

struct Known {
  Told told;
  // The comparison that saw the set last.
  uint64_t pass = 0;
};

// Everything but the entry points runs on the strand.
class Watch final : public SetWatch, public std::enable_shared_from_this<Watch> {
 public:
  Watch(const UseCaseDeps& deps, WatchedSets watched)
      : deps_(deps), watched_(std::move(watched)), strand_(Strand::Create(deps_.writer.executor)) {}

  void Next(Done done) override {
    strand_->Run([self = shared_from_this(), done = std::move(done)]() mutable {
      self->next_ = std::move(done);
      self->Pump();
    });
  }

  void Cancel() override {
    strand_->Run([self = shared_from_this()] {
      self->end_ = absl::CancelledError("nobody watches any more");
      self->bell_.reset();
      self->Pump();
    });
  }

 private:
  RowKey Sets() const {
    return watched_.name.empty() ? keys::SecretSets(watched_.organization)
                                 : keys::SecretSet(watched_.organization, watched_.name);
  }
  std::string SetsEnd() const { return watched_.name.empty() ? PrefixEnd(Sets().bytes) : Sets().bytes + '\0'; }

  void Pump() {
    if (end_.ok() && !bell_) end_ = Begin();
    while (next_) {
      if (!end_.ok()) return Tell(end_);
      if (!changes_.empty()) {
        SetChange change = std::move(changes_.front());
        changes_.pop_front();
        return Tell(std::move(change));
      }
      if (!in_pass_ && !BeginPass()) return;
      if (const absl::Status compared = ComparePage(); !compared.ok()) end_ = compared;
    }
  }

  void Tell(absl::StatusOr<SetChange> change) { std::exchange(next_, nullptr)(std::move(change)); }

  // Ends when it is deleted.
  absl::Status CheckOrganization() const {
    Transaction reads(deps_.writer.store);
    return ReadOrganization(reads, watched_.organization).status();
  }

  absl::Status Begin() {
    RETURN_IF_ERROR(CheckOrganization());
    if (!watched_.name.empty()) RETURN_IF_ERROR(CheckSetName(watched_.name));
    bell_.emplace(strand_, weak_from_this(), [this] { Wake(); });
    watched_.name.empty() ? bell_->WatchBelow(deps_.writer.store, Sets()) : bell_->Watch(deps_.writer.store, Sets());
    bell_->Watch(deps_.writer.store, keys::Organization(watched_.organization));
    WakeRegularly();
    return absl::OkStatus();
  }

  void WakeRegularly() {
    deps_.writer.executor.RunAfter(kRescanInterval, [weak = weak_from_this()] {
      const std::shared_ptr<Watch> self = weak.lock();
      if (!self) return;
      self->strand_->Run([self] {
        if (!self->bell_) return;
        self->Wake();
        self->WakeRegularly();
      });
    });
  }

  void Wake() {
    changed_ = true;
    Pump();
  }

  // Whether it is time to compare: something changed, and the pause after the last comparison is over.
  bool BeginPass() {
    if (!changed_) return false;
    if (const absl::Duration left = pause_end_ - SteadyNow(); left > absl::ZeroDuration()) {
      if (std::exchange(pausing_, true)) return false;
      deps_.writer.executor.RunAfter(left, [weak = weak_from_this()] {
        if (const std::shared_ptr<Watch> self = weak.lock()) {
          self->strand_->Run([self] {
            self->pausing_ = false;
            self->Pump();
          });
        }
      });
      return false;
    }
    changed_ = false;
    in_pass_ = true;
    ++pass_;
    work_ = absl::ZeroDuration();
    cursor_ = Sets();
    return true;
  }

  absl::Status ComparePage() {
    const absl::Duration begin = SteadyNow();
    RETURN_IF_ERROR(CheckOrganization());
    ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, deps_.writer.store.Scan(cursor_, SetsEnd(), kWatchPageSets));
    for (const KeyedRow& row : rows) RETURN_IF_ERROR(Compare(row));
    if (!rows.empty()) cursor_.bytes = rows.back().key.bytes + '\0';
    work_ += SteadyNow() - begin;
    if (rows.size() < kWatchPageSets) EndPass();
    return absl::OkStatus();
  }

  absl::Status Compare(const KeyedRow& row) {
    ASSIGN_OR_RETURN(SecretSet set, Decode<SecretSet>(row.row.value));
    if (!watched_.region.empty() && set.region != watched_.region) return absl::OkStatus();
    set.organization = watched_.organization;
    set.name = keys::LastPart(row.key);
    WatchRegion(set.region);
    ASSIGN_OR_RETURN(std::optional<SecretSetView> current, CurrentView(deps_, std::move(set)));
    if (!current) return absl::OkStatus();
    SecretSetView& view = *current;
    const Told now{.row_revision = row.row.revision,
                   .readiness = view.status.readiness,
                   .observed_generation = view.status.observed_generation,
                   .ready_generation = view.status.ready_generation,
                   .region_connected = view.region_connected,
                   .error_message = view.status.error_message};
    const auto [known, fresh] = known_.try_emplace(view.set.name);
    if (known_.size() > kMaxWatchedSets) return TooLarge();
    known->second.pass = pass_;
    if (!fresh && known->second.told == now) return absl::OkStatus();
    known->second.told = now;
    changes_.push_back(std::move(view));
    return absl::OkStatus();
  }

  // Before the first of its rows is read, so that no change falls between.
  void WatchRegion(const std::string& region) {
    if (!regions_.insert(region).second) return;
    const ObjectId all{.kind = ObjectKind::kSecretSet, .organization = watched_.organization};
    bell_->WatchBelow(deps_.writer.store, keys::Desired(region, all));
    bell_->WatchBelow(deps_.writer.store, keys::Observed(region, all));
    bell_->Watch(deps_.writer.store, keys::RegionState(region));
  }

  void EndPass() {
    for (auto known = known_.begin(); known != known_.end();) {
      if (known->second.pass != pass_) changes_.push_back(SetDeleted{known->first});
      known = known->second.pass != pass_ ? known_.erase(known) : std::next(known);
    }
    if (pass_ == 1) changes_.push_back(SnapshotComplete{});
    in_pass_ = false;
    pause_end_ = SteadyNow() + std::max(kShortestPause, kPausePerWork * work_);
  }

  // Without a time to retry after: the same watch would end the same way.
  absl::Status TooLarge() const {
    const char* const advice = watched_.region.empty() ? "watch one region or one set" : "watch one set";
    return MakeError(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat("there are more than ", kMaxWatchedSets, " sets here; trying again is no use, ", advice),
        {.reason = "WATCH_TOO_LARGE", .metadata = {{"limit", absl::StrCat(kMaxWatchedSets)}, {"advice", advice}}});
  }

  static absl::Duration SteadyNow() { return SystemClock().Monotonic(); }

  const UseCaseDeps deps_;
  const WatchedSets watched_;
  const std::shared_ptr<Strand> strand_;
  Done next_;
  absl::Status end_;
  std::optional<Bell> bell_;
  std::set<std::string> regions_;
  std::map<std::string, Known> known_;
  std::deque<SetChange> changes_;

  bool changed_ = true;
  bool in_pass_ = false;
  bool pausing_ = false;
  uint64_t pass_ = 0;
  RowKey cursor_;
  absl::Duration work_;
  absl::Duration pause_end_ = absl::ZeroDuration();
};

}  // namespace

std::shared_ptr<SetWatch> SetWatch::Create(const UseCaseDeps& deps, WatchedSets watched) {
  return std::make_shared<Watch>(deps, std::move(watched));
}

}  // namespace keyferry
