// Joins events into batches and keeps count of what the transport has not written yet.
//
// Thread safety: confined to the region's strand.
#ifndef KEYFERRY_SERVICES_API_EVENT_OUTBOX_H_
#define KEYFERRY_SERVICES_API_EVENT_OUTBOX_H_

#include <memory>
#include <string>

#include "libs/model/placement.h"
#include "services/api/feed_settings.h"

namespace keyferry {

namespace v1 {
class EventBatch;
}

// Names, ids and framing of one event.
inline constexpr size_t kEventOverheadBytes = 512;
// More messages than this unwritten: the other end does not read.
inline constexpr int kMaxSendsOutstanding = 4;

class EventOutbox {
 public:
  // The settings outlive the outbox.
  explicit EventOutbox(const FeedSettings& settings);
  ~EventOutbox();

  // Sends full batches by itself.
  void Append(const ObjectId& object, const DesiredState& desired, Operation operation, std::string payload,
              const std::string& sync_id);
  void Flush();
  // After everything that was appended before.
  void Send(const v1::ApiMessage& message);
  // The transport has written one message.
  void Sent();
  bool blocked() const { return outstanding_count_ >= kMaxSendsOutstanding; }

 private:
  const FeedSettings& settings_;
  std::unique_ptr<v1::EventBatch> batch_;
  size_t batch_bytes_ = 0;
  int outstanding_count_ = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_EVENT_OUTBOX_H_
