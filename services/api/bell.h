// Bell: a store's rings, turned into calls on a strand. Rings that come while one is waiting for its turn become one
// call.
//
// Thread safety: all methods from any thread. The bell may be destroyed on any thread but inside a ring.
#ifndef KEYFERRY_SERVICES_API_BELL_H_
#define KEYFERRY_SERVICES_API_BELL_H_

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "libs/common/executor.h"
#include "libs/storage/keys.h"
#include "libs/storage/store.h"

namespace keyferry {

class Bell {
 public:
  // `answer` runs on the strand while `owner` lives.
  Bell(const std::shared_ptr<Strand>& strand, std::weak_ptr<void> owner, std::function<void()> answer)
      : ringing_(std::make_shared<Ringing>(strand, std::move(owner), std::move(answer))) {}

  // Rings for this row.
  void Watch(Store& store, const RowKey& row) { Watch(store, row, row.bytes + '\0'); }
  // Rings for all rows whose keys begin so.
  void WatchBelow(Store& store, const RowKey& prefix) { Watch(store, prefix, PrefixEnd(prefix.bytes)); }
  void Silence() { subscriptions_.clear(); }

 private:
  struct Ringing : std::enable_shared_from_this<Ringing> {
    Ringing(const std::shared_ptr<Strand>& strand, std::weak_ptr<void> owner, std::function<void()> answer)
        : strand(strand), owner(std::move(owner)), answer(std::move(answer)) {}

    void Ring() {
      if (waiting.exchange(true)) return;
      strand->Run([self = shared_from_this()] {
        self->waiting = false;
        if (const std::shared_ptr<void> alive = self->owner.lock()) self->answer();
      });
    }

    const std::shared_ptr<Strand> strand;
    const std::weak_ptr<void> owner;
    const std::function<void()> answer;
    std::atomic<bool> waiting = false;
  };

  void Watch(Store& store, const RowKey& begin, const std::string& end) {
    subscriptions_.push_back(store.Ring(begin, end, [ringing = ringing_] { ringing->Ring(); }));
  }

  const std::shared_ptr<Ringing> ringing_;
  std::vector<std::unique_ptr<Store::Subscription>> subscriptions_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_BELL_H_
