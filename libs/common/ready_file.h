// Says to whoever started the process that it serves, and where: JSON such as
// {"edge":"unix:/run/edge","inner":"127.0.0.1:8443"}.
#ifndef KEYFERRY_COMMON_READY_FILE_H_
#define KEYFERRY_COMMON_READY_FILE_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace keyferry {

// A file that appears whole and goes with the object. An empty path: none.
class ReadyFile {
 public:
  // An older one goes at once.
  explicit ReadyFile(std::string path);
  ~ReadyFile();
  ReadyFile(const ReadyFile&) = delete;
  ReadyFile& operator=(const ReadyFile&) = delete;

  // Unavailable when it cannot be written.
  absl::Status Write(const std::map<std::string, std::string>& addresses) const;

 private:
  const std::string path_;
};

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_READY_FILE_H_
