#include "services/api/quotas.h"

#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/status_macros.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

constexpr size_t kKinds = 2;

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

struct Counts {
  // Held while it is counted: nobody changes what is not counted yet.
  std::mutex mutex;
  std::array<std::optional<int64_t>, kKinds> by_kind;
};

class CountedQuotas final : public Quotas {
 public:
  explicit CountedQuotas(const Store& store) : store_(store) {}

  absl::StatusOr<int64_t> CountOf(const std::string& organization, QuotaKind kind) override {
    const std::shared_ptr<Counts> counts = Find(organization);
    const std::lock_guard lock(counts->mutex);
    return Counted(*counts, organization, kind);
  }

  std::optional<int64_t> CountInMemory(const std::string& organization, QuotaKind kind) override {
    const std::shared_ptr<Counts> counts = Find(organization);
    const std::unique_lock lock(counts->mutex, std::try_to_lock);
    if (!lock.owns_lock()) return std::nullopt;
    return counts->by_kind[static_cast<size_t>(kind)];
  }

  absl::Status Reserve(const std::string& organization, QuotaKind kind, int64_t limit) override {
    const std::shared_ptr<Counts> counts = Find(organization);
    const std::lock_guard lock(counts->mutex);
    ASSIGN_OR_RETURN(const int64_t used, Counted(*counts, organization, kind));
    if (used >= limit) {
      const bool sets = kind == QuotaKind::kSecretSets;
      return QuotaExceeded(organization, sets ? "secret sets" : "deployments",
                           sets ? "max_secret_sets" : "max_deployments", limit, used);
    }
    ++*counts->by_kind[static_cast<size_t>(kind)];
    return absl::OkStatus();
  }

  void Release(const std::string& organization, QuotaKind kind) override {
    const std::shared_ptr<Counts> counts = Find(organization);
    const std::lock_guard lock(counts->mutex);
    if (auto& count = counts->by_kind[static_cast<size_t>(kind)]; count && *count > 0) --*count;
  }

  void Forget(const std::string& organization) override {
    const std::lock_guard lock(mutex_);
    counts_.erase(organization);
  }

 private:
  std::shared_ptr<Counts> Find(const std::string& organization) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Counts>& counts = counts_[organization];
    if (counts == nullptr) counts = std::make_shared<Counts>();
    return counts;
  }

  absl::StatusOr<int64_t> Counted(Counts& counts, const std::string& organization, QuotaKind kind) const {
    std::optional<int64_t>& count = counts.by_kind[static_cast<size_t>(kind)];
    if (count) return *count;
    const RowKey rows = kind == QuotaKind::kSecretSets ? keys::SecretSets(organization) : keys::Deployments(organization);
    ASSIGN_OR_RETURN(const size_t found, store_.Count(rows, PrefixEnd(rows.bytes)));
    count = static_cast<int64_t>(found);
    return *count;
  }

  const Store& store_;
  std::mutex mutex_;
  // Of organizations that exist: a plan finds its organization before it counts.
  std::map<std::string, std::shared_ptr<Counts>> counts_;
};

}  // namespace

int64_t LimitOf(QuotaKind kind, const OrganizationRow& organization) {
  const bool sets = kind == QuotaKind::kSecretSets;
  const int64_t own = sets ? organization.max_secret_sets : organization.max_deployments;
  if (own != 0) return own;
  return sets ? kDefaultMaxSecretSets : kDefaultMaxDeployments;
}

absl::Status QuotaExceeded(std::string_view organization, std::string_view things, std::string_view quota,
                           int64_t limit, int64_t used) {
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("organization \"", Absl(organization), "\" has ", used, " ", Absl(things), ", and its quota is ",
                   limit, "; delete some, or have an operator raise it (keyferry --organization ", Absl(organization),
                   " orgs quota set)"),
      {.reason = "QUOTA_EXCEEDED",
       .metadata = {{"quota", std::string(quota)}, {"limit", absl::StrCat(limit)}, {"used", absl::StrCat(used)}}});
}

std::unique_ptr<Quotas> Quotas::Create(const Store& store) { return std::make_unique<CountedQuotas>(store); }

absl::Status QuotaClaim::Add(const OrganizationRow& organization) {
  if (quotas_ == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(quotas_->Reserve(organization_, kind_, LimitOf(kind_, organization)));
  change_ = 1;
  return absl::OkStatus();
}

absl::Status QuotaClaim::Remove() {
  if (quotas_ == nullptr) return absl::OkStatus();
  // Counted while what goes is still there.
  RETURN_IF_ERROR(quotas_->CountOf(organization_, kind_).status());
  change_ = -1;
  return absl::OkStatus();
}

void QuotaClaim::Settle(bool committed) {
  const int change = std::exchange(change_, 0);
  if (change == (committed ? -1 : 1)) quotas_->Release(organization_, kind_);
}

}  // namespace keyferry
