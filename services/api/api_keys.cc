#include "services/api/api_keys.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/crypto/aead.h"
#include "libs/storage/keys.h"
#include "services/api/paging.h"
#include "services/api/use_case.h"

namespace keyferry {
namespace {

using SharedApiKey = std::shared_ptr<const IdentifiedApiKey>;

constexpr size_t kHmacBytes = 32;

absl::Status Rejected() {
  return MakeError(absl::StatusCode::kUnauthenticated,
                   "the API key is not valid; check it, or have an admin make a new one",
                   {.reason = "UNAUTHENTICATED"});
}

std::string HmacOf(const SecretBytes& pepper, const ParsedApiKey& key) {
  return HmacSha256(pepper, JoinParts({"keyferry API key 1", key.id, key.secret}));
}

absl::Status CheckRequest(const ApiKeyRequest& request) {
  if (request.display_name.size() > kMaxDisplayNameLength) {
    return InvalidFields("INVALID_API_KEY",
                         {{"display_name", absl::StrCat("must have at most ", kMaxDisplayNameLength, " bytes, not ",
                                                        request.display_name.size())}});
  }
  if (request.role < Role::kAdmin || request.role > Role::kViewer) {
    return InvalidFields("INVALID_API_KEY", {{"role", "must be admin, member, deployer or viewer"}});
  }
  return absl::OkStatus();
}

// A row of the index whose id no key has: whoever makes a key of the organization reads and writes it, so that of two
// at once one counts anew.
RowKey MakersRow(const std::string& organization) { return keys::ApiKeyOfOrganization(organization, ""); }

// Keys by id, emptied of one that changes. A reader that read a row before the change must not put it back after.
class ApiKeyCache {
 public:
  // Null when absent; also tells when it was asked.
  SharedApiKey Find(std::string_view id, uint64_t& asked) const {
    std::lock_guard lock(mutex_);
    asked = changes_;
    const auto key = keys_.find(std::string(id));
    return key == keys_.end() ? nullptr : key->second;
  }

  void Put(SharedApiKey key, uint64_t asked) {
    std::lock_guard lock(mutex_);
    if (asked != changes_) return;
    if (keys_.size() >= kMaxApiKeysCached) keys_.clear();
    keys_[key->id] = std::move(key);
  }

  void Clear() {
    std::lock_guard lock(mutex_);
    ++changes_;
    keys_.clear();
  }

  void Forget(const std::string& id) {
    std::lock_guard lock(mutex_);
    ++changes_;
    keys_.erase(id);
  }

 private:
  mutable std::mutex mutex_;
  uint64_t changes_ = 0;
  std::unordered_map<std::string, SharedApiKey> keys_;
};

class StoredApiKeys final : public ApiKeys {
 public:
  StoredApiKeys(const Writer& writer, const Keyring& keyring, const Clock& clock)
      : writer_(writer), keyring_(keyring), clock_(clock) {
    const RowKey all = keys::ApiKey("");
    subscription_ = writer_.store.Ring(all, PrefixEnd(all.bytes), [this] { cache_.Clear(); });
  }

  absl::StatusOr<SharedApiKey> Verify(std::string_view text) override {
    const std::optional<ParsedApiKey> parsed = ParseApiKey(text);
    if (!parsed) return Rejected();
    ASSIGN_OR_RETURN(const SharedApiKey key, Find(parsed->id));
    // An unknown key pays for the same HMAC and the same comparison as a wrong one.
    const absl::StatusOr<Keyring::Key> pepper =
        key != nullptr ? keyring_.Find(KeyPurpose::kPepper, key->row.pepper_id) : keyring_.Current(KeyPurpose::kPepper);
    if (!pepper.ok()) return key != nullptr ? Rejected() : pepper.status();
    const bool right = EqualInConstantTime(HmacOf(*pepper->bytes, *parsed),
                                           key != nullptr ? key->row.secret_hmac : std::string(kHmacBytes, '\0'));
    if (key == nullptr || !right || key->row.revoke_time <= clock_.Now()) return Rejected();
    return key;
  }

  void Make(const ApiKeyRequest& request, std::function<void(absl::StatusOr<NewApiKey>)> done) override {
    absl::StatusOr<std::shared_ptr<NewApiKey>> key = Prepare(request);
    if (!key.ok()) return done(key.status());
    const std::shared_ptr<NewApiKey> made = *key;
    RunTransaction(
        writer_,
        [this, made](Transaction& transaction) -> absl::Status {
          const auto& [id, row] = made->api_key;
          RETURN_IF_ERROR(ReadOrganization(transaction, row.organization).status());
          const RowKey makers = MakersRow(row.organization);
          RETURN_IF_ERROR(transaction.Read(makers).status());
          RETURN_IF_ERROR(CheckQuota(row.organization));
          ASSIGN_OR_RETURN(const auto taken, transaction.Read(keys::ApiKey(id)));
          if (taken) return absl::AbortedError("a key with this id exists; try again");
          transaction.Put(makers, "");
          transaction.Put(keys::ApiKey(id), Encode(row));
          transaction.Put(keys::ApiKeyOfOrganization(row.organization, id), "");
          return absl::OkStatus();
        },
        [made, done = std::move(done)](const absl::StatusOr<Revision>& revision) {
          if (!revision.ok()) return done(revision.status());
          done(std::move(*made));
        });
  }

  absl::StatusOr<std::vector<IdentifiedApiKey>> List(const std::string& organization) override {
    Transaction transaction(writer_.store);
    RETURN_IF_ERROR(ReadOrganization(transaction, organization).status());
    return KeysOf(organization);
  }

  void Revoke(const std::string& organization, const std::string& id, std::function<void(absl::Status)> done) override {
    if (!IsApiKeyId(id)) {
      return done(InvalidFields("INVALID_API_KEY_ID", {{"id", "must be the 10 characters after kf_"}}));
    }
    const absl::Time now = clock_.Now();
    RunTransaction(
        writer_,
        [organization, id, now](Transaction& transaction) -> absl::Status {
          ASSIGN_OR_RETURN(auto key, transaction.Get<ApiKeyRow>(keys::ApiKey(id)));
          if (!key || key->value.organization != organization)
            return NotFound("API_KEY_NOT_FOUND", absl::StrCat("there is no API key ", id), id);
          if (key->value.revoke_time <= now) return absl::OkStatus();
          key->value.revoke_time = now;
          transaction.Put(keys::ApiKey(id), Encode(key->value));
          return absl::OkStatus();
        },
        [this, id, done = std::move(done)](const absl::StatusOr<Revision>& revision) {
          // Before the answer: the doorbell may ring after it.
          cache_.Forget(id);
          done(revision.status());
        });
  }

 private:
  // From memory, else from the store; null when there is no such key.
  absl::StatusOr<SharedApiKey> Find(std::string_view id) {
    uint64_t asked = 0;
    if (SharedApiKey key = cache_.Find(id, asked)) return key;
    ASSIGN_OR_RETURN(SharedApiKey key, Read(std::string(id)));
    if (key != nullptr) cache_.Put(key, asked);
    return key;
  }

  absl::StatusOr<SharedApiKey> Read(const std::string& id) const {
    ASSIGN_OR_RETURN(const std::optional<Row> row, writer_.store.Get(keys::ApiKey(id)));
    if (!row) return SharedApiKey();
    ASSIGN_OR_RETURN(ApiKeyRow decoded, Decode<ApiKeyRow>(row->value));
    return std::make_shared<const IdentifiedApiKey>(IdentifiedApiKey{.id = id, .row = std::move(decoded)});
  }

  absl::StatusOr<std::shared_ptr<NewApiKey>> Prepare(const ApiKeyRequest& request) {
    RETURN_IF_ERROR(CheckRequest(request));
    ASSIGN_OR_RETURN(const Keyring::Key pepper, keyring_.Current(KeyPurpose::kPepper));
    auto made = std::make_shared<NewApiKey>(NewApiKey{.text = GenerateApiKey()});
    const ParsedApiKey parsed = *ParseApiKey(made->text.Access());
    made->api_key = {.id = std::string(parsed.id),
                     .row = {.organization = request.organization,
                             .display_name = request.display_name,
                             .role = request.role,
                             .secret_hmac = HmacOf(*pepper.bytes, parsed),
                             .pepper_id = pepper.id,
                             .author = request.author,
                             .create_time = clock_.Now()}};
    return made;
  }

  absl::StatusOr<std::vector<IdentifiedApiKey>> KeysOf(const std::string& organization) const {
    std::vector<IdentifiedApiKey> listed;
    const RowKey all = keys::ApiKeysOfOrganization(organization);
    RETURN_IF_ERROR(VisitRows(writer_.store, all, "", [&](const KeyedRow& index) -> absl::StatusOr<bool> {
      if (index.key == MakersRow(organization)) return true;
      ASSIGN_OR_RETURN(const SharedApiKey key, Read(keys::LastPart(index.key)));
      if (key != nullptr) listed.push_back(*key);
      return true;
    }));
    return listed;
  }

  absl::Status CheckQuota(const std::string& organization) const {
    ASSIGN_OR_RETURN(const std::vector<IdentifiedApiKey> keys, KeysOf(organization));
    const absl::Time now = clock_.Now();
    const auto live =
        std::count_if(keys.begin(), keys.end(), [&](const IdentifiedApiKey& key) { return key.row.revoke_time > now; });
    if (static_cast<size_t>(live) < kMaxApiKeysPerOrganization) return absl::OkStatus();
    return MakeError(absl::StatusCode::kResourceExhausted,
                     absl::StrCat("the organization has ", live, " API keys, and that is the limit; revoke one first"),
                     {.reason = "TOO_MANY_API_KEYS"});
  }

  const Writer& writer_;
  const Keyring& keyring_;
  const Clock& clock_;
  ApiKeyCache cache_;
  std::unique_ptr<Store::Subscription> subscription_;
};

}  // namespace

std::unique_ptr<ApiKeys> ApiKeys::Create(const Writer& writer, const Keyring& keyring, const Clock& clock) {
  return std::make_unique<StoredApiKeys>(writer, keyring, clock);
}

}  // namespace keyferry
