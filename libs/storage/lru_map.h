// A map of bounded size that forgets what was used longest ago.
//
// Thread safety: none.
#ifndef KEYFERRY_STORAGE_LRU_MAP_H_
#define KEYFERRY_STORAGE_LRU_MAP_H_

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace keyferry {

template <typename Value>
class LruMap {
 public:
  explicit LruMap(size_t max_count) : max_count_(max_count) {}

  // Null when it is not there. Valid until the next Insert.
  Value* Find(std::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }

  void Insert(std::string_view key, Value value) {
    if (Value* present = Find(key)) {
      *present = std::move(value);
      return;
    }
    entries_.emplace_front(std::string(key), std::move(value));
    index_.emplace(entries_.front().first, entries_.begin());
    if (entries_.size() > max_count_) {
      index_.erase(entries_.back().first);
      entries_.pop_back();
    }
  }

  void Erase(std::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return;
    const auto entry = found->second;
    index_.erase(found);
    entries_.erase(entry);
  }

  // Of each value: whether it goes.
  template <typename Drop>
  void EraseIf(Drop drop) {
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto here = entry++;
      if (!drop(here->second)) continue;
      index_.erase(here->first);
      entries_.erase(here);
    }
  }

  size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<const std::string, Value>>;
  const size_t max_count_;
  Entries entries_;  // most recently used first
  // Keys are the entries' own.
  std::unordered_map<std::string_view, typename Entries::iterator> index_;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_LRU_MAP_H_
