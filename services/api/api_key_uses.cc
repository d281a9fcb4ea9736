#include "services/api/api_key_uses.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

using Hours = std::map<std::string, int64_t>;

absl::Time TimeOf(int64_t hour) { return absl::UnixEpoch() + hour * kApiKeyUseGrain; }

// Passes over what cannot be read, and who needs the row says so.
Commit CommitOf(const Writer& writer, const Hours& hours) {
  Commit commit{.term = writer.term()};
  for (const auto& [id, hour] : hours) {
    const RowKey key = keys::ApiKey(id);
    const absl::StatusOr<std::optional<Row>> row = writer.store.Get(key);
    if (!row.ok() || !*row) continue;
    absl::StatusOr<ApiKeyRow> api_key = Decode<ApiKeyRow>((*row)->value);
    if (!api_key.ok() || api_key->last_use_time >= TimeOf(hour)) continue;
    api_key->last_use_time = TimeOf(hour);
    commit.preconditions.push_back({.key = key, .revision = (*row)->revision});
    commit.mutations.push_back({.key = key, .value = Encode(*api_key), .keep_revision = true});
  }
  return commit;
}

class State : public std::enable_shared_from_this<State> {
 public:
  explicit State(const Writer& writer) : writer_(writer) {}

  void Note(const std::string& id, int64_t hour) {
    const absl::MutexLock lock(&mutex_);
    int64_t& waiting = waiting_[id];
    waiting = std::max(waiting, hour);
    if (!std::exchange(scheduled_, true)) Schedule();
  }

  absl::Time LastUseOf(const std::string& id, absl::Time written) const {
    const absl::MutexLock lock(&mutex_);
    const auto waiting = waiting_.find(id);
    return waiting == waiting_.end() ? written : std::max(written, TimeOf(waiting->second));
  }

 private:
  void Schedule() {
    writer_.executor.RunAfter(kApiKeyUseDelay, [weak = weak_from_this()] {
      if (const std::shared_ptr<State> state = weak.lock()) state->Write();
    });
  }

  void Write() {
    Hours hours;
    {
      const absl::MutexLock lock(&mutex_);
      for (const auto& entry : waiting_) {
        if (hours.size() == kMaxApiKeyUsesPerCommit) break;
        hours.insert(entry);
      }
    }
    Commit commit = CommitOf(writer_, hours);
    if (commit.mutations.empty()) return Written(hours, absl::OkStatus());
    FAILPOINT("api_key_uses.before_commit");
    writer_.store.CommitAsync(std::move(commit), [self = shared_from_this(), hours](absl::StatusOr<Revision> done) {
      self->Written(hours, done.status());
    });
  }

  // What could not be written waits for the next time.
  void Written(const Hours& hours, const absl::Status& status) {
    if (!status.ok() && !absl::IsAborted(status))
      Log(Severity::kWarning, "cannot write when API keys were used last", {{"error", status}});
    const absl::MutexLock lock(&mutex_);
    for (const auto& [id, hour] : hours) {
      const auto waiting = waiting_.find(id);
      if (status.ok() && waiting != waiting_.end() && waiting->second == hour) waiting_.erase(waiting);
    }
    scheduled_ = !waiting_.empty();
    if (scheduled_) Schedule();
  }

  const Writer writer_;
  mutable absl::Mutex mutex_;
  Hours waiting_ ABSL_GUARDED_BY(mutex_);
  bool scheduled_ ABSL_GUARDED_BY(mutex_) = false;
};

class BatchedApiKeyUses final : public ApiKeyUses {
 public:
  explicit BatchedApiKeyUses(const Writer& writer) : state_(std::make_shared<State>(writer)) {}
  void Note(const std::string& id, int64_t hour) override { state_->Note(id, hour); }
  absl::Time LastUseOf(const std::string& id, absl::Time written) const override {
    return state_->LastUseOf(id, written);
  }

 private:
  const std::shared_ptr<State> state_;
};

}  // namespace

std::unique_ptr<ApiKeyUses> ApiKeyUses::Create(const Writer& writer) {
  return std::make_unique<BatchedApiKeyUses>(writer);
}

}  // namespace keyferry
