// What commands print: one document, as a table for people or as JSON or YAML for programs. Field order is kept.
#ifndef KEYFERRY_CLI_OUTPUT_H_
#define KEYFERRY_CLI_OUTPUT_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace keyferry {

enum class OutputFormat { kTable, kJson, kYaml };

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

// Columns as wide as their widest cell, two spaces between, no trailing blanks. With `colour` the words pending, ready
// and failed are yellow, green and red.
std::string RenderTable(const Table& table, bool colour);
// Two columns, `name:` and the value.
std::string RenderFields(const std::vector<std::pair<std::string, std::string>>& fields, bool colour);
// Indented by two spaces, one newline at the end. Bytes that are no UTF-8 become U+FFFD.
std::string RenderJson(const nlohmann::ordered_json& document);
std::string RenderYaml(const nlohmann::ordered_json& document);

// To a tenth of a second, below one second to the millisecond: `30s`, `1.5s`, `50ms`.
std::string DurationText(absl::Duration duration);

// Control characters become \xNN, so that no text from elsewhere drives the terminal.
std::string Printable(std::string_view text);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_OUTPUT_H_
