// A directory of its own that goes away with the object.
#ifndef KEYFERRY_COMMON_TESTING_TEMP_DIR_H_
#define KEYFERRY_COMMON_TESTING_TEMP_DIR_H_

#include <cstdlib>
#include <filesystem>
#include <string>

namespace keyferry {

class TempDir {
 public:
  // On disk, or below `parent`, such as /dev/shm for a tmpfs.
  explicit TempDir(const std::string& parent = std::filesystem::temp_directory_path().string()) {
    path_ = parent + "/keyferry-XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_TESTING_TEMP_DIR_H_
