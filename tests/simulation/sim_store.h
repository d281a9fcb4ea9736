// The API's store over a simulated disk: commits gather in a batch, the batch is written and synced, then answered;
// what was not synced when the process ends is dropped, or survives in part. Preconditions, terms and revisions by
// commit_rules.h and rings.h, as the product's stores have them.
//
// Thread safety: all of it belongs to one thread.
#ifndef KEYFERRY_TESTS_SIMULATION_SIM_STORE_H_
#define KEYFERRY_TESTS_SIMULATION_SIM_STORE_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libs/storage/rings.h"
#include "libs/storage/store.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/sim_disk.h"

namespace keyferry {

class SimStore final : public Store {
 public:
  struct Options {
    SimDisk& disk;
    Process& process;
    DiskWeather& weather;
    FaultCounts& faults;
    Bug bug = Bug::kNone;
    // Of each commit, once it is durable, before anybody is told.
    std::function<void(const std::vector<RowKey>& written, Revision revision)> on_commit;
    // The disk failed: the process must end.
    std::function<void()> on_error;
  };
  explicit SimStore(Options options) : options_(std::move(options)), head_(options_.disk.head) {}

  // Commits of work that runs while one of these lives are answered before CommitAsync returns, as to a thread that
  // waits for them. Other work of the process may come in between.
  class Blocking {
   public:
    explicit Blocking(SimStore& store) : store_(store) { ++store_.blocking_; }
    ~Blocking() { --store_.blocking_; }

   private:
    SimStore& store_;
  };

  absl::StatusOr<Term> AcquireWriter(Lineage lineage) override;
  void CommitAsync(Commit commit, CommitDone done) override;
  absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const override;
  absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end, size_t limit) const override;
  std::unique_ptr<Subscription> Ring(const RowKey& begin, const std::string& end, std::function<void()> ring) override {
    return rings_.Subscribe(begin, end, std::move(ring));
  }
  Revision Head() const override { return head_; }
  Revision Ceiling() const override { return options_.bug == Bug::kCeilingIsHead ? head_ : options_.disk.head; }
  // Now and then it is not in memory.
  std::optional<Revision> RevisionInMemory(const RowKey& key) const override;
  absl::Status Backup(const std::string&) override {
    return absl::UnimplementedError("the simulation copies the disk");
  }
  absl::Status Purge(const std::vector<KeyRange>&) override { return absl::OkStatus(); }

  // The process ended: of what was written and not synced this share is kept.
  void End(double kept_share);

 private:
  struct Request {
    Commit commit;
    CommitDone done;
  };
  struct Staged {
    std::vector<std::pair<RowKey, std::optional<Row>>> effects;
    std::vector<RowKey> written;
    Revision revision = 0;
    absl::StatusOr<Revision> result = 0;
    CommitDone done;
  };
  void BeginBatchSoon();
  void BeginBatch();
  void EndBatch(uint64_t number);
  Staged Stage(Request request);
  absl::Status Check(const Commit& commit) const;
  Revision RevisionOf(const RowKey& key) const;
  void Keep(const Staged& staged);
  void AnswerAll();
  void SyncAll();
  bool SlowNow() const { return options_.process.scheduler().now() < options_.weather.slow_until; }

  const Options options_;
  Rings rings_;
  // Raised when a batch is answered, a while after its rows can be read.
  Revision head_;
  std::deque<Request> queue_;
  bool begun_ = false;
  uint64_t batch_number_ = 0;
  std::deque<Staged> batch_;
  // What the batch makes of rows; nullopt: erased.
  std::map<RowKey, std::optional<Row>> overlay_;
  Revision batch_head_ = 0;
  std::deque<Staged> answers_;
  bool answering_ = false;
  int blocking_ = 0;
  // For planted bugs: rows as they were.
  std::vector<std::pair<RowKey, std::optional<Row>>> undo_;
  std::map<RowKey, std::string> older_;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_SIM_STORE_H_
