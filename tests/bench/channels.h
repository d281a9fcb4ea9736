// The connections of a benchmark's client: a few, each its own, without the BDP probe, and all of them up.
#ifndef KEYFERRY_TESTS_BENCH_CHANNELS_H_
#define KEYFERRY_TESTS_BENCH_CHANNELS_H_

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace keyferry {

inline constexpr int kMaxBenchChannels = 8;

// Empty, and the reason on standard error, when one does not come up.
inline std::vector<std::shared_ptr<grpc::Channel>> OpenChannels(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials, int clients) {
  grpc::ChannelArguments own_connection;
  own_connection.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  own_connection.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < std::min(kMaxBenchChannels, clients); ++i) {
    channels.push_back(grpc::CreateCustomChannel(target, credentials, own_connection));
    if (!channels.back()->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10))) {
      std::fprintf(stderr, "no connection to %s\n", target.c_str());
      return {};
    }
  }
  return channels;
}

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_BENCH_CHANNELS_H_
