#include "services/api/audit_reader.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "libs/storage/codec.h"
#include "libs/storage/keys.h"
#include "services/api/audit_chainer.h"
#include "services/api/paging.h"
#include "services/api/use_case.h"

namespace keyferry {
namespace {

constexpr size_t kScanRows = 128;
// Numbers, times and hashes.
constexpr size_t kRestBytes = 160;

size_t WireBytesOf(const AuditRecord& record) {
  return kRestBytes +
         TextBytesOf({record.organization, record.principal, record.role, record.method, record.code, record.reason,
                      record.object_kind, record.object_name, record.region, record.request_id});
}

}  // namespace

absl::StatusOr<AuditPage> AuditReader::List(const AuditListing& listing) const {
  ASSIGN_OR_RETURN(const size_t page_size, PageSizeOf(listing.page_size));
  // The system's key: a chain outlives its organization's.
  ASSIGN_OR_RETURN(auto system_keys, barrier_.KeysOf(""));
  const PageTokens tokens(std::move(system_keys),
                          JoinParts({"audit records", listing.organization, absl::StrCat(listing.first_number)}));
  ASSIGN_OR_RETURN(const std::string last, tokens.Parse(listing.page_token));
  int64_t next = std::max<int64_t>(1, listing.first_number);
  if (int64_t number = 0; !last.empty() && absl::SimpleAtoi(last, &number)) next = number + 1;

  absl::Time since = absl::InfinitePast();
  if (listing.own_only) {
    Transaction transaction(barrier_.store());
    ASSIGN_OR_RETURN(const OrganizationRow organization, ReadOrganization(transaction, listing.organization));
    since = organization.create_time;
  }

  AuditPage page;
  size_t bytes = 0;
  const std::string end = PrefixEnd(keys::AuditRecordsOf(listing.organization).bytes);
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows,
                     barrier_.store().Scan(keys::AuditRecord(listing.organization, next), end, kScanRows));
    for (const KeyedRow& row : rows) {
      ASSIGN_OR_RETURN(AuditRecord record, Decode<AuditRow>(row.row.value));
      if (record.time < since) {
        next = record.number + 1;
        continue;
      }
      bytes += WireBytesOf(record);
      if (page.records.size() == page_size || (bytes > kMaxPageBytes && !page.records.empty())) {
        page.next_page_token = tokens.Make(absl::StrCat(page.records.back().number));
        return page;
      }
      next = record.number + 1;
      page.records.push_back(std::move(record));
    }
    if (rows.size() < kScanRows) return page;
  }
}

absl::StatusOr<SignedAuditHead> AuditReader::Head(const std::string& organization, bool own_only) const {
  if (own_only) {
    Transaction transaction(barrier_.store());
    RETURN_IF_ERROR(ReadOrganization(transaction, organization).status());
  }
  ASSIGN_OR_RETURN(const std::optional<Row> row, barrier_.store().Get(keys::AuditHead(organization)));
  if (!row) return NotFound("AUDIT_CHAIN_EMPTY", "nothing was recorded yet", organization);
  if (key_ == nullptr) {
    return MakeError(absl::StatusCode::kUnavailable,
                     "the keyring has no audit key, so that nothing is signed; an operator can add one",
                     {.reason = "AUDIT_KEY_MISSING"});
  }
  ASSIGN_OR_RETURN(const AuditHeadRow head, Decode<AuditHeadRow>(row->value));
  return SignedHeadOf(*key_, organization, head, clock_.Now());
}

}  // namespace keyferry
