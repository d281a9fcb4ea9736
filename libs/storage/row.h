// Rows, their keys and their revisions: the words that a store speaks.
#ifndef KEYFERRY_STORAGE_ROW_H_
#define KEYFERRY_STORAGE_ROW_H_

#include <compare>
#include <cstdint>
#include <string>

namespace keyferry {

using Revision = uint64_t;
inline constexpr int kRevisionSequenceBits = 48;
constexpr uint64_t LineageOf(Revision revision) { return revision >> kRevisionSequenceBits; }
constexpr Revision WithLineage(Revision revision, uint64_t lineage) {
  return (lineage << kRevisionSequenceBits) | (revision & ((uint64_t{1} << kRevisionSequenceBits) - 1));
}

// Families are key ranges with their own tuning; a commit spans them atomically.
enum class Family : uint8_t { kMeta, kKeys, kSets, kGenerations, kDeployments, kPlacements, kPending, kRequests, kAudit };
inline constexpr int kFamilyCount = 9;

// Sorts by family, then by bytes.
struct RowKey {
  Family family = Family::kMeta;
  std::string bytes;
  friend auto operator<=>(const RowKey&, const RowKey&) = default;
};

struct Row {
  std::string value;
  // Of the commit that wrote the row.
  Revision revision = 0;
};

struct KeyedRow {
  RowKey key;
  Row row;
};

// Rows of [begin, end) of one family; end empty: all from begin on.
struct KeyRange {
  RowKey begin;
  std::string end;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_ROW_H_
