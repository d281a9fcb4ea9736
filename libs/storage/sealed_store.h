// The sealing view of a store: values are sealed on the way in and opened on the way out, each under its owner's key
// with its row key as associated data. Keys, revisions, rings and empty values pass as they are.
#ifndef KEYFERRY_STORAGE_SEALED_STORE_H_
#define KEYFERRY_STORAGE_SEALED_STORE_H_

#include <memory>

#include "libs/storage/barrier_keys.h"
#include "libs/storage/store.h"

namespace keyferry {

// Both outlive it. Beyond Store's codes: CommitAsync answers InvalidArgument for a value in a row with a
// revision_offset (its final key is not known when it is sealed) and FailedPrecondition for an owner that has no key;
// Get and Scan answer DataLoss for what does not open.
std::unique_ptr<Store> NewSealedStore(Store& beneath, BarrierKeys& keys);

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_SEALED_STORE_H_
