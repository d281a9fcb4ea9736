#include "libs/storage/commit_rules.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/storage/big_endian.h"

namespace keyferry {
namespace {

constexpr std::array<const char*, kFamilyCount> kFamilyNames = {"meta",        "keys",       "sets",    "generations",
                                                                "deployments", "placements", "pending", "requests", "audit"};

const Precondition* PreconditionOn(const Commit& commit, const RowKey& key) {
  const auto found = std::find_if(commit.preconditions.begin(), commit.preconditions.end(),
                                  [&](const Precondition& precondition) { return precondition.key == key; });
  return found == commit.preconditions.end() ? nullptr : &*found;
}

absl::Status CheckKeptRevision(const Commit& commit, const Mutation& mutation) {
  const Precondition* precondition = PreconditionOn(commit, mutation.key);
  if (mutation.value && mutation.revision_offset == std::string::npos && precondition && precondition->revision > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("row ", Printable(mutation.key), " cannot keep its revision: that needs a value and a precondition on the row"));
}

}  // namespace

absl::Status CheckForm(const Commit& commit) {
  std::vector<const RowKey*> keys;
  keys.reserve(commit.mutations.size());
  for (const Mutation& mutation : commit.mutations) {
    const size_t offset = mutation.revision_offset;
    if (offset != std::string::npos && (offset > mutation.key.bytes.size() || mutation.key.bytes.size() - offset < 8)) {
      return absl::InvalidArgumentError(absl::StrCat("the revision does not fit into key ", Printable(mutation.key)));
    }
    if (mutation.keep_revision) {
      if (absl::Status kept = CheckKeptRevision(commit, mutation); !kept.ok()) return kept;
    }
    keys.push_back(&mutation.key);
  }
  std::sort(keys.begin(), keys.end(), [](const RowKey* a, const RowKey* b) { return *a < *b; });
  const auto twice =
      std::adjacent_find(keys.begin(), keys.end(), [](const RowKey* a, const RowKey* b) { return *a == *b; });
  if (twice == keys.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a commit writes ", Printable(**twice), " twice"));
}

RowKey StampedKey(const Mutation& mutation, Revision revision) {
  RowKey key = mutation.key;
  if (mutation.revision_offset != std::string::npos)
    WriteBigEndian64(key.bytes.data() + mutation.revision_offset, revision);
  return key;
}

Revision RevisionAfter(const Commit& commit, const Mutation& mutation, Revision revision) {
  if (!mutation.keep_revision) return revision;
  // CheckForm refused it without one. NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
  return PreconditionOn(commit, mutation.key)->revision;
}

absl::Status StaleTerm(uint64_t asked, uint64_t current) {
  return MakeError(absl::StatusCode::kAborted,
                   absl::StrCat("term ", asked, " is over: the store's writer has term ", current),
                   {.reason = "STALE_TERM"});
}

absl::Status Conflict(const RowKey& key) {
  return MakeError(absl::StatusCode::kAborted, absl::StrCat(Printable(key), " was changed meanwhile; read it again"),
                   {.reason = "CONCURRENT_MODIFICATION"});
}

void Refuse(Store& store, absl::Status why, Store::CommitDone done) {
  // Malformed on purpose: the store beneath turns it away, on its own thread.
  Commit malformed;
  malformed.mutations.push_back({.revision_offset = 0});
  store.CommitAsync(std::move(malformed),
                    [why = std::move(why), done = std::move(done)](const absl::StatusOr<Revision>&) { done(why); });
}

const char* FamilyName(Family family) { return kFamilyNames[static_cast<size_t>(family) % kFamilyCount]; }

std::string Printable(const RowKey& key) {
  std::string text = absl::StrCat(FamilyName(key.family), " ");
  for (const char c : key.bytes) text.push_back(c == '\0' ? '/' : c >= 0x20 && c < 0x7f ? c : '.');
  return text;
}

}  // namespace keyferry
