#include "libs/storage/sealed_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "libs/storage/commit_rules.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

// Each further one means that keys changed once more meanwhile.
constexpr int kMaxAttempts = 8;

std::optional<std::string> OwnerToSeal(const Mutation& mutation) {
  if (!mutation.value || mutation.value->empty()) return std::nullopt;
  return keys::BarrierOwner(mutation.key);
}

absl::Status CarriesItsRevision(const RowKey& key) {
  return absl::InvalidArgumentError(absl::StrCat("row ", Printable(key), " carries its revision and so no value"));
}

// A commit on its way: keeps what is to be sealed until it is answered, for keys that change meanwhile.
class SealedCommit : public std::enable_shared_from_this<SealedCommit> {
 public:
  // `gate`: null unless it keeps a row's revision.
  SealedCommit(Store& beneath, std::shared_ptr<BarrierKeys> keys, std::shared_ptr<KeptRowsGate> gate, Commit plain, Store::CommitDone done)
      : beneath_(beneath), keys_(std::move(keys)), gate_(std::move(gate)), plain_(std::move(plain)), done_(std::move(done)) {}

  void Begin() {
    if (!gate_) return Seal();
    gate_->Enter([self = shared_from_this()] { self->Seal(); });
  }

 private:
  struct PinnedOwner {
    std::string name;
    std::shared_ptr<BarrierKeys::Owner> owner;
  };

  void Seal() {
    for (const Mutation& mutation : plain_.mutations) {
      if (absl::Status pinned = Pin(mutation); !pinned.ok()) {
        const auto end = [self = shared_from_this()](absl::StatusOr<Revision> result) { self->End(std::move(result)); };
        return Refuse(beneath_, std::move(pinned), end);
      }
    }
    Submit();
  }

  absl::Status Pin(const Mutation& mutation) {
    const std::optional<std::string> name = OwnerToSeal(mutation);
    if (!name) return absl::OkStatus();
    if (mutation.revision_offset != std::string::npos) return CarriesItsRevision(mutation.key);
    if (Find(*name)) return absl::OkStatus();
    auto owner = keys_->OwnerOf(*name);
    if (absl::IsNotFound(owner.status())) return absl::FailedPreconditionError(owner.status().message());
    RETURN_IF_ERROR(owner.status());
    pinned_.push_back({*name, *std::move(owner)});
    return absl::OkStatus();
  }

  BarrierKeys::Owner* Find(const std::string& name) const {
    for (const PinnedOwner& pinned : pinned_) {
      if (pinned.name == name) return pinned.owner.get();
    }
    return nullptr;
  }

  void Submit() {
    ++attempt_count_;
    Commit sealed{.term = plain_.term, .preconditions = plain_.preconditions};
    sealed.mutations.reserve(plain_.mutations.size());
    for (const PinnedOwner& pinned : pinned_)
      sealed.preconditions.push_back({.key = keys::WrappedKey(pinned.name), .revision = pinned.owner->keys.revision});
    for (const Mutation& mutation : plain_.mutations) {
      const std::optional<std::string> owner = OwnerToSeal(mutation);
      sealed.mutations.push_back({.key = mutation.key, .revision_offset = mutation.revision_offset, .keep_revision = mutation.keep_revision});
      sealed.mutations.back().value = owner ? Find(*owner)->sealer.Seal(*mutation.value, RowContext(mutation.key)) : mutation.value;
    }
    beneath_.CommitAsync(std::move(sealed), [self = shared_from_this()](absl::StatusOr<Revision> result) { self->Answer(std::move(result)); });
  }

  // On a thread of the store: nothing here unwraps a key.
  void Answer(absl::StatusOr<Revision> result) {
    for (const Mutation& mutation : plain_.mutations) {
      if (mutation.key.family == Family::kKeys) keys_->Forget(keys::LastPart(mutation.key));
    }
    const bool conflict = absl::IsAborted(result.status()) && ReasonOf(result.status()) == "CONCURRENT_MODIFICATION";
    if (conflict && attempt_count_ < kMaxAttempts && TakeNewerKeys()) return Submit();
    End(std::move(result));
  }

  void End(absl::StatusOr<Revision> result) {
    if (gate_) gate_->Leave();
    done_(std::move(result));
  }

  // Whether keys changed meanwhile, and the newer ones are at hand. Those who have others in memory forget them.
  bool TakeNewerKeys() {
    bool changed = false, at_hand = true;
    for (PinnedOwner& pinned : pinned_) {
      if (!keys_->Refresh(pinned.name, pinned.owner->keys.revision)) continue;
      changed = true;
      if (auto newer = keys_->Remembered(pinned.name)) {
        pinned.owner = std::move(newer);
      } else {
        at_hand = false;
      }
    }
    return changed && at_hand;
  }

  Store& beneath_;
  const std::shared_ptr<BarrierKeys> keys_;
  const std::shared_ptr<KeptRowsGate> gate_;
  const Commit plain_;
  const Store::CommitDone done_;
  std::vector<PinnedOwner> pinned_;
  int attempt_count_ = 0;
};

class SealedStore final : public Store {
 public:
  SealedStore(Store& beneath, std::shared_ptr<BarrierKeys> keys, std::shared_ptr<KeptRowsGate> gate)
      : beneath_(beneath), keys_(std::move(keys)), gate_(std::move(gate)) {}

  absl::StatusOr<Term> AcquireWriter(Lineage lineage) override { return beneath_.AcquireWriter(lineage); }

  void CommitAsync(Commit commit, CommitDone done) override {
    const bool concerned = std::any_of(commit.mutations.begin(), commit.mutations.end(), [](const Mutation& mutation) {
      return mutation.key.family == Family::kKeys || OwnerToSeal(mutation);
    });
    if (!concerned) return beneath_.CommitAsync(std::move(commit), std::move(done));
    const bool keeps = std::any_of(commit.mutations.begin(), commit.mutations.end(), [](const Mutation& mutation) { return mutation.keep_revision; });
    std::make_shared<SealedCommit>(beneath_, keys_, keeps ? gate_ : nullptr, std::move(commit), std::move(done))->Begin();
  }

  absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const override {
    for (int attempt = 1;; ++attempt) {
      ASSIGN_OR_RETURN(std::optional<Row> row, beneath_.Get(key));
      if (!row) return row;
      absl::Status opened = Open(key, row->value);
      if (opened.ok()) return row;
      if (attempt == kMaxAttempts || !IsOutdated(opened, key, row->value)) return opened;
    }
  }

  std::optional<Revision> RevisionInMemory(const RowKey& key) const override { return beneath_.RevisionInMemory(key); }

  absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end, size_t limit) const override {
    for (int attempt = 1;; ++attempt) {
      ASSIGN_OR_RETURN(std::vector<KeyedRow> rows, beneath_.Scan(begin, end, limit));
      absl::Status opened;
      const auto refused = std::find_if(rows.begin(), rows.end(), [&](KeyedRow& row) {
        opened = Open(row.key, row.row.value);
        return !opened.ok();
      });
      if (refused == rows.end()) return rows;
      if (attempt == kMaxAttempts || !IsOutdated(opened, refused->key, refused->row.value)) return opened;
    }
  }

  absl::StatusOr<size_t> Count(const RowKey& begin, const std::string& end) const override { return beneath_.Count(begin, end); }

  std::unique_ptr<Subscription> Ring(const RowKey& begin, const std::string& end, std::function<void()> ring) override {
    return beneath_.Ring(begin, end, std::move(ring));
  }
  Revision Head() const override { return beneath_.Head(); }
  Revision Ceiling() const override { return beneath_.Ceiling(); }
  absl::Status Backup(const std::string& directory) override { return beneath_.Backup(directory); }
  absl::Status Purge(const std::vector<KeyRange>& ranges) override { return beneath_.Purge(ranges); }

 private:
  // Leaves the value as it is unless it opens.
  absl::Status Open(const RowKey& row, std::string& value) const {
    const std::optional<std::string> owner = keys::BarrierOwner(row);
    if (value.empty() || !owner) return absl::OkStatus();
    const auto key = keys_->OwnerOf(*owner);
    if (absl::IsNotFound(key.status()))
      return absl::DataLossError(absl::StrCat("row ", Printable(row), ": ", key.status().message()));
    RETURN_IF_ERROR(key.status());
    auto opened = (*key)->sealer.Open(value, RowContext(row));
    if (!opened.ok() && row.family == Family::kPlacements) opened = OpenOlderPlacement(row, value);
    if (!opened.ok()) {
      return absl::DataLossError(absl::StrCat("row ", Printable(row),
                                              " does not open: it is damaged, or belongs to another place; "
                                              "restore a backup"));
    }
    value = *std::move(opened);
    return absl::OkStatus();
  }

  // In older stores an organization's own key seals its placements.
  absl::StatusOr<std::string> OpenOlderPlacement(const RowKey& row, const std::string& value) const {
    const std::optional<ObjectId> object = keys::ObjectOf(row);
    if (!object) return DoesNotOpen();
    ASSIGN_OR_RETURN(const std::shared_ptr<BarrierKeys::Owner> owner, keys_->OwnerOf(object->organization));
    return owner->sealer.Open(value, RowContext(row));
  }

  // Whether a frame that did not open was replaced since it was read (its key may be retired), or the keys in memory were behind.
  bool IsOutdated(const absl::Status& refused, const RowKey& key, const std::string& frame) const {
    if (!absl::IsDataLoss(refused)) return false;
    const auto now = beneath_.Get(key);
    if (!now.ok()) return false;
    if (!*now || (*now)->value != frame) return true;
    const std::string owner = keys::BarrierOwner(key).value_or("");
    const auto remembered = keys_->Remembered(owner);
    return remembered && keys_->Refresh(owner, remembered->keys.revision);
  }

  Store& beneath_;
  const std::shared_ptr<BarrierKeys> keys_;
  const std::shared_ptr<KeptRowsGate> gate_;
};

}  // namespace

std::string RowContext(const RowKey& key) {
  const char family = static_cast<char>(key.family);
  return JoinParts({"keyferry/row/v1", std::string_view(&family, 1), key.bytes});
}

std::unique_ptr<Store> NewSealedStore(Store& beneath, std::shared_ptr<BarrierKeys> keys, std::shared_ptr<KeptRowsGate> gate) {
  return std::make_unique<SealedStore>(beneath, std::move(keys), std::move(gate));
}

}  // namespace keyferry
