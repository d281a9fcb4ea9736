// `.env` files: docs/dotenv-grammar.md, in code. Values are bytes; nothing is interpolated.
//
// Errors are USAGE errors that name source, line and column (in bytes, both from 1) and never show a value.
#ifndef KEYFERRY_CLI_DOTENV_H_
#define KEYFERRY_CLI_DOTENV_H_

#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/key_value_arguments.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

// In the file's order. `source` names the file in errors. A key that comes twice is an error.
absl::StatusOr<std::vector<KeyValue>> ParseDotenv(std::string_view source, std::string_view text);

// A file that ParseDotenv reads back byte for byte. InvalidArgument for a value with NUL.
absl::StatusOr<SecretBytes> ToDotenv(std::span<const KeyValue> entries);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_DOTENV_H_
