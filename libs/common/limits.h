// Every limit of the product, by name. Each is tested at the limit and one past it.
#ifndef KEYFERRY_COMMON_LIMITS_H_
#define KEYFERRY_COMMON_LIMITS_H_

#include <cstddef>

#include "absl/time/time.h"

namespace keyferry {

inline constexpr size_t kMinSetNameLength = 3;
inline constexpr size_t kMaxSetNameLength = 63;
inline constexpr size_t kMaxKeyLength = 64;
inline constexpr size_t kMaxAgentNameLength = 54;
inline constexpr size_t kMaxDnsLabelLength = 63;
inline constexpr size_t kMaxDisplayNameLength = 128;
inline constexpr size_t kMaxHostLength = 253;
inline constexpr size_t kMaxImageLength = 1024;
inline constexpr size_t kMaxRequestIdLength = 64;
inline constexpr size_t kMaxClientDataBytes = 16 * 1024;
inline constexpr size_t kMaxPullAuthBytes = 16 * 1024;
inline constexpr size_t kMaxValueBytes = 64 * 1024;
inline constexpr size_t kMaxKeysPerSet = 256;
inline constexpr size_t kMaxSetBytes = 512 * 1024;
// Names, `=`, values and terminators of a bound environment.
inline constexpr size_t kMaxEnvironmentBytes = 1024 * 1024;
inline constexpr int kMaxGenerationsKept = 10;
inline constexpr int kDefaultPageSize = 100;
inline constexpr int kMaxPageSize = 1000;
// A page holds about so much on the wire, far below what a stock gRPC client takes, and looks at so many rows.
inline constexpr size_t kMaxPageBytes = 1024 * 1024;
inline constexpr size_t kMaxPageRows = 2000;
// Live at a time in one process.
inline constexpr size_t kMaxWatchesPerOrganization = 64;
inline constexpr int kMaxCommitAttempts = 8;
inline constexpr absl::Duration kRequestIdLifetime = absl::Hours(24);
inline constexpr absl::Duration kDefaultWait = absl::Seconds(30);
inline constexpr absl::Duration kMaxWait = absl::Minutes(5);

// gRPC.
inline constexpr int kMaxReceiveMessageBytes = 4 * 1024 * 1024;
inline constexpr int kMaxMetadataBytes = 8 * 1024;
inline constexpr int kMaxConcurrentStreams = 128;
inline constexpr int kMaxConnections = 10'000;
// Of messages and buffers that a server holds for its connections.
inline constexpr size_t kMaxServerMemoryBytes = 512 * 1024 * 1024;
// Authenticated calls that wait for a thread.
inline constexpr int kMaxCallsWaiting = 1024;

// Provisioning.
inline constexpr int kMaxInflightObjects = 64;
inline constexpr size_t kMaxInflightBytes = 4 * 1024 * 1024;
inline constexpr int kMaxEventsPerBatch = 16;
inline constexpr size_t kMaxEventBatchBytes = 1024 * 1024;
inline constexpr int kPoisonThreshold = 3;
inline constexpr absl::Duration kLeaseDuration = absl::Seconds(15);
inline constexpr absl::Duration kHeartbeatInterval = absl::Seconds(5);
inline constexpr absl::Duration kBookmarkInterval = absl::Seconds(10);
inline constexpr absl::Duration kInventoryInterval = absl::Minutes(10);
inline constexpr absl::Duration kRescanInterval = absl::Seconds(30);
inline constexpr absl::Duration kMinRetryDelay = absl::Seconds(1);
inline constexpr absl::Duration kMaxRetryDelay = absl::Minutes(5);
// A connected region that goes on failing this long makes an object FAILED.
inline constexpr absl::Duration kProvisioningDeadline = absl::Minutes(2);
// A region sweeps at most this part of its objects without an operator.
inline constexpr double kMaxSweepFraction = 0.10;

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_LIMITS_H_
