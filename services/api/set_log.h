// SetLog: the sets of a watch and in which order they last changed, told to many readers. A set stands in it once, at
// its last change, so that a reader who falls behind gets the newest state of each set and costs nothing meanwhile.
// What is told is bytes, made once for all readers.
//
// Invariants:
//   L1  Each reader is told every set that is there as its walk comes by, then that this was all, then every later
//       change or a newer one of the same set; never an older state of a set after a newer one.
//   L2  Kept are at most kMaxSaidBytes of what was said, and names of deleted sets that some reader was told of and
//       has to hear about. What is no longer kept is read again.
//
// Thread safety: confined; the owner locks.
#ifndef KEYFERRY_SERVICES_API_SET_LOG_H_
#define KEYFERRY_SERVICES_API_SET_LOG_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libs/model/placement.h"
#include "libs/storage/row.h"
#include "services/api/set_watch.h"

namespace keyferry {

inline constexpr size_t kMaxSaidBytes = size_t{8} << 20;
// Of one answer to a reader.
inline constexpr size_t kWatchPageSets = 100;
inline constexpr size_t kWatchPageBytes = size_t{64} << 10;

// A set as far as a change of it is told.
struct SetState {
  Revision row_revision = 0;
  Readiness readiness = Readiness::kPending;
  int64_t observed_generation = 0;
  int64_t ready_generation = 0;
  std::optional<bool> region_connected;
  std::string error_message;
  friend bool operator==(const SetState&, const SetState&) = default;
};

class SetLog {
 public:
  // Where one reader is. Made by Begin.
  struct Reader {
    // Everything up to here was told, or was before the walk.
    uint64_t cursor = 0;
    bool walking = true;
    // The walk's: the last name of each of its pages, and the log's head when it came by.
    struct Page {
      std::string last;
      uint64_t head = 0;
    };
    std::vector<Page> pages;
  };
  struct Batch {
    std::vector<Said> said;
    // What has to be read again before the reader gets on.
    std::vector<std::string> missing;
  };

  // What ends a reader's walk.
  explicit SetLog(Said snapshot_complete) : snapshot_complete_(std::move(snapshot_complete)) {}
  SetLog(SetLog&&) = delete;
  // Whether `said` is needed: the state is news, or what was said of it is no longer kept and `wanted`.
  bool Needs(const std::string& name, const SetState& state, bool wanted) const;
  void Put(const std::string& name, const SetState& state, Said said);
  bool Has(const std::string& name) const;
  // `said` says that it is gone. REQUIRES: it is there.
  void Erase(const std::string& name, Said said);
  // Names behind `after` and up to `last`; empty: all that follow.
  std::vector<std::string> NamesBetween(const std::string& after, const std::string& last) const;

  Reader Begin() const { return {.cursor = head_}; }
  // What the reader is told next. Its walk goes up to `limit`; nullopt: to the end.
  Batch Take(Reader& reader, const std::optional<std::string>& limit);
  // Forgets deleted sets that none of these has to hear about. Cheap until there are many.
  void Sweep(const std::vector<const Reader*>& readers);

  size_t set_count() const { return entries_.size() - gone_count_; }
  size_t gone_count() const { return gone_count_; }
  size_t said_bytes() const { return said_bytes_; }

 private:
  struct Entry {
    SetState state;
    uint64_t change = 0;
    // No reader that was told all before it was told of this set.
    uint64_t birth = 0;
    bool gone = false;
    Said said;  // null: read it again
    std::list<Entry*>::iterator kept;
  };
  using Entries = std::map<std::string, Entry>;

  static bool IsOwed(const Reader& reader, const std::string& name, const Entry& entry);
  void Move(Entries::value_type& entry);
  void Keep(Entry& entry, Said said);
  void Drop(Entry& entry);
  bool Tell(Batch& batch, size_t& bytes, const std::string& name, const Entry& entry) const;
  void Walk(Reader& reader, const std::optional<std::string>& limit, Batch& batch) const;
  void Follow(Reader& reader, Batch& batch) const;

  const Said snapshot_complete_;
  Entries entries_;
  std::map<uint64_t, Entries::value_type*> by_change_;
  // Those whose `said` counts in said_bytes_, longest ago first.
  std::list<Entry*> kept_;
  size_t said_bytes_ = 0;
  size_t gone_count_ = 0;
  size_t sweep_at_ = 64;
  uint64_t head_ = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SET_LOG_H_
