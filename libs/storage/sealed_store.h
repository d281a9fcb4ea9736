// The sealing view of a store: values are sealed on the way in and opened on the way out, each under its owner's key
// with its row key as associated data. Keys, revisions, rings and empty values pass as they are. Invariants B1 and B3 of barrier.h.
#ifndef KEYFERRY_STORAGE_SEALED_STORE_H_
#define KEYFERRY_STORAGE_SEALED_STORE_H_

#include <memory>
#include <string>

#include "libs/storage/barrier_keys.h"
#include "libs/storage/kept_rows_gate.h"
#include "libs/storage/store.h"

namespace keyferry {

// Associated data of a row's value.
std::string RowContext(const RowKey& key);

// The store outlives it. Beyond Store's codes: CommitAsync answers InvalidArgument for a value in a row with a
// revision_offset (its final key is not known when it is sealed) and FailedPrecondition for an owner that has no key;
// Get and Scan answer DataLoss for what does not open.
// A commit that keeps a row's revision goes through the gate.
std::unique_ptr<Store> NewSealedStore(Store& beneath, std::shared_ptr<BarrierKeys> keys, std::shared_ptr<KeptRowsGate> gate);

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_SEALED_STORE_H_
