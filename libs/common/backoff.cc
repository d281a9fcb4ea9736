#include "libs/common/backoff.h"

#include <algorithm>

namespace keyferry {

absl::Duration BackoffDelay(int attempt, absl::Duration min, absl::Duration max, double random_0_to_1) {
  absl::Duration ceiling = std::min(min, max);
  for (int i = 0; i < attempt && ceiling > absl::ZeroDuration() && ceiling < max; ++i)
    ceiling = std::min(2 * ceiling, max);
  // Written so that NaN gives 1.
  const double share = random_0_to_1 < 0 ? 0 : random_0_to_1 < 1 ? random_0_to_1 : 1;
  return ceiling * share;
}

}  // namespace keyferry
