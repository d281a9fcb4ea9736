// The API names fields as its messages do, `entries[3].key`; a REST client wrote `secrets[3].secretKey`. This puts a
// client's own words into an error before it is answered.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_VIOLATION_NAMES_H_
#define KEYFERRY_SERVICES_GATEWAY_VIOLATION_NAMES_H_

#include <span>
#include <string_view>

#include "absl/status/status.h"

namespace keyferry::gateway {

// One row of a table of names. `[i]` in `from` stands for any index, and in `to` for that index; `to` may do without
// it. A row also fits the members below its field: {"deployment", "body"} makes `body.image` of `deployment.image`. An
// empty `to` takes the name and the dot after it away.
struct FieldName {
  std::string_view from;
  std::string_view to;
};

// The same status with its violations' fields renamed; the first row that fits wins, and a field that no row fits
// stays. A message that lists the violations is written again from them; of other messages only paths with an index
// (`entries[2]`) are renamed, as they are in descriptions. OK and a status without violations come back as they are.
absl::Status RenameFields(const absl::Status& status, std::span<const FieldName> names);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_VIOLATION_NAMES_H_
