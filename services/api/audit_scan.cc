#include "services/api/audit_scan.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

constexpr size_t kScanRows = 1024;
constexpr size_t kMaxKeyBytes = 4096;

// Whether the first row from `begin` on, which does not open, comes before `end`.
absl::StatusOr<bool> ComesBefore(const Store& store, const RowKey& begin, const std::string& end) {
  if (end <= begin.bytes) return false;
  const auto rows = store.Scan(begin, end, 1);
  if (absl::IsDataLoss(rows.status())) return true;
  RETURN_IF_ERROR(rows.status());
  return !rows->empty();
}

// The largest byte that may follow: the key is not below prefix + byte.
absl::StatusOr<char> NextByte(const Store& store, const RowKey& begin, const std::string& prefix) {
  int low = 0, high = 255;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    ASSIGN_OR_RETURN(const bool is_below, ComesBefore(store, begin, prefix + static_cast<char>(middle)));
    is_below ? high = middle - 1 : low = middle;
  }
  return static_cast<char>(low);
}

// The key of the first row from `begin` on, which does not open: a scan that fails does not say where. Byte by byte, by
// asking which ranges are empty.
absl::StatusOr<RowKey> KeyOfFirst(const Store& store, const RowKey& begin, const RowKey& prefix,
                                  const std::set<RowKey>& known) {
  if (const auto next = known.lower_bound(begin); next != known.end()) {
    ASSIGN_OR_RETURN(const bool is_before, ComesBefore(store, begin, next->bytes));
    if (!is_before) return *next;
  }
  for (RowKey key = prefix; key.bytes.size() < kMaxKeyBytes;) {
    ASSIGN_OR_RETURN(const bool is_it, ComesBefore(store, begin, key.bytes + '\0'));
    if (is_it && absl::IsDataLoss(store.Get(key).status())) return key;
    if (is_it) break;
    ASSIGN_OR_RETURN(const char byte, NextByte(store, begin, key.bytes));
    key.bytes += byte;
  }
  return absl::DataLossError("rows do not open, and it cannot be told which");
}

}  // namespace

absl::Status VisitRowsThatOpen(const Store& store, const RowKey& prefix, std::set<RowKey>& damaged,
                               const std::function<absl::Status(KeyedRow&&)>& take) {
  RowKey begin = prefix;
  const std::string end = PrefixEnd(prefix.bytes);
  size_t count = kScanRows, damaged_count = 0;
  while (true) {
    absl::StatusOr<std::vector<KeyedRow>> rows = store.Scan(begin, end, count);
    if (rows.ok()) {
      const bool is_last = rows->size() < count;
      if (!is_last) begin.bytes = rows->back().key.bytes + '\0';
      for (KeyedRow& row : *rows) RETURN_IF_ERROR(take(std::move(row)));
      if (is_last) return absl::OkStatus();
      count = std::min(2 * count, kScanRows);
    } else if (!absl::IsDataLoss(rows.status())) {
      return rows.status();
    } else if (count > 1) {
      count /= 2;
    } else {
      if (++damaged_count > kMaxDamagedRowsVisited) return rows.status();
      ASSIGN_OR_RETURN(const RowKey key, KeyOfFirst(store, begin, prefix, damaged));
      damaged.insert(key);
      begin.bytes = key.bytes + '\0';
    }
  }
}

}  // namespace keyferry
