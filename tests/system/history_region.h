// What a region shows to a client of a history: its files, and whether somebody disturbs it.
#ifndef KEYFERRY_TESTS_SYSTEM_HISTORY_REGION_H_
#define KEYFERRY_TESTS_SYSTEM_HISTORY_REGION_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace keyferry {

inline std::string ReadHistoryFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct HistoryRegion {
  std::string name, files, epoch_file;

  // Raised before and after each disturbance of the region: while it is odd or moves, what the region shows proves nothing.
  long Epoch() const { return std::strtol(ReadHistoryFile(epoch_file).c_str(), nullptr, 10); }

  // Values by key of a set of `acme`; null: there is no such set. nullopt: its link moved meanwhile, so that this may be a mixture.
  std::optional<nlohmann::json> Held(const std::string& set) const {
    const std::filesystem::path link = files + "/sets/acme/" + set;
    std::error_code error;
    const auto target = std::filesystem::read_symlink(link, error);
    nlohmann::json values = nlohmann::json::object();
    if (!error) {
      for (const auto& entry : std::filesystem::directory_iterator(link.parent_path() / target, error)) {
        values[entry.path().filename()] = ReadHistoryFile(entry.path());
      }
    }
    std::error_code again;
    if (std::filesystem::read_symlink(link, again) != target) return std::nullopt;
    return error ? nlohmann::json(nullptr) : values;
  }
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SYSTEM_HISTORY_REGION_H_
