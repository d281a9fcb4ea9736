// A fleet of provisioners that keep nothing: each owns a region of its own, takes every event and acks it at once, by
// default READY. What is measured beside it is the API alone.
//
// Region n is called PREFIX-n and has one sealing key with all others; certificates come from the authority that
// `./dev` makes for tests.
//
// Thread safety: confined to its owner, except counts().
#ifndef KEYFERRY_TESTS_BENCH_FLEET_H_
#define KEYFERRY_TESTS_BENCH_FLEET_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace keyferry {

enum class FleetManner : uint8_t { kReady, kNever, kFailed };

struct FleetOptions {
  // The inner door.
  std::string api;
  // Holds ca.pem, ca.key, operator.pem and operator.key.
  std::string certificates;
  std::string prefix;
  std::string trust_domain = "keyferry.dev";
  // Where the certificates go.
  std::string scratch;
};

struct FleetCounts {
  int connected = 0;
  int64_t events = 0;
  int64_t batches = 0;
  int64_t payload_bytes = 0;
  int64_t resyncs = 0;
  // Connected anew, since the API ended their streams in good order, unasked.
  int64_t revived = 0;
  // Own their regions and were told by a bookmark that nothing is pending there.
  int synced = 0;
  // Streams that ended, for whatever reason.
  int64_t ended = 0;
};

class Fleet {
 public:
  static absl::StatusOr<std::unique_ptr<Fleet>> Create(FleetOptions options);
  // Disconnects.
  virtual ~Fleet() = default;

  // Regions 0 to count-1 are there, made where they were not.
  virtual absl::Status MakeRegions(int count) = 0;
  // Exactly the first `count` are connected and own their regions. DeadlineExceeded: not within `patience`.
  virtual absl::Status Connect(int count, absl::Duration patience) = 0;
  // All that are connected lose their connections at once.
  virtual void Cut() = 0;
  // Those whose streams ended, for whatever reason, come back as provisioners do: at their times, in their numbers, until
  // all own their regions again and know that nothing is pending. DeadlineExceeded: not within `patience`.
  virtual absl::Status Recover(absl::Duration patience) = 0;
  // How events are answered from here on.
  virtual void Answer(FleetManner manner) = 0;
  // From the next Connect on, the regions are new machines that hold nothing. All must be disconnected.
  virtual void Wipe() = 0;
  virtual FleetCounts counts() const = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_BENCH_FLEET_H_
