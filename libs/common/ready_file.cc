#include "libs/common/ready_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace keyferry {

ReadyFile::ReadyFile(std::string path) : path_(std::move(path)) {
  if (!path_.empty()) unlink(path_.c_str());
}

ReadyFile::~ReadyFile() {
  if (!path_.empty()) unlink(path_.c_str());
}

absl::Status ReadyFile::Write(const std::map<std::string, std::string>& addresses) const {
  if (path_.empty()) return absl::OkStatus();
  const std::string temporary = absl::StrCat(path_, ".", getpid());
  std::ofstream file(temporary, std::ios::trunc);
  file << nlohmann::json(addresses).dump() << "\n";
  file.close();
  if (file.fail() || rename(temporary.c_str(), path_.c_str()) != 0) {
    return absl::UnavailableError(absl::StrCat(path_, ": cannot be written: ", strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace keyferry
