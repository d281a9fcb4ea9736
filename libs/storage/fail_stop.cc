#include "libs/storage/fail_stop.h"

#include "libs/common/last_words.h"

namespace keyferry {

void FailStop(std::string_view what, std::string_view why) {
  EndWithLastWords(kStoreFailedExitCode, "store_failed",
                   {{"what", what}, {"why", why}, {"mend", "check the disk, then start again: recovery keeps every acknowledged commit"}});
}

}  // namespace keyferry
