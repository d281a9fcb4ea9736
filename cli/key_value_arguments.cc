#include "cli/key_value_arguments.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/usage.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

bool IsKeyCharacter(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'; }

bool LooksLikeOption(std::string_view argument) { return argument.size() > 1 && argument[0] == '-'; }

class Walk {
 public:
  Walk(std::span<const std::string_view> arguments, const OptionLookup& lookup)
      : arguments_(arguments), lookup_(lookup) {}

  absl::StatusOr<KeyValueArguments> Run() {
    for (; next_ < arguments_.size(); ++next_) {
      const std::string_view argument = arguments_[next_];
      if (options_allowed_ && argument == "--") {
        options_allowed_ = false;
      } else if (options_allowed_ && LooksLikeOption(argument)) {
        RETURN_IF_ERROR(TakeOption(argument));
      } else if (!name_seen_) {
        name_seen_ = true;
        taken_.others.emplace_back(argument);
      } else {
        RETURN_IF_ERROR(TakePair(argument));
      }
    }
    return std::move(taken_);
  }

 private:
  std::string Here() const { return absl::StrCat("argument ", next_ + 1, " after `secrets set`"); }

  absl::Status TakeOption(std::string_view argument) {
    const OptionForm form = lookup_(argument);
    if (form == OptionForm::kUnknown) {
      return UsageError(
          absl::StrCat(Here(),
                       " begins with '-' and is no option of this command. A value that begins with '-' follows its"
                       " key (KEY VALUE or KEY=VALUE); a key that does needs `--` before it"));
    }
    taken_.others.emplace_back(argument);
    if (form == OptionForm::kComplete) return absl::OkStatus();
    if (++next_ == arguments_.size())
      return UsageError(absl::StrCat("the last option, ", std::string(argument), ", needs a value"));
    taken_.others.emplace_back(arguments_[next_]);
    return absl::OkStatus();
  }

  absl::Status TakePair(std::string_view argument) {
    const size_t equals = argument.find('=');
    const std::string_view key = argument.substr(0, equals);
    const std::string where = equals == std::string_view::npos ? Here() : absl::StrCat(Here(), ", before its '='");
    RETURN_IF_ERROR(CheckKey(where, key));
    if (equals != std::string_view::npos) return Add(key, argument.substr(equals + 1), equals + 1);
    if (next_ + 1 == arguments_.size()) {
      return UsageError(
          absl::StrCat(Here(),
                       " is at a key's place and no value follows it. Write KEY VALUE or KEY=VALUE, and quote a value"
                       " that holds spaces"));
    }
    const std::string_view value = arguments_[++next_];
    if (LooksLikeOption(value) && lookup_(value) != OptionForm::kUnknown) taken_.option_like.emplace_back(key);
    return Add(key, value, 0);
  }

  absl::Status Add(std::string_view key, std::string_view value, size_t offset) {
    if (!keys_.insert(key).second) {
      return UsageError(absl::StrCat("key ", std::string(key), " is given twice on the command line"));
    }
    taken_.entries.push_back({std::string(key), SecretBytes::Copy(value)});
    taken_.values.push_back({next_, offset});
    return absl::OkStatus();
  }

  const std::span<const std::string_view> arguments_;
  const OptionLookup& lookup_;
  KeyValueArguments taken_;
  std::set<std::string_view> keys_;
  size_t next_ = 0;
  bool options_allowed_ = true;
  bool name_seen_ = false;
};

}  // namespace

absl::Status CheckKey(const std::string& where, std::string_view key) {
  const std::string rule = absl::StrCat("a key is 1 to ", kMaxKeyLength, " of A-Z a-z 0-9 _ -");
  if (key.empty()) return UsageError(absl::StrCat(where, ": the key is empty; ", rule));
  if (key.size() > kMaxKeyLength) {
    return UsageError(absl::StrCat(where, ": a key of ", key.size(), " characters is too long; ", rule));
  }
  const auto bad = std::find_if_not(key.begin(), key.end(), IsKeyCharacter);
  if (bad == key.end()) return absl::OkStatus();
  return UsageError(absl::StrCat(where, ": character ", bad - key.begin() + 1, " cannot be in a key; ", rule));
}

absl::StatusOr<KeyValueArguments> TakeKeyValues(std::span<const std::string_view> arguments,
                                                const OptionLookup& lookup) {
  return Walk(arguments, lookup).Run();
}

}  // namespace keyferry
