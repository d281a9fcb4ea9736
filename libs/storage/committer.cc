#include "libs/storage/committer.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <utility>

#include "absl/synchronization/notification.h"
#include "libs/common/error.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"
#include "libs/metrics/metrics.h"
#include "libs/storage/commit_here.h"
#include "libs/storage/commit_rules.h"

namespace keyferry {
namespace {

constexpr uint64_t kMaxLineage = 0xffff;
constexpr absl::Duration kRetryAfter = absl::Milliseconds(100);

size_t BytesOf(const Commit& commit) {
  size_t bytes = sizeof(Commit);
  for (const Precondition& precondition : commit.preconditions)
    bytes += sizeof(Precondition) + precondition.key.bytes.size();
  for (const Mutation& mutation : commit.mutations) {
    bytes += sizeof(Mutation) + mutation.key.bytes.size() + (mutation.value ? mutation.value->size() : 0);
  }
  return bytes;
}

absl::Status Closing() {
  return MakeError(absl::StatusCode::kUnavailable, "the store is closing", {.reason = "STORE_CLOSING"});
}

absl::Status QueueFull() {
  return MakeError(absl::StatusCode::kResourceExhausted, "the store's queue is full; try again",
                   {.reason = "STORE_BUSY", .retry_after = kRetryAfter});
}

}  // namespace

// One batch in the making: what its commits wrote so far is what the next one's preconditions see.
class Committer::BatchWriter {
 public:
  BatchWriter(RocksDatabase& database, RowCache& cache, RocksDatabase::HeadState state, size_t bytes)
      : database_(database), cache_(cache), state_(state), rows_(database.NewBatch(bytes)) {}

  absl::StatusOr<Revision> Add(Commit& commit) {
    RETURN_IF_ERROR(CheckForm(commit));
    if (commit.term.number != state_.term) return StaleTerm(commit.term.number, state_.term);
    for (const Precondition& precondition : commit.preconditions) {
      ASSIGN_OR_RETURN(const Revision revision, RevisionOf(precondition.key));
      if (revision != precondition.revision) return Conflict(precondition.key);
    }
    changed_ = true;
    ++state_.head;
    for (Mutation& mutation : commit.mutations) Apply(mutation, RevisionAfter(commit, mutation, state_.head));
    return state_.head;
  }

  absl::StatusOr<Revision> NewTerm(Lineage lineage, Term& granted) {
    const uint64_t current = LineageOf(state_.head);
    if (lineage == Lineage::kNext) {
      if (current == kMaxLineage)
        return absl::ResourceExhaustedError("every lineage of this store was used; make a new store");
      state_.head = WithLineage(state_.head, current + 1);
    }
    changed_ = true;
    granted = {.number = ++state_.term, .lineage = LineageOf(state_.head)};
    return state_.head;
  }

  Revision head() const { return state_.head; }

  // Durable, and in the cache; the new state.
  RocksDatabase::HeadState Write() {
    if (!changed_) return state_;
    cache_.BeginWrite(written_);
    database_.Write(*rows_, state_);
    cache_.EndWrite(written_);
    return state_;
  }

  // Those that rings tell of, in order. The last call.
  std::vector<RowKey> TakeChangedKeys() {
    std::vector<RowKey> changed;
    changed.reserve(written_.size());
    while (!written_.empty()) {
      auto written = written_.extract(written_.begin());
      if (!kept_keys_.contains(written.key())) changed.push_back(std::move(written.key()));
    }
    return changed;
  }

 private:
  absl::StatusOr<Revision> RevisionOf(const RowKey& key) {
    if (const auto written = written_.find(key); written != written_.end()) return written->second.revision;
    // Whoever decided upon the row has used it.
    if (const std::optional<Revision> known = cache_.PeekRevisionOf(key)) return *known;
    const RowCache::Lookup cached = cache_.Find(key);
    if (cached.entry) return cached.entry->revision;
    ASSIGN_OR_RETURN(std::optional<Row> row, database_.Get(key));
    const Revision revision = row ? row->revision : 0;
    cache_.Offer(
        key, cached.ticket,
        {.revision = revision, .value = row ? std::make_shared<const std::string>(std::move(row->value)) : nullptr});
    return revision;
  }

  void Apply(Mutation& mutation, Revision revision) {
    if (mutation.revision_offset != std::string::npos) mutation.key = StampedKey(mutation, state_.head);
    const auto [written, is_first] = written_.try_emplace(std::move(mutation.key));
    auto& [key, entry] = *written;
    if (!mutation.keep_revision) {
      kept_keys_.erase(key);
    } else if (is_first) {
      kept_keys_.insert(key);
    }
    if (mutation.value) {
      rows_->Put(key, revision, *mutation.value);
      entry = {.revision = revision, .value = std::make_shared<const std::string>(*std::move(mutation.value))};
    } else {
      rows_->Erase(key);
      entry = {};
    }
  }

  RocksDatabase& database_;
  RowCache& cache_;
  RocksDatabase::HeadState state_;
  const std::unique_ptr<RocksDatabase::Batch> rows_;
  RowCache::Written written_;
  // Of them, those whose revisions were kept by every commit of the batch.
  std::set<RowKey> kept_keys_;
  bool changed_ = false;
};

Committer::Committer(RocksDatabase& database, RowCache& cache, Rings& rings, DiskGuard& disk, Options options)
    : database_(database),
      cache_(cache),
      rings_(rings),
      disk_(disk),
      options_(std::move(options)),
      state_(database.recovered()),
      head_(state_.head),
      ceiling_(state_.head),
      committing_([this] { CommitUntilClosed(); }),
      answering_([this] { AnswerUntilClosed(); }) {}

Committer::~Committer() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    to_commit_.Signal();
  }
  committing_.join();
  answering_.join();
}

void Committer::Submit(Commit commit, Store::CommitDone done) {
  const size_t bytes = BytesOf(commit);
  Enqueue({.commit = std::move(commit), .done = std::move(done), .bytes = bytes});
}

absl::StatusOr<Term> Committer::AcquireWriter(Lineage lineage) {
  Term granted;
  absl::Status result;
  absl::Notification answered;
  Enqueue({.new_term = lineage, .granted = &granted, .done = [&](absl::StatusOr<Revision> head) {
             result = head.status();
             answered.Notify();
           }});
  answered.WaitForNotification();
  if (!result.ok()) return result;
  return granted;
}

void Committer::Enqueue(Request request) {
  std::vector<Request> mine;
  {
    absl::MutexLock lock(&mutex_);
    const bool full = unanswered_commits_ >= options_.max_unanswered_commits ||
                      unanswered_bytes_ + request.bytes > options_.max_unanswered_bytes;
    if (closed_ || (full && !request.new_term)) {
      Answers refusal;
      refusal.answers.push_back(
          {.done = std::move(request.done), .result = closed_ ? Closing() : QueueFull(), .counted = false});
      answers_.push_back(std::move(refusal));
      to_answer_.Signal();
      return;
    }
    ++unanswered_commits_;
    unanswered_bytes_ += request.bytes;
    if (is_committing_ || !queue_.empty() || !CommitHere::Take()) {
      queue_.push_back(std::move(request));
      if (!is_committing_) to_commit_.Signal();
      return;
    }
    is_committing_ = true;
    mine.push_back(std::move(request));
  }
  CommitAndAnswer(std::move(mine));
}

std::vector<Committer::Request> Committer::TakeBatch() {
  std::vector<Request> batch;
  batch.reserve(std::min(queue_.size(), options_.max_batch_commits));
  for (size_t bytes = 0;
       !queue_.empty() && batch.size() < options_.max_batch_commits && bytes < options_.max_batch_bytes;) {
    bytes += queue_.front().bytes;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

void Committer::CommitUntilClosed() {
  while (true) {
    std::vector<Request> batch;
    {
      absl::MutexLock lock(&mutex_);
      while (is_committing_ || (queue_.empty() && !closed_)) to_commit_.Wait(&mutex_);
      if (queue_.empty()) {
        committed_all_ = true;
        to_answer_.Signal();
        return;
      }
      is_committing_ = true;
      batch = TakeBatch();
    }
    CommitAndAnswer(std::move(batch));
  }
}

void Committer::CommitAndAnswer(std::vector<Request> batch) {
  Answers answers = CommitBatch(std::move(batch));
  HandOver(answers);
  if (!answers.answers.empty()) Give(std::move(answers));
}

void Committer::HandOver(Answers& answers) {
  absl::MutexLock lock(&mutex_);
  is_committing_ = false;
  if (!queue_.empty() || closed_) to_commit_.Signal();
  if (answers.answers.size() == 1 && queue_.empty() && answers_.empty() && !is_answering_) {
    is_answering_ = true;
    CountAnswered(answers);
  } else {
    answers_.push_back(std::exchange(answers, {}));
    to_answer_.Signal();
  }
}

void Committer::CountAnswered(const Answers& answers) {
  for (const Answer& answer : answers.answers) {
    if (answer.counted) --unanswered_commits_;
    unanswered_bytes_ -= answer.bytes;
  }
}

void Committer::Give(Answers answers) {
  FAILPOINT("store.commit.before_answer");
  for (Answer& answer : answers.answers) {
    answer.done(std::move(answer.result));
    // What it holds may be large.
    answer.done = nullptr;
  }
  rings_.RingFor(answers.written);
  absl::MutexLock lock(&mutex_);
  is_answering_ = false;
  if (!answers_.empty() || committed_all_) to_answer_.Signal();
}

namespace {

void CountBatch(size_t commit_count, std::chrono::steady_clock::duration took) {
  static const Histogram sizes =
      HistogramFamily("keyferry_store_commit_batch_commits", "Commits that one durable write held.", CountBuckets()).Of({});
  static const Histogram durations =
      HistogramFamily("keyferry_store_commit_batch_duration_seconds", "Durable writes, from their begin to the end of their sync.", SecondsBuckets()).Of({});
  sizes.Observe(static_cast<double>(commit_count));
  durations.Observe(std::chrono::duration<double>(took).count());
}

}  // namespace

Committer::Answers Committer::CommitBatch(std::vector<Request> batch) {
  const absl::Status room = disk_.Check();
  size_t bytes = 0;
  for (const Request& request : batch) bytes += request.bytes;
  BatchWriter writer(database_, cache_, state_, bytes);
  Answers answers;
  answers.answers.reserve(batch.size());
  for (Request& request : batch) {
    absl::StatusOr<Revision> result = request.new_term ? writer.NewTerm(*request.new_term, *request.granted)
                                      : !room.ok()     ? absl::StatusOr<Revision>(room)
                                                       : writer.Add(request.commit);
    answers.answers.push_back({.done = std::move(request.done), .result = std::move(result), .bytes = request.bytes});
  }
  FAILPOINT("store.commit.before_write");
  ceiling_.store(writer.head(), std::memory_order_release);
  const auto before_write = std::chrono::steady_clock::now();
  state_ = writer.Write();
  CountBatch(batch.size(), std::chrono::steady_clock::now() - before_write);
  FAILPOINT("store.commit.after_write");
  head_.store(state_.head, std::memory_order_release);
  if (options_.on_head) options_.on_head(state_.head);
  answers.written = writer.TakeChangedKeys();
  return answers;
}

void Committer::AnswerUntilClosed() {
  while (true) {
    Answers answers;
    {
      absl::MutexLock lock(&mutex_);
      while (is_answering_ || (answers_.empty() && !committed_all_)) to_answer_.Wait(&mutex_);
      if (answers_.empty()) return;
      answers = std::move(answers_.front());
      answers_.pop_front();
      is_answering_ = true;
      CountAnswered(answers);
    }
    Give(std::move(answers));
  }
}

}  // namespace keyferry
