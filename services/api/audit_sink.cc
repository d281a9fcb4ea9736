#include "services/api/audit_sink.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/model/audit_chain.h"
#include "libs/storage/codec.h"
#include "libs/storage/keys.h"
#include "services/api/audit_chainer.h"
#include "services/api/audit_scan.h"

namespace keyferry {
namespace {

constexpr size_t kPageRecords = 256;
constexpr int64_t kMaxRecordsUnsynced = 8192;

// Records from `first` on that open and follow each other, a page at most; none when the first is not there or does not
// open. Other errors of the store.
absl::StatusOr<std::vector<AuditRow>> ReadRecords(const Store& store, const std::string& organization, int64_t first,
                                                  int64_t last) {
  std::vector<AuditRow> records;
  const auto take = [&](const std::string& value) {
    absl::StatusOr<AuditRow> record = Decode<AuditRow>(value);
    const bool follows = record.ok() && record->number == first + static_cast<int64_t>(records.size());
    if (follows) records.push_back(*std::move(record));
    return follows;
  };
  const std::string end = keys::AuditRecord(organization, last).bytes + '\0';
  const auto page = store.Scan(keys::AuditRecord(organization, first), end, kPageRecords);
  if (page.ok()) {
    for (const KeyedRow& row : *page) {
      if (!take(row.row.value)) break;
    }
    return records;
  }
  if (!absl::IsDataLoss(page.status())) return page.status();
  for (int64_t number = first; number <= last && records.size() < kPageRecords; ++number) {
    const auto row = store.Get(keys::AuditRecord(organization, number));
    if (!row.ok() && !absl::IsDataLoss(row.status())) return row.status();
    if (!row.ok() || !*row || !take((*row)->value)) break;
  }
  return records;
}

}  // namespace

absl::StatusOr<std::vector<AuditSink::NamedHead>> AuditSink::ReadHeads() {
  std::vector<NamedHead> heads;
  std::set<RowKey> damaged;
  RETURN_IF_ERROR(VisitRowsThatOpen(store_, keys::AuditHeads(), damaged, [&](KeyedRow&& row) {
    absl::StatusOr<AuditHeadRow> head = Decode<AuditHeadRow>(row.row.value);
    if (head.ok()) heads.push_back({keys::LastPart(row.key), *std::move(head)});
    return absl::OkStatus();
  }));
  return heads;
}

absl::Status AuditSink::CatchUp() {
  const absl::StatusOr<std::vector<NamedHead>> read = ReadHeads();
  const std::vector<NamedHead> heads = read.value_or(std::vector<NamedHead>());
  const bool is_behind = !read.ok() || std::any_of(heads.begin(), heads.end(), [this](const NamedHead& head) {
    return head.row.number != files_->PositionOf(head.organization).number;
  });
  {
    const absl::MutexLock lock(&mutex_);
    if (is_behind && !waiting_since_) waiting_since_ = clock_.Monotonic();
  }
  RETURN_IF_ERROR(read.status());
  RETURN_IF_ERROR(CheckFiles());
  std::map<std::string, absl::Status> unread;
  for (const auto& [organization, row] : heads) {
    absl::Status error;
    RETURN_IF_ERROR(CopyRecords(organization, row, error));
    if (!error.ok()) unread.emplace(organization, error);
  }
  RETURN_IF_ERROR(files_->Sync());
  {
    const absl::MutexLock lock(&mutex_);
    waiting_since_.reset();
    std::erase_if(unread_since_, [&](const auto& since) { return !unread.contains(since.first); });
    for (const auto& [organization, error] : unread) unread_since_.emplace(organization, clock_.Monotonic());
  }
  for (const auto& [organization, row] : heads) RETURN_IF_ERROR(CopyHead(organization, row));
  RETURN_IF_ERROR(files_->Sync());
  return unread.empty() ? absl::OkStatus() : unread.begin()->second;
}

absl::Duration AuditSink::lag(const std::string& organization) const {
  const absl::MutexLock lock(&mutex_);
  const absl::Duration now = clock_.Monotonic();
  const auto unread = unread_since_.find(organization);
  return std::max(waiting_since_ ? now - *waiting_since_ : absl::ZeroDuration(),
                  unread == unread_since_.end() ? absl::ZeroDuration() : now - unread->second);
}

absl::Duration AuditSink::lag() const {
  const absl::MutexLock lock(&mutex_);
  const absl::Duration now = clock_.Monotonic();
  absl::Duration lag = waiting_since_ ? now - *waiting_since_ : absl::ZeroDuration();
  for (const auto& [organization, since] : unread_since_) lag = std::max(lag, now - since);
  return lag;
}

absl::Status AuditSink::CheckFiles() {
  ASSIGN_OR_RETURN(const std::string damage, files_->TakeDamage());
  if (!damage.empty()) Tell("", damage);
  return absl::OkStatus();
}

absl::StatusOr<bool> AuditSink::Continues(const std::string& organization, const AuditHeadRow& head) const {
  const AuditPosition position = files_->PositionOf(organization);
  if (position.number == 0) return true;
  if (position.number > head.number) return false;
  const auto row = store_.Get(keys::AuditRecord(organization, position.number));
  // Damaged here; there it is whole.
  if (absl::IsDataLoss(row.status())) return true;
  RETURN_IF_ERROR(row.status());
  if (!*row) return false;
  const absl::StatusOr<AuditRow> record = Decode<AuditRow>((*row)->value);
  return !record.ok() || record->hash == position.hash;
}

absl::Status AuditSink::CopyRecords(const std::string& organization, const AuditHeadRow& head, absl::Status& unread) {
  if (const AuditPosition position = files_->PositionOf(organization);
      position.number == head.number && position.hash == head.hash)
    return absl::OkStatus();
  const absl::StatusOr<bool> continues = Continues(organization, head);
  unread = continues.status();
  if (!unread.ok()) return absl::OkStatus();
  if (!*continues) {
    RETURN_IF_ERROR(files_->Sync());
    Tell(organization, "AUDIT_CHAIN_REWOUND");
    files_->Rewind(organization);
  }
  while (true) {
    const int64_t next = files_->PositionOf(organization).number + 1;
    if (next > head.number) return absl::OkStatus();
    const absl::StatusOr<std::vector<AuditRow>> records = ReadRecords(store_, organization, next, head.number);
    unread = records.status();
    if (!unread.ok()) return absl::OkStatus();
    for (const AuditRow& record : *records) RETURN_IF_ERROR(files_->Append(record));
    if (records->empty()) RETURN_IF_ERROR(PassGap(organization, head, unread));
    if (!unread.ok()) return absl::OkStatus();
    unsynced_count_ += static_cast<int64_t>(records->size());
    if (unsynced_count_ < kMaxRecordsUnsynced) continue;
    RETURN_IF_ERROR(files_->Sync());
    unsynced_count_ = 0;
  }
}

absl::Status AuditSink::PassGap(const std::string& organization, const AuditHeadRow& head, absl::Status& unread) {
  AuditStart start{.organization = organization, .number = files_->PositionOf(organization).number + 1};
  TellDamaged(absl::StrCat(organization, "/", start.number));
  for (start.hash = head.hash; start.number < head.number; ++start.number) {
    const auto next = ReadRecords(store_, organization, start.number + 1, start.number + 1);
    unread = next.status();
    if (!unread.ok()) return absl::OkStatus();
    if (!next->empty()) {
      start.hash = next->front().previous_hash;
      break;
    }
    TellDamaged(absl::StrCat(organization, "/", start.number + 1));
  }
  return files_->Append(start);
}

absl::Status AuditSink::CopyHead(const std::string& organization, const AuditHeadRow& row) {
  const AuditPosition position = files_->PositionOf(organization);
  if (row.signed_number == 0 || row.signed_number <= position.head_number || row.signed_number > position.number)
    return absl::OkStatus();
  const SignedAuditHead head{.organization = organization,
                             .number = row.signed_number,
                             .hash = row.signed_hash,
                             .time = row.sign_time,
                             .signature = row.signature,
                             .public_key = public_key_};
  // By a key before this one: the next signature will do.
  if (!HasItsSignature(head)) return absl::OkStatus();
  return files_->Append(head);
}

void AuditSink::TellDamaged(const std::string& name) {
  if (!damaged_.insert(name).second) return;
  Log(Severity::kError, "audit_record_damaged", {{"record", name}});
  report_(DamagedAuditRecord(name, clock_.Now()));
}

void AuditSink::Tell(const std::string& organization, const std::string& reason) {
  Log(Severity::kError, "audit_sink_damaged",
      {{"reason", reason}, {"organization", organization}, {"file", files_->file_name()}});
  report_({.organization = organization,
           .time = clock_.Now(),
           .principal = "system",
           .method = "AuditSink/CatchUp",
           .decision = AuditDecision::kDone,
           .reason = reason,
           .object_kind = "auditFile",
           .object_name = files_->file_name()});
}

}  // namespace keyferry
