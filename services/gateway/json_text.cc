#include "services/gateway/json_text.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "services/gateway/utf8.h"

namespace keyferry::gateway {
namespace {

using nlohmann::json;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kBlanks = " \t\r\n";
constexpr char kDepthFault[] = "more levels of arrays and objects than the 16 that are allowed";
static_assert(kMaxJsonDepth == 16, "kDepthFault names it");
constexpr char kCountFault[] = "more values than the 65536 that are allowed";
static_assert(kMaxJsonValues == 65'536, "kCountFault names it");

struct Fault {
  size_t offset = 0;
  const char* what = nullptr;
};

absl::Status Refuse(std::string_view text, Fault fault) {
  const std::string_view before = text.substr(0, fault.offset);
  const size_t line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_break = before.rfind('\n');
  const std::string_view in_line = line_break == std::string_view::npos ? before : before.substr(line_break + 1);
  // A byte of UTF-8 that continues a character is no column.
  const size_t column =
      1 + std::count_if(in_line.begin(), in_line.end(), [](unsigned char byte) { return (byte & 0xC0) != 0x80; });
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat("the body is not valid JSON at line ", line, ", column ", column, ": ", fault.what),
      {.reason = "INVALID_JSON", .metadata = {{"line", absl::StrCat(line)}, {"column", absl::StrCat(column)}}});
}

// The opening quote of the string that covers `offset`, its quotes included. Up to there the text must be JSON.
std::optional<size_t> FindStringAt(std::string_view text, size_t offset) {
  std::optional<size_t> open;
  for (size_t at = 0; at < std::min(offset, text.size()); ++at) {
    if (text[at] == '"') {
      open = open ? std::nullopt : std::optional(at);
    } else if (open && text[at] == '\\') {
      ++at;
    }
  }
  return open;
}

// -1 unless four hexadecimal digits begin there.
int CodeUnitAt(std::string_view text, size_t at) {
  if (at + 4 > text.size()) return -1;
  int unit = 0;
  for (const char digit : text.substr(at, 4)) {
    if (!absl::ascii_isxdigit(digit)) return -1;
    unit = unit * 16 + (absl::ascii_isdigit(digit) ? digit - '0' : absl::ascii_tolower(digit) - 'a' + 10);
  }
  return unit;
}

bool IsHighSurrogate(int unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool IsLowSurrogate(int unit) { return unit >= 0xDC00 && unit < 0xE000; }

// What is wrong with the string that begins with the quote at `open`; no `what` when nothing is.
Fault FindStringFault(std::string_view text, size_t open) {
  for (size_t at = open + 1; at < text.size(); ++at) {
    if (text[at] == '"') return {};
    if (static_cast<unsigned char>(text[at]) < 0x20) {
      return {at, "a line break, tab or other control character inside a string; write it as an escape, such as \\n"};
    }
    if (text[at] != '\\') continue;
    const size_t escape = at++;
    if (at == text.size()) break;
    if (std::string_view("\"\\/bfnrtu").find(text[at]) == std::string_view::npos) {
      return {escape, "a backslash in a string begins one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX"};
    }
    if (text[at] != 'u') continue;
    const int unit = CodeUnitAt(text, at + 1);
    if (unit < 0) return {escape, "\\u takes four hexadecimal digits"};
    at += 4;
    if (!IsHighSurrogate(unit) && !IsLowSurrogate(unit)) continue;
    const bool paired =
        IsHighSurrogate(unit) && text.substr(at + 1, 2) == "\\u" && IsLowSurrogate(CodeUnitAt(text, at + 3));
    if (!paired) return {escape, "half of a surrogate pair; \\uD800 to \\uDFFF come in twos, high before low"};
    at += 6;
  }
  return {text.size(), "the text ends inside a string"};
}

const char* DescribeByte(std::string_view text, size_t offset) {
  if (offset >= text.size()) return "the text ends before its value does";
  const char byte = text[offset];
  const size_t before = offset == 0 ? std::string_view::npos : text.find_last_not_of(kBlanks, offset - 1);
  const bool after_comma = before != std::string_view::npos && text[before] == ',';
  if ((byte == '}' || byte == ']') && after_comma) return "a comma before a closing bracket";
  if (byte == '\'') return "a single quote; strings take double quotes";
  if (byte == '/' || byte == '#') return "JSON has no comments";
  if (absl::ascii_isalpha(byte)) return "a word without quotes that is not true, false or null";
  if (absl::ascii_isdigit(byte)) return "a number where none can stand, or that JSON does not write so";
  if (std::string_view("{}[],:").find(byte) != std::string_view::npos)
    return "a bracket, comma or colon that does not fit here";
  return "a character that cannot stand here";
}

// How far the text was read, for the events, which carry no position.
struct Reading {
  const char* at;
  bool in_string = false;
  bool is_escaped = false;

  void Pass() {
    const char byte = *at++;
    if (!in_string) {
      in_string = byte == '"';
    } else if (is_escaped) {
      is_escaped = false;
    } else {
      in_string = byte != '"';
      is_escaped = byte == '\\';
    }
  }
};

// Between values every blank is a space: of a fault the parser writes out all that came since the last value, and takes
// very long over line breaks.
class BlankingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  BlankingIterator(const char* at, Reading& reading) : at_(at), reading_(&reading) {}
  char operator*() const {
    const bool is_blank = *at_ == '\n' || *at_ == '\r' || *at_ == '\t';
    return is_blank && !reading_->in_string ? ' ' : *at_;
  }
  BlankingIterator& operator++() {
    reading_->Pass();
    at_ = reading_->at;
    return *this;
  }
  void operator++(int) { ++*this; }
  bool operator==(const BlankingIterator& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  Reading* reading_;
};

class TreeBuilder {
 public:
  explicit TreeBuilder(std::string_view text) : text_(text), reading_{text.data()} {}

  bool Run() {
    return json::sax_parse(BlankingIterator(text_.data(), reading_),
                           BlankingIterator(text_.data() + text_.size(), reading_), this);
  }
  const Fault& fault() const { return fault_; }
  json Take() { return std::move(root_); }

  bool null() { return Add(nullptr) != nullptr; }
  bool boolean(bool value) { return Add(value) != nullptr; }
  bool number_integer(json::number_integer_t value) { return Add(value) != nullptr; }
  bool number_unsigned(json::number_unsigned_t value) { return Add(value) != nullptr; }
  bool number_float(json::number_float_t value, const std::string&) { return Add(value) != nullptr; }
  bool string(std::string& value) { return Add(std::move(value)) != nullptr; }
  bool binary(json::binary_t&) { return false; }
  bool start_object(size_t) { return Open(json::object()); }
  bool end_object() { return Close(); }
  bool start_array(size_t) { return Open(json::array()); }
  bool end_array() { return Close(); }

  bool key(std::string& name) {
    const auto [member, fresh] = open_.back()->get_ref<json::object_t&>().emplace(std::move(name), nullptr);
    member_ = &member->second;
    return fresh || Fail(*FindStringAt(text_, LastRead()), "a member whose name this object has already");
  }

  // Only for a number is `token` what was read last.
  bool parse_error(size_t position, const std::string& token, const json::exception& error) {
    constexpr int kNumberOutOfRange = 406;
    if (error.id == kNumberOutOfRange) return Fail(position - token.size(), "a number that is too large");
    // Position counts from 1, and the end of the text as one.
    const size_t offset = std::min(position - 1, text_.size());
    const std::optional<size_t> string = FindStringAt(text_, offset);
    const Fault fault = string ? FindStringFault(text_, *string) : Fault();
    if (fault.what != nullptr) return Fail(fault.offset, fault.what);
    if (is_complete_) return Fail(string.value_or(offset), "text after the end of the value");
    if (string) return Fail(*string, "a string where none can stand; is a comma or a colon missing before it?");
    return Fail(offset, DescribeByte(text_, offset));
  }

 private:
  size_t LastRead() const { return reading_.at - text_.data() - 1; }

  bool Fail(size_t offset, const char* what) {
    fault_ = {offset, what};
    return false;
  }

  json* Add(json value) {
    if (++value_count_ > kMaxJsonValues) {
      Fail(LastRead(), kCountFault);
      return nullptr;
    }
    if (open_.empty()) {
      is_complete_ = !value.is_structured();
      root_ = std::move(value);
      return &root_;
    }
    if (!open_.back()->is_array()) {
      *member_ = std::move(value);
      return member_;
    }
    auto& elements = open_.back()->get_ref<json::array_t&>();
    elements.push_back(std::move(value));
    return &elements.back();
  }

  bool Open(json container) {
    if (open_.size() == kMaxJsonDepth) return Fail(LastRead(), kDepthFault);
    json* added = Add(std::move(container));
    if (added != nullptr) open_.push_back(added);
    return added != nullptr;
  }

  bool Close() {
    open_.pop_back();
    is_complete_ = open_.empty();
    return true;
  }

  const std::string_view text_;
  Reading reading_;
  json root_;
  // From the root to the container that is being read.
  std::vector<json*> open_;
  // The value of the object's last member.
  json* member_ = nullptr;
  int value_count_ = 0;
  bool is_complete_ = false;
  Fault fault_;
};

}  // namespace

absl::StatusOr<json> ParseJson(std::string_view text) {
  if (text.find_first_not_of(kBlanks) == std::string_view::npos) {
    return MakeError(absl::StatusCode::kInvalidArgument, "the body is empty; it must be a JSON object",
                     {.reason = "INVALID_JSON"});
  }
  if (text.starts_with(kByteOrderMark))
    return Refuse(text, {0, "a byte order mark; save the text as UTF-8 without one"});
  // The lexer takes a NUL for the end of the text.
  const size_t null_at = text.find('\0');
  const size_t invalid_at = FindInvalidUtf8(text);
  if (invalid_at < null_at) return Refuse(text, {invalid_at, "bytes that are not UTF-8"});
  if (null_at != std::string_view::npos)
    return Refuse(text, {null_at, "a NUL byte; JSON is UTF-8, and writes NUL as \\u0000"});
  TreeBuilder builder(text);
  if (!builder.Run()) return Refuse(text, builder.fault());
  return builder.Take();
}

}  // namespace keyferry::gateway
