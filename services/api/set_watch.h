// SetWatch: the sets of an organization as they are, then every change of a set or of what its region says. It
// remembers what it last told of each set and compares again when it is woken: a reader that falls behind gets the
// newest state of each set, never a backlog.
//
// Invariants:
//   C1  At most kWatchPageSets sets, and the names of deleted ones, wait to be told.
//   C2  After the last change of a set, its newest state is told (or, if it is gone, that it is).
//   C3  Comparing takes at most a fifth of the time, however fast the changes come.
//
// Thread safety: all methods from any thread. Next must not be called again before it was answered.
#ifndef KEYFERRY_SERVICES_API_SET_WATCH_H_
#define KEYFERRY_SERVICES_API_SET_WATCH_H_

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "services/api/set_status.h"

namespace keyferry {

inline constexpr size_t kWatchPageSets = 100;
// More than this a watch refuses with ResourceExhausted WATCH_TOO_LARGE: it remembers something of each. Its
// metadata names the limit and an advice.
inline constexpr size_t kMaxWatchedSets = 20'000;

struct SetDeleted {
  std::string name;
};
struct SnapshotComplete {};
using SetChange = std::variant<SecretSetView, SetDeleted, SnapshotComplete>;

struct WatchedSets {
  std::string organization;
  // Empty: all regions.
  std::string region;
  // Empty: all sets.
  std::string name;
};

class SetWatch {
 public:
  using Done = std::function<void(absl::StatusOr<SetChange>)>;

  // The deps' referents outlive the watch.
  static std::shared_ptr<SetWatch> Create(const UseCaseDeps& deps, WatchedSets watched);
  virtual ~SetWatch() = default;

  // done is called exactly once, on a thread of the executor: with the next change, or an error, which is the last
  // answer. NotFound ORGANIZATION_NOT_FOUND; InvalidArgument INVALID_SECRET_SET_NAME.
  virtual void Next(Done done) = 0;
  // A Next that waits, and every later one, is answered Cancelled.
  virtual void Cancel() = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SET_WATCH_H_
