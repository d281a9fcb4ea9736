#include "services/provisioner/region_rule.h"

#include <gtest/gtest.h>

namespace keyferry {
namespace {

constexpr uint64_t kFloor = 10;

ObjectVersion Apply(uint64_t revision, const std::string& digest = "d") {
  return {.revision = revision, .operation = Operation::kApply, .digest = digest};
}
ObjectVersion Delete(uint64_t revision) { return {.revision = revision, .operation = Operation::kDelete}; }
ObjectVersion Retain(uint64_t revision, const std::string& digest = "d") {
  return {.revision = revision, .operation = Operation::kRetain, .digest = digest};
}

struct Row {
  const char* what;
  ObjectVersion wanted;
  std::optional<ObjectVersion> held;
  Verdict verdict;
};

TEST(RegionRuleTest, JudgesEveryRowOfItsTable) {
  const Row rows[] = {
      {"apply, unknown, at the floor", Apply(10), std::nullopt, Verdict::kBelowFloor},
      {"apply, unknown, above the floor", Apply(11), std::nullopt, Verdict::kApply},
      {"apply, older held", Apply(12), Apply(11), Verdict::kApply},
      {"apply, older held, at the floor", Apply(10), Apply(9), Verdict::kApply},
      {"apply, same held", Apply(12), Apply(12), Verdict::kDuplicate},
      {"apply, same revision, other content", Apply(12, "e"), Apply(12), Verdict::kConflict},
      {"apply, newer held", Apply(11), Apply(12), Verdict::kStale},
      {"apply, older tombstone", Apply(12), Delete(11), Verdict::kApply},
      {"apply, tombstone of the same revision", Apply(12), Delete(12), Verdict::kConflict},
      {"apply, newer tombstone", Apply(11), Delete(12), Verdict::kStale},
      {"delete, unknown, at the floor", Delete(10), std::nullopt, Verdict::kBelowFloor},
      {"delete, unknown, above the floor", Delete(11), std::nullopt, Verdict::kDelete},
      {"delete, older held", Delete(12), Apply(11), Verdict::kDelete},
      {"delete, same revision applied", Delete(12), Apply(12), Verdict::kConflict},
      {"delete, newer held", Delete(11), Apply(12), Verdict::kStale},
      {"delete, same tombstone", Delete(12), Delete(12), Verdict::kDuplicate},
      {"delete, older tombstone", Delete(12), Delete(11), Verdict::kDelete},
      {"retain, unknown", Retain(12), std::nullopt, Verdict::kMissing},
      {"retain, held", Retain(12), Apply(12), Verdict::kRetained},
      {"retain, held, whatever content", Retain(12, ""), Apply(12), Verdict::kRetained},
      {"retain, other content", Retain(12, "e"), Apply(12), Verdict::kMissing},
      {"retain, older held", Retain(12), Apply(11), Verdict::kMissing},
      {"retain, newer held", Retain(12), Apply(13), Verdict::kRetained},
      {"retain, tombstone", Retain(12), Delete(12), Verdict::kMissing},
      {"retain, newer tombstone", Retain(12), Delete(13), Verdict::kRetained},
  };
  for (const Row& row : rows) EXPECT_EQ(Judge(row.wanted, row.held, kFloor), row.verdict) << row.what;
}

}  // namespace
}  // namespace keyferry
