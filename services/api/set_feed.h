// SetFeed: what all watches of the same sets share. It reads a set that changed once, says it once, and hands the bytes
// to every watch that waits. Reads only while somebody waits.
//
// Invariants, beside those of SetLog:
//   F1  A watch's walk rests on reads that began after it came: it holds every write that was answered before.
//   F2  After the last change of a set its newest state is told, or that it is gone.
//   F3  Comparing takes at most a fifth of one processor, however fast the changes come, but for what a walk waits for.
//
// Thread safety: all methods from any thread. Answers are given without a lock, on whatever thread has them.
#ifndef KEYFERRY_SERVICES_API_SET_FEED_H_
#define KEYFERRY_SERVICES_API_SET_FEED_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "services/api/set_log.h"
#include "services/api/set_rings.h"
#include "services/api/set_watch.h"

namespace keyferry {

class SetFeed : public std::enable_shared_from_this<SetFeed> {
 public:
  // One watch. It has left the feed before it ends.
  struct Reader {
    SetLog::Reader place;
    // The walk may use the pass of this number, and later ones.
    uint64_t first_pass = 0;
    SetWatch::Done next;
    bool cancelled = false;
  };

  // The deps' referents outlive the feed.
  SetFeed(const UseCaseDeps& deps, WatchedSets watched, SaySet say);

  void Join(Reader* reader);
  void Leave(Reader* reader);
  void Next(Reader* reader, SetWatch::Done done);
  void Cancel(Reader* reader);
  // It has told its error and is of no more use.
  bool ended() const;

 private:
  struct Reading {
    std::string name;
    // nullopt: gone, or of another region.
    std::optional<SecretSetView> view;
    SetState state;
    // What was said is to be said again if it is no longer kept.
    bool wanted = false;
    bool news = false;
    Said said;
  };
  struct Work {
    std::vector<std::string> names;
    std::vector<std::string> missing;
    // A page of the pass: sets behind this name.
    std::optional<std::string> page_after;
    // The page's last name; empty: there are no more.
    std::string page_last;
    std::unordered_set<std::string> page_names;
    // A walk waits for it.
    bool walked = false;
  };
  using Answers = std::vector<std::pair<SetWatch::Done, absl::StatusOr<std::vector<Said>>>>;

  void Wake();
  void Turn();
  Work TakeWork();
  absl::Status Read(Work& work, std::vector<Reading>& readings);
  absl::Status ReadPage(Work& work, std::vector<Reading>& readings);
  absl::Status ReadNames(const std::vector<std::string>& names, bool wanted, std::vector<Reading>& readings);
  absl::StatusOr<Reading> ReadRow(std::string name, const std::optional<Row>& row);
  void SayNews(std::vector<Reading>& readings);
  void Apply(const Work& work, std::vector<Reading> readings) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Begin();
  absl::Status CheckOrganization() const;
  absl::Status TooLarge() const;
  void WakeRegularly();
  RowKey Sets() const;
  void Serve(Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Serve(Reader& reader, Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // How far its walk may go; nullopt: to the end.
  std::optional<std::string> LimitOf(const Reader& reader) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool SomebodyWaits() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool SomebodyWalks() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Schedule() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const UseCaseDeps deps_;
  const WatchedSets watched_;
  const SaySet say_;
  // Set by the first turn, under the lock; used by turns, one at a time, and under the lock.
  std::unique_ptr<SetRings> rings_;

  mutable absl::Mutex mutex_;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
  SetLog log_ ABSL_GUARDED_BY(mutex_);
  std::vector<Reader*> readers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> missing_ ABSL_GUARDED_BY(mutex_);
  // A turn is under way or will come.
  bool scheduled_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration pause_end_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();
  // Passes compare every set, page by page. How many began; is the last under way, and how far; is one due.
  uint64_t pass_ ABSL_GUARDED_BY(mutex_) = 0;
  bool in_pass_ ABSL_GUARDED_BY(mutex_) = false;
  std::string passed_ ABSL_GUARDED_BY(mutex_);
  bool pass_due_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SET_FEED_H_
