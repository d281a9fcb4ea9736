#include "services/api/api_keys.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/crypto/aead.h"
#include "libs/storage/keys.h"
#include "services/api/api_key_cache.h"
#include "services/api/api_key_checks.h"
#include "services/api/api_key_sweep.h"
#include "services/api/api_key_uses.h"
#include "services/api/paging.h"
#include "services/api/quotas.h"
#include "services/api/shred_rows.h"
#include "services/api/use_case.h"

namespace keyferry {
namespace {

constexpr size_t kHmacBytes = 32;

absl::Status Rejected() {
  return MakeError(absl::StatusCode::kUnauthenticated,
                   "the API key is not valid; check it, or have an admin make a new one",
                   {.reason = "UNAUTHENTICATED"});
}

std::string MessageOf(const ParsedApiKey& key) { return JoinParts({"keyferry API key 1", key.id, key.secret}); }

// A row of the index whose id no key has: whoever makes a key of the organization reads and writes it, so that of two
// at once one counts anew.
RowKey MakersRow(const std::string& organization) { return keys::ApiKeyOfOrganization(organization, ""); }

// Never a key's id: looked up instead of one.
constexpr char kNoId[] = "";

absl::Time ExpiryAfter(absl::Time now, const std::optional<absl::Duration>& time_to_live) {
  return time_to_live ? now + *time_to_live : absl::InfiniteFuture();
}

absl::Status KeyNotFound(const std::string& id) {
  return NotFound("API_KEY_NOT_FOUND", absl::StrCat("there is no API key ", id), id);
}

absl::Status RotationRuns(const std::string& id, const std::string& other) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("API key ", id, " and API key ", other,
                                " of the same line are both live; revoke one of them first"),
                   {.reason = "API_KEY_ROTATION_RUNS", .metadata = {{"resource", other}}});
}

absl::Status NotLive(const std::string& id) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("API key ", id, " was revoked or has expired; make a new one"),
                   {.reason = "API_KEY_NOT_LIVE", .metadata = {{"resource", id}}});
}

class StoredApiKeys final : public ApiKeys {
 public:
  StoredApiKeys(const Writer& writer, const Keyring& keyring, const Clock& clock, Hmac hmac)
      : writer_(writer),
        keyring_(keyring),
        clock_(clock),
        hmac_(hmac ? std::move(hmac) : Hmac(HmacSha256)),
        uses_(ApiKeyUses::Create(writer)) {}

  absl::StatusOr<std::shared_ptr<const IdentifiedApiKey>> Verify(
      std::string_view text, std::shared_ptr<const IdentifiedApiKey>* ended) override {
    const std::optional<ParsedApiKey> parsed = ParseApiKey(text);
    if (!parsed) return Rejected();
    bool was_cached = false;
    ASSIGN_OR_RETURN(const SharedApiKey key, Find(parsed->id, was_cached));
    const ApiKeyRow* const row = key != nullptr ? &key->key.row : nullptr;
    const absl::Time now = clock_.Now();
    // Every key is digested, known or not; the HMAC is left out for one alone that was right and is live.
    const KeyedDigest::Bytes digest = digests_.Of(text);
    if (row != nullptr && key->verified.Is(digest) && IsLiveAt(*row, now) && !HasEnded(row->organization)) {
      NoteUse(*key, now);
      return std::shared_ptr<const IdentifiedApiKey>(key, &key->key);
    }
    // An unknown key pays for the same HMAC and the same comparison as a wrong one.
    absl::StatusOr<Keyring::Key> pepper = keyring_.Current(KeyPurpose::kPepper);
    if (row != nullptr) pepper = keyring_.Find(KeyPurpose::kPepper, row->pepper_id);
    if (!pepper.ok()) return row != nullptr ? Rejected() : pepper.status();
    const bool right = EqualInConstantTime(hmac_(*pepper->bytes, MessageOf(*parsed)),
                                           row != nullptr ? row->secret_hmac : std::string(kHmacBytes, '\0'));
    const bool known = row != nullptr && right && !HasEnded(row->organization);
    if (!known || !IsLiveAt(*row, now)) {
      if (known && ended != nullptr) *ended = std::shared_ptr<const IdentifiedApiKey>(key, &key->key);
      // One that was at hand pays for the read of one that is not.
      if (was_cached) RETURN_IF_ERROR(writer_.store.Get(keys::ApiKey(kNoId)).status());
      return Rejected();
    }
    key->verified.Note(digest);
    NoteUse(*key, now);
    return std::shared_ptr<const IdentifiedApiKey>(key, &key->key);
  }

  bool IsLive(std::string_view id) override {
    bool was_cached = false;
    const absl::StatusOr<SharedApiKey> key = Find(id, was_cached);
    if (!key.ok()) return ends_.Of(id) > clock_.Now();
    return *key != nullptr && IsLiveAt((*key)->key.row, clock_.Now()) && !HasEnded((*key)->key.row.organization);
  }

  void EndOrganization(const std::string& organization) override {
    const absl::MutexLock lock(&ended_mutex_);
    ended_.insert(organization);
    any_ended_ = true;
    cache_.Clear();
  }

  void Make(const ApiKeyRequest& request, std::function<void(absl::StatusOr<NewApiKey>)> done) override {
    if (const absl::Status invalid = CheckRequest(request); !invalid.ok()) return done(invalid);
    const absl::Time now = clock_.Now();
    auto generated = Generate({.organization = request.organization,
                               .display_name = request.display_name,
                               .role = request.role,
                               .author = request.author,
                               .create_time = now,
                               .expire_time = ExpiryAfter(now, request.time_to_live)});
    if (!generated.ok()) return done(generated.status());
    RunTransaction(
        writer_,
        [this, made = *generated](Transaction& transaction) -> absl::Status {
          const std::string& organization = made->api_key.row.organization;
          ASSIGN_OR_RETURN(const OrganizationRow row, ReadOrganization(transaction, organization));
          RETURN_IF_ERROR(transaction.Read(MakersRow(organization)).status());
          ASSIGN_OR_RETURN(const std::vector<IdentifiedApiKey> keys, KeysOf(organization));
          RETURN_IF_ERROR(CheckQuota(organization, row, keys));
          EraseEndedKeys(transaction, organization, keys, clock_.Now());
          return Write(transaction, made->api_key);
        },
        [made = *generated, done = std::move(done)](const absl::StatusOr<Revision>& revision) {
          if (!revision.ok()) return done(revision.status());
          done(std::move(*made));
        });
  }

  void Rotate(const ApiKeyRotation& rotation, std::function<void(absl::StatusOr<NewApiKey>)> done) override {
    if (const absl::Status invalid = CheckRotation(rotation); !invalid.ok()) return done(invalid);
    auto generated = Generate({.organization = rotation.organization, .author = rotation.author});
    if (!generated.ok()) return done(generated.status());
    RunTransaction(
        writer_,
        [this, rotation, made = *generated](Transaction& transaction) {
          return PlanRotation(transaction, rotation, made->api_key);
        },
        [this, id = rotation.id, end = clock_.Now() + rotation.overlap, made = *generated,
         done = std::move(done)](const absl::StatusOr<Revision>& revision) {
          cache_.Forget(id);
          if (!revision.ok()) return done(revision.status());
          ends_.Add(id, end);
          done(std::move(*made));
        });
  }

  absl::StatusOr<int64_t> CountLive(const std::string& organization) override {
    ASSIGN_OR_RETURN(const std::vector<IdentifiedApiKey> keys, KeysOf(organization));
    return CountLiveOf(keys);
  }

  absl::StatusOr<std::vector<IdentifiedApiKey>> List(const std::string& organization) override {
    Transaction transaction(writer_.store);
    RETURN_IF_ERROR(ReadOrganization(transaction, organization).status());
    ASSIGN_OR_RETURN(std::vector<IdentifiedApiKey> keys, KeysOf(organization));
    for (IdentifiedApiKey& key : keys) key.row.last_use_time = uses_->LastUseOf(key.id, key.row.last_use_time);
    return keys;
  }

  void Revoke(const std::string& organization, const std::string& id, std::function<void(absl::Status)> done) override {
    if (const absl::Status invalid = CheckId(id); !invalid.ok()) return done(invalid);
    const absl::Time now = clock_.Now();
    RunTransaction(
        writer_,
        [organization, id, now](Transaction& transaction) -> absl::Status {
          ASSIGN_OR_RETURN(auto key, transaction.Get<ApiKeyRow>(keys::ApiKey(id)));
          if (!key || key->value.organization != organization) return KeyNotFound(id);
          if (key->value.revoke_time <= now) return absl::OkStatus();
          key->value.revoke_time = now;
          transaction.Describe({.kind = "apiKey", .name = id});
          transaction.Put(keys::ApiKey(id), Encode(key->value));
          NoteRevokedApiKey(transaction, organization, id, now);
          return absl::OkStatus();
        },
        [this, id, now, done = std::move(done)](const absl::StatusOr<Revision>& revision) {
          cache_.Forget(id);
          if (revision.ok()) ends_.Add(id, now);
          done(revision.status());
        });
  }

 private:
  bool HasEnded(const std::string& organization) const {
    if (!any_ended_) return false;
    const absl::MutexLock lock(&ended_mutex_);
    return ended_.contains(organization);
  }

  // From memory, else from the store; null when there is no such key.
  absl::StatusOr<SharedApiKey> Find(std::string_view id, bool& was_cached) {
    uint64_t asked = 0;
    SharedApiKey key = cache_.Find(id, asked);
    was_cached = key != nullptr;
    if (was_cached) return key;
    ASSIGN_OR_RETURN(key, Read(std::string(id)));
    if (key != nullptr) cache_.Put(key, asked);
    return key;
  }

  absl::StatusOr<SharedApiKey> Read(const std::string& id) const {
    ASSIGN_OR_RETURN(const std::optional<Row> row, writer_.store.Get(keys::ApiKey(id)));
    if (!row) return SharedApiKey();
    auto key = std::make_shared<CachedApiKey>();
    key->key.id = id;
    ASSIGN_OR_RETURN(key->key.row, Decode<ApiKeyRow>(row->value));
    return key;
  }

  void NoteUse(const CachedApiKey& key, absl::Time now) {
    const int64_t hour = (now - absl::UnixEpoch()) / kApiKeyUseGrain;
    if (key.used_hour.load(std::memory_order_relaxed) == hour || key.used_hour.exchange(hour) == hour) return;
    uses_->Note(key.key.id, hour);
  }

  // The row gets its HMAC.
  absl::StatusOr<std::shared_ptr<NewApiKey>> Generate(ApiKeyRow row) {
    ASSIGN_OR_RETURN(const Keyring::Key pepper, keyring_.Current(KeyPurpose::kPepper));
    auto made = std::make_shared<NewApiKey>(NewApiKey{.text = GenerateApiKey()});
    const ParsedApiKey parsed = *ParseApiKey(made->text.Access());
    row.secret_hmac = hmac_(*pepper.bytes, MessageOf(parsed));
    row.pepper_id = pepper.id;
    made->api_key = {.id = std::string(parsed.id), .row = std::move(row)};
    return made;
  }

  static absl::Status Write(Transaction& transaction, const IdentifiedApiKey& key) {
    ASSIGN_OR_RETURN(const auto taken, transaction.Read(keys::ApiKey(key.id)));
    if (taken) return absl::AbortedError("a key with this id exists; try again");
    transaction.Describe({.kind = "apiKey", .name = key.id});
    transaction.Put(MakersRow(key.row.organization), "");
    transaction.Put(keys::ApiKey(key.id), Encode(key.row));
    transaction.Put(keys::ApiKeyOfOrganization(key.row.organization, key.id), "");
    return absl::OkStatus();
  }

  // The live key of the line beside this one, if there is one.
  static absl::StatusOr<std::optional<ApiKeyRow>> ReadRelative(Transaction& transaction, const std::string& id) {
    if (id.empty()) return std::nullopt;
    ASSIGN_OR_RETURN(auto key, transaction.Get<ApiKeyRow>(keys::ApiKey(id)));
    if (!key) return std::nullopt;
    return std::move(key->value);
  }

  absl::Status PlanRotation(Transaction& transaction, const ApiKeyRotation& rotation, IdentifiedApiKey& made) {
    ASSIGN_OR_RETURN(auto old, transaction.Get<ApiKeyRow>(keys::ApiKey(rotation.id)));
    if (!old || old->value.organization != rotation.organization) return KeyNotFound(rotation.id);
    RETURN_IF_ERROR(ReadOrganization(transaction, rotation.organization).status());
    ApiKeyRow& row = old->value;
    const absl::Time now = clock_.Now();
    if (!IsLiveAt(row, now)) return NotLive(rotation.id);
    ASSIGN_OR_RETURN(const std::optional<ApiKeyRow> before, ReadRelative(transaction, row.replaces));
    if (before && IsLiveAt(*before, now)) return RotationRuns(rotation.id, row.replaces);
    ASSIGN_OR_RETURN(const std::optional<ApiKeyRow> after, ReadRelative(transaction, row.replaced_by));
    if (after && IsLiveAt(*after, now)) return RotationRuns(rotation.id, row.replaced_by);

    // A key that was rotated before has lost its own end to the overlap; the one that came after it has the line's.
    const ApiKeyRow& model = after ? *after : row;
    std::optional<absl::Duration> time_to_live = rotation.time_to_live;
    if (!time_to_live && model.expire_time != absl::InfiniteFuture())
      time_to_live = model.expire_time - model.create_time;
    made.row.display_name = row.display_name;
    made.row.role = row.role;
    made.row.create_time = now;
    made.row.expire_time = ExpiryAfter(now, time_to_live);
    made.row.replaces = rotation.id;
    ASSIGN_OR_RETURN(const std::vector<IdentifiedApiKey> keys, KeysOf(rotation.organization));
    EraseEndedKeys(transaction, rotation.organization, keys, now);
    RETURN_IF_ERROR(Write(transaction, made));
    row.replaced_by = made.id;
    row.expire_time = std::min(row.expire_time, now + rotation.overlap);
    NoteApiKeyEnd(transaction, rotation.organization, rotation.id, row.expire_time);
    transaction.Put(keys::ApiKey(rotation.id), Encode(row));
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<IdentifiedApiKey>> KeysOf(const std::string& organization) const {
    std::vector<IdentifiedApiKey> listed;
    const RowKey all = keys::ApiKeysOfOrganization(organization);
    RETURN_IF_ERROR(VisitRows(writer_.store, all, "", [&](const KeyedRow& index) -> absl::StatusOr<bool> {
      if (index.key == MakersRow(organization)) return true;
      ASSIGN_OR_RETURN(const SharedApiKey key, Read(keys::LastPart(index.key)));
      if (key != nullptr) listed.push_back(key->key);
      return true;
    }));
    return listed;
  }

  int64_t CountLiveOf(const std::vector<IdentifiedApiKey>& keys) const {
    const absl::Time now = clock_.Now();
    return std::ranges::count_if(keys, [&](const IdentifiedApiKey& key) { return IsLiveAt(key.row, now); });
  }

  absl::Status CheckQuota(const std::string& organization, const OrganizationRow& row,
                          const std::vector<IdentifiedApiKey>& keys) const {
    const int64_t limit = row.max_api_keys == 0 ? kDefaultMaxApiKeys : row.max_api_keys;
    const int64_t live = CountLiveOf(keys);
    return live < limit ? absl::OkStatus() : QuotaExceeded(organization, "API keys", "max_api_keys", limit, live);
  }

  const Writer& writer_;
  const Keyring& keyring_;
  const Clock& clock_;
  const Hmac hmac_;
  const KeyedDigest digests_;
  // Nobody else writes the rows of keys while this process has the store.
  ApiKeyCache cache_;
  ApiKeyEnds ends_;
  mutable absl::Mutex ended_mutex_;
  std::set<std::string> ended_ ABSL_GUARDED_BY(ended_mutex_);
  std::atomic<bool> any_ended_ = false;
  const std::unique_ptr<ApiKeyUses> uses_;
};

}  // namespace

std::unique_ptr<ApiKeys> ApiKeys::Create(const Writer& writer, const Keyring& keyring, const Clock& clock, Hmac hmac) {
  return std::make_unique<StoredApiKeys>(writer, keyring, clock, std::move(hmac));
}

}  // namespace keyferry
