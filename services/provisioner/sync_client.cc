#include "services/provisioner/sync_client.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "keyferry/v1/provisioning.pb.h"
#include "libs/common/backoff.h"
#include "libs/common/clock.h"
#include "libs/common/error.h"
#include "libs/common/log.h"
#include "libs/crypto/aead.h"
#include "services/provisioner/drift_notes.h"
#include "services/provisioner/event_worker.h"
#include "services/provisioner/provisioner_metrics.h"
#include "services/provisioner/relay.h"
#include "services/provisioner/sync_messages.h"
#include "services/provisioner/sync_stream.h"

namespace keyferry {
namespace {

constexpr std::string_view kReasonUnknownSealingKey = "UNKNOWN_SEALING_KEY";
constexpr size_t kBootIdBytes = 16;
constexpr size_t kObjectsPerCheck = 256;
constexpr size_t kMaxBacklogMessages = 32;
// After Drain the API ends the stream; when it does not, we do.
constexpr absl::Duration kDrainPatience = absl::Seconds(10);
constexpr absl::Duration kMinHeartbeatInterval = absl::Milliseconds(10);

// Everything but Stop runs in `relay_`; the reconciler only in the job, of which there is one at a time. The thread that leaves the relay
// takes the job that was made there, so that an event passes from the stream to the store and back without another thread.
class Core : public std::enable_shared_from_this<Core> {
 public:
  explicit Core(SyncClientOptions options)
      : options_(std::move(options)),
        boot_id_(RandomBytes(kBootIdBytes)) {
    drift_.Note(options_.drifted);
  }

  void Start() {
    Post([](Core& core) {
      core.Connect();
      core.CheckSinksLater();
    })();
  }

  void Stop(absl::Duration patience) {
    Post([](Core& core) {
      core.stopping_ = true;
      core.Proceed();
    })();
    if (stopped_.WaitForNotificationWithTimeout(patience)) return;
    Post([](Core& core) {
      if (core.stream_) core.stream_->Cancel();
    })();
    stopped_.WaitForNotification();
  }

 private:
  // Runs it in the relay while this lives: on a thread of the executor, whoever calls.
  std::function<void()> Post(std::function<void(Core&)> work) {
    return [weak = weak_from_this(), &executor = options_.executor, work = std::move(work)] {
      executor.Run([weak, work] {
        if (const std::shared_ptr<Core> self = weak.lock()) self->Enter(work);
      });
    };
  }

  // On a thread of the executor.
  void Enter(std::function<void(Core&)> work) {
    relay_.Run([self = shared_from_this(), work = std::move(work)] { work(*self); });
    while (const std::function<void()> job = TakeJob()) job();
  }

  void After(absl::Duration delay, std::function<void(Core&)> work) {
    options_.executor.RunAfter(delay, [weak = weak_from_this(), work = std::move(work)] {
      if (const std::shared_ptr<Core> self = weak.lock()) self->Enter(work);
    });
  }

  // The same, and only while the present stream is.
  void LaterInSession(absl::Duration delay, std::function<void(Core&)> work) {
    After(delay, [session = session_, work = std::move(work)](Core& core) {
      if (core.session_ == session && core.stream_) work(core);
    });
  }

  std::function<void()> TakeJob() {
    const absl::MutexLock lock(&job_mutex_);
    return std::exchange(job_, nullptr);
  }

  // REQUIRES: not working_. What the job answers runs in the relay.
  void StartJob(std::function<std::function<void(Core&)>()> job) {
    working_ = true;
    const absl::MutexLock lock(&job_mutex_);
    job_ = [self = shared_from_this(), job = std::move(job)] { self->relay_.Run([self, end = job()] { end(*self); }); };
  }

  void Connect() {
    if (stopping_) return Proceed();
    ++session_;
    granted_ = false;
    drain_delay_.reset();
    const RegionMeta meta = options_.store.meta();
    const std::vector<std::string> sealing_key_ids = options_.sealing_key_ids();
    sealing_key_id_ = sealing_key_ids[unknown_sealing_keys_ % sealing_key_ids.size()];
    worker_ = std::make_shared<EventWorker>(options_.store, options_.reconciler, meta.target_incarnation);
    heard_at_ = SystemClock().Monotonic();
    auto on_done = [weak = weak_from_this(), &executor = options_.executor](std::shared_ptr<SyncStream> stream, absl::Status status) {
      executor.Run([weak, stream = std::move(stream), status] {
        if (const std::shared_ptr<Core> self = weak.lock()) self->Enter([status](Core& core) { core.OnEnded(status); });
      });
    };
    stream_ = SyncStream::Start(options_.new_channel(), {.on_readable = Hearing(), .on_done = std::move(on_done)});
    stream_->Send(HelloOf(
        meta, {options_.region, options_.provisioner_id, options_.version, boot_id_, sealing_key_id_}));
    LaterInSession(options_.timings.silence / 2, [](Core& core) { core.WatchSilence(); });
    LaterInSession(options_.timings.progress, [](Core& core) { core.ReportProgress(); });
  }

  // Messages that come while one waits to be heard are heard with it.
  std::function<void()> Hearing() {
    const auto posted = std::make_shared<std::atomic<bool>>(false);
    return [posted, hear = Post([posted](Core& core) {
              posted->store(false);
              core.Hear();
            })] {
      if (!posted->exchange(true)) hear();
    };
  }

  bool IsBacklogFull() const { return backlog_.size() >= kMaxBacklogMessages; }

  void Hear() {
    heard_at_ = SystemClock().Monotonic();
    Read();
  }

  // Leaves messages with the stream, which then stops reading, while there is enough to do.
  void Read() {
    if (!stream_ || IsBacklogFull()) return;
    for (v1::ApiMessage& message : stream_->Take()) {
      if (message.has_welcome()) {
        OnWelcome(message.welcome());
      } else if (message.has_grant()) {
        OnGrant(message.grant());
      } else if (message.has_standby()) {
        Log(Severity::kInfo, "standby", {{"region", options_.region}, {"owner", message.standby().owner_id()}});
      } else if (message.has_drain()) {
        OnDrain(message.drain());
      } else {
        backlog_.push_back(std::move(message));
      }
    }
    Proceed();
  }

  void OnWelcome(const v1::Welcome& welcome) {
    failed_attempts_ = 0;
    const absl::Duration asked = FromWire(welcome.heartbeat_interval());
    heartbeat_interval_ = asked >= kMinHeartbeatInterval ? std::min(asked, kHeartbeatInterval) : kHeartbeatInterval;
    Beat();
    ShowStream(/*connected=*/true, granted_);
    Log(Severity::kInfo, "connected", {{"region", options_.region}, {"head_revision", welcome.head_revision()}});
  }

  void OnGrant(const v1::Grant& grant) {
    ShowStream(/*connected=*/true, granted_ = true);
    options_.on_owned(sealing_key_id_);
    Log(Severity::kInfo, "granted", {{"region", options_.region}, {"epoch", grant.epoch()}});
    ReportDrift();
  }

  void OnDrain(const v1::Drain& drain) {
    const absl::Duration asked = FromWire(drain.reconnect_after());
    const bool superseded = drain.reason() == "SUPERSEDED";
    drain_delay_ =
        superseded ? options_.timings.max_retry : std::clamp(asked, absl::ZeroDuration(), options_.timings.max_retry);
    Log(superseded ? Severity::kError : Severity::kInfo, "drained",
        {{"reason", drain.reason()}, {"region", options_.region}});
    LaterInSession(kDrainPatience, [](Core& core) { core.stream_->Cancel(); });
  }

  // The next group of work, or what is to be done when there is none.
  void Proceed() {
    if (working_) return;
    // Before the next group, or a busy region would never look.
    if (check_due_ && !stopping_) return StartCheck();
    if (!backlog_.empty()) return StartWork();
    if (stream_ && (stopping_ || drain_delay_)) stream_->FinishSending();
    if (stopping_ && !stream_ && !stopped_.HasBeenNotified()) stopped_.Notify();
  }

  void StartWork() {
    const auto group = std::make_shared<const std::vector<v1::ApiMessage>>(TakeGroup(backlog_));
    in_work_ = group;
    StartJob([worker = worker_, session = session_, group]() -> std::function<void(Core&)> {
      return [session, answers = worker->Work(*group)](Core& core) { core.FinishWork(session, answers); };
    });
  }

  void FinishWork(uint64_t session, const std::vector<v1::ProvisionerMessage>& answers) {
    working_ = false;
    in_work_ = nullptr;
    if (session == session_ && stream_) {
      for (const v1::ProvisionerMessage& answer : answers) stream_->Send(answer);
    }
    Read();
    Proceed();
  }

  // Who does not listen cannot judge silence: it begins when the backlog has room again.
  void WatchSilence() {
    if (IsBacklogFull()) heard_at_ = SystemClock().Monotonic();
    if (SystemClock().Monotonic() - heard_at_ > options_.timings.silence) {
      Log(Severity::kWarning, "api_silent", {{"region", options_.region}});
      return stream_->Cancel();
    }
    LaterInSession(options_.timings.silence / 2, [](Core& core) { core.WatchSilence(); });
  }

  void Beat() {
    v1::ProvisionerMessage message;
    message.mutable_heartbeat();
    stream_->Send(std::move(message));
    LaterInSession(heartbeat_interval_, [](Core& core) { core.Beat(); });
  }

  void ReportProgress() {
    v1::ProvisionerMessage message;
    if (in_work_ != nullptr) {
      for (const v1::ApiMessage& worked_on : *in_work_) AddProgress(worked_on, message);
    }
    for (const v1::ApiMessage& waiting : backlog_) AddProgress(waiting, message);
    if (message.has_progress()) stream_->Send(std::move(message));
    LaterInSession(options_.timings.progress, [](Core& core) { core.ReportProgress(); });
  }

  void ReportDrift() {
    if (!granted_ || drift_.empty()) return;
    Log(Severity::kError, "drift", {{"region", options_.region}, {"objects", drift_.size()}});
    while (!drift_.empty()) {
      v1::ProvisionerMessage message;
      for (const ObjectId& id : drift_.TakeSome()) ToWire(id, message.mutable_drift()->add_objects());
      stream_->Send(std::move(message));
    }
  }

  void CheckSinksLater() {
    After(options_.timings.check_sinks, [](Core& core) { core.CheckSinks(); });
  }

  void CheckSinks() {
    if (stopping_) return;
    check_due_ = true;
    Proceed();
  }

  void StartCheck() {
    check_due_ = false;
    StartJob([&reconciler = options_.reconciler]() -> std::function<void(Core&)> {
      return [lost = reconciler.CheckSinks(kObjectsPerCheck)](Core& core) { core.SinksChecked(lost); };
    });
  }

  void SinksChecked(const absl::StatusOr<std::vector<ObjectId>>& lost) {
    if (lost.ok()) drift_.Note(*lost);
    if (!lost.ok()) Log(Severity::kError, "check_sinks_failed", {{"error", lost.status()}});
    if (stream_) ReportDrift();
    CheckSinksLater();
    FinishWork(session_, {});
  }

  void OnEnded(const absl::Status& status) {
    stream_ = nullptr;
    ShowStream(/*connected=*/false, granted_ = false);
    options_.on_owned(std::nullopt);
    unknown_sealing_keys_ = ReasonOf(status) == kReasonUnknownSealingKey ? unknown_sealing_keys_ + 1 : 0;
    backlog_.clear();
    if (stopping_) return Proceed();
    const absl::Duration delay = RetryDelay();
    Log(status.ok() ? Severity::kInfo : Severity::kWarning, "disconnected",
        {{"region", options_.region}, {"status", status}, {"retry_ms", absl::ToInt64Milliseconds(delay)}});
    After(delay, [](Core& core) { core.Connect(); });
  }

  absl::Duration RetryDelay() {
    const SyncTimings& timings = options_.timings;
    const absl::Duration first = timings.min_first_retry +
                                 (timings.max_first_retry - timings.min_first_retry) * absl::Uniform(random_, 0.0, 1.0);
    const int attempt = failed_attempts_++;
    if (drain_delay_) return *drain_delay_ + first;
    if (attempt == 0) return first;
    return std::max(first,
                    BackoffDelay(attempt - 1, timings.min_retry, timings.max_retry, absl::Uniform(random_, 0.0, 1.0)));
  }

  const SyncClientOptions options_;
  const std::string boot_id_;
  Relay relay_;
  absl::Mutex job_mutex_;
  std::function<void()> job_ ABSL_GUARDED_BY(job_mutex_);
  absl::BitGen random_;
  absl::Notification stopped_;

  std::shared_ptr<SyncStream> stream_;
  std::shared_ptr<EventWorker> worker_;
  uint64_t session_ = 0;
  bool granted_ = false;
  // What this stream's Hello says, and how many streams before it the API refused for what theirs said.
  std::string sealing_key_id_;
  size_t unknown_sealing_keys_ = 0;
  std::optional<absl::Duration> drain_delay_;
  absl::Duration heartbeat_interval_;
  absl::Duration heard_at_;
  int failed_attempts_ = 0;
  std::deque<v1::ApiMessage> backlog_;
  std::shared_ptr<const std::vector<v1::ApiMessage>> in_work_;
  bool working_ = false;
  bool check_due_ = false;
  bool stopping_ = false;
  DriftNotes drift_;
};

class Client final : public SyncClient {
 public:
  explicit Client(SyncClientOptions options) : core_(std::make_shared<Core>(std::move(options))) { core_->Start(); }
  ~Client() override { Stop(absl::ZeroDuration()); }
  void Stop(absl::Duration patience) override { core_->Stop(patience); }

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace

std::unique_ptr<SyncClient> SyncClient::Start(SyncClientOptions options) { return std::make_unique<Client>(std::move(options)); }

}  // namespace keyferry
