// Goes through an owner's rows and moves what its newest key did not seal, or wrap in escrow, to that key.
//
// Thread safety: all methods from any thread. Blocks for its commits.
#ifndef KEYFERRY_STORAGE_RESEALER_H_
#define KEYFERRY_STORAGE_RESEALER_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "libs/storage/barrier.h"
#include "libs/storage/barrier_keys.h"
#include "libs/storage/kept_rows_gate.h"
#include "libs/storage/store.h"

namespace keyferry {

class Resealer {
 public:
  // All outlive it: the store beneath the barrier, and its sealing view.
  Resealer(Store& beneath, const Store& sealed, BarrierKeys& keys, KeptRowsGate& gate)
      : beneath_(beneath), sealed_(sealed), keys_(keys), gate_(gate) {}

  // As Barrier::Reseal. A row that must move counts as moved also when its writer was first: only a pass that found all as it should be moved nothing.
  absl::StatusOr<ResealStep> Step(std::string_view owner, const ResealCursor& from, size_t limit, Term term) const;

 private:
  Store& beneath_;
  const Store& sealed_;
  BarrierKeys& keys_;
  KeptRowsGate& gate_;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_RESEALER_H_
