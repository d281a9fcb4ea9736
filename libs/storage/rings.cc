#include "libs/storage/rings.h"

#include <algorithm>
#include <set>
#include <utility>

namespace keyferry {
namespace {

thread_local const std::vector<RowKey>* rung_keys = nullptr;

}  // namespace

const std::vector<RowKey>* RungKeys() { return rung_keys; }

class Rings::Subscriber {
 public:
  Subscriber(RowKey begin, RowKey end, std::function<void()> ring)
      : begin_(std::move(begin)), end_(std::move(end)), ring_(std::move(ring)) {}

  void Ring() {
    absl::MutexLock lock(&mutex_);
    if (ring_) ring_();
  }
  // Waits for a call that is under way.
  void Silence() {
    absl::MutexLock lock(&mutex_);
    ring_ = nullptr;
  }
  const RowKey& begin() const { return begin_; }
  const RowKey& end() const { return end_; }

 private:
  const RowKey begin_;
  const RowKey end_;
  absl::Mutex mutex_;
  std::function<void()> ring_ ABSL_GUARDED_BY(mutex_);
};

class Rings::Handle final : public Store::Subscription {
 public:
  Handle(Rings& rings, std::shared_ptr<Subscriber> subscriber) : rings_(rings), subscriber_(std::move(subscriber)) {}
  ~Handle() override {
    rings_.Unsubscribe(subscriber_);
    subscriber_->Silence();
  }

 private:
  Rings& rings_;
  const std::shared_ptr<Subscriber> subscriber_;
};

std::unique_ptr<Store::Subscription> Rings::Subscribe(const RowKey& begin, const std::string& end,
                                                      std::function<void()> ring) {
  const Family next_family{static_cast<uint8_t>(static_cast<int>(begin.family) + 1)};
  const RowKey last = end.empty() ? RowKey{next_family, ""} : RowKey{begin.family, end};
  auto subscriber = std::make_shared<Subscriber>(begin, std::max(begin, last), std::move(ring));
  absl::MutexLock lock(&mutex_);
  const auto past = AddEdge(subscriber->end());
  for (auto piece = AddEdge(begin); piece != past; ++piece) piece->second.covering.push_back(subscriber);
  return std::make_unique<Handle>(*this, std::move(subscriber));
}

void Rings::Unsubscribe(const std::shared_ptr<Subscriber>& subscriber) {
  absl::MutexLock lock(&mutex_);
  const auto past = pieces_.find(subscriber->end());
  for (auto piece = pieces_.find(subscriber->begin()); piece != past; ++piece) {
    std::erase(piece->second.covering, subscriber);
  }
  RemoveEdge(subscriber->begin());
  RemoveEdge(subscriber->end());
}

std::map<RowKey, Rings::Piece>::iterator Rings::AddEdge(const RowKey& at) {
  auto next = pieces_.lower_bound(at);
  if (next == pieces_.end() || next->first != at) {
    Piece piece;
    if (next != pieces_.begin()) piece.covering = std::prev(next)->second.covering;
    next = pieces_.emplace_hint(next, at, std::move(piece));
  }
  ++next->second.edge_count;
  return next;
}

void Rings::RemoveEdge(const RowKey& at) {
  const auto piece = pieces_.find(at);
  if (--piece->second.edge_count == 0) pieces_.erase(piece);
}

void Rings::RingFor(const std::vector<RowKey>& written) {
  std::set<std::shared_ptr<Subscriber>> listeners;
  {
    absl::MutexLock lock(&mutex_);
    if (pieces_.empty()) return;
    auto rung = pieces_.end();
    for (const RowKey& key : written) {
      const auto next = pieces_.upper_bound(key);
      // Keys that come in order mostly fall into the piece of the one before.
      if (next == pieces_.begin() || std::prev(next) == rung) continue;
      rung = std::prev(next);
      listeners.insert(rung->second.covering.begin(), rung->second.covering.end());
    }
  }
  const std::vector<RowKey>* const outer = std::exchange(rung_keys, &written);
  for (const auto& listener : listeners) listener->Ring();
  rung_keys = outer;
}

}  // namespace keyferry
