// By hand: what the audit trail costs a write. Transactions of a set's shape on RocksDB, in turns with and without a
// call behind them.
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "libs/crypto/aead.h"
#include "libs/storage/barrier.h"
#include "libs/storage/keys.h"
#include "libs/storage/rocksdb_store.h"
#include "services/api/audit_files.h"
#include "services/api/audit_trail.h"

namespace keyferry {
namespace {

constexpr int kOutstanding = 64;
constexpr absl::Duration kTurn = absl::Seconds(3);
constexpr int kTurns = 4;

class Load {
 public:
  explicit Load(const Writer& writer) : writer_(writer) {}

  double PerSecond(const std::shared_ptr<const AuditedCall>& call) {
    done_ = 0;
    running_ = kOutstanding;
    end_ = absl::Now() + kTurn;
    const absl::Time begin = absl::Now();
    for (int i = 0; i < kOutstanding; ++i) Next(i, call);
    while (running_ > 0) absl::SleepFor(absl::Milliseconds(1));
    return static_cast<double>(done_) / absl::ToDoubleSeconds(absl::Now() - begin);
  }

 private:
  void Next(int lane, const std::shared_ptr<const AuditedCall>& call) {
    const CallScope scope(call);
    RunTransaction(
        writer_,
        [this, lane](Transaction& transaction) -> absl::Status {
          const std::string name = absl::StrCat("set-", lane);
          if (const auto read = transaction.Read(keys::SecretSet("acme", name)); !read.ok()) return read.status();
          transaction.Put(keys::SecretSet("acme", name), std::string(800, 's'));
          transaction.Put(keys::Generation("acme", name, ++count_), std::string(5000, 'g'));
          transaction.Put(keys::Desired("us-west", {.organization = "acme", .name = name}), std::string(200, 'd'));
          transaction.Describe({.kind = "secretSet", .name = name, .region = "us-west", .generation = 1});
          return absl::OkStatus();
        },
        [this, lane, call](const absl::StatusOr<Revision>& committed) {
          if (!committed.ok()) std::abort();
          ++done_;
          // A call's body runs on the executor, never on the store's thread.
          if (absl::Now() < end_) return writer_.executor.Run([this, lane, call] { Next(lane, call); });
          --running_;
        });
  }

  const Writer& writer_;
  std::atomic<int64_t> count_ = 0, done_ = 0;
  std::atomic<int> running_ = 0;
  absl::Time end_;
};

int Run(const std::string& directory) {
  const auto store = OpenRocksDbStore({.path = directory});
  if (!store.ok()) return 1;
  const Term term = *(*store)->AcquireWriter(Lineage::kKeep);
  const auto root_keys = KeyringRootKeys::Create(Keyring::ForTest());
  const auto barrier = *Barrier::Open(**store, *root_keys, term);
  if (!CommitAndWait(**store, {.term = term, .mutations = {*barrier->NewOrganizationKey("acme")}}).ok()) return 1;
  const auto executor = NewThreadPool(4);
  const Writer writer{barrier->store(), *executor, [term] { return term; }};
  const auto trail = NewAuditTrail({.writer = writer, .clock = SystemClock(), .key = nullptr, .files = nullptr});
  const auto call = std::make_shared<const AuditedCall>(
      AuditedCall{.caller = {.principal = "apiKey:AAAAAAAAAA", .organization = "acme"},
                  .method = "SecretSets/SetSecrets",
                  .time = absl::Now(),
                  .trail = trail.get()});
  Load load(writer);
  double without = 0, with = 0;
  for (int turn = 0; turn < kTurns; ++turn) {
    const double bare = load.PerSecond(nullptr), audited = load.PerSecond(call);
    std::printf("without %.0f/s, with %.0f/s, ratio %.2f\n", bare, audited, audited / bare);
    without += bare;
    with += audited;
    const int64_t chained = trail->Health().chained_count;
    absl::SleepFor(absl::Seconds(2));
    std::printf("  chained %lld at the end of the turn, %lld two seconds later\n", static_cast<long long>(chained),
                static_cast<long long>(trail->Health().chained_count));
  }
  std::printf("all: ratio %.2f\n", with / without);
  return 0;
}

}  // namespace
}  // namespace keyferry

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "audit_bench NEW_DIRECTORY\n"), 2;
  return keyferry::Run(argv[1]);
}
