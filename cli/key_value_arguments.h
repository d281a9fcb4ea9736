// The arguments of `secrets set`: which are options, which the set's name, which keys and values.
//
// After the name, an argument at a key's place is KEY=VALUE when it holds `=` (split at the first), else it is a key
// and the next argument is its value, verbatim, whatever it looks like. An argument that begins with `-` is an option
// only at the place of the name or of a key, and only before the first `--` found there.
//
// Invariants: (1) a value is taken byte for byte; (2) no error holds the text of an argument, for it may be a value out
// of place: errors count arguments instead, from 1; a duplicate names its key.
#ifndef KEYFERRY_CLI_KEY_VALUE_ARGUMENTS_H_
#define KEYFERRY_CLI_KEY_VALUE_ARGUMENTS_H_

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

// How an argument that begins with `-` reads to the option parser.
enum class OptionForm {
  kUnknown,
  // A flag, or an option with its value attached.
  kComplete,
  // The next argument is its value.
  kTakesNext,
};
using OptionLookup = std::function<OptionForm(std::string_view argument)>;

struct KeyValue {
  std::string key;
  SecretBytes value;
};

// Bytes of argument `argument` (counted from 0) from `offset` to its end.
struct ArgumentTail {
  size_t argument;
  size_t offset;
  bool operator==(const ArgumentTail&) const = default;
};

struct KeyValueArguments {
  std::vector<KeyValue> entries;
  // The name and the options, in order.
  std::vector<std::string> others;
  // Where the values are, so that they can be overwritten.
  std::vector<ArgumentTail> values;
  // Keys whose value is spelled like an option: taken as a value, worth a warning.
  std::vector<std::string> option_like;
};

// `arguments`: what follows the word `set`. USAGE errors: a key without a value, an argument that is no key, a key
// given twice, an unknown option.
absl::StatusOr<KeyValueArguments> TakeKeyValues(std::span<const std::string_view> arguments,
                                                const OptionLookup& lookup);

// OK, or a USAGE error that tells what is wrong with a key without showing it; `where` begins the message.
absl::Status CheckKey(const std::string& where, std::string_view key);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_KEY_VALUE_ARGUMENTS_H_
