// The server's end of one WatchSecretSets stream.
//
// One party at a time has the turn: the start on the executor, the watch that was asked for the next changes, or gRPC
// that writes them, one by one. Only who has the turn calls gRPC, so nothing is locked across such a call and nothing touches the
// reactor after Finish. OnCancel and the end of the caller's credential alone come at any time; they only wake the watch, and a write that its
// reader does not take is cancelled.
#ifndef KEYFERRY_SERVICES_API_SET_WATCH_REACTOR_H_
#define KEYFERRY_SERVICES_API_SET_WATCH_REACTOR_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <string>

#include "services/api/call_slots.h"
#include "services/api/guard.h"
#include "services/api/set_watch.h"
#include "services/api/use_case.h"

namespace keyferry {

// A change as its message on the wire, v1.WatchSecretSetsResponse.
std::string SayOnTheWire(const SetChange& change);

// What a watch stream needs of its service; all of it outlives the stream. The feeds say changes with SayOnTheWire.
struct SetWatchDeps {
  Guard& guard;
  Executor& executor;
  SetFeeds& feeds;
  CallSlots& slots;
};

// `request` holds a v1.WatchSecretSetsRequest. Admits the caller, and ends as soon as the guard says that its credential counts no longer. Deletes
// itself when gRPC is done with it, and has its slot until then.
grpc::ServerWriteReactor<grpc::ByteBuffer>* NewSetWatchReactor(const SetWatchDeps& deps, grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer& request);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SET_WATCH_REACTOR_H_
