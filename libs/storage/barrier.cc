#include "libs/storage/barrier.h"

#include <functional>
#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "libs/storage/barrier_keys.h"
#include "libs/storage/keys.h"
#include "libs/storage/resealer.h"
#include "libs/storage/sealed_store.h"
#include "libs/storage/wrapped_keys.h"

namespace keyferry {
namespace {

constexpr size_t kOwnersAtOnce = 256;
// Of a change of one key row; each further one means that another change came first.
constexpr int kMaxAttempts = 8;

absl::Status RotationRuns(std::string_view owner) {
  const std::string whose = owner.empty() ? "the system's rows" : absl::StrCat("organization ", std::string(owner));
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("a rotation of the key of ", whose, " is under way: rows are still under an older key; wait until it is done"),
                   {.reason = "ROTATION_RUNS", .metadata = {{"organization", std::string(owner)}}});
}

bool SameKeys(const OrganizationKeys& a, const OrganizationKeys& b) {
  if (a.derived.size() != b.derived.size() || !a.fingerprint.Equals(b.fingerprint)) return false;
  for (size_t i = 0; i < a.derived.size(); ++i) {
    if (!a.derived[i].barrier.Equals(b.derived[i].barrier)) return false;
  }
  return true;
}

class KeyedBarrier final : public Barrier {
 public:
  KeyedBarrier(Store& beneath, RootKeys& root_keys)
      : beneath_(beneath),
        root_keys_(root_keys),
        clock_(SystemClock()),
        keys_(std::make_shared<BarrierKeys>(beneath, root_keys, clock_)),
        sealed_(NewSealedStore(beneath, keys_, gate_)) {}

  // The system's key is there and opens.
  absl::Status Unlock(Term term) {
    absl::Status found = keys_->OwnerOf("").status();
    if (!absl::IsNotFound(found)) return found;
    RETURN_IF_ERROR(RequireEmpty());
    ASSIGN_OR_RETURN(Mutation key, NewOrganizationKey(""));
    Commit commit{.term = term, .preconditions = {{.key = key.key, .revision = 0}}};
    commit.mutations.push_back(std::move(key));
    FAILPOINT_OR_RETURN("keys.system.before_commit");
    RETURN_IF_ERROR(CommitAndWait(beneath_, std::move(commit)).status());
    return keys_->OwnerOf("").status();
  }

  Store& store() override { return *sealed_; }

  absl::StatusOr<std::shared_ptr<const OrganizationKeys>> KeysOf(std::string_view organization, Revision at_least) override {
    ASSIGN_OR_RETURN(const std::shared_ptr<BarrierKeys::Owner> owner, keys_->OwnerOf(organization, at_least));
    return std::shared_ptr<const OrganizationKeys>(owner, &owner->keys);
  }

  absl::StatusOr<Mutation> NewOrganizationKey(std::string_view organization) override {
    ASSIGN_OR_RETURN(const WrappedKeysRow row, NewWrappedKeys(root_keys_, organization, clock_.Now()));
    return Mutation{.key = keys::WrappedKey(organization), .value = Encode(row)};
  }

  absl::StatusOr<std::pair<WrappedKeysRow, Revision>> StoredKeysOf(std::string_view owner) const override {
    ASSIGN_OR_RETURN(const std::optional<Row> row, beneath_.Get(keys::WrappedKey(owner)));
    if (!row) return absl::NotFoundError(absl::StrCat("there is no key of organization ", std::string(owner)));
    ASSIGN_OR_RETURN(WrappedKeysRow wrapped, Decode<WrappedKeysRow>(row->value));
    return std::make_pair(std::move(wrapped), row->revision);
  }

  absl::StatusOr<std::vector<std::string>> Owners() const override {
    std::vector<std::string> owners;
    RowKey at = keys::WrappedKey("");
    const std::string end = PrefixEnd(at.bytes);
    while (true) {
      ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, beneath_.Scan(at, end, kOwnersAtOnce));
      for (const KeyedRow& row : rows) owners.push_back(keys::LastPart(row.key));
      if (rows.size() < kOwnersAtOnce) return owners;
      at.bytes = rows.back().key.bytes + '\0';
    }
  }

  absl::StatusOr<int> AddKey(std::string_view owner, Term term) override {
    int number = 0;
    const auto add = [&](WrappedKeysRow& row, const OrganizationKeys& keys) -> absl::StatusOr<bool> {
      if (row.keys.size() > 1) return RotationRuns(owner);
      RETURN_IF_ERROR(AppendKey(root_keys_, owner, keys.fingerprint, clock_.Now(), row));
      number = row.keys.back().number;
      return true;
    };
    RETURN_IF_ERROR(Change(owner, term, add).status());
    return number;
  }

  absl::StatusOr<ResealStep> Reseal(std::string_view owner, const ResealCursor& from, size_t limit, Term term) override {
    return Resealer(beneath_, *sealed_, *keys_, *gate_).Step(owner, from, limit, term);
  }

  absl::Status RetireOlderKeys(std::string_view owner, Term term) override {
    const auto retire = [](WrappedKeysRow& row, const OrganizationKeys&) -> absl::StatusOr<bool> {
      if (row.keys.size() == 1) return false;
      row.keys.erase(row.keys.begin(), row.keys.end() - 1);
      return true;
    };
    return Change(owner, term, retire).status();
  }

  absl::StatusOr<bool> Rewrap(std::string_view owner, Term term) override {
    return Change(owner, term, [&](WrappedKeysRow& row, const OrganizationKeys& before) -> absl::StatusOr<bool> {
      ASSIGN_OR_RETURN(const bool changed, WrapAnew(root_keys_, owner, row));
      if (!changed) return false;
      ASSIGN_OR_RETURN(const OrganizationKeys after, UnwrapKeys(root_keys_, owner, row));
      if (!SameKeys(before, after)) return absl::DataLossError("the root key gives other keys than it was given; nothing was written");
      return true;
    });
  }

 private:
  // Fills the row and says whether it changed.
  using Edit = std::function<absl::StatusOr<bool>(WrappedKeysRow&, const OrganizationKeys&)>;

  absl::StatusOr<bool> Change(std::string_view owner, Term term, const Edit& edit) {
    for (int attempt = 1;; ++attempt) {
      ASSIGN_OR_RETURN(auto stored, StoredKeysOf(owner));
      auto& [row, revision] = stored;
      ASSIGN_OR_RETURN(const OrganizationKeys before, UnwrapKeys(root_keys_, owner, row));
      ASSIGN_OR_RETURN(const bool changed, edit(row, before));
      if (!changed) return false;
      // What does not unwrap again must not be written.
      ASSIGN_OR_RETURN(OrganizationKeys after, UnwrapKeys(root_keys_, owner, row));
      const absl::Status replaced = Replace(owner, term, row, revision, std::move(after));
      if (replaced.ok()) return true;
      if (attempt == kMaxAttempts || ReasonOf(replaced) != "CONCURRENT_MODIFICATION") return replaced;
    }
  }

  // The keys in memory are replaced before the commit's answer, and so before the answer of every commit that it overtook.
  absl::Status Replace(std::string_view owner, Term term, const WrappedKeysRow& row, Revision revision, OrganizationKeys after) {
    const RowKey key = keys::WrappedKey(owner);
    Commit commit{.term = term, .preconditions = {{.key = key, .revision = revision}}};
    commit.mutations.push_back({.key = key, .value = Encode(row)});
    FAILPOINT_OR_RETURN("keys.change.before_commit");
    auto answered = std::make_shared<std::promise<absl::Status>>();
    auto answer = answered->get_future();
    auto published = std::make_shared<OrganizationKeys>(std::move(after));
    beneath_.CommitAsync(std::move(commit), [keys = keys_, owner = std::string(owner), published, answered](const absl::StatusOr<Revision>& result) {
      FAILPOINT("keys.change.committed");
      if (result.ok()) {
        published->revision = *result;
        keys->Publish(owner, std::move(*published));
      } else {
        // Perhaps it was written after all.
        keys->Forget(owner);
      }
      answered->set_value(result.status());
    });
    return answer.get();
  }

  absl::Status RequireEmpty() const {
    for (int i = 0; i < kFamilyCount; ++i) {
      ASSIGN_OR_RETURN(const auto rows, beneath_.Scan({static_cast<Family>(i), ""}, "", 1));
      if (!rows.empty())
        return absl::DataLossError("the store has rows but has lost the system's key; restore a backup");
    }
    return absl::OkStatus();
  }

  Store& beneath_;
  RootKeys& root_keys_;
  const Clock& clock_;
  const std::shared_ptr<BarrierKeys> keys_;
  const std::shared_ptr<KeptRowsGate> gate_ = std::make_shared<KeptRowsGate>();
  const std::unique_ptr<Store> sealed_;
};

}  // namespace

absl::StatusOr<SecretBytes> OrganizationKeys::UnwrapDataKey(const SealContext& context, std::string_view data_key_id,
                                                            std::string_view wrapped) const {
  for (auto key = derived.rbegin(); key != derived.rend(); ++key) {
    auto opened = keyferry::UnwrapDataKey(key->escrow, context, data_key_id, wrapped);
    if (opened.ok()) return opened;
  }
  return DoesNotOpen();
}

absl::StatusOr<std::unique_ptr<Barrier>> Barrier::Open(Store& store, RootKeys& root_keys, Term term) {
  auto barrier = std::make_unique<KeyedBarrier>(store, root_keys);
  RETURN_IF_ERROR(barrier->Unlock(term));
  return barrier;
}

}  // namespace keyferry
