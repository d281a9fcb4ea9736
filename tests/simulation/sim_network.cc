#include "tests/simulation/sim_network.h"

#include <utility>

#include "tests/simulation/sim_stream.h"

namespace keyferry {
namespace {

SimNetwork* instance = nullptr;
constexpr absl::Duration kMaxTold = absl::Milliseconds(50);

}  // namespace

SimNetwork::SimNetwork(Options options) : options_(std::move(options)) { instance = this; }
SimNetwork::~SimNetwork() { instance = nullptr; }
SimNetwork* SimNetwork::Instance() { return instance; }

void SimNetwork::Dials(Process& client, Link& link) {
  dialling_ = &client;
  dialled_ = &link;
}

std::shared_ptr<SyncStream> SimNetwork::Start(SyncStream::Events events) {
  auto stream = std::make_shared<SimStream>(*this, *dialling_, *dialled_, std::move(events));
  std::erase_if(streams_, [](const auto& old) { return !old->open(); });
  streams_.push_back(stream);
  stream->Connect();
  return stream;
}

std::vector<std::shared_ptr<SimStream>> SimNetwork::Open(const Link& link) {
  std::vector<std::shared_ptr<SimStream>> open;
  for (const auto& stream : streams_) {
    if (stream->open() && &stream->link() == &link) open.push_back(stream);
  }
  return open;
}

void SimNetwork::Cut(Link& link, Told told) {
  for (const auto& stream : Open(link)) {
    ++options_.faults[static_cast<size_t>(told == Told::kBoth ? Fault::kStreamCut : Fault::kHalfOpen)];
    stream->Cut(told);
  }
}

void SimNetwork::Died(const Process& process, bool silently) {
  const std::vector<std::shared_ptr<SimStream>> streams = streams_;
  for (const auto& stream : streams) {
    if (!stream->open() || silently) continue;
    const absl::Duration delay = options_.scheduler.random().Between(absl::ZeroDuration(), kMaxTold);
    if (stream->server() == &process) stream->TellClient(absl::UnavailableError("the API's process ended"), delay);
    if (stream->client() == &process) stream->TellServer(delay);
  }
}

// The seam: services/provisioner/sync_stream.cc has the stream over gRPC.
std::shared_ptr<SyncStream> SyncStream::Start(std::shared_ptr<grpc::Channel>, Events events) {
  return SimNetwork::Instance()->Start(std::move(events));
}

}  // namespace keyferry
