// A real keyferry-api in a process of its own, for tests.
#ifndef KEYFERRY_SERVICES_API_TESTING_API_PROCESS_H_
#define KEYFERRY_SERVICES_API_TESTING_API_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace keyferry {

class ApiProcess {
 public:
  // Of build/<preset>/bin. Standard error goes to this file.
  ApiProcess(const std::vector<std::string>& arguments, std::string error_file);
  // Kills it when it still runs.
  ~ApiProcess();
  ApiProcess(const ApiProcess&) = delete;
  ApiProcess& operator=(const ApiProcess&) = delete;

  // False when the file is not there in time, or the process has ended.
  bool AwaitFile(const std::string& path, absl::Duration timeout);
  void Signal(int signal) const;
  // Exit code, or minus the signal that ended it.
  int Wait();
  std::string Errors() const;

 private:
  bool HasEnded();

  const std::string error_file_;
  pid_t pid_ = -1;
  int status_ = 0;
};

// What a file holds; empty when there is none.
std::string ReadWhole(const std::string& path);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_API_PROCESS_H_
