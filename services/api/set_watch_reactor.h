// The server's end of one WatchSecretSets stream.
//
// One party at a time has the turn: the start on the executor, the watch that was asked for the next change, or gRPC
// that writes one. Only who has the turn calls gRPC, so nothing is locked across such a call and nothing touches the
// reactor after Finish. OnCancel and the end of the caller's credential alone come at any time; they only wake the watch, and a write that its
// reader does not take is cancelled.
#ifndef KEYFERRY_SERVICES_API_SET_WATCH_REACTOR_H_
#define KEYFERRY_SERVICES_API_SET_WATCH_REACTOR_H_

#include <grpcpp/support/server_callback.h>

#include "services/api/call_slots.h"
#include "services/api/guard.h"
#include "services/api/use_case.h"

namespace keyferry {

namespace v1 {
class WatchSecretSetsRequest;
class WatchSecretSetsResponse;
}  // namespace v1

// Admits the caller, and ends as soon as the guard says that its credential counts no longer. Deletes
// itself when gRPC is done with it, and has its slot until then. The guard, the slots and the deps' referents outlive
// the stream.
grpc::ServerWriteReactor<v1::WatchSecretSetsResponse>* NewSetWatchReactor(Guard& guard, const UseCaseDeps& deps,
                                                                          CallSlots& slots,
                                                                          grpc::CallbackServerContext* context,
                                                                          const v1::WatchSecretSetsRequest& request);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SET_WATCH_REACTOR_H_
