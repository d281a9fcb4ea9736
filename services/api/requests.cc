#include "services/api/requests.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/crypto/aead.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

constexpr size_t kSweepRows = 256;
constexpr char kCoversValues = 'v';
constexpr char kCoversSizes = 's';

bool Expired(const RequestRow& row, absl::Time now) { return row.create_time + kRequestIdLifetime <= now; }

std::string Length(size_t size) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(size >> shift));
  return bytes;
}

absl::StatusOr<RowKey> EraseExpired(Transaction& transaction, const RowKey& begin, absl::Time now) {
  ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, transaction.store().Scan(begin, "", kSweepRows));
  for (const KeyedRow& keyed : rows) {
    ASSIGN_OR_RETURN(const RequestRow row, Decode<RequestRow>(keyed.row.value));
    if (!Expired(row, now)) continue;
    ASSIGN_OR_RETURN(const auto pinned, transaction.Get<RequestRow>(keyed.key));
    if (pinned && Expired(pinned->value, now)) transaction.Erase(keyed.key);
  }
  if (rows.size() < kSweepRows) return RowKey{.family = Family::kRequests};
  return RowKey{.family = Family::kRequests, .bytes = rows.back().key.bytes + '\0'};
}

}  // namespace

IdempotentRequest::IdempotentRequest(std::string organization, std::string request_id, Content content)
    : organization_(std::move(organization)), request_id_(std::move(request_id)), content_(std::move(content)) {}

absl::StatusOr<std::optional<std::string>> IdempotentRequest::FindAnswer(Transaction& transaction,
                                                                         const OrganizationKeys& keys,
                                                                         absl::Time now) const {
  if (request_id_.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(auto row, transaction.Get<RequestRow>(keys::Request(organization_, request_id_)));
  if (!row || Expired(row->value, now)) return std::nullopt;
  const std::string& known = row->value.content_digest;
  const bool blind = !known.empty() && known.front() == kCoversSizes;
  if (EqualInConstantTime(known, Digest(keys, blind))) return std::move(row->value.response);
  return MakeError(absl::StatusCode::kAlreadyExists,
                   "this request id was used for another request within the last 24 hours; send a new one",
                   {.reason = "REQUEST_ID_REUSED", .metadata = {{"idempotencyKey", request_id_}}});
}

void IdempotentRequest::Remember(Transaction& transaction, const OrganizationKeys& keys, bool blind, std::string answer,
                                 absl::Time now) const {
  if (request_id_.empty()) return;
  transaction.Put(
      keys::Request(organization_, request_id_),
      Encode(RequestRow{.content_digest = Digest(keys, blind), .response = std::move(answer), .create_time = now}));
}

std::string IdempotentRequest::Digest(const OrganizationKeys& keys, bool blind) const {
  const SecretBytes key = SecretBytes::Take(HmacSha256(keys.fingerprint, "keyferry request content"));
  std::string message = JoinParts({content_.rpc, absl::StrCat(content_.parts.size())});
  for (const std::string& part : content_.parts) absl::StrAppend(&message, JoinParts({part}));
  for (const SecretBytes* value : content_.values) {
    absl::StrAppend(&message, JoinParts({blind ? Length(value->size()) : HmacSha256(key, value->Access())}));
  }
  return (blind ? kCoversSizes : kCoversValues) + HmacSha256(key, message);
}

std::optional<std::vector<std::string>> SplitParts(std::string_view joined) {
  std::vector<std::string> parts;
  while (!joined.empty()) {
    if (joined.size() < 4) return std::nullopt;
    size_t size = 0;
    for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(joined[i]);
    joined.remove_prefix(4);
    if (size > joined.size()) return std::nullopt;
    parts.emplace_back(joined.substr(0, size));
    joined.remove_prefix(size);
  }
  return parts;
}

void SweepRequests(const Writer& writer, RowKey begin, absl::Time now,
                   std::function<void(absl::StatusOr<RowKey>)> done) {
  auto next = std::make_shared<RowKey>();
  RunTransaction(
      writer,
      [begin = std::move(begin), now, next](Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(*next, EraseExpired(transaction, begin, now));
        return absl::OkStatus();
      },
      [next, done = std::move(done)](absl::StatusOr<Revision> committed) {
        if (!committed.ok()) return done(std::move(committed).status());
        done(std::move(*next));
      });
}

}  // namespace keyferry
