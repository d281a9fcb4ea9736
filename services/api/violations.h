// Violations: what is wrong with the fields of one request, gathered so that its sender hears of all of it at once.
//
// Thread safety: none; a local variable.
#ifndef KEYFERRY_SERVICES_API_VIOLATIONS_H_
#define KEYFERRY_SERVICES_API_VIOLATIONS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "libs/common/error.h"

namespace keyferry {

class Violations {
 public:
  // `reason`: INVALID_*, for what is wrong with this kind of field.
  void Add(std::string_view reason, FieldViolation violation);
  // nullopt: nothing is wrong.
  void Add(std::string_view reason, std::optional<FieldViolation> violation);

  // OK when nothing was added; else InvalidArgument with every violation: under their reason where it is one, under
  // INVALID_REQUEST else.
  absl::Status ToStatus() const;

 private:
  std::string reason_;
  std::vector<FieldViolation> violations_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_VIOLATIONS_H_
