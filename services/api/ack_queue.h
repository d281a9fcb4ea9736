// Settles acks in batches, one commit at a time; tells what became of each, and then once that the batch is through.
//
// Thread safety: confined to the region's strand. Create as a shared_ptr.
#ifndef KEYFERRY_SERVICES_API_ACK_QUEUE_H_
#define KEYFERRY_SERVICES_API_ACK_QUEUE_H_

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "services/api/feed_settings.h"
#include "services/api/placement_acks.h"

namespace keyferry {

inline constexpr size_t kMaxAcksQueued = 1024;
inline constexpr size_t kMaxAcksPerCommit = 64;
// So few are planned at once, on the strand; more of them on another thread, beside what the strand does.
inline constexpr size_t kMaxAcksPlannedOnStrand = 8;

class AckQueue : public std::enable_shared_from_this<AckQueue> {
 public:
  using Settled = std::function<void(const AckReport& ack, AckEffect effect)>;
  // context is asked at each commit; settled is called on the strand, once an ack, and settled_batch after the last of a commit's.
  AckQueue(const FeedSettings& settings, std::function<AckContext()> context, Settled settled, std::function<void()> settled_batch)
      : writer_(settings.writer), at_once_(settings.writer.executor), epoch_(settings.epoch), strand_(settings.strand), context_(std::move(context)),
        settled_(std::move(settled)), settled_batch_(std::move(settled_batch)) {}

  // False: kMaxAcksQueued are waiting.
  bool Add(AckReport ack);
  // Begins a commit when there is something to settle and none under way.
  void Advance();
  // No callback comes after this.
  void Stop() { stopped_ = true; }
  bool empty() const { return acks_.empty() && !committing_; }

 private:
  struct Batch;
  // Runs work where it is given; it must be short.
  class AtOnce final : public Executor {
   public:
    explicit AtOnce(Executor& beneath) : beneath_(beneath) {}
    void Run(std::function<void()> work) override { work(); }
    void RunAfter(absl::Duration delay, std::function<void()> work) override { beneath_.RunAfter(delay, std::move(work)); }

   private:
    Executor& beneath_;
  };
  void Committed(const std::shared_ptr<Batch>& batch, const absl::Status& committed);

  const Writer writer_;
  // Lives as long as a commit that uses it: its callback owns the queue.
  AtOnce at_once_;
  const uint64_t epoch_;
  const std::shared_ptr<Strand> strand_;
  const std::function<AckContext()> context_;
  const Settled settled_;
  const std::function<void()> settled_batch_;
  std::deque<AckReport> acks_;
  bool committing_ = false;
  bool stopped_ = false;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_ACK_QUEUE_H_
