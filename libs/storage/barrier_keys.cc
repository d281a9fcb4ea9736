#include "libs/storage/barrier_keys.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"
#include "libs/storage/codec.h"
#include "libs/storage/keys.h"
#include "libs/storage/wrapped_keys.h"

namespace keyferry {
namespace {

std::string Describe(std::string_view owner) {
  return owner.empty() ? "the system's key" : absl::StrCat("the key of organization ", std::string(owner));
}

std::vector<SecretBytes> BarrierKeysOf(const OrganizationKeys& keys) {
  std::vector<SecretBytes> barrier_keys;
  for (const OrganizationKeys::Derived& derived : keys.derived) barrier_keys.push_back(derived.barrier.Clone());
  return barrier_keys;
}

}  // namespace

BarrierKeys::Owner::Owner(OrganizationKeys unwrapped, const Clock& clock) : keys(std::move(unwrapped)), sealer(BarrierKeysOf(keys), clock) {}

BarrierKeys::BarrierKeys(Store& store, RootKeys& root_keys, const Clock& clock)
    : store_(store), root_keys_(root_keys), clock_(clock), owners_(kMaxOrganizationKeysCached) {}

absl::StatusOr<std::shared_ptr<BarrierKeys::Owner>> BarrierKeys::OwnerOf(std::string_view owner, Revision at_least) {
  while (true) {
    uint64_t ticket = 0;
    {
      absl::MutexLock lock(&mutex_);
      const auto* known = owners_.Find(owner);
      if (known && (*known)->keys.revision >= at_least) return *known;
      ticket = told_count_;
    }
    ASSIGN_OR_RETURN(std::shared_ptr<Owner> loaded, Load(owner));
    if (auto remembered = Remember(owner, ticket, std::move(loaded))) return remembered;
  }
}

std::shared_ptr<BarrierKeys::Owner> BarrierKeys::Remember(std::string_view owner, uint64_t ticket, std::shared_ptr<Owner> loaded) {
  absl::MutexLock lock(&mutex_);
  if (told_count_ != ticket) return nullptr;
  // Another thread may have been first; its sealer is the one that others share.
  const auto* known = owners_.Find(owner);
  if (known && (*known)->keys.revision >= loaded->keys.revision) return *known;
  owners_.Insert(owner, loaded);
  return loaded;
}

std::shared_ptr<BarrierKeys::Owner> BarrierKeys::Remembered(std::string_view owner) {
  absl::MutexLock lock(&mutex_);
  const auto* known = owners_.Find(owner);
  return known ? *known : nullptr;
}

void BarrierKeys::Publish(std::string_view owner, OrganizationKeys keys) {
  auto published = std::make_shared<Owner>(std::move(keys), clock_);
  absl::MutexLock lock(&mutex_);
  ++told_count_;
  const auto* known = owners_.Find(owner);
  if (known && (*known)->keys.revision >= published->keys.revision) return;
  owners_.Insert(owner, std::move(published));
}

void BarrierKeys::Forget(std::string_view owner) {
  absl::MutexLock lock(&mutex_);
  ++told_count_;
  owners_.Erase(owner);
}

bool BarrierKeys::Refresh(std::string_view owner, Revision revision) {
  const auto row = store_.Get(keys::WrappedKey(owner));
  if (!row.ok()) return false;
  const Revision stored = *row ? (*row)->revision : 0;
  if (stored == revision) return false;
  absl::MutexLock lock(&mutex_);
  const auto* known = owners_.Find(owner);
  if (known && (stored == 0 || (*known)->keys.revision < stored)) {
    ++told_count_;
    owners_.Erase(owner);
  }
  return true;
}

absl::StatusOr<std::shared_ptr<BarrierKeys::Owner>> BarrierKeys::Load(std::string_view owner) const {
  ASSIGN_OR_RETURN(const std::optional<Row> row, store_.Get(keys::WrappedKey(owner)));
  if (!row) return absl::NotFoundError(absl::StrCat(Describe(owner), " does not exist"));
  ASSIGN_OR_RETURN(const WrappedKeysRow wrapped, Decode<WrappedKeysRow>(row->value));
  ASSIGN_OR_RETURN(OrganizationKeys keys, UnwrapKeys(root_keys_, owner, wrapped));
  keys.revision = row->revision;
  return std::make_shared<Owner>(std::move(keys), clock_);
}

}  // namespace keyferry
