// What the bench's servers share: the house's server with the edge door's TLS, on a port of its own choice.
#ifndef KEYFERRY_TESTS_BENCH_BENCH_SERVER_H_
#define KEYFERRY_TESTS_BENCH_BENCH_SERVER_H_

#include <grpcpp/impl/service_type.h>

#include <string>
#include <vector>

namespace keyferry {

// First in main, before any thread: SIGTERM is ServeUntilTerminated's.
void HoldSigterm();

// Prints its address, and serves until SIGTERM. Answers the process's exit code.
int ServeUntilTerminated(const std::string& certificate, const std::string& key,
                         const std::vector<grpc::Service*>& services);

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_BENCH_BENCH_SERVER_H_
