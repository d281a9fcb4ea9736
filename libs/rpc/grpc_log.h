// What gRPC has to say goes into our log, as events `grpc`, one line each.
#ifndef KEYFERRY_RPC_GRPC_LOG_H_
#define KEYFERRY_RPC_GRPC_LOG_H_

namespace keyferry {

// Call once at the start of main.
void RedirectGrpcLog();

}  // namespace keyferry

#endif  // KEYFERRY_RPC_GRPC_LOG_H_
