#include "services/api/violations.h"

#include <utility>

namespace keyferry {

void Violations::Add(std::string_view reason, FieldViolation violation) {
  reason_ = violations_.empty() || reason_ == reason ? std::string(reason) : "INVALID_REQUEST";
  violations_.push_back(std::move(violation));
}

void Violations::Add(std::string_view reason, std::optional<FieldViolation> violation) {
  if (violation) Add(reason, *std::move(violation));
}

absl::Status Violations::ToStatus() const {
  if (violations_.empty()) return absl::OkStatus();
  return InvalidFields(reason_, violations_);
}

}  // namespace keyferry
