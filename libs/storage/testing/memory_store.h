// Store in memory: the executable specification that every other store is compared with, and the fake for tests above
// it.
#ifndef KEYFERRY_STORAGE_TESTING_MEMORY_STORE_H_
#define KEYFERRY_STORAGE_TESTING_MEMORY_STORE_H_

#include <memory>

#include "libs/storage/store.h"

namespace keyferry {

// Nothing outlives it; Backup answers Unimplemented.
std::unique_ptr<Store> NewMemoryStore();

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_TESTING_MEMORY_STORE_H_
