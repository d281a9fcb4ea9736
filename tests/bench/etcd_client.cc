// The load of bench_client on an etcd server, in the clear. Arguments: load.h (CA_FILE and API_KEY are not used), and
// rows=N, bytes=N.
//   txn   one transaction that puts N rows of BYTES in all, keys included; each client its own rows, fresh bytes every
//   time put   one row of BYTES get   a linearizable range of one row of BYTES
// Prints what load.h says.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "libs/rpc/callback_pulse.h"
#include "tests/bench/channels.h"
#include "tests/bench/etcd.grpc.pb.h"
#include "tests/bench/load.h"

namespace keyferry {
namespace {

using Clock = Load::Clock;
constexpr char kAskedFor[] = "bench-0/row-0";

// Before the clock runs.
bool PutAskedFor(const LoadOptions& options, const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  etcdserverpb::PutRequest put;
  etcdserverpb::PutResponse response;
  put.set_key(kAskedFor);
  put.set_value(std::string(static_cast<size_t>(options.Number("bytes", 4096)), 'x'));
  return etcdserverpb::KV::NewStub(channel)->Put(&context, put, &response).ok();
}

class Client {
 public:
  Client(const LoadOptions& options, int number, const std::shared_ptr<grpc::Channel>& channel, Load& load)
      : options_(options), load_(load), server_(etcdserverpb::KV::NewStub(channel)) {
    const long rows = std::max(1L, options.Number("rows", 1));
    const auto row_bytes = static_cast<size_t>(options.Number("bytes", 4096) / rows);
    for (long i = 0; i < rows; ++i) {
      etcdserverpb::PutRequest& put = *txn_.add_success()->mutable_request_put();
      put.set_key("bench-" + std::to_string(number) + "/row-" + std::to_string(i));
      put.set_value(std::string(std::max(row_bytes, put.key().size() + 32) - put.key().size(), 'x'));
    }
    put_ = txn_.success(0).request_put();
    range_.set_key(kAskedFor);
  }

  void Next() {
    if (load_.Next() < 0) return load_.ClientEnded();
    context_ = std::make_unique<grpc::ClientContext>();
    begin_ = Clock::now();
    const auto end = [this](const grpc::Status& status) { End(status); };
    if (options_.mode == "get") return server_->async()->Range(context_.get(), &range_, &range_response_, end);
    const std::string stamp = std::to_string(begin_.time_since_epoch().count());
    if (options_.mode == "put") {
      std::copy(stamp.begin(), stamp.end(), put_.mutable_value()->begin());
      return server_->async()->Put(context_.get(), &put_, &put_response_, end);
    }
    for (etcdserverpb::RequestOp& row : *txn_.mutable_success())
      std::copy(stamp.begin(), stamp.end(), row.mutable_request_put()->mutable_value()->begin());
    server_->async()->Txn(context_.get(), &txn_, &txn_response_, end);
  }

 private:
  void End(const grpc::Status& status) {
    load_.Done(begin_, status.ok() ? "" : status.error_message());
    Next();
  }

  const LoadOptions& options_;
  Load& load_;
  const std::unique_ptr<etcdserverpb::KV::Stub> server_;
  std::unique_ptr<grpc::ClientContext> context_;
  Clock::time_point begin_;
  etcdserverpb::TxnRequest txn_;
  etcdserverpb::TxnResponse txn_response_;
  etcdserverpb::PutRequest put_;
  etcdserverpb::PutResponse put_response_;
  etcdserverpb::RangeRequest range_;
  etcdserverpb::RangeResponse range_response_;
};

int Run(const LoadOptions& options) {
  const auto pulse = CallbackPulse::Start();
  const auto channels = OpenChannels(options.target, grpc::InsecureChannelCredentials(), options.clients);
  if (channels.empty()) return 1;
  if (options.mode == "get" && !PutAskedFor(options, channels[0])) return std::fputs("etcd takes no put\n", stderr), 1;
  Load load(options);
  std::vector<std::unique_ptr<Client>> clients;
  const auto begin = Clock::now();
  for (int i = 0; i < options.clients; ++i)
    clients.push_back(std::make_unique<Client>(options, i, channels[i % channels.size()], load));
  for (const auto& client : clients) client->Next();
  return load.Report(begin);
}

}  // namespace
}  // namespace keyferry

int main(int count, char** arguments) { return keyferry::Run(keyferry::LoadOptions::Parse(count, arguments)); }
