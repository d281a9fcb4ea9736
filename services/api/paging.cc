#include "services/api/paging.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

constexpr size_t kTokenTagBytes = 16;
constexpr size_t kScanRows = 32;
// Of a string in a message: its field's number and its length.
constexpr size_t kWireHeaderBytes = 6;

template <typename Texts>
size_t SumOf(const Texts& texts) {
  size_t bytes = 0;
  for (const auto& text : texts) bytes += kWireHeaderBytes + text.size();
  return bytes;
}

}  // namespace

absl::StatusOr<size_t> PageSizeOf(int requested) {
  if (requested < 0) {
    return InvalidFields("INVALID_PAGE_SIZE", {{"page_size", absl::StrCat("must be 0 (for ", kDefaultPageSize, ") to ",
                                                                          kMaxPageSize, "; found ", requested)}});
  }
  return static_cast<size_t>(requested == 0 ? kDefaultPageSize : std::min(requested, kMaxPageSize));
}

PageTokens::PageTokens(std::shared_ptr<const OrganizationKeys> keys, std::string listing)
    : keys_(std::move(keys)), listing_(std::move(listing)) {}

std::string PageTokens::Tag(std::string_view last_name) const {
  return HmacSha256(keys_->fingerprint, JoinParts({"keyferry page token", listing_, last_name}))
      .substr(0, kTokenTagBytes);
}

std::string PageTokens::Make(std::string_view last_name) const {
  return absl::WebSafeBase64Escape(absl::StrCat(Tag(last_name), absl::string_view(last_name.data(), last_name.size())));
}

absl::StatusOr<std::string> PageTokens::Parse(const std::string& token) const {
  if (token.empty()) return std::string();
  std::string bytes;
  if (absl::WebSafeBase64Unescape(token, &bytes) && bytes.size() > kTokenTagBytes) {
    std::string last_name = bytes.substr(kTokenTagBytes);
    if (EqualInConstantTime(bytes.substr(0, kTokenTagBytes), Tag(last_name))) return last_name;
  }
  return InvalidFields("INVALID_PAGE_TOKEN",
                       {{"page_token", "is not a token of this listing; begin again without one"}});
}

bool PageBudget::Look(const RowKey& row) {
  row_before_ = std::exchange(row_, keys::LastPart(row));
  return ++rows_ <= kMaxPageRows || End();
}

bool PageBudget::Admit(size_t bytes) {
  const bool full = objects_ == page_size_ || (objects_ > 0 && bytes_ + bytes > kMaxPageBytes);
  if (full) return End();
  ++objects_;
  bytes_ += bytes;
  return true;
}

bool PageBudget::End() {
  last_name_ = row_before_;
  return false;
}

size_t TextBytesOf(std::initializer_list<std::string_view> texts) { return SumOf(texts); }
size_t TextBytesOf(const std::vector<std::string>& texts) { return SumOf(texts); }

absl::Status VisitRows(const Store& store, const RowKey& prefix, const std::string& after,
                       const std::function<absl::StatusOr<bool>(const KeyedRow&)>& take) {
  RowKey begin = prefix;
  if (!after.empty()) begin.bytes += after + '\0';
  const std::string end = PrefixEnd(prefix.bytes);
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, store.Scan(begin, end, kScanRows));
    for (const KeyedRow& row : rows) {
      ASSIGN_OR_RETURN(const bool more, take(row));
      if (!more) return absl::OkStatus();
    }
    if (rows.size() < kScanRows) return absl::OkStatus();
    begin.bytes = rows.back().key.bytes + '\0';
  }
}

}  // namespace keyferry
