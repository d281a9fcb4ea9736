#include "services/api/audit_trail.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "libs/common/error.h"
#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/crypto/signature.h"
#include "libs/storage/keys.h"
#include "services/api/audit_chainer.h"
#include "services/api/audit_files.h"
#include "services/api/audit_queue.h"
#include "services/api/audit_sink.h"

namespace keyferry {
namespace {

constexpr absl::Duration kGroupDelay = absl::Milliseconds(50);
constexpr absl::Duration kSinkDelay = absl::Milliseconds(250);
constexpr absl::Duration kIdleInterval = absl::Seconds(1);
constexpr absl::Duration kSinkIdleInterval = absl::Seconds(2);
// A round that took long is followed by so many times as much rest: chaining never takes more than its part of a core.
constexpr int kRestFactor = 3;
constexpr absl::Duration kMaxRest = absl::Seconds(1);

// A thread that does one thing again and again: some delay after it is woken, else once in a while, and once more at
// its end.
class Routine {
 public:
  struct Times {
    absl::Duration delay;
    absl::Duration idle_interval;
  };
  Routine(Times times, std::function<void()> work)
      : times_(times), work_(std::move(work)), thread_([this] { Loop(); }) {}
  ~Routine() { End(); }

  void Wake() {
    absl::MutexLock lock(&mutex_);
    is_woken_ = true;
  }
  void End() {
    {
      absl::MutexLock lock(&mutex_);
      is_ended_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Loop() {
    while (!AwaitTurn()) {
      const absl::Time begin = absl::Now();
      work_();
      AwaitEnd(std::min(kRestFactor * (absl::Now() - begin), kMaxRest));
    }
    work_();
  }
  // Answers whether it is the last.
  bool AwaitTurn() {
    absl::MutexLock lock(&mutex_);
    const auto is_due = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return is_woken_ || is_ended_; };
    mutex_.AwaitWithTimeout(absl::Condition(&is_due), times_.idle_interval);
    mutex_.AwaitWithTimeout(absl::Condition(&is_ended_), times_.delay);
    is_woken_ = false;
    return is_ended_;
  }
  void AwaitEnd(absl::Duration timeout) {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&is_ended_), timeout);
  }

  const Times times_;
  const std::function<void()> work_;
  absl::Mutex mutex_;
  bool is_woken_ ABSL_GUARDED_BY(mutex_) = true;
  bool is_ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

class ThreadedAuditTrail final : public StoredAuditTrail {
 public:
  explicit ThreadedAuditTrail(AuditTrailParts parts)
      : writer_(parts.writer),
        clock_(parts.clock),
        chainer_(parts.writer, parts.clock, parts.key, [this](AuditRow row) { queue_.Add(std::move(row)); }) {
    if (parts.files != nullptr) {
      const std::string public_key = parts.key == nullptr ? "" : parts.key->public_key();
      sink_ = std::make_unique<AuditSink>(writer_.store, clock_, std::move(parts.files), public_key,
                                          [this](AuditRow row) { queue_.Add(std::move(row)); });
      sinking_ = std::make_unique<Routine>(Routine::Times{kSinkDelay, kSinkIdleInterval},
                                           [this] { Report("audit_sink_failed", sink_->CatchUp()); });
    }
    chaining_ = std::make_unique<Routine>(Routine::Times{kGroupDelay, kIdleInterval}, [this] { ChainOnce(); });
    const RowKey pending = keys::AuditPendings();
    ring_ = writer_.store.Ring(pending, PrefixEnd(pending.bytes), [this] { chaining_->Wake(); });
  }

  // The sink ends after the chains, and what it found is chained by the next process.
  ~ThreadedAuditTrail() override {
    ring_.reset();
    chaining_->End();
    Report("audit_signing_failed", chainer_.SignHeads(AuditChainer::Which::kAll));
    if (sinking_ != nullptr) sinking_->End();
    WriteQueued(AuditQueue::Tell::kAll);
  }

  void Denied(const Caller& caller, std::string_view method, const absl::Status& status) override {
    AuditRow row = AuditRowOf({.caller = caller, .method = std::string(method)}, {}, clock_.Now());
    row.decision = AuditDecision::kDenied;
    row.code = absl::StatusCodeToString(status.code());
    row.reason = ReasonOf(status);
    queue_.Add(std::move(row));
    chaining_->Wake();
  }

  absl::Status CheckAdmits(const std::string& organization) const override {
    if (Lag([&](const auto& part) { return part.lag(organization); }) <= kMaxAuditSinkLag) return absl::OkStatus();
    return MakeError(absl::StatusCode::kUnavailable,
                     "the audit trail stands still, or its second copy cannot be written, and nothing may change "
                     "without it; try again",
                     {.reason = "AUDIT_SINK_STALLED", .retry_after = absl::Seconds(10)});
  }

  AuditTrailHealth Health() const override {
    return {.chained_count = chained_count_,
            .dropped_count = queue_.dropped_count(),
            .sink_lag = Lag([](const auto& part) { return part.lag(); })};
  }

 private:
  void ChainOnce() {
    WriteQueued();
    const absl::StatusOr<int64_t> chained = chainer_.ChainPending();
    if (chained.ok()) chained_count_ += *chained;
    Report("audit_chaining_failed", chained.status());
    Report("audit_signing_failed", chainer_.SignHeads(AuditChainer::Which::kDue));
    if (sinking_ != nullptr && chained.value_or(0) > 0) sinking_->Wake();
  }

  // A group that could not be written is tried again before the next one.
  void WriteQueued(AuditQueue::Tell tell = AuditQueue::Tell::kDue) {
    if (group_.empty()) group_ = queue_.Take(tell);
    if (group_.empty()) return;
    Transaction transaction(writer_.store);
    for (const AuditRow& row : group_) AddAuditRecord(transaction, row);
    FAILPOINT("audit.queue.before_commit");
    const absl::Status written =
        CommitAndWait(writer_.store, std::move(transaction).TakeCommit(writer_.term())).status();
    Report("audit_writing_failed", written);
    if (written.ok()) group_.clear();
  }

  template <typename LagOf>
  absl::Duration Lag(const LagOf& lag_of) const {
    return sink_ == nullptr ? lag_of(chainer_) : std::max(lag_of(chainer_), lag_of(*sink_));
  }

  static void Report(std::string_view event, const absl::Status& status) {
    if (!status.ok()) Log(Severity::kError, event, {{"error", status}});
  }

  const Writer writer_;
  const Clock& clock_;
  AuditChainer chainer_;
  AuditQueue queue_{kMaxAuditWaiting, clock_};
  std::vector<AuditRow> group_;
  std::atomic<int64_t> chained_count_ = 0;
  std::unique_ptr<AuditSink> sink_;
  std::unique_ptr<Routine> sinking_;
  std::unique_ptr<Routine> chaining_;
  std::unique_ptr<Store::Subscription> ring_;
};

}  // namespace

std::unique_ptr<StoredAuditTrail> NewAuditTrail(AuditTrailParts parts) {
  return std::make_unique<ThreadedAuditTrail>(std::move(parts));
}

}  // namespace keyferry
