#include "services/api/api_key_sweep.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/storage/keys.h"
#include "services/api/paging.h"

namespace keyferry {
namespace {

// Its HMAC is not needed, and there may be many.
IdentifiedApiKey TimesOf(const KeyedRow& stored, const ApiKeyRow& row) {
  return {.id = keys::LastPart(stored.key), .row = {.revoke_time = row.revoke_time, .expire_time = row.expire_time}};
}

using KeysByOrganization = std::map<std::string, std::vector<IdentifiedApiKey>>;

absl::StatusOr<KeysByOrganization> ReadEnded(const Store& store, absl::Time now) {
  KeysByOrganization ended;
  RETURN_IF_ERROR(VisitRows(store, keys::ApiKey(""), "", [&](const KeyedRow& stored) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const ApiKeyRow row, Decode<ApiKeyRow>(stored.row.value));
    if (!IsLiveAt(row, now)) ended[row.organization].push_back(TimesOf(stored, row));
    return true;
  }));
  return ended;
}

void Erase(Transaction& transaction, const std::string& organization, const std::string& id) {
  transaction.Erase(keys::ApiKey(id));
  transaction.Erase(keys::ApiKeyOfOrganization(organization, id));
}

void SweepLater(const Writer& writer, const Clock& clock, absl::Duration delay) {
  writer.executor.RunAfter(delay, [writer, &clock] {
    SweepApiKeys(writer, clock.Now(), [writer, &clock](const absl::StatusOr<size_t>& swept) {
      if (!swept.ok()) Log(Severity::kWarning, "sweep_failed", {{"error", swept.status()}});
      const bool is_over = !swept.ok() || *swept < kApiKeysASweep;
      SweepLater(writer, clock, is_over ? kApiKeySweepInterval : kApiKeySweepStepInterval);
    });
  });
}

}  // namespace

bool IsLiveAt(const ApiKeyRow& row, absl::Time now) { return EndOf(row) > now; }

absl::Time EndOf(const ApiKeyRow& row) { return std::min(row.revoke_time, row.expire_time); }

std::vector<std::string> EndedKeysToErase(const std::vector<IdentifiedApiKey>& keys, absl::Time now) {
  std::vector<std::pair<absl::Time, std::string>> ended;
  for (const IdentifiedApiKey& key : keys)
    if (!IsLiveAt(key.row, now)) ended.emplace_back(EndOf(key.row), key.id);
  std::ranges::sort(ended);
  const size_t surplus = ended.size() > kMaxEndedApiKeys ? ended.size() - kMaxEndedApiKeys : 0;
  std::vector<std::string> erased;
  for (auto& [end, id] : ended)
    if (erased.size() < surplus || end + kEndedApiKeyLifetime < now) erased.push_back(std::move(id));
  return erased;
}

void EraseEndedKeys(Transaction& transaction, const std::string& organization, const std::vector<IdentifiedApiKey>& keys,
                    absl::Time now) {
  size_t count = 0;
  for (const std::string& id : EndedKeysToErase(keys, now))
    if (count++ < kEndedApiKeysACall) Erase(transaction, organization, id);
}

void SweepApiKeys(const Writer& writer, absl::Time now, std::function<void(absl::StatusOr<size_t>)> done) {
  const auto count = std::make_shared<size_t>(0);
  RunTransaction(
      writer,
      [count, now](Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(const KeysByOrganization ended, ReadEnded(transaction.store(), now));
        *count = 0;
        for (const auto& [organization, keys] : ended) {
          for (const std::string& id : EndedKeysToErase(keys, now)) {
            if (*count == kApiKeysASweep) return absl::OkStatus();
            Erase(transaction, organization, id);
            ++*count;
          }
        }
        return absl::OkStatus();
      },
      [count, done = std::move(done)](const absl::StatusOr<Revision>& committed) {
        if (!committed.ok()) return done(committed.status());
        done(*count);
      });
}

void KeepSweepingApiKeys(const Writer& writer, const Clock& clock) { SweepLater(writer, clock, kApiKeySweepInterval); }

}  // namespace keyferry
