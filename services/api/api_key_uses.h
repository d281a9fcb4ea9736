// ApiKeyUses: when keys were used last, to the hour, written in the background in batches. A write keeps the row's
// revision and goes ahead only if nobody changed the row meanwhile: it undoes no revocation, makes none fail, and rings
// no bell. No audit record tells of it.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_API_KEY_USES_H_
#define KEYFERRY_SERVICES_API_API_KEY_USES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "services/api/transaction.h"

namespace keyferry {

// From the first use that is not written to the write.
inline constexpr absl::Duration kApiKeyUseDelay = absl::Seconds(5);
inline constexpr size_t kMaxApiKeyUsesPerCommit = 256;
inline constexpr absl::Duration kApiKeyUseGrain = absl::Hours(1);

class ApiKeyUses {
 public:
  // What the writer refers to outlives it.
  static std::unique_ptr<ApiKeyUses> Create(const Writer& writer);
  virtual ~ApiKeyUses() = default;

  // Returns at once. `hour`: since 1970.
  virtual void Note(const std::string& id, int64_t hour) = 0;
  // Also what is not written yet.
  virtual absl::Time LastUseOf(const std::string& id, absl::Time written) const = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_API_KEY_USES_H_
