#include "services/api/set_watch.h"

#include <utility>

#include "services/api/set_feed.h"

namespace keyferry {
namespace {

class FedWatch final : public SetWatch {
 public:
  explicit FedWatch(std::shared_ptr<SetFeed> feed) : feed_(std::move(feed)) { feed_->Join(&reader_); }
  ~FedWatch() override { feed_->Leave(&reader_); }

  void Next(Done done) override { feed_->Next(&reader_, std::move(done)); }
  void Cancel() override { feed_->Cancel(&reader_); }

 private:
  const std::shared_ptr<SetFeed> feed_;
  SetFeed::Reader reader_;
};

}  // namespace

std::shared_ptr<SetWatch> SetFeeds::Watch(const WatchedSets& watched) {
  std::shared_ptr<SetFeed> feed;
  {
    absl::MutexLock lock(&mutex_);
    std::erase_if(feeds_, [](const auto& each) { return each.second.expired(); });
    std::weak_ptr<SetFeed>& shared = feeds_[{watched.organization, watched.region, watched.name}];
    feed = shared.lock();
    if (!feed || feed->ended()) shared = feed = std::make_shared<SetFeed>(deps_, watched, say_);
  }
  return std::make_shared<FedWatch>(std::move(feed));
}

}  // namespace keyferry
