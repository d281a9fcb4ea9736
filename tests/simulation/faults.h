// What can go wrong in the simulated world, how often it did, and the bugs that can be planted in its simulated parts.
#ifndef KEYFERRY_TESTS_SIMULATION_FAULTS_H_
#define KEYFERRY_TESTS_SIMULATION_FAULTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace keyferry {

enum class Fault : uint8_t {
  kApiKilled,
  kApiPowerLost,
  kUnsyncedDropped,  // commits that were written, not synced and not answered
  kTornTail,         // a part of them survived
  kDiskFull,         // of the API
  kDiskError,        // of the API: it ends
  kSlowSync,         // of the API
  kStoreBusy,
  kLateHead,        // rows can be read, and the store's head does not tell of them yet
  kBackupRestored,  // the API's store is an older one, in a lineage of its own
  kProvisionerKilled,
  kProvisionerPowerLost,
  kEndedBeforeCommit,  // a provisioner, in the midst of its store's commit
  kEndedAfterCommit,   // before it could say so
  kRegionTailLost,     // the region's disk forgot what it had synced: noticed at the next start
  kRegionWiped,
  kSinkFull,
  kSinkError,
  kSinkTampered,
  kStreamCut,
  kStreamCutInBatch,
  kHalfOpen,  // one end does not hear of it
  kPartitionToApi,
  kPartitionFromApi,
  kPartition,
  kDelay,
  kLateMessage,      // of an older stream, heard after a newer one was opened
  kAnswerLost,       // to a client
  kRequestRepeated,  // under the same request id
  kClockAhead,
  kClockBack,
  kApiPaused,
  kProvisionerPaused,
  kDrained,
  kResyncAsked,
  kInventoryAsked,
  kKeyRotated,  // of the organization or the system
  kSealingKeyChanged,
  kCount,
};
inline constexpr size_t kFaultCount = static_cast<size_t>(Fault::kCount);
std::string_view NameOf(Fault fault);

using FaultCounts = std::array<int64_t, kFaultCount>;

enum class Bug : uint8_t {
  kNone,
  kAnswerBeforeSync,     // the API's store answers what is not on its disk yet
  kNoPreconditions,      // the API's store commits whatever its preconditions say
  kStaleRead,            // the API's store reads secret sets as they were one write ago
  kAckBeforeCommit,      // a region says READY, and its store loses it with its power
  kTombstonesForgotten,  // a region's store keeps none
  kSweepWithoutResync,   // events of a full resync are lost within a stream, and its end counts only the others
  kNoAuditRecord,        // some commits lack their audit record
  kCeilingIsHead,        // a store whose ceiling does not tell of what can be read already
  kCount,
};
std::string_view NameOf(Bug bug);
std::optional<Bug> BugOfName(std::string_view name);

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_FAULTS_H_
