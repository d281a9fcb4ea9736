// By hand: what a durable set costs without gRPC. Sets of 4 keys of 1 KiB, each lane its own set, audited, on RocksDB; the region is away. For
// callgrind: LANES 1 and a small COUNT.
#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "libs/crypto/aead.h"
#include "libs/storage/barrier.h"
#include "libs/storage/keys.h"
#include "libs/storage/rocksdb_store.h"
#include "services/api/audit_files.h"
#include "services/api/audit_trail.h"
#include "services/api/quotas.h"
#include "services/api/secret_sets.h"

namespace keyferry {
namespace {

constexpr int kKeys = 4, kValueBytes = 1024;

struct Usage {
  double micros = 0;
  int64_t written_bytes = 0;
};

Usage Now() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  Usage now{.micros = 1e6 * static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                      static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec)};
  std::ifstream io("/proc/self/io");
  for (std::string word; io >> word;) {
    if (word == "wchar:") io >> now.written_bytes;
  }
  return now;
}

class Load {
 public:
  Load(const UseCaseDeps& deps, std::shared_ptr<const AuditedCall> call, int64_t count)
      : deps_(deps), sets_(deps), call_(std::move(call)), left_(count) {}

  void Run(int lanes) {
    running_ = lanes;
    for (int lane = 0; lane < lanes; ++lane) Next(lane);
    ended_.WaitForNotification();
  }

 private:
  // As the guard does it: on a thread of the executor, within the call's scope.
  void Next(int lane) {
    if (left_.fetch_sub(1) <= 0) {
      if (--running_ == 0) ended_.Notify();
      return;
    }
    deps_.writer.executor.Run([this, lane] {
      const CallScope scope(call_);
      std::vector<SecretValue> values;
      for (int i = 0; i < kKeys; ++i) {
        std::string value = absl::StrCat(serial_.fetch_add(1));
        value.resize(kValueBytes, 'x');
        values.push_back({.key = absl::StrCat("KEY_", i), .value = SecretBytes::Take(std::move(value))});
      }
      SetWrite write{.organization = "acme", .name = absl::StrCat("bench-", lane), .author = call_->caller.principal};
      sets_.Set(std::move(write), "us-west", SetMode::kMerge, std::move(values), [this, lane](const absl::StatusOr<SetWriteAnswer>& answer) {
        if (!answer.ok()) std::abort();
        Next(lane);
      });
    });
  }

  const UseCaseDeps& deps_;
  const SecretSets sets_;
  const std::shared_ptr<const AuditedCall> call_;
  std::atomic<int64_t> left_, serial_ = 0;
  std::atomic<int> running_ = 0;
  absl::Notification ended_;
};

absl::Status Populate(Store& store, Barrier& barrier, Term term) {
  const OrganizationRow organization{.uid = "acme-uid", .create_time = absl::Now(), .default_region = ""};
  const RegionKey region_key = RegionKey::Generate();
  const RegionRow region{.sealing_key = region_key.public_key(), .blind = false, .create_time = absl::Now()};
  const auto key = barrier.NewOrganizationKey("acme");
  if (!key.ok()) return key.status();
  return CommitAndWait(store, {.term = term,
                               .mutations = {*key,
                                             {.key = keys::Organization("acme"), .value = Encode(organization)},
                                             {.key = keys::Region("us-west"), .value = Encode(region)}}})
      .status();
}

int Run(const std::string& directory, int64_t count, int lanes) {
  const auto store = OpenRocksDbStore({.path = directory});
  if (!store.ok()) return std::fprintf(stderr, "%s\n", store.status().ToString().c_str()), 1;
  const Term term = *(*store)->AcquireWriter(Lineage::kKeep);
  const auto root_keys = KeyringRootKeys::Create(Keyring::ForTest());
  const auto barrier = *Barrier::Open(**store, *root_keys, term);
  if (!Populate(barrier->store(), *barrier, term).ok()) return 1;
  const auto executor = NewThreadPool(lanes == 1 ? 1 : 4);
  const auto sender = SealedBoxSender::Create(SystemClock());
  const auto quotas = Quotas::Create(barrier->store());
  const UseCaseDeps deps{.writer = {barrier->store(), *executor, [term] { return term; }},
                         .barrier = *barrier,
                         .sender = *sender,
                         .clock = SystemClock(),
                         .quotas = quotas.get()};
  auto trail = NewAuditTrail({.writer = deps.writer, .clock = SystemClock(), .key = nullptr, .files = nullptr});
  const auto call = std::make_shared<const AuditedCall>(
      AuditedCall{.caller = {.principal = "apiKey:AAAAAAAAAA", .organization = "acme"},
                  .method = "SecretSets/SetSecrets",
                  .time = absl::Now(),
                  .trail = trail.get()});
  const Usage before = Now();
  const absl::Time begin = absl::Now();
  Load(deps, call, count).Run(lanes);
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  trail.reset();
  const Usage after = Now();
  std::printf("lanes=%d sets_per_second=%.0f mean_us=%.0f cpu_us_per_set=%.1f written_bytes_per_set=%.0f\n", lanes,
              static_cast<double>(count) / seconds, seconds * 1e6 * lanes / static_cast<double>(count),
              (after.micros - before.micros) / static_cast<double>(count),
              static_cast<double>(after.written_bytes - before.written_bytes) / static_cast<double>(count));
  return 0;
}

}  // namespace
}  // namespace keyferry

int main(int argc, char** argv) {
  int64_t count = 0;
  int lanes = 0;
  if (argc != 4 || !absl::SimpleAtoi(argv[2], &count) || !absl::SimpleAtoi(argv[3], &lanes) || lanes < 1)
    return std::fprintf(stderr, "set_bench NEW_DIRECTORY COUNT LANES\n"), 2;
  return keyferry::Run(argv[1], count, lanes);
}
