// Quotas: how many secret sets and deployments an organization may have, and has. Counts are exact and in memory:
// counted from the store before the first change, and moved with every one, since nobody else writes the store. API
// keys end by themselves and are counted when one is made.
//
// Invariants:
//   Q1  A change of a count is prepared before its commit and settled after, so that no count ever misses or doubles
//   one. Q2  What is reserved counts: of two who want the last place, one gets it.
//
// Thread safety: Quotas: all methods from any thread. QuotaClaim: confined to its transaction, one thread at a time.
#ifndef KEYFERRY_SERVICES_API_QUOTAS_H_
#define KEYFERRY_SERVICES_API_QUOTAS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/storage/rows.h"
#include "libs/storage/store.h"

namespace keyferry {

inline constexpr int64_t kDefaultMaxSecretSets = 20'000;
inline constexpr int64_t kDefaultMaxDeployments = 20'000;
inline constexpr int64_t kDefaultMaxApiKeys = 1000;
// The most that an operator may grant.
inline constexpr int64_t kMaxQuota = 10'000'000;

enum class QuotaKind : uint8_t { kSecretSets, kDeployments };

// The organization's own, or the default.
int64_t LimitOf(QuotaKind kind, const OrganizationRow& organization);

// ResourceExhausted QUOTA_EXCEEDED. `things`: `secret sets`; `quota`: `max_secret_sets`.
absl::Status QuotaExceeded(std::string_view organization, std::string_view things, std::string_view quota,
                           int64_t limit, int64_t used);

class Quotas {
 public:
  // The store (the sealing view) outlives it.
  static std::unique_ptr<Quotas> Create(const Store& store);
  virtual ~Quotas() = default;

  // Counts, where nobody did yet. The store's error.
  virtual absl::StatusOr<int64_t> CountOf(const std::string& organization, QuotaKind kind) = 0;
  // What CountOf would answer, where it was counted before. Never reads the store.
  virtual std::optional<int64_t> CountInMemory(const std::string& organization, QuotaKind kind) = 0;
  // One more, unless there are `limit`: QUOTA_EXCEEDED.
  virtual absl::Status Reserve(const std::string& organization, QuotaKind kind, int64_t limit) = 0;
  // One less. REQUIRES: counted or reserved before.
  virtual void Release(const std::string& organization, QuotaKind kind) = 0;
  // Of an organization that is no more: whoever deleted its rows says so.
  virtual void Forget(const std::string& organization) = 0;
};

// What one use case changes: +1, -1 or nothing, from its plan, which may run again, to its outcome. Never settled:
// nothing was changed.
class QuotaClaim {
 public:
  // quotas null: nothing is counted.
  QuotaClaim(Quotas* quotas, std::string organization, QuotaKind kind)
      : quotas_(quotas), organization_(std::move(organization)), kind_(kind) {}
  ~QuotaClaim() { Settle(false); }
  QuotaClaim(const QuotaClaim&) = delete;
  QuotaClaim& operator=(const QuotaClaim&) = delete;

  // At the beginning of the plan.
  void Begin() { Settle(false); }
  absl::Status Add(const OrganizationRow& organization);
  absl::Status Remove();
  // After the commit, or when there is none.
  void Settle(bool committed);

 private:
  Quotas* const quotas_;
  const std::string organization_;
  const QuotaKind kind_;
  int change_ = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_QUOTAS_H_
