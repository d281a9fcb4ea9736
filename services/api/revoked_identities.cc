#include "services/api/revoked_identities.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/log.h"
#include "libs/storage/keys.h"
#include "services/api/paging.h"
#include "services/api/shred_rows.h"

namespace keyferry {
namespace {

using Rows = std::map<std::string, RevokedIdentityRow, std::less<>>;

absl::StatusOr<Rows> ReadAll(const Store& store) {
  Rows rows;
  RETURN_IF_ERROR(VisitRows(store, keys::RevokedIdentities(), "", [&](const KeyedRow& row) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(rows[keys::LastPart(row.key)], Decode<RevokedIdentityRow>(row.row.value));
    return true;
  }));
  return rows;
}

// Whom a change is told. The lock is recursive: a listener may leave in the call.
struct Listener {
  std::recursive_mutex mutex;
  bool active = true;
  std::function<void()> changed;
};

// Outlives the object in the work that the executor still has.
class Known {
 public:
  bool Contains(std::string_view spiffe_id) const {
    const absl::ReaderMutexLock lock(&mutex_);
    return rows_.contains(spiffe_id);
  }

  std::vector<NamedRevokedIdentity> List() const {
    const absl::ReaderMutexLock lock(&mutex_);
    std::vector<NamedRevokedIdentity> listed;
    for (const auto& [id, row] : rows_) listed.push_back({.spiffe_id = id, .row = row});
    return listed;
  }

  // Nobody is ever taken off the list, so that a late answer of the store takes nothing back.
  void Add(Rows rows) {
    bool changed = false;
    {
      const absl::MutexLock lock(&mutex_);
      for (auto& [id, row] : rows) changed |= rows_.try_emplace(id, std::move(row)).second;
    }
    if (changed) Tell();
  }

  std::shared_ptr<void> Listen(const std::shared_ptr<Known>& self, std::function<void()> changed) {
    auto listener = std::make_shared<Listener>();
    listener->changed = std::move(changed);
    const absl::MutexLock lock(&listeners_mutex_);
    listeners_.push_back(listener);
    return {nullptr, [self, listener](std::nullptr_t) { self->Leave(listener); }};
  }

 private:
  void Tell() {
    std::vector<std::shared_ptr<Listener>> listeners;
    {
      const absl::MutexLock lock(&listeners_mutex_);
      listeners = listeners_;
    }
    for (const auto& listener : listeners) {
      const std::lock_guard lock(listener->mutex);
      if (listener->active) listener->changed();
    }
  }

  void Leave(const std::shared_ptr<Listener>& listener) {
    {
      const absl::MutexLock lock(&listeners_mutex_);
      std::erase(listeners_, listener);
    }
    const std::lock_guard lock(listener->mutex);
    listener->active = false;
  }

  mutable absl::Mutex mutex_;
  Rows rows_ ABSL_GUARDED_BY(mutex_);
  absl::Mutex listeners_mutex_;
  std::vector<std::shared_ptr<Listener>> listeners_ ABSL_GUARDED_BY(listeners_mutex_);
};

class StoredRevokedIdentities final : public RevokedIdentities {
 public:
  StoredRevokedIdentities(const Writer& writer, const Clock& clock) : writer_(writer), clock_(clock) {
    const RowKey all = keys::RevokedIdentities();
    subscription_ = writer_.store.Ring(all, PrefixEnd(all.bytes), [this] { ScheduleRefresh(); });
  }

  bool IsRevoked(std::string_view spiffe_id) const override { return known_->Contains(spiffe_id); }

  absl::Status RevokeIn(Transaction& transaction, std::string_view spiffe_id, const std::string& author,
                        const std::string& note) const override {
    const RowKey key = keys::RevokedIdentity(spiffe_id);
    ASSIGN_OR_RETURN(const auto existing, transaction.Read(key));
    if (existing) return absl::OkStatus();
    transaction.Put(key, Encode(RevokedIdentityRow{.note = note, .author = author, .revoke_time = clock_.Now()}));
    NoteRevokedIdentity(transaction, spiffe_id, clock_.Now());
    return absl::OkStatus();
  }

  void Revoke(const std::string& spiffe_id, const std::string& author, const std::string& note,
              std::function<void(absl::StatusOr<NamedRevokedIdentity>)> done) override {
    auto revoked = std::make_shared<NamedRevokedIdentity>(NamedRevokedIdentity{
        .spiffe_id = spiffe_id, .row = {.note = note, .author = author, .revoke_time = clock_.Now()}});
    RunTransaction(
        writer_,
        [revoked](Transaction& transaction) -> absl::Status {
          const RowKey key = keys::RevokedIdentity(revoked->spiffe_id);
          ASSIGN_OR_RETURN(auto existing, transaction.Get<RevokedIdentityRow>(key));
          if (existing) {
            revoked->row = std::move(existing->value);
            return absl::OkStatus();
          }
          transaction.Describe({.kind = "identity", .name = revoked->spiffe_id});
          transaction.Put(key, Encode(revoked->row));
          NoteRevokedIdentity(transaction, revoked->spiffe_id, revoked->row.revoke_time);
          return absl::OkStatus();
        },
        [known = known_, revoked, done = std::move(done)](const absl::StatusOr<Revision>& revision) {
          if (!revision.ok()) return done(revision.status());
          // Before the answer: the doorbell may ring after it.
          known->Add({{revoked->spiffe_id, revoked->row}});
          done(*revoked);
        });
  }

  absl::Status Refresh() override { return RefreshFrom(writer_.store, *known_); }

  std::vector<NamedRevokedIdentity> List() const override { return known_->List(); }

  std::shared_ptr<void> OnChange(std::function<void()> changed) override {
    return known_->Listen(known_, std::move(changed));
  }

 private:
  static absl::Status RefreshFrom(const Store& store, Known& known) {
    ASSIGN_OR_RETURN(Rows rows, ReadAll(store));
    known.Add(std::move(rows));
    return absl::OkStatus();
  }

  void ScheduleRefresh() {
    if (refreshing_->exchange(true)) return;
    writer_.executor.Run([&store = writer_.store, known = known_, refreshing = refreshing_] {
      *refreshing = false;
      if (const absl::Status read = RefreshFrom(store, *known); !read.ok())
        Log(Severity::kError, "cannot read the revoked identities", {{"error", read}});
    });
  }

  const Writer writer_;
  const Clock& clock_;
  const std::shared_ptr<Known> known_ = std::make_shared<Known>();
  const std::shared_ptr<std::atomic<bool>> refreshing_ = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<Store::Subscription> subscription_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RevokedIdentities>> RevokedIdentities::Create(const Writer& writer, const Clock& clock) {
  auto identities = std::make_unique<StoredRevokedIdentities>(writer, clock);
  RETURN_IF_ERROR(identities->Refresh());
  return identities;
}

}  // namespace keyferry
