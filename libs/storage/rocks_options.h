// How RocksDB is set up, and why. Included by rocks_database.cc and tests alone.
#ifndef KEYFERRY_STORAGE_ROCKS_OPTIONS_H_
#define KEYFERRY_STORAGE_ROCKS_OPTIONS_H_

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <vector>

#include "libs/storage/store.h"

namespace keyferry {

rocksdb::DBOptions RocksDbOptions();
rocksdb::WriteOptions RocksWriteOptions();

// The default family, which holds the head alone, then one each Family in its order.
std::vector<rocksdb::ColumnFamilyDescriptor> RocksFamilies();

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_ROCKS_OPTIONS_H_
