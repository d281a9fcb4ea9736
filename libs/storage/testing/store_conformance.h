// One suite for every Store. A store's test says how to open it and adds what is special to it:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreConformanceTest, ::testing::Values(StoreUnderTest{...}), NameOfStore);
//
// and links testing/store_conformance.cc and testing/store_conformance_concurrency.cc.
#ifndef KEYFERRY_STORAGE_TESTING_STORE_CONFORMANCE_H_
#define KEYFERRY_STORAGE_TESTING_STORE_CONFORMANCE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "libs/storage/store.h"

namespace keyferry {

// A store and all it stands on.
class OpenedStore {
 public:
  virtual ~OpenedStore() = default;
  virtual Store& store() = 0;
  // Closes and opens it again, where that means something.
  virtual void Reopen() {}
};

struct StoreUnderTest {
  std::string name;
  std::function<std::unique_ptr<OpenedStore>()> open;
  // Reopen between any two operations.
  bool reopen_between_operations = false;
};

inline void PrintTo(const StoreUnderTest& under_test, std::ostream* out) { *out << under_test.name; }
inline std::string NameOfStore(const ::testing::TestParamInfo<StoreUnderTest>& info) { return info.param.name; }

class StoreConformanceTest : public ::testing::TestWithParam<StoreUnderTest> {
 protected:
  void SetUp() override;

  // The store for the next operation. Take it once where threads or subscriptions share it.
  Store& At();
  void Reopen() { opened_->Reopen(); }

  // One mutation, with or without a precondition, under the fixture's term.
  absl::StatusOr<Revision> Put(const RowKey& key, const std::string& value,
                               std::optional<Revision> if_revision = std::nullopt);
  absl::StatusOr<Revision> Erase(const RowKey& key);
  std::optional<Row> Read(const RowKey& key);

  Term term_;

 private:
  std::unique_ptr<OpenedStore> opened_;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_TESTING_STORE_CONFORMANCE_H_
