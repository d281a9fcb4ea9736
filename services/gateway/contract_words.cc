#include "services/gateway/contract_words.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "libs/common/error.h"

namespace keyferry::gateway {
namespace {

struct Words {
  std::string_view reason;
  std::string_view text;
};

constexpr Words kWords[] = {
    {"SECRET_SET_NOT_FOUND", "Set not found"},
    {"SECRET_NOT_FOUND", "Secret not found"},
    {"REQUEST_ID_REUSED",
     "this Idempotency-Key was used for another request within the last 24 hours; send a new one, or the same request "
     "again"},
};

}  // namespace

absl::Status InContractWords(const absl::Status& status, std::span<const FieldName> names) {
  std::optional<ErrorDetails> details = DetailsOf(status);
  if (!details) return status;
  const auto* words = std::ranges::find(kWords, details->reason, &Words::reason);
  if (words == std::end(kWords)) return RenameFields(status, names);
  return MakeError(status.code(), words->text, *std::move(details));
}

}  // namespace keyferry::gateway
