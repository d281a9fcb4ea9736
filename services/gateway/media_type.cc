#include "services/gateway/media_type.h"

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace keyferry::gateway {
namespace {

bool IsTokenByte(char byte) {
  return absl::ascii_isalnum(byte) || std::string_view("!#$%&'*+-.^_`|~").find(byte) != std::string_view::npos;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool AtEnd() const { return at_ == text_.size(); }
  void SkipBlanks() {
    while (!AtEnd() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool Peek(char byte) const { return !AtEnd() && text_[at_] == byte; }
  bool Take(char byte) {
    if (!Peek(byte)) return false;
    ++at_;
    return true;
  }
  // Empty when there is none.
  std::string Token() {
    std::string token;
    while (!AtEnd() && IsTokenByte(text_[at_])) token.push_back(absl::ascii_tolower(text_[at_++]));
    return token;
  }
  // In lower case; nullopt when its closing quote is missing.
  std::optional<std::string> Quoted() {
    std::string value;
    for (++at_; !AtEnd(); ++at_) {
      if (Take('"')) return value;
      if (text_[at_] == '\\' && ++at_ == text_.size()) break;
      value.push_back(absl::ascii_tolower(text_[at_]));
    }
    return std::nullopt;
  }
  std::optional<std::string> Value() {
    if (Peek('"')) return Quoted();
    std::string token = Token();
    if (token.empty()) return std::nullopt;
    return token;
  }

 private:
  const std::string_view text_;
  size_t at_ = 0;
};

bool IsGoodParameter(Reader& reader) {
  const std::string name = reader.Token();
  if (name.empty() || !reader.Take('=')) return false;
  const std::optional<std::string> value = reader.Value();
  return value && (name != "charset" || *value == "utf-8" || *value == "utf8");
}

}  // namespace

bool IsJsonMediaType(std::string_view value) {
  Reader reader(value);
  reader.SkipBlanks();
  if (reader.Token() != "application" || !reader.Take('/') || reader.Token() != "json") return false;
  for (reader.SkipBlanks(); reader.Take(';'); reader.SkipBlanks()) {
    reader.SkipBlanks();
    // RFC 9110 lets a `;` be followed by nothing.
    if (reader.AtEnd() || reader.Peek(';')) continue;
    if (!IsGoodParameter(reader)) return false;
  }
  return reader.AtEnd();
}

}  // namespace keyferry::gateway
