// A fleet (fleet.h) that does what it reads, a line each; `done NAME=VALUE...` answers, or `failed MESSAGE`.
//   regions N   connect N   wipe   counts   cut   recover SECONDS
//   ready   never   fail: how events are acked from here on
// usage: fleet_client API CERTIFICATES PREFIX SCRATCH_DIRECTORY; ends with its input.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "tests/bench/fleet.h"

namespace keyferry {
namespace {

// A connection each.
void AllowManyFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

absl::Status Act(Fleet& fleet, const std::string& verb, int number) {
  if (verb == "regions") return fleet.MakeRegions(number);
  if (verb == "connect") return fleet.Connect(number, absl::Minutes(10));
  if (verb == "wipe") return fleet.Wipe(), absl::OkStatus();
  if (verb == "cut") return fleet.Cut(), absl::OkStatus();
  if (verb == "recover") return fleet.Recover(absl::Seconds(number));
  if (verb == "ready") return fleet.Answer(FleetManner::kReady), absl::OkStatus();
  if (verb == "never") return fleet.Answer(FleetManner::kNever), absl::OkStatus();
  if (verb == "fail") return fleet.Answer(FleetManner::kFailed), absl::OkStatus();
  return verb == "counts" ? absl::OkStatus() : absl::InvalidArgumentError("no such word: " + verb);
}

int Run(FleetOptions options) {
  auto fleet = Fleet::Create(std::move(options));
  if (!fleet.ok()) return std::fprintf(stderr, "fleet_client: %s\n", fleet.status().ToString().c_str()), 1;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    int number = 0;
    words >> verb >> number;
    const auto begin = std::chrono::steady_clock::now();
    const absl::Status status = Act(**fleet, verb, number);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const FleetCounts counts = (*fleet)->counts();
    if (status.ok()) {
      std::printf("done seconds=%.3f connected=%d events=%ld batches=%ld payload_bytes=%ld resyncs=%ld revived=%ld synced=%d "
                  "ended=%ld\n",
                  seconds, counts.connected, counts.events, counts.batches, counts.payload_bytes, counts.resyncs,
                  counts.revived, counts.synced, counts.ended);
    } else {
      std::printf("failed %s\n", status.ToString().c_str());
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace keyferry

int main(int count, char** arguments) {
  if (count != 5) return std::fputs("usage: fleet_client API CERTIFICATES PREFIX SCRATCH_DIRECTORY\n", stderr), 2;
  keyferry::AllowManyFiles();
  return keyferry::Run(
      {.api = arguments[1], .certificates = arguments[2], .prefix = arguments[3], .scratch = arguments[4]});
}
