#include "libs/common/error.h"

#include <nlohmann/json.hpp>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace keyferry {
namespace {

constexpr char kDetailsUrl[] = "keyferry/error_details";

absl::Cord Encode(const ErrorDetails& details) {
  nlohmann::json json = {{"reason", details.reason}, {"metadata", details.metadata}, {"blockers", details.blockers}};
  for (const FieldViolation& violation : details.violations) {
    json["violations"].push_back({violation.field, violation.description});
  }
  if (details.retry_after) json["retry_after_ms"] = absl::ToInt64Milliseconds(*details.retry_after);
  return absl::Cord(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

ErrorDetails Decode(const absl::Cord& cord) {
  const nlohmann::json json = nlohmann::json::parse(std::string(cord));
  ErrorDetails details{.reason = json.at("reason"), .metadata = json.at("metadata"), .blockers = json.at("blockers")};
  for (const auto& violation : json.value("violations", nlohmann::json::array())) {
    details.violations.push_back({violation.at(0), violation.at(1)});
  }
  if (json.contains("retry_after_ms")) details.retry_after = absl::Milliseconds(json["retry_after_ms"].get<int64_t>());
  return details;
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, std::string_view message, ErrorDetails details) {
  absl::Status status(code, absl::string_view(message.data(), message.size()));
  status.SetPayload(kDetailsUrl, Encode(details));
  return status;
}

absl::Status InvalidFields(std::string_view reason, std::vector<FieldViolation> violations) {
  std::string message = absl::StrJoin(violations, "; ", [](std::string* out, const FieldViolation& violation) {
    absl::StrAppend(out, violation.field, ": ", violation.description);
  });
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = std::string(reason), .violations = std::move(violations)});
}

absl::Status NotFound(std::string_view reason, std::string_view message, std::string_view resource) {
  return MakeError(absl::StatusCode::kNotFound, message,
                   {.reason = std::string(reason), .metadata = {{"resource", std::string(resource)}}});
}

std::optional<ErrorDetails> DetailsOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kDetailsUrl);
  if (!payload) return std::nullopt;
  return Decode(*payload);
}

std::string ReasonOf(const absl::Status& status) {
  const auto details = DetailsOf(status);
  return details ? details->reason : "";
}

}  // namespace keyferry
