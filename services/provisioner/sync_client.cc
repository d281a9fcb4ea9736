#include "services/provisioner/sync_client.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "keyferry/v1/provisioning.pb.h"
#include "libs/common/backoff.h"
#include "libs/common/clock.h"
#include "libs/common/error.h"
#include "libs/common/log.h"
#include "libs/crypto/aead.h"
#include "services/provisioner/event_worker.h"
#include "services/provisioner/provisioner_metrics.h"
#include "services/provisioner/sync_messages.h"
#include "services/provisioner/sync_stream.h"

namespace keyferry {
namespace {

constexpr uint32_t kProtocolVersion = 1;
constexpr std::string_view kReasonUnknownSealingKey = "UNKNOWN_SEALING_KEY";
constexpr size_t kBootIdBytes = 16;
constexpr size_t kObjectsPerCheck = 256;
constexpr size_t kMaxBacklogMessages = 32;
// After Drain the API ends the stream; when it does not, we do.
constexpr absl::Duration kDrainPatience = absl::Seconds(10);
constexpr absl::Duration kMinHeartbeatInterval = absl::Milliseconds(10);

// Everything but Stop runs on `strand_`; the reconciler only on `work_strand_`.
class Core : public std::enable_shared_from_this<Core> {
 public:
  explicit Core(SyncClientOptions options)
      : options_(std::move(options)),
        boot_id_(RandomBytes(kBootIdBytes)),
        strand_(Strand::Create(options_.executor)),
        work_strand_(Strand::Create(options_.executor)) {
    NoteDrift(options_.drifted);
  }

  void Start() {
    strand_->Run([self = shared_from_this()] {
      self->Connect();
      self->CheckSinksLater();
    });
  }

  void Stop(absl::Duration patience) {
    strand_->Run([self = shared_from_this()] {
      self->stopping_ = true;
      self->Proceed();
    });
    if (stopped_.WaitForNotificationWithTimeout(patience)) return;
    strand_->Run([self = shared_from_this()] {
      if (self->stream_) self->stream_->Cancel();
    });
    stopped_.WaitForNotification();
  }

 private:
  // Runs it on the strand while this lives.
  std::function<void()> OnStrand(std::function<void(Core&)> work) {
    return [weak = weak_from_this(), strand = strand_, work = std::move(work)] {
      strand->Run([weak, work] {
        if (const std::shared_ptr<Core> self = weak.lock()) work(*self);
      });
    };
  }

  // The same after a delay, and only while the present stream is.
  void LaterInSession(absl::Duration delay, std::function<void(Core&)> work) {
    options_.executor.RunAfter(delay, OnStrand([session = session_, work = std::move(work)](Core& core) {
                                 if (core.session_ == session && core.stream_) work(core);
                               }));
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
    auto on_done = [weak = weak_from_this(), strand = strand_](std::shared_ptr<SyncStream> stream,
                                                               absl::Status status) {
      strand->Run([weak, stream = std::move(stream), status] {
        if (const std::shared_ptr<Core> self = weak.lock()) self->OnEnded(status);
      });
    };
    stream_ = SyncStream::Start(options_.new_channel(), {.on_readable = OnStrand([](Core& core) { core.Hear(); }),
                                                         .on_done = std::move(on_done)});
    stream_->Send(HelloOf(meta));
    LaterInSession(options_.timings.silence / 2, [](Core& core) { core.WatchSilence(); });
    LaterInSession(options_.timings.progress, [](Core& core) { core.ReportProgress(); });
  }

  v1::ProvisionerMessage HelloOf(const RegionMeta& meta) const {
    v1::ProvisionerMessage message;
    v1::Hello* hello = message.mutable_hello();
    hello->set_protocol_version(kProtocolVersion);
    hello->set_region(options_.region);
    hello->set_provisioner_id(options_.provisioner_id);
    hello->set_boot_id(boot_id_);
    hello->set_target_incarnation(meta.target_incarnation);
    hello->set_max_revision_seen(meta.max_revision_seen);
    hello->set_max_inflight_objects(kMaxInflightObjects);
    hello->set_max_inflight_bytes(kMaxInflightBytes);
    hello->set_sealing_key_id(sealing_key_id_);
    hello->set_version(options_.version);
    return message;
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
    const absl::Duration asked =
        absl::Seconds(welcome.heartbeat_interval().seconds()) + absl::Nanoseconds(welcome.heartbeat_interval().nanos());
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
    const absl::Duration asked =
        absl::Seconds(drain.reconnect_after().seconds()) + absl::Nanoseconds(drain.reconnect_after().nanos());
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
    if (!backlog_.empty()) return StartWork();
    if (stream_ && (stopping_ || drain_delay_)) stream_->FinishSending();
    if (stopping_ && !stream_ && !stopped_.HasBeenNotified()) stopped_.Notify();
  }

  void StartWork() {
    std::vector<v1::ApiMessage> group;
    int events = 0;
    while (!backlog_.empty() && events < kMaxInflightObjects) {
      events += backlog_.front().events().events_size();
      group.push_back(std::move(backlog_.front()));
      backlog_.pop_front();
    }
    in_work_ = ObjectsOf(group);
    working_ = true;
    work_strand_->Run([self = shared_from_this(), worker = worker_, session = session_, group = std::move(group)] {
      auto answers = worker->Work(group);
      self->strand_->Run([self, session, answers = std::move(answers)] { self->FinishWork(session, answers); });
    });
  }

  static std::vector<v1::ObjectId> ObjectsOf(const std::vector<v1::ApiMessage>& messages) {
    std::vector<v1::ObjectId> objects;
    for (const v1::ApiMessage& message : messages) {
      for (const v1::Event& event : message.events().events()) {
        if (event.operation() != v1::OPERATION_RETAIN) objects.push_back(event.object());
      }
    }
    return objects;
  }

  void FinishWork(uint64_t session, const std::vector<v1::ProvisionerMessage>& answers) {
    working_ = false;
    in_work_.clear();
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
    for (const v1::ObjectId& object : in_work_) *message.mutable_progress()->add_objects() = object;
    for (const v1::ObjectId& object : ObjectsOf({backlog_.begin(), backlog_.end()}))
      *message.mutable_progress()->add_objects() = object;
    if (message.has_progress()) stream_->Send(std::move(message));
    LaterInSession(options_.timings.progress, [](Core& core) { core.ReportProgress(); });
  }

  void NoteDrift(const std::vector<ObjectId>& lost) {
    for (const ObjectId& id : lost) {
      if (drifted_.size() == kMaxDriftedObjects) return;
      drifted_.insert(id);
    }
  }

  void ReportDrift() {
    if (!granted_ || drifted_.empty()) return;
    Log(Severity::kError, "drift", {{"region", options_.region}, {"objects", drifted_.size()}});
    while (!drifted_.empty()) {
      v1::ProvisionerMessage message;
      v1::Drift& drift = *message.mutable_drift();
      while (!drifted_.empty() && drift.objects_size() < kMaxDriftObjectsPerMessage)
        ToWire(drifted_.extract(drifted_.begin()).value(), drift.add_objects());
      stream_->Send(std::move(message));
    }
  }

  void CheckSinksLater() {
    options_.executor.RunAfter(options_.timings.check_sinks, OnStrand([](Core& core) { core.CheckSinks(); }));
  }

  void CheckSinks() {
    if (stopping_) return;
    if (working_) return CheckSinksLater();
    working_ = true;
    work_strand_->Run([self = shared_from_this()] {
      auto lost = self->options_.reconciler.CheckSinks(kObjectsPerCheck);
      self->strand_->Run([self, lost = std::move(lost)] {
        if (lost.ok()) self->NoteDrift(*lost);
        if (!lost.ok()) Log(Severity::kError, "check_sinks_failed", {{"error", lost.status()}});
        if (self->stream_) self->ReportDrift();
        self->CheckSinksLater();
        self->FinishWork(self->session_, {});
      });
    });
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
    options_.executor.RunAfter(delay, OnStrand([](Core& core) { core.Connect(); }));
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
  const std::shared_ptr<Strand> strand_;
  const std::shared_ptr<Strand> work_strand_;
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
  std::vector<v1::ObjectId> in_work_;
  bool working_ = false;
  bool stopping_ = false;
  std::set<ObjectId> drifted_;
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
