#include "services/api/call_report.h"

#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "libs/common/error.h"
#include "libs/common/log.h"
#include "libs/metrics/metrics.h"
#include "libs/rpc/status_conversion.h"
#include "services/api/access_policy.h"
#include "services/api/call_metadata.h"

namespace keyferry {
namespace {

// Those of gRPC, 0 to 16.
constexpr size_t kCodes = 17;

bool HidesItsText(const absl::Status& status) {
  return absl::IsInternal(status) || absl::IsUnknown(status) || absl::IsDataLoss(status);
}

// Made when it is first asked for, so that only what happened is shown. Never destroyed.
template <typename Bound>
class Lazy {
 public:
  template <typename Make>
  const Bound& Get(Make make) {
    if (const Bound* const made = bound_.load(std::memory_order_acquire)) return *made;
    const auto* const made = new Bound(make());
    const Bound* other = nullptr;
    if (bound_.compare_exchange_strong(other, made)) return *made;
    delete made;
    return *other;
  }

 private:
  std::atomic<const Bound*> bound_ = nullptr;
};

class CallMeters {
 public:
  static CallMeters& Get() {
    static auto* const meters = new CallMeters;
    return *meters;
  }

  void Count(const AccessRow& row, absl::StatusCode code, absl::Duration took) {
    Meters& meters = meters_[static_cast<size_t>(&row - AccessTable().data())];
    const auto number = static_cast<size_t>(code);
    if (number < kCodes) meters.by_code[number].Get([&] { return calls_.Of({{"method", std::string(row.method)}, {"code", absl::StatusCodeToString(code)}}); }).Add();
    if (took > absl::ZeroDuration())
      meters.duration.Get([&] { return durations_.Of({{"method", std::string(row.method)}}); }).Observe(absl::ToDoubleSeconds(took));
  }

 private:
  struct Meters {
    std::array<Lazy<Counter>, kCodes> by_code;
    Lazy<Histogram> duration;
  };

  CounterFamily calls_{"keyferry_api_calls_total", "Calls answered, streams when they are admitted, by RPC and gRPC status."};
  HistogramFamily durations_{"keyferry_api_call_duration_seconds", "From a call's arrival to its answer.", SecondsBuckets()};
  std::vector<Meters> meters_{AccessTable().size()};
};

}  // namespace

grpc::Status Convert(const absl::Status& status, std::string_view method, const Caller& caller) {
  if (!HidesItsText(status)) return ToGrpcStatus(status, "");
  const std::string incident = NewIncidentId();
  Log(Severity::kError, "incident",
      {{"incident", incident},
       {"method", method},
       {"principal", caller.principal},
       {"request_id", caller.request_id},
       {"error", status}});
  return ToGrpcStatus(status, incident);
}

void ReportCall(std::string_view method, const Caller& caller, const absl::Status& status, absl::Duration took) {
  // Methods are those of the access table: whatever else is called does not come here.
  if (const AccessRow* const row = FindAccess(method)) CallMeters::Get().Count(*row, status.code(), took);
  Log(Severity::kInfo, "call",
      {{"method", method},
       {"principal", caller.principal},
       {"organization", caller.organization},
       {"code", absl::StatusCodeToString(status.code())},
       {"reason", ReasonOf(status)},
       {"milliseconds", absl::ToInt64Milliseconds(took)},
       {"request_id", caller.request_id}});
}

}  // namespace keyferry
