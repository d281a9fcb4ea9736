#include "services/api/set_log.h"

#include <algorithm>
#include <utility>

namespace keyferry {
namespace {

// Behind every name.
constexpr char kEnd[] = "\xff";

}  // namespace

bool SetLog::Needs(const std::string& name, const SetState& state, bool wanted) const {
  const auto entry = entries_.find(name);
  if (entry == entries_.end() || entry->second.gone || entry->second.state != state) return true;
  return wanted && entry->second.said == nullptr;
}

void SetLog::Put(const std::string& name, const SetState& state, Said said) {
  const auto [entry, fresh] = entries_.try_emplace(name);
  const bool news = fresh || entry->second.gone || entry->second.state != state;
  if (fresh) entry->second.birth = head_ + 1;
  if (entry->second.gone) {
    Drop(entry->second);
    entry->second.gone = false;
    --gone_count_;
  }
  entry->second.state = state;
  if (news) Move(*entry);
  Keep(entry->second, std::move(said));
}

bool SetLog::Has(const std::string& name) const {
  const auto entry = entries_.find(name);
  return entry != entries_.end() && !entry->second.gone;
}

void SetLog::Erase(const std::string& name, Said said) {
  const auto entry = entries_.find(name);
  Drop(entry->second);
  entry->second.gone = true;
  entry->second.said = std::move(said);
  ++gone_count_;
  Move(*entry);
}

void SetLog::Move(Entries::value_type& entry) {
  by_change_.erase(entry.second.change);
  entry.second.change = ++head_;
  by_change_.emplace(head_, &entry);
}

void SetLog::Keep(Entry& entry, Said said) {
  Drop(entry);
  said_bytes_ += said->size();
  entry.said = std::move(said);
  entry.kept = kept_.insert(kept_.end(), &entry);
  while (said_bytes_ > kMaxSaidBytes && kept_.size() > kWatchPageSets) Drop(*kept_.front());
}

void SetLog::Drop(Entry& entry) {
  if (entry.said == nullptr) return;
  if (!entry.gone) {
    said_bytes_ -= entry.said->size();
    kept_.erase(entry.kept);
  }
  entry.said = nullptr;
}

std::vector<std::string> SetLog::NamesBetween(const std::string& after, const std::string& last) const {
  std::vector<std::string> names;
  const auto end = last.empty() ? entries_.end() : entries_.upper_bound(last);
  for (auto entry = entries_.upper_bound(after); entry != end; ++entry) {
    if (!entry->second.gone) names.push_back(entry->first);
  }
  return names;
}

bool SetLog::IsOwed(const Reader& reader, const std::string& name, const Entry& entry) {
  uint64_t heard = reader.cursor;
  if (reader.walking || !reader.pages.empty()) {
    const auto page =
        std::lower_bound(reader.pages.begin(), reader.pages.end(), name,
                         [](const Reader::Page& each, const std::string& wanted) { return each.last < wanted; });
    if (page == reader.pages.end()) return false;
    heard = std::max(heard, page->head);
  }
  return entry.change > heard && (!entry.gone || entry.birth <= heard);
}

SetLog::Batch SetLog::Take(Reader& reader, const std::optional<std::string>& limit) {
  Batch batch;
  reader.walking ? Walk(reader, limit, batch) : Follow(reader, batch);
  return batch;
}

// False: not now. Goes on for what is missing, so that one reading brings a page of it.
bool SetLog::Tell(Batch& batch, size_t& bytes, const std::string& name, const Entry& entry) const {
  if (batch.said.size() + batch.missing.size() == kWatchPageSets || bytes >= kWatchPageBytes) return false;
  if (entry.said == nullptr || !batch.missing.empty()) {
    if (entry.said == nullptr) batch.missing.push_back(name);
    return batch.missing.size() < kWatchPageSets;
  }
  bytes += entry.said->size();
  batch.said.push_back(entry.said);
  return true;
}

void SetLog::Walk(Reader& reader, const std::optional<std::string>& limit, Batch& batch) const {
  const std::string after = reader.pages.empty() ? "" : reader.pages.back().last;
  std::string last = after;
  size_t bytes = 0;
  auto entry = entries_.upper_bound(after);
  for (; entry != entries_.end() && (!limit || entry->first <= *limit); ++entry) {
    if (entry->second.gone) continue;
    if (!Tell(batch, bytes, entry->first, entry->second)) break;
    if (batch.missing.empty()) last = entry->first;
  }
  const bool ended = !limit && entry == entries_.end() && batch.missing.empty();
  if (ended) {
    last = kEnd;
    batch.said.push_back(snapshot_complete_);
    reader.walking = false;
  }
  if (last == after) return;
  if (!reader.pages.empty() && reader.pages.back().head == head_) {
    reader.pages.back().last = last;
  } else {
    reader.pages.push_back({.last = last, .head = head_});
  }
}

void SetLog::Follow(Reader& reader, Batch& batch) const {
  size_t bytes = 0;
  for (auto next = by_change_.upper_bound(reader.cursor); next != by_change_.end(); ++next) {
    const auto& [name, entry] = *next->second;
    if (IsOwed(reader, name, entry) && !Tell(batch, bytes, name, entry)) break;
    if (batch.missing.empty()) reader.cursor = next->first;
    if (std::next(next) == by_change_.end() && batch.missing.empty()) reader.cursor = head_;
  }
  if (!reader.pages.empty() && reader.cursor >= reader.pages.back().head) reader.pages.clear();
}

void SetLog::Sweep(const std::vector<const Reader*>& readers) {
  if (gone_count_ < sweep_at_) return;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto is_owed = [&](const Reader* reader) { return IsOwed(*reader, entry->first, entry->second); };
    if (!entry->second.gone || std::any_of(readers.begin(), readers.end(), is_owed)) {
      ++entry;
      continue;
    }
    by_change_.erase(entry->second.change);
    entry = entries_.erase(entry);
    --gone_count_;
  }
  sweep_at_ = std::max({size_t{64}, 2 * gone_count_, entries_.size() / 8});
}

}  // namespace keyferry
