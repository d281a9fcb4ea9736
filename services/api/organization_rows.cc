#include "services/api/organization_rows.h"

#include "libs/storage/keys.h"

namespace keyferry {
namespace {

// `tag NUL organization NUL`: all that is below, whatever its next part.
KeyRange BelowAny(RowKey with_an_empty_part) {
  with_an_empty_part.bytes.pop_back();
  return RangeBelow(with_an_empty_part);
}

}  // namespace

KeyRange RangeBelow(const RowKey& prefix) { return {prefix, PrefixEnd(prefix.bytes)}; }

KeyRange RangeOf(const RowKey& key) { return {key, key.bytes + '\0'}; }

std::vector<KeyRange> OwnedRanges(const std::string& organization) {
  return {RangeBelow(keys::SecretSets(organization)),     BelowAny(keys::Generations(organization, "")),
          RangeBelow(keys::Deployments(organization)),    RangeBelow(keys::SetUses(organization, "")),
          BelowAny(keys::SetUsesOf(organization, "")),    RangeBelow(keys::Request(organization, ""))};
}

}  // namespace keyferry
