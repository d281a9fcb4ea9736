#include "libs/storage/barrier.h"

#include <utility>

#include "libs/common/status_macros.h"
#include "libs/storage/barrier_keys.h"
#include "libs/storage/keys.h"
#include "libs/storage/sealed_store.h"

namespace keyferry {
namespace {

class KeyedBarrier final : public Barrier {
 public:
  KeyedBarrier(Store& beneath, const Keyring& keyring)
      : beneath_(beneath), keys_(beneath, keyring, SystemClock()), sealed_(NewSealedStore(beneath, keys_)) {}

  // The system's key is there and opens.
  absl::Status Unlock(Term term) {
    absl::Status found = keys_.OwnerOf("").status();
    if (!absl::IsNotFound(found)) return found;
    RETURN_IF_ERROR(RequireEmpty());
    ASSIGN_OR_RETURN(Mutation key, keys_.NewKey(""));
    Commit commit{.term = term, .preconditions = {{.key = key.key, .revision = 0}}};
    commit.mutations.push_back(std::move(key));
    RETURN_IF_ERROR(CommitAndWait(beneath_, std::move(commit)).status());
    return keys_.OwnerOf("").status();
  }

  Store& store() override { return *sealed_; }

  absl::StatusOr<std::shared_ptr<const OrganizationKeys>> KeysOf(std::string_view organization) override {
    ASSIGN_OR_RETURN(const std::shared_ptr<BarrierKeys::Owner> owner, keys_.OwnerOf(organization));
    return std::shared_ptr<const OrganizationKeys>(owner, &owner->keys);
  }

  absl::StatusOr<Mutation> NewOrganizationKey(std::string_view organization) override {
    return keys_.NewKey(organization);
  }

 private:
  absl::Status RequireEmpty() const {
    for (int i = 0; i < kFamilyCount; ++i) {
      ASSIGN_OR_RETURN(const auto rows, beneath_.Scan({static_cast<Family>(i), ""}, "", 1));
      if (!rows.empty())
        return absl::DataLossError("the store has rows but has lost the system's key; restore a backup");
    }
    return absl::OkStatus();
  }

  Store& beneath_;
  BarrierKeys keys_;
  const std::unique_ptr<Store> sealed_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Barrier>> Barrier::Open(Store& store, const Keyring& keyring, Term term) {
  auto barrier = std::make_unique<KeyedBarrier>(store, keyring);
  RETURN_IF_ERROR(barrier->Unlock(term));
  return barrier;
}

}  // namespace keyferry
