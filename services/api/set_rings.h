// SetRings: which sets the store's rings are about, gathered until somebody reads them. Where a ring does not tell, or
// of too many at once: of all.
//
// Thread safety: all methods from any thread. Not destroyed inside a ring: nothing that a ring runs may hold its last
// owner.
#ifndef KEYFERRY_SERVICES_API_SET_RINGS_H_
#define KEYFERRY_SERVICES_API_SET_RINGS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libs/common/executor.h"
#include "libs/storage/store.h"

namespace keyferry {

inline constexpr size_t kMaxRungSets = 4096;

class SetRings {
 public:
  struct Rung {
    // In the order in which they rang first.
    std::vector<std::string> names;
    bool all = false;
  };

  // Of one organization; `name` empty: of all its sets. `wake` is called on a thread of the executor, once between two
  // calls of Take. Both outlive it.
  SetRings(Store& store, Executor& executor, std::string organization, std::string name, std::function<void()> wake);
  ~SetRings();
  // What this region says of the sets rings too, from now on.
  void WatchRegion(const std::string& region);
  // At most `limit` names.
  Rung Take(size_t limit);
  bool empty() const;

 private:
  struct State;
  void Watch(const RowKey& begin, const std::string& end);

  Store& store_;
  const std::string organization_;
  const std::shared_ptr<State> state_;
  std::vector<std::unique_ptr<Store::Subscription>> subscriptions_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SET_RINGS_H_
