#include "cli/output.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace keyferry {
namespace {

using Json = nlohmann::ordered_json;

// Columns that a terminal gives the text: one for each code point, near enough.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string_view ColourOf(std::string_view word) {
  if (word == "ready") return "\033[32m";
  if (word == "pending") return "\033[33m";
  if (word == "failed") return "\033[31m";
  return "";
}

std::string Painted(const std::string& cell, bool colour) {
  const std::string_view code = colour ? ColourOf(cell) : "";
  return code.empty() ? cell : std::string(code) + cell + "\033[0m";
}

std::string RenderRow(const std::vector<std::string>& row, const std::vector<size_t>& widths, bool colour) {
  std::string line;
  for (size_t column = 0; column < row.size(); ++column) {
    line += Painted(row[column], colour);
    if (column + 1 < row.size()) line.append(widths[column] - Width(row[column]) + 2, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

void EmitYaml(YAML::Emitter& out, const Json& value) {
  if (value.is_object()) {
    out << YAML::BeginMap;
    for (const auto& [name, member] : value.items()) {
      out << YAML::Key << name << YAML::Value;
      EmitYaml(out, member);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    out << (value.empty() ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
    for (const Json& element : value) EmitYaml(out, element);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    // Always quoted, so that `no`, `1e3` and `null` stay text.
    out << YAML::DoubleQuoted << value.get<std::string>();
  } else {
    out << value.dump();
  }
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppend(&printable, "\\x", absl::Hex(byte, absl::kZeroPad2));
    } else {
      printable.push_back(c);
    }
  }
  return printable;
}

std::string RenderTable(const Table& table, bool colour) {
  std::vector<std::vector<std::string>> lines = {table.header};
  for (const auto& row : table.rows) {
    std::transform(row.begin(), row.end(), std::back_inserter(lines.emplace_back()), Printable);
  }
  std::vector<size_t> widths(table.header.size());
  for (const auto& line : lines) {
    for (size_t column = 0; column < line.size(); ++column)
      widths[column] = std::max(widths[column], Width(line[column]));
  }
  std::string text;
  for (const auto& line : lines) text += RenderRow(line, widths, colour);
  return text;
}

std::string DurationText(absl::Duration duration) {
  const absl::Duration step = duration < absl::Seconds(1) ? absl::Milliseconds(1) : absl::Milliseconds(100);
  return absl::FormatDuration(absl::Floor(duration + step / 2, step));
}

std::string RenderFields(const std::vector<std::pair<std::string, std::string>>& fields, bool colour) {
  size_t width = 0;
  for (const auto& [name, value] : fields) width = std::max(width, name.size() + 1);
  std::string text;
  for (const auto& [name, value] : fields) text += RenderRow({name + ":", Printable(value)}, {width, 0}, colour);
  return text;
}

std::string RenderJson(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string RenderYaml(const Json& document) {
  YAML::Emitter out;
  EmitYaml(out, document);
  return std::string(out.c_str()) + "\n";
}

}  // namespace keyferry
