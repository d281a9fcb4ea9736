#include "libs/storage/fail_stop.h"

#include <cstdlib>

#include "libs/common/log.h"

namespace keyferry {

void FailStop(std::string_view what, std::string_view why) {
  Log(Severity::kError, "store_failed",
      {{"what", what},
       {"why", why},
       {"mend", "check the disk, then start again: recovery keeps every acknowledged commit"}});
  std::_Exit(kStoreFailedExitCode);
}

}  // namespace keyferry
