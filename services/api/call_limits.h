// CallLimits: how often may be called, by a key, by all callers of an organization, and from an address; and how often
// a credential may be wrong. Each has a bucket of twice its rate, so that short bursts pass.
//
// Every refusal is RESOURCE_EXHAUSTED, RATE_LIMITED, with the time after which a call passes. It says nothing of
// whether the key or the organization exists. Operators and provisioners have no limit on their calls.
//
// A cool-down refuses only what is wrong: nobody locks out another one who has the same address or whose key's id he knows.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_CALL_LIMITS_H_
#define KEYFERRY_SERVICES_API_CALL_LIMITS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "services/api/caller.h"

namespace keyferry {

inline constexpr int64_t kDefaultKeyCallsPerSecond = 2000;
inline constexpr int64_t kDefaultOrganizationCallsPerSecond = 4000;
inline constexpr int64_t kDefaultAddressCallsPerSecond = 4000;
inline constexpr int64_t kDefaultFailuresPerMinute = 20;
inline constexpr absl::Duration kFailureWindow = absl::Minutes(1);
inline constexpr absl::Duration kFailureCoolDown = absl::Minutes(1);
// Of each kind; whoever called longest ago is forgotten first.
inline constexpr size_t kMaxCallersLimited = 65'536;

// 0: no limit.
struct CallLimitSettings {
  int64_t key_calls_per_second = kDefaultKeyCallsPerSecond;
  // Where the organization's quota says nothing else.
  int64_t organization_calls_per_second = kDefaultOrganizationCallsPerSecond;
  int64_t address_calls_per_second = kDefaultAddressCallsPerSecond;
  // Of one address, and of one key id, within kFailureWindow; then kFailureCoolDown of refusals follows.
  int64_t failures_per_minute = kDefaultFailuresPerMinute;
};

class CallLimits {
 public:
  // An organization's own quota of calls a second; 0: the settings'. Asked when an organization is first seen.
  using OrganizationRate = std::function<int64_t(const std::string& organization)>;
  // The clock outlives it.
  static std::unique_ptr<CallLimits> Create(const CallLimitSettings& settings, const Clock& clock,
                                            OrganizationRate organization_rate);
  virtual ~CallLimits() = default;

  // `address`: canonical (client_address.h); an empty one, that nobody knows, has no limit of calls. Before a credential
  // is looked at.
  virtual absl::Status AdmitAddress(std::string_view address) = 0;
  // Of a credential that turned out not to count: what to answer instead while the address or the key's id cools down.
  // `key_id`: empty when it was none at all. All unknown addresses are one.
  virtual absl::Status CoolDown(std::string_view key_id, std::string_view address) = 0;
  // A credential was not right, and there was no cool-down.
  virtual void Failed(std::string_view key_id, std::string_view address) = 0;
  // Of a caller who is known. `key_id`: as above, empty for certificates.
  virtual absl::Status AdmitCaller(const Caller& caller, std::string_view key_id) = 0;
  // Its quota may be another now.
  virtual void ForgetOrganization(const std::string& organization) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_CALL_LIMITS_H_
