// EventWorker: what one stream's messages do to the region, without the stream: messages in, answers out. Holds what
// the stream has shown of a full resync.
//
// Thread safety: confined to one thread (or strand). Store and reconciler outlive it.
#ifndef KEYFERRY_SERVICES_PROVISIONER_EVENT_WORKER_H_
#define KEYFERRY_SERVICES_PROVISIONER_EVENT_WORKER_H_

#include <string>
#include <vector>

#include "services/provisioner/reconciler.h"
#include "services/provisioner/region_store.h"
#include "services/provisioner/resync.h"

namespace keyferry {

namespace v1 {
class AckBatch;
class ApiMessage;
class Event;
class InventoryRequest;
class ProvisionerMessage;
class SyncEnd;
}  // namespace v1

class EventWorker {
 public:
  // Of one stream: as its Hello had it.
  EventWorker(RegionStore& store, Reconciler& reconciler, std::string target_incarnation)
      : store_(store), reconciler_(reconciler), target_incarnation_(std::move(target_incarnation)) {}

  // Event batches, SyncBegin, SyncEnd, Bookmark and InventoryRequest, in the order they came. Neighbouring event
  // batches are committed together. Every event but RETAIN gets one ack.
  std::vector<v1::ProvisionerMessage> Work(const std::vector<v1::ApiMessage>& messages);

 private:
  void WorkOnEvents(const std::vector<const v1::Event*>& events, std::vector<v1::ProvisionerMessage>& answers);
  void WorkOnMessage(const v1::ApiMessage& message, std::vector<v1::ProvisionerMessage>& answers);
  // Answers whether what the resync did not show is gone.
  bool EndResync(const v1::SyncEnd& end);

  RegionStore& store_;
  Reconciler& reconciler_;
  const std::string target_incarnation_;
  Resync resync_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_EVENT_WORKER_H_
