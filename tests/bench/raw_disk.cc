// What the disk and RocksDB alone can do. usage: raw_disk fdatasync|commit DIRECTORY SECONDS [WRITERS ROWS BYTES]
//   fdatasync  4 KiB appended and synced, one after another
//   commit     one thread writes batches of WRITERS commits of ROWS rows of BYTES bytes each, synced: a committer
//   without anything above it
// Prints per_second (of syncs, or of commits) and p50_us, p99_us and p999_us (of a sync, or of a batch).
#include <fcntl.h>
#include <rocksdb/db.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

int Measure(double seconds, int units, const std::function<bool()>& act) {
  std::vector<long> micros;
  const auto begin = Clock::now();
  auto now = begin;
  while (now - begin < std::chrono::duration<double>(seconds)) {
    const auto before = now;
    if (!act()) return std::perror("raw_disk"), 1;
    now = Clock::now();
    micros.push_back(std::chrono::duration_cast<std::chrono::microseconds>(now - before).count());
  }
  std::sort(micros.begin(), micros.end());
  const auto percentile = [&](size_t thousandth) { return micros[micros.size() * thousandth / 1000]; };
  std::printf("per_second=%.1f p50_us=%ld p99_us=%ld p999_us=%ld\n",
              static_cast<double>(micros.size()) * units / std::chrono::duration<double>(now - begin).count(),
              percentile(500), percentile(990), percentile(999));
  return 0;
}

int MeasureSyncs(const std::string& directory, double seconds) {
  const int file = open((directory + "/syncs").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::string block(4096, 'x');
  return Measure(seconds, 1, [&] { return write(file, block.data(), block.size()) == 4096 && fdatasync(file) == 0; });
}

int MeasureCommits(const std::string& directory, double seconds, int writers, int rows, size_t bytes) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::Open(options, directory + "/commits", &opened).ok())
    return std::fputs("cannot open RocksDB\n", stderr), 1;
  const std::unique_ptr<rocksdb::DB> database(opened);
  const std::string value(bytes, 'x');
  rocksdb::WriteOptions synced;
  synced.sync = true;
  long number = 0;
  return Measure(seconds, writers, [&] {
    rocksdb::WriteBatch batch;
    for (int i = 0; i < writers * rows; ++i) batch.Put("row-" + std::to_string(++number % 100'000), value);
    return database->Write(synced, &batch).ok();
  });
}

}  // namespace

int main(int count, char** arguments) {
  const std::string mode = count > 3 ? arguments[1] : "";
  if (mode == "fdatasync") return MeasureSyncs(arguments[2], std::atof(arguments[3]));
  if (mode == "commit" && count == 7) {
    return MeasureCommits(arguments[2], std::atof(arguments[3]), std::atoi(arguments[4]), std::atoi(arguments[5]),
                          static_cast<size_t>(std::atol(arguments[6])));
  }
  return std::fputs("raw_disk: see its first lines for the arguments\n", stderr), 2;
}
