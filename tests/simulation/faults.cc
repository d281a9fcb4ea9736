#include "tests/simulation/faults.h"

namespace keyferry {
namespace {

constexpr std::array<std::string_view, kFaultCount> kFaultNames = {"api killed",
                                                                   "api power lost",
                                                                   "unsynced dropped",
                                                                   "torn tail",
                                                                   "disk full",
                                                                   "disk error",
                                                                   "slow sync",
                                                                   "store busy",
                                                                   "late head",
                                                                   "backup restored",
                                                                   "provisioner killed",
                                                                   "provisioner power lost",
                                                                   "ended before commit",
                                                                   "ended after commit",
                                                                   "region tail lost",
                                                                   "region wiped",
                                                                   "sink full",
                                                                   "sink error",
                                                                   "sink tampered",
                                                                   "stream cut",
                                                                   "stream cut in batch",
                                                                   "half open",
                                                                   "partition to api",
                                                                   "partition from api",
                                                                   "partition",
                                                                   "delay",
                                                                   "late message",
                                                                   "answer lost",
                                                                   "request repeated",
                                                                   "clock ahead",
                                                                   "clock back",
                                                                   "api paused",
                                                                   "provisioner paused",
                                                                   "drained",
                                                                   "resync asked",
                                                                   "inventory asked",
                                                                   "key rotated",
                                                                   "sealing key changed"};

constexpr std::array<std::string_view, static_cast<size_t>(Bug::kCount)> kBugNames = {"none",
                                                                                      "answer-before-sync",
                                                                                      "no-preconditions",
                                                                                      "stale-read",
                                                                                      "ack-before-commit",
                                                                                      "tombstones-forgotten",
                                                                                      "sweep-without-resync",
                                                                                      "no-audit-record",
                                                                                      "ceiling-is-head"};

}  // namespace

std::string_view NameOf(Fault fault) { return kFaultNames[static_cast<size_t>(fault)]; }
std::string_view NameOf(Bug bug) { return kBugNames[static_cast<size_t>(bug)]; }

std::optional<Bug> BugOfName(std::string_view name) {
  for (size_t i = 0; i < kBugNames.size(); ++i) {
    if (kBugNames[i] == name) return static_cast<Bug>(i);
  }
  return std::nullopt;
}

}  // namespace keyferry
