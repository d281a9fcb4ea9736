#include "cli/dotenv.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/usage.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
// What follows a backslash in double quotes, and what the two stand for.
constexpr std::string_view kEscapeLetters = "nrt\\\"$";
constexpr std::string_view kEscapedBytes = "\n\r\t\\\"$";

bool IsBlank(char c) { return c == ' ' || c == '\t'; }
bool IsControl(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

class Parser {
 public:
  Parser(std::string_view source, std::string_view text) : source_(source), text_(text) {
    if (text_.substr(0, kByteOrderMark.size()) == kByteOrderMark) at_ = line_start_ = kByteOrderMark.size();
  }

  absl::StatusOr<std::vector<KeyValue>> Run() {
    while (at_ < text_.size()) RETURN_IF_ERROR(ParseLine());
    return std::move(entries_);
  }

 private:
  absl::Status Error(size_t at, std::string_view message) const {
    return UsageError(absl::StrCat(source_, ":", line_, ":", at - line_start_ + 1, ": ", std::string(message)));
  }

  bool AtEnd() const { return at_ == text_.size(); }
  bool AtLineEnd() const { return AtEnd() || text_[at_] == '\n' || AtCrLf(at_); }
  bool AtCrLf(size_t at) const { return text_[at] == '\r' && (at + 1 == text_.size() || text_[at + 1] == '\n'); }
  void SkipBlanks() {
    while (!AtEnd() && IsBlank(text_[at_])) ++at_;
  }
  void CountLine() {
    ++line_;
    line_start_ = at_ + 1;
  }
  void EndLine() {
    if (!AtEnd() && text_[at_] == '\r') ++at_;
    if (!AtEnd()) {
      CountLine();
      ++at_;
    }
  }
  void SkipComment() {
    while (!AtEnd() && text_[at_] != '\n') ++at_;
  }

  absl::Status ParseLine() {
    SkipBlanks();
    if (!AtLineEnd() && text_[at_] != '#') RETURN_IF_ERROR(ParseAssignment());
    SkipBlanks();
    if (!AtLineEnd() && text_[at_] == '#') SkipComment();
    if (!AtLineEnd()) return Error(at_, "text after the closing quote; a comment begins with '#'");
    EndLine();
    return absl::OkStatus();
  }

  std::string_view TakeWord() {
    const size_t start = at_;
    while (!AtLineEnd() && text_[at_] != '=' && !IsBlank(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  absl::Status ParseAssignment() {
    size_t key_at = at_;
    std::string_view key = TakeWord();
    SkipBlanks();
    if (key == "export" && !AtLineEnd() && text_[at_] != '=') {
      key_at = at_;
      key = TakeWord();
      SkipBlanks();
    }
    if (AtLineEnd() || text_[at_] != '=') return Error(at_, "expected KEY=VALUE and found no '=' after the key");
    RETURN_IF_ERROR(CheckKey(absl::StrCat(source_, ":", line_, ":", key_at - line_start_ + 1), key));
    const auto [first, fresh] = line_of_key_.emplace(key, line_);
    if (!fresh) return Error(key_at, absl::StrCat("key ", std::string(key), " is already on line ", first->second));
    ++at_;
    SkipBlanks();
    ASSIGN_OR_RETURN(SecretBytes value, ParseValue());
    entries_.push_back({std::string(key), std::move(value)});
    return absl::OkStatus();
  }

  absl::StatusOr<SecretBytes> ParseValue() {
    if (AtLineEnd()) return SecretBytes();
    if (text_[at_] == '\'') return ParseSingleQuoted();
    if (text_[at_] == '"') return ParseDoubleQuoted();
    return ParseUnquoted();
  }

  absl::StatusOr<SecretBytes> ParseUnquoted() {
    const size_t start = at_;
    size_t end = start;
    for (; !AtLineEnd(); ++at_) {
      if (text_[at_] == '#' && IsBlank(text_[at_ - 1])) break;
      if (IsControl(text_[at_]))
        return Error(at_, "a control character; put the value into quotes, or save the file as UTF-8");
      if (!IsBlank(text_[at_])) end = at_ + 1;
    }
    return SecretBytes::Copy(text_.substr(start, end - start));
  }

  // Steps over one byte inside quotes.
  absl::Status StepQuoted() {
    if (text_[at_] == '\0') return Error(at_, "a NUL byte; no value can hold one");
    if (text_[at_] == '\n') CountLine();
    ++at_;
    return absl::OkStatus();
  }

  absl::StatusOr<SecretBytes> ParseSingleQuoted() {
    const size_t open = at_, open_line = line_, open_line_start = line_start_;
    ++at_;
    while (!AtEnd() && text_[at_] != '\'') RETURN_IF_ERROR(StepQuoted());
    if (AtEnd()) return Unclosed(open, open_line, open_line_start);
    return SecretBytes::Copy(text_.substr(open + 1, at_++ - open - 1));
  }

  absl::StatusOr<SecretBytes> ParseDoubleQuoted() {
    const size_t open = at_, open_line = line_, open_line_start = line_start_;
    std::string value;
    // Reserved whole, so that growing leaves no copies behind.
    value.reserve(text_.size() - at_);
    ++at_;
    while (!AtEnd() && text_[at_] != '"') {
      char byte = text_[at_];
      if (byte == '\\') {
        const size_t escape = at_ + 1 < text_.size() ? kEscapeLetters.find(text_[at_ + 1]) : std::string_view::npos;
        if (escape == std::string_view::npos) {
          Wipe(value);
          return Error(at_,
                       "a backslash in double quotes begins one of \\n \\r \\t \\\\ \\\" \\$; single quotes keep "
                       "everything as it is");
        }
        byte = kEscapedBytes[escape];
        ++at_;
      }
      const absl::Status step = StepQuoted();
      if (!step.ok()) {
        Wipe(value);
        return step;
      }
      value.push_back(byte);
    }
    if (AtEnd()) {
      Wipe(value);
      return Unclosed(open, open_line, open_line_start);
    }
    ++at_;
    SecretBytes result = SecretBytes::Copy(value);
    Wipe(value);
    return result;
  }

  absl::Status Unclosed(size_t open, size_t line, size_t line_start) {
    line_ = line;
    line_start_ = line_start;
    return Error(open, "this quote is never closed");
  }

  const std::string source_;
  const std::string_view text_;
  size_t at_ = 0;
  size_t line_ = 1;
  size_t line_start_ = 0;
  std::vector<KeyValue> entries_;
  std::map<std::string_view, size_t> line_of_key_;
};

bool IsPlain(std::string_view value) {
  return value.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+,-") ==
         std::string_view::npos;
}

void AppendDoubleQuoted(std::string& out, std::string_view value) {
  out.push_back('"');
  for (const char c : value) {
    const size_t escape = kEscapedBytes.find(c);
    if (escape != std::string_view::npos) out.push_back('\\');
    out.push_back(escape == std::string_view::npos ? c : kEscapeLetters[escape]);
  }
  out.push_back('"');
}

void AppendValue(std::string& out, std::string_view value) {
  if (IsPlain(value)) {
    out.append(value);
  } else if (value.find('\'') == std::string_view::npos) {
    out.append("'").append(value).append("'");
  } else {
    AppendDoubleQuoted(out, value);
  }
}

}  // namespace

absl::StatusOr<std::vector<KeyValue>> ParseDotenv(std::string_view source, std::string_view text) {
  return Parser(source, text).Run();
}

absl::StatusOr<SecretBytes> ToDotenv(std::span<const KeyValue> entries) {
  size_t capacity = 0;
  for (const KeyValue& entry : entries) {
    if (entry.value.Access().find('\0') != std::string_view::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("the value of ", entry.key, " holds a NUL byte, which a .env file cannot"));
    }
    capacity += entry.key.size() + 2 * entry.value.size() + 4;
  }
  std::string out;
  out.reserve(capacity);
  for (const KeyValue& entry : entries) {
    out.append(entry.key).append("=");
    AppendValue(out, entry.value.Access());
    out.append("\n");
  }
  return SecretBytes::Take(std::move(out));
}

}  // namespace keyferry
