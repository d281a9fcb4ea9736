#include "services/api/set_rings.h"

#include <algorithm>
#include <deque>
#include <unordered_set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/storage/keys.h"
#include "libs/storage/rings.h"

namespace keyferry {

struct SetRings::State : std::enable_shared_from_this<State> {
  State(Executor& executor, std::string name, std::function<void()> wake)
      : executor(executor), name(std::move(name)), wake(std::move(wake)) {}

  void Ring() {
    const std::vector<RowKey>* const keys = RungKeys();
    absl::MutexLock lock(&mutex);
    if (keys == nullptr) {
      rung_all = true;
    } else {
      for (const RowKey& key : *keys) Note(key);
    }
    if (rung.size() > kMaxRungSets) {
      rung_all = true;
      Forget();
    }
    if ((rung_all || rung_other || !rung.empty()) && !std::exchange(woken, true)) executor.Run(wake);
  }

  void Note(const RowKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    for (const RowKey& prefix : sets) {
      if (key.family != prefix.family || !key.bytes.starts_with(prefix.bytes)) continue;
      std::string rung_name = keys::LastPart(key);
      if (!name.empty() && rung_name != name) return;
      if (rung.insert(rung_name).second) order.push_back(std::move(rung_name));
      return;
    }
    if (std::find(regions.begin(), regions.end(), key) != regions.end()) rung_all = true;
    if (key == organization) rung_other = true;
  }
  void Forget() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    rung.clear();
    order.clear();
  }

  Executor& executor;
  const std::string name;
  const std::function<void()> wake;
  absl::Mutex mutex;
  // Rows of sets and of what regions say of them: the last part of the key is the set's name.
  std::vector<RowKey> sets ABSL_GUARDED_BY(mutex);
  std::vector<RowKey> regions ABSL_GUARDED_BY(mutex);
  RowKey organization ABSL_GUARDED_BY(mutex);
  std::unordered_set<std::string> rung ABSL_GUARDED_BY(mutex);
  std::deque<std::string> order ABSL_GUARDED_BY(mutex);
  bool rung_all ABSL_GUARDED_BY(mutex) = false;
  bool rung_other ABSL_GUARDED_BY(mutex) = false;
  bool woken ABSL_GUARDED_BY(mutex) = false;
};

SetRings::SetRings(Store& store, Executor& executor, std::string organization, std::string name,
                   std::function<void()> wake)
    : store_(store),
      organization_(std::move(organization)),
      state_(std::make_shared<State>(executor, std::move(name), std::move(wake))) {
  const RowKey row = keys::Organization(organization_);
  const RowKey sets =
      state_->name.empty() ? keys::SecretSets(organization_) : keys::SecretSet(organization_, state_->name);
  {
    absl::MutexLock lock(&state_->mutex);
    state_->organization = row;
    state_->sets.push_back(sets);
  }
  Watch(row, row.bytes + '\0');
  Watch(sets, state_->name.empty() ? PrefixEnd(sets.bytes) : sets.bytes + '\0');
}

SetRings::~SetRings() = default;

void SetRings::WatchRegion(const std::string& region) {
  const RowKey state = keys::RegionState(region);
  const ObjectId all{.kind = ObjectKind::kSecretSet, .organization = organization_, .name = state_->name};
  const std::vector<RowKey> placements = {keys::Desired(region, all), keys::Observed(region, all)};
  {
    absl::MutexLock lock(&state_->mutex);
    if (std::find(state_->regions.begin(), state_->regions.end(), state) != state_->regions.end()) return;
    state_->regions.push_back(state);
    state_->sets.insert(state_->sets.end(), placements.begin(), placements.end());
  }
  for (const RowKey& prefix : placements) Watch(prefix, PrefixEnd(prefix.bytes));
  Watch(state, state.bytes + '\0');
}

void SetRings::Watch(const RowKey& begin, const std::string& end) {
  subscriptions_.push_back(store_.Ring(begin, end, [state = state_] { state->Ring(); }));
}

SetRings::Rung SetRings::Take(size_t limit) {
  absl::MutexLock lock(&state_->mutex);
  Rung taken{.all = std::exchange(state_->rung_all, false)};
  for (; !state_->order.empty() && taken.names.size() < limit; state_->order.pop_front()) {
    state_->rung.erase(state_->order.front());
    taken.names.push_back(std::move(state_->order.front()));
  }
  state_->rung_other = false;
  // What is left over is the taker's to come back for.
  state_->woken = !state_->order.empty();
  return taken;
}

bool SetRings::empty() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->order.empty() && !state_->rung_all && !state_->rung_other;
}

}  // namespace keyferry
