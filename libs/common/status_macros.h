// Both return from the enclosing function with the error.
#ifndef KEYFERRY_COMMON_STATUS_MACROS_H_
#define KEYFERRY_COMMON_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define RETURN_IF_ERROR(expression)                      \
  do {                                                   \
    absl::Status keyferry_status = (expression);         \
    if (!keyferry_status.ok()) return keyferry_status;   \
  } while (false)

#define KEYFERRY_CONCAT_INNER(a, b) a##b
#define KEYFERRY_CONCAT(a, b) KEYFERRY_CONCAT_INNER(a, b)
#define KEYFERRY_ASSIGN_OR_RETURN(result, left, expression)  \
  auto result = (expression);                                \
  if (!result.ok()) return std::move(result).status();       \
  left = *std::move(result)

// ASSIGN_OR_RETURN(auto set, Get(name));
#define ASSIGN_OR_RETURN(left, expression) \
  KEYFERRY_ASSIGN_OR_RETURN(KEYFERRY_CONCAT(keyferry_result_, __LINE__), left, expression)

#endif  // KEYFERRY_COMMON_STATUS_MACROS_H_
