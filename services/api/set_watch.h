// SetWatch: the sets of an organization as they are, then that this was all, then every change of a set or of what its region says. A reader that
// falls behind gets the newest state of each set, never a backlog. Watches of the same sets share what is read and said (set_feed.h), and what they
// have not asked for yet costs nothing.
//
// Invariants:
//   C1  At most kWatchPageSets changes, and about kWatchPageBytes of them, wait to be told.
//   C2  After the last change of a set, its newest state is told (or, if it is gone, that it is). A set that came and went may be told as gone alone.
//   C3  A watch holds every write that was answered before it was made.
//
// Thread safety: all methods from any thread. Next must not be called again before it was answered.
#ifndef KEYFERRY_SERVICES_API_SET_WATCH_H_
#define KEYFERRY_SERVICES_API_SET_WATCH_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "services/api/set_status.h"

namespace keyferry {

// More than this a watch refuses with ResourceExhausted WATCH_TOO_LARGE. Its metadata names the limit and an advice.
inline constexpr size_t kMaxWatchedSets = 20'000;

struct SetDeleted {
  std::string name;
};
struct SnapshotComplete {};
using SetChange = std::variant<SecretSetView, SetDeleted, SnapshotComplete>;

// A change as its readers get it: shared bytes.
using Said = std::shared_ptr<const std::string>;
using SaySet = std::function<std::string(const SetChange&)>;

struct WatchedSets {
  std::string organization;
  // Empty: all regions.
  std::string region;
  // Empty: all sets.
  std::string name;
};

class SetWatch {
 public:
  using Done = std::function<void(absl::StatusOr<std::vector<Said>>)>;

  virtual ~SetWatch() = default;

  // done is called exactly once, on any thread, perhaps this one: with the next changes, one or more, or an error, which is the last
  // answer. NotFound ORGANIZATION_NOT_FOUND; InvalidArgument INVALID_SECRET_SET_NAME. Does not block.
  virtual void Next(Done done) = 0;
  // A Next that waits, and every later one, is answered Cancelled.
  virtual void Cancel() = 0;
};

class SetFeed;

// Thread safety: all methods from any thread.
class SetFeeds {
 public:
  // The deps' referents outlive the feeds and their watches.
  SetFeeds(const UseCaseDeps& deps, SaySet say) : deps_(deps), say_(std::move(say)) {}

  std::shared_ptr<SetWatch> Watch(const WatchedSets& watched);

 private:
  using Key = std::tuple<std::string, std::string, std::string>;

  const UseCaseDeps deps_;
  const SaySet say_;
  absl::Mutex mutex_;
  // Kept by their watches.
  std::map<Key, std::weak_ptr<SetFeed>> feeds_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SET_WATCH_H_
