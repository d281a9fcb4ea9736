// Names that are valid once they exist. Parsing rejects and never normalises; what it refuses it describes with the
// field, the rule and what was found.
#ifndef KEYFERRY_MODEL_NAMES_H_
#define KEYFERRY_MODEL_NAMES_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/common/error.h"

namespace keyferry {

// Each answers nullopt for a valid name and the violation, filed under `field`, for any other.
std::optional<FieldViolation> CheckSecretSetName(std::string_view field, std::string_view name);
std::optional<FieldViolation> CheckSecretKey(std::string_view field, std::string_view key);
std::optional<FieldViolation> CheckAgentName(std::string_view field, std::string_view name);
std::optional<FieldViolation> CheckRegionCode(std::string_view field, std::string_view code);
std::optional<FieldViolation> CheckOrganizationName(std::string_view field, std::string_view name);
std::optional<FieldViolation> CheckRequestId(std::string_view field, std::string_view request_id);

// 32 hex digits, random.
std::string NewUid();

}  // namespace keyferry

#endif  // KEYFERRY_MODEL_NAMES_H_
