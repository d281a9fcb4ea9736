#include "services/api/call_limits.h"

#include <algorithm>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/error.h"
#include "libs/common/status_macros.h"
#include "libs/storage/lru_map.h"

namespace keyferry {
namespace {

constexpr double kBurstSeconds = 2;
constexpr absl::Duration kMinRetryAfter = absl::Milliseconds(1);

absl::Status RateLimited(absl::string_view whose, absl::string_view limit, absl::Duration retry_after) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("too many calls ", whose, "; try again in ",
                                absl::FormatDuration(absl::Ceil(retry_after, kMinRetryAfter))),
                   {.reason = "RATE_LIMITED",
                    .metadata = {{"limit", std::string(limit)}},
                    .retry_after = std::max(retry_after, kMinRetryAfter)});
}

absl::Status CoolingDown(absl::string_view whose, absl::string_view limit, absl::Duration rest) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("too many calls ", whose, " had a wrong credential; try again in ",
                                absl::FormatDuration(absl::Ceil(rest, absl::Seconds(1)))),
                   {.reason = "RATE_LIMITED", .metadata = {{"limit", std::string(limit)}}, .retry_after = rest});
}

class Bucket {
 public:
  // rate 0: no limit. Begins full.
  Bucket(int64_t rate, absl::Duration now)
      : rate_(static_cast<double>(rate)), level_(kBurstSeconds * rate_), filled_(now) {}

  // Zero: taken. Else when one may be taken.
  absl::Duration Take(absl::Duration now) {
    if (rate_ == 0) return absl::ZeroDuration();
    level_ = std::min(kBurstSeconds * rate_, level_ + rate_ * absl::ToDoubleSeconds(now - filled_));
    filled_ = now;
    if (level_ < 1) return std::max(kMinRetryAfter, absl::Seconds((1 - level_) / rate_));
    level_ -= 1;
    return absl::ZeroDuration();
  }

 private:
  double rate_;
  double level_;
  absl::Duration filled_;
};

class Failures {
 public:
  void Add(absl::Duration now, int64_t limit) {
    if (now - window_begin_ >= kFailureWindow) {
      window_begin_ = now;
      count_ = 0;
    }
    if (++count_ >= limit) cool_until_ = now + kFailureCoolDown;
  }
  // Zero: none.
  absl::Duration CoolDown(absl::Duration now) const { return std::max(absl::ZeroDuration(), cool_until_ - now); }

 private:
  absl::Duration window_begin_ = -absl::InfiniteDuration();
  absl::Duration cool_until_ = -absl::InfiniteDuration();
  int64_t count_ = 0;
};

// A new one is `value`.
template <typename Value>
Value& FindOrAdd(LruMap<Value>& table, std::string_view name, Value value) {
  Value* found = table.Find(name);
  if (found != nullptr) return *found;
  table.Insert(name, std::move(value));
  return *table.Find(name);
}

// Behind one lock, so that what it takes is short.
template <typename Value>
class Guarded {
 public:
  template <typename Use>
  auto With(Use use) {
    const absl::MutexLock lock(&mutex_);
    return use(table_);
  }

 private:
  absl::Mutex mutex_;
  LruMap<Value> table_ ABSL_GUARDED_BY(mutex_){kMaxCallersLimited};
};

class BucketLimits final : public CallLimits {
 public:
  BucketLimits(const CallLimitSettings& settings, const Clock& clock, OrganizationRate organization_rate)
      : settings_(settings), clock_(clock), organization_rate_(std::move(organization_rate)) {}

  absl::Status AdmitAddress(std::string_view address) override {
    if (address.empty()) return absl::OkStatus();
    const absl::Duration now = clock_.Monotonic();
    if (settings_.address_calls_per_second == 0) return absl::OkStatus();
    const absl::Duration wait = addresses_.With([&](LruMap<Bucket>& table) {
      return FindOrAdd(table, address, Bucket(settings_.address_calls_per_second, now)).Take(now);
    });
    if (wait > absl::ZeroDuration()) return RateLimited("from this address", "address", wait);
    return absl::OkStatus();
  }

  absl::Status CoolDown(std::string_view key_id, std::string_view address) override {
    const absl::Duration now = clock_.Monotonic();
    const absl::Duration address_rest = CoolDownOf(address_failures_, address, now);
    if (address_rest > absl::ZeroDuration()) return CoolingDown("from this address", "address", address_rest);
    const absl::Duration key_rest = key_id.empty() ? absl::ZeroDuration() : CoolDownOf(key_failures_, key_id, now);
    if (key_rest > absl::ZeroDuration()) return CoolingDown("with this key's id", "key", key_rest);
    return absl::OkStatus();
  }

  void Failed(std::string_view key_id, std::string_view address) override {
    if (settings_.failures_per_minute == 0) return;
    const absl::Duration now = clock_.Monotonic();
    const auto add = [&](Guarded<Failures>& failures, std::string_view name) {
      failures.With(
          [&](LruMap<Failures>& table) { FindOrAdd(table, name, Failures()).Add(now, settings_.failures_per_minute); });
    };
    add(address_failures_, address);
    if (!key_id.empty()) add(key_failures_, key_id);
  }

  absl::Status AdmitCaller(const Caller& caller, std::string_view key_id) override {
    if (caller.kind != CallerKind::kTenant) return absl::OkStatus();
    const absl::Duration now = clock_.Monotonic();
    const absl::Duration key_wait = keys_.With([&](LruMap<Bucket>& table) {
      return FindOrAdd(table, key_id.empty() ? std::string_view(caller.principal) : key_id,
                       Bucket(settings_.key_calls_per_second, now))
          .Take(now);
    });
    if (key_wait > absl::ZeroDuration()) return RateLimited("with this credential", "key", key_wait);
    const absl::Duration organization_wait = TakeOfOrganization(caller.organization, now);
    if (organization_wait > absl::ZeroDuration())
      return RateLimited("of this organization", "organization", organization_wait);
    return absl::OkStatus();
  }

  void ForgetOrganization(const std::string& organization) override {
    organizations_.With([&](LruMap<Bucket>& table) { table.Erase(organization); });
  }

 private:
  static absl::Duration CoolDownOf(Guarded<Failures>& failures, std::string_view name, absl::Duration now) {
    return failures.With([&](LruMap<Failures>& table) {
      const Failures* const found = table.size() == 0 ? nullptr : table.Find(name);
      return found == nullptr ? absl::ZeroDuration() : found->CoolDown(now);
    });
  }

  absl::Duration TakeOfOrganization(const std::string& organization, absl::Duration now) {
    const auto take = [&](LruMap<Bucket>& table) {
      Bucket* const bucket = table.Find(organization);
      return bucket == nullptr ? -absl::InfiniteDuration() : bucket->Take(now);
    };
    const absl::Duration wait = organizations_.With(take);
    if (wait >= absl::ZeroDuration()) return wait;
    // Without the lock: it may read the store.
    int64_t rate = organization_rate_ ? organization_rate_(organization) : 0;
    if (rate == 0) rate = settings_.organization_calls_per_second;
    return organizations_.With(
        [&](LruMap<Bucket>& table) { return FindOrAdd(table, organization, Bucket(rate, now)).Take(now); });
  }

  const CallLimitSettings settings_;
  const Clock& clock_;
  const OrganizationRate organization_rate_;
  Guarded<Bucket> addresses_;
  Guarded<Bucket> organizations_;
  Guarded<Bucket> keys_;
  Guarded<Failures> address_failures_;
  Guarded<Failures> key_failures_;
};

}  // namespace

std::unique_ptr<CallLimits> CallLimits::Create(const CallLimitSettings& settings, const Clock& clock,
                                               OrganizationRate organization_rate) {
  return std::make_unique<BucketLimits>(settings, clock, std::move(organization_rate));
}

}  // namespace keyferry
