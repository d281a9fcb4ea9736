// Rings: who wants to hear of commits in which key interval. Finds the subscribers of a written key in logarithmic
// time, however many there are: the key space is cut at every subscribed edge, and each piece knows who covers it.
//
// Thread safety: all methods from any thread. Outlives its subscriptions.
#ifndef KEYFERRY_STORAGE_RINGS_H_
#define KEYFERRY_STORAGE_RINGS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/storage/store.h"

namespace keyferry {

class Rings {
 public:
  // As Store::Ring.
  std::unique_ptr<Store::Subscription> Subscribe(const RowKey& begin, const std::string& end,
                                                 std::function<void()> ring);

  // Calls each function whose interval holds at least one of the keys, once, on this thread.
  void RingFor(const std::vector<RowKey>& written);

 private:
  class Subscriber;
  class Handle;
  struct Piece {
    std::vector<std::shared_ptr<Subscriber>> covering;
    // Intervals that begin or end where this piece begins.
    int edge_count = 0;
  };

  std::map<RowKey, Piece>::iterator AddEdge(const RowKey& at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RemoveEdge(const RowKey& at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Unsubscribe(const std::shared_ptr<Subscriber>& subscriber);

  absl::Mutex mutex_;
  // By its first key; reaches to the next piece.
  std::map<RowKey, Piece> pieces_ ABSL_GUARDED_BY(mutex_);
};

// Within a ring's function: what the commits wrote that it is called for, in its interval and outside. Null where the store does not tell.
const std::vector<RowKey>* RungKeys();

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_RINGS_H_
