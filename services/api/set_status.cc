#include "services/api/set_status.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/crypto/aead.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"
#include "services/api/paging.h"

namespace keyferry {
namespace {

size_t WireBytesOf(const SecretSetView& view) {
  // Times, numbers, etag, two conditions in words, and what surrounds a region's error message, twice.
  constexpr size_t kRest = 1024;
  const SecretSet& set = view.set;
  size_t bytes = kRest;
  for (const SecretSetEntry& entry : set.entries) bytes += TextBytesOf({entry.key});
  return bytes + TextBytesOf({set.organization, set.name, set.uid, set.region, set.region, set.region, set.host,
                                        view.status.error_message, view.status.error_message});
}

}  // namespace

ObjectId ObjectIdOf(const SecretSet& set) {
  return {.kind = ObjectKind::kSecretSet, .organization = set.organization, .name = set.name};
}

absl::Status CheckSetName(const std::string& name) {
  Violations violations;
  violations.Add("INVALID_SECRET_SET_NAME", CheckSecretSetName("secret_set", name));
  return violations.ToStatus();
}

absl::Status SecretSetNotFound(const std::string& name) {
  return NotFound("SECRET_SET_NOT_FOUND", absl::StrCat("secret set \"", name, "\" does not exist in this organization"),
                  name);
}

absl::StatusOr<std::optional<SecretSet>> FindSet(Transaction& transaction, const std::string& organization,
                                                 const std::string& name) {
  ASSIGN_OR_RETURN(auto row, transaction.Get<SecretSet>(keys::SecretSet(organization, name)));
  if (!row) return std::nullopt;
  row->value.organization = organization;
  row->value.name = name;
  return std::move(row->value);
}

std::string FailureText(const PlacementStatus& status) {
  constexpr char kRemedy[] = "write it again, and call support if that does not help";
  if (status.error_message.empty()) return absl::StrCat("the region could not take it; ", kRemedy);
  return absl::StrCat("the region could not take it (", status.error_message, "); ", kRemedy);
}

absl::StatusOr<SecretSetView> ViewOf(const UseCaseDeps& deps, SecretSet set) {
  Transaction reads(deps.writer.store);
  SecretSetView view;
  ASSIGN_OR_RETURN(view.status, ReadPlacement(reads, set.region, ObjectIdOf(set), set.uid, deps.writer.term().lineage));
  if (deps.region_connected) view.region_connected = deps.region_connected(set.region);
  view.set = std::move(set);
  return view;
}

absl::StatusOr<std::optional<SecretSetView>> CurrentView(const UseCaseDeps& deps, SecretSet set) {
  while (true) {
    ASSIGN_OR_RETURN(SecretSetView view, ViewOf(deps, std::move(set)));
    if (view.status.desired_generation == view.set.generation) return view;
    Transaction reads(deps.writer.store);
    ASSIGN_OR_RETURN(std::optional<SecretSet> now, FindSet(reads, view.set.organization, view.set.name));
    if (!now) return std::nullopt;
    // Not a write in between: its placement is damaged.
    if (now->uid == view.set.uid && now->generation == view.set.generation) return view;
    set = *std::move(now);
  }
}

absl::StatusOr<SecretSetView> GetSet(const UseCaseDeps& deps, const std::string& organization,
                                     const std::string& name) {
  Transaction reads(deps.writer.store);
  RETURN_IF_ERROR(ReadOrganization(reads, organization).status());
  RETURN_IF_ERROR(CheckSetName(name));
  ASSIGN_OR_RETURN(std::optional<SecretSet> set, FindSet(reads, organization, name));
  if (!set) return SecretSetNotFound(name);
  ASSIGN_OR_RETURN(std::optional<SecretSetView> view, CurrentView(deps, *std::move(set)));
  if (!view) return SecretSetNotFound(name);
  return *std::move(view);
}

absl::StatusOr<SecretSetPage> ListSets(const UseCaseDeps& deps, const SecretSetListing& listing) {
  Transaction reads(deps.writer.store);
  RETURN_IF_ERROR(ReadOrganization(reads, listing.organization).status());
  ASSIGN_OR_RETURN(const size_t page_size, PageSizeOf(listing.page_size));
  ASSIGN_OR_RETURN(auto organization_keys, deps.barrier.KeysOf(listing.organization));
  const PageTokens tokens(std::move(organization_keys),
                          JoinParts({"secret sets", listing.organization, listing.region}));
  ASSIGN_OR_RETURN(const std::string after, tokens.Parse(listing.page_token));

  SecretSetPage page;
  PageBudget budget(page_size);
  RETURN_IF_ERROR(VisitRows(deps.writer.store, keys::SecretSets(listing.organization), after,
                            [&](const KeyedRow& row) -> absl::StatusOr<bool> {
                              if (!budget.Look(row.key)) return false;
                              ASSIGN_OR_RETURN(SecretSet set, Decode<SecretSet>(row.row.value));
                              if (!listing.region.empty() && set.region != listing.region) return true;
                              set.organization = listing.organization;
                              set.name = keys::LastPart(row.key);
                              ASSIGN_OR_RETURN(auto view, CurrentView(deps, std::move(set)));
                              if (!view) return true;
                              if (!budget.Admit(WireBytesOf(*view))) return false;
                              page.sets.push_back(*std::move(view));
                              return true;
                            }));
  if (!budget.last_name().empty()) page.next_page_token = tokens.Make(budget.last_name());
  return page;
}

absl::StatusOr<std::vector<Generation>> ListGenerations(const UseCaseDeps& deps, const std::string& organization,
                                                        const std::string& name) {
  ASSIGN_OR_RETURN(const SecretSetView view, GetSet(deps, organization, name));
  std::vector<Generation> generations;
  const int64_t oldest = std::max<int64_t>(1, view.set.generation - kMaxGenerationsKept + 1);
  for (int64_t number = view.set.generation; number >= oldest; --number) {
    Transaction reads(deps.writer.store);
    ASSIGN_OR_RETURN(auto row, reads.Get<Generation>(keys::Generation(organization, view.set.uid, number)));
    if (!row) continue;
    row->value.number = number;
    row->value.sealed_object.clear();
    generations.push_back(std::move(row->value));
  }
  return generations;
}

}  // namespace keyferry
