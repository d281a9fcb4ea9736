// The floor under a durable set: the house's server with the edge door's TLS, which writes the rows of SetSecrets in batches to RocksDB, synced, and answers with
// nothing. Nobody is authenticated, nothing is read, checked, sealed, recorded, logged or delivered. One thread commits whatever waits; a second one answers meanwhile.
// usage: bare_server CERTIFICATE KEY DIRECTORY ROWS BYTES: rows of a set, and their bytes in all, keys included; prints its address.
#include <grpcpp/grpcpp.h>
#include <rocksdb/db.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "tests/bench/bench_server.h"

namespace keyferry {
namespace {

// Done by one thread: everything that waits, at a time.
template <typename Work>
class Worker {
 public:
  explicit Worker(std::function<void(std::vector<Work>)> act) : act_(std::move(act)), thread_([this] { Run(); }) {}
  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  void Add(std::vector<Work> work) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.insert(waiting_.end(), work.begin(), work.end());
    }
    changed_.notify_one();
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      std::vector<Work> work = std::exchange(waiting_, {});
      lock.unlock();
      act_(std::move(work));
      lock.lock();
    }
  }

  const std::function<void(std::vector<Work>)> act_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Work> waiting_;
  bool ended_ = false;
  std::thread thread_;
};

struct Write {
  const v1::SetSecretsRequest* request;
  grpc::ServerUnaryReactor* reactor;
};

class BareSecretSets final : public v1::SecretSets::CallbackService {
 public:
  BareSecretSets(rocksdb::DB& database, int rows, size_t bytes) : database_(database), rows_(rows), bytes_(bytes) {}

  grpc::ServerUnaryReactor* SetSecrets(grpc::CallbackServerContext* context, const v1::SetSecretsRequest* request, v1::SetSecretsResponse*) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    committing_.Add({{request, reactor}});
    return reactor;
  }

 private:
  void Commit(std::vector<Write> writes) {
    rocksdb::WriteBatch batch;
    for (const Write& write : writes) AddRows(*write.request, batch);
    rocksdb::WriteOptions synced;
    synced.sync = true;
    if (!database_.Write(synced, &batch).ok()) std::abort();
    answering_.Add(std::move(writes));
  }

  // One row holds the values, the others share the rest.
  void AddRows(const v1::SetSecretsRequest& request, rocksdb::WriteBatch& batch) {
    const std::string stamp = std::to_string(++number_);
    std::string values;
    values.reserve(bytes_);
    for (const v1::SecretEntry& entry : request.entries()) values.append(entry.value());
    const size_t rest = bytes_ > values.size() ? (bytes_ - values.size()) / static_cast<size_t>(rows_) : 0;
    values.resize(values.size() + rest, 'x');
    batch.Put("generation/" + request.secret_set() + "/" + stamp, values);
    for (int row = 1; row < rows_; ++row) batch.Put(std::to_string(row) + "/" + request.secret_set(), rocksdb::Slice(values.data(), rest));
  }

  rocksdb::DB& database_;
  const int rows_;
  const size_t bytes_;
  long number_ = 0;
  Worker<Write> answering_{[](const std::vector<Write>& writes) {
    for (const Write& write : writes) write.reactor->Finish(grpc::Status::OK);
  }};
  Worker<Write> committing_{[this](std::vector<Write> writes) { Commit(std::move(writes)); }};
};

int Serve(const std::string& certificate, const std::string& key, const std::string& directory, int rows, size_t bytes) {
  HoldSigterm();
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::Open(options, directory, &opened).ok()) return std::fputs("cannot open RocksDB\n", stderr), 1;
  const std::unique_ptr<rocksdb::DB> database(opened);
  BareSecretSets sets(*database, rows, bytes);
  return ServeUntilTerminated(certificate, key, {&sets});
}

}  // namespace
}  // namespace keyferry

int main(int count, char** arguments) {
  if (count != 6) return std::fputs("bare_server: see its first lines for the arguments\n", stderr), 2;
  return keyferry::Serve(arguments[1], arguments[2], arguments[3], std::atoi(arguments[4]), static_cast<size_t>(std::atol(arguments[5])));
}
