#include "services/api/enrollment_tokens.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/log.h"
#include "libs/crypto/aead.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"
#include "services/api/api_keys.h"
#include "services/api/paging.h"

namespace keyferry {
namespace {

constexpr size_t kHmacBytes = 32;
constexpr size_t kTokensASweep = 1000;
// In the place of the provisioner that has not used the token yet: no provisioner's id. A token that was used replaces
// nothing any more.
constexpr char kReplaces[] = "*";

absl::Status Rejected() {
  return MakeError(absl::StatusCode::kUnauthenticated,
                   "the enrollment token is not valid, or not any more; have an operator make a new one",
                   {.reason = "UNAUTHENTICATED"});
}

std::string HmacOf(const SecretBytes& pepper, const ParsedApiKey& token) {
  return HmacSha256(pepper, JoinParts({"keyferry enrollment token 1", token.id, token.secret}));
}

bool Counts(const EnrollmentTokenRow& row, absl::Time now) {
  return row.use_time == absl::InfiniteFuture() && row.expire_time > now;
}

// A row whose id no token has: whoever makes a token reads and writes it, so that of two at once one counts anew.
RowKey MakersRow() { return keys::EnrollmentToken(""); }

struct IdentifiedToken {
  std::string id;
  EnrollmentTokenRow row;
};

class StoredEnrollmentTokens final : public EnrollmentTokens {
 public:
  StoredEnrollmentTokens(const Writer& writer, const Keyring& keyring, const Clock& clock)
      : writer_(writer), keyring_(keyring), clock_(clock) {}

  absl::StatusOr<VerifiedEnrollmentToken> Verify(std::string_view text) override {
    const std::optional<ParsedApiKey> parsed = ParseApiKey(text, kEnrollmentTokenPrefix);
    if (!parsed) return Rejected();
    std::optional<EnrollmentTokenRow> row;
    ASSIGN_OR_RETURN(const std::optional<Row> stored, writer_.store.Get(keys::EnrollmentToken(parsed->id)));
    if (stored) {
      ASSIGN_OR_RETURN(row, Decode<EnrollmentTokenRow>(stored->value));
    }
    // An unknown token pays for the same HMAC and the same comparison as a wrong one.
    const absl::StatusOr<Keyring::Key> pepper =
        row ? keyring_.Find(KeyPurpose::kPepper, row->pepper_id) : keyring_.Current(KeyPurpose::kPepper);
    if (!pepper.ok()) return row ? Rejected() : pepper.status();
    const bool right =
        EqualInConstantTime(HmacOf(*pepper->bytes, *parsed), row ? row->secret_hmac : std::string(kHmacBytes, '\0'));
    if (!row || !right || !Counts(*row, clock_.Now())) return Rejected();
    return VerifiedEnrollmentToken{.id = std::string(parsed->id), .region = std::move(row->region)};
  }

  void Make(const std::string& region, const std::string& author,
            std::function<void(absl::StatusOr<NewEnrollmentToken>)> done) override {
    MakeFor(region, author, "", std::move(done));
  }

  void MakeReplacing(const std::string& region, const std::string& author,
                     std::function<void(absl::StatusOr<NewEnrollmentToken>)> done) override {
    MakeFor(region, author, kReplaces, std::move(done));
  }
  absl::Status UseIn(Transaction& transaction, std::string_view id, const std::string& region,
                     const std::string& provisioner_id) const override {
    ASSIGN_OR_RETURN(auto token, transaction.Get<EnrollmentTokenRow>(keys::EnrollmentToken(id)));
    const absl::Time now = clock_.Now();
    if (!token || token->value.region != region || !Counts(token->value, now)) return Rejected();
    token->value.use_time = now;
    token->value.provisioner_id = provisioner_id;
    transaction.Put(keys::EnrollmentToken(id), Encode(token->value));
    return absl::OkStatus();
  }

  absl::Status RevokeIn(Transaction& transaction, const std::string& region) const override {
    const absl::Time now = clock_.Now();
    ASSIGN_OR_RETURN(const std::vector<IdentifiedToken> live, LiveOf(region, now));
    for (const IdentifiedToken& token : live) {
      ASSIGN_OR_RETURN(auto row, transaction.Get<EnrollmentTokenRow>(keys::EnrollmentToken(token.id)));
      if (!row || !Counts(row->value, now)) continue;
      row->value.use_time = now;
      row->value.provisioner_id.clear();
      transaction.Put(keys::EnrollmentToken(token.id), Encode(row->value));
    }
    return absl::OkStatus();
  }

  void Sweep(std::function<void(absl::StatusOr<size_t>)> done) override {
    const auto count = std::make_shared<size_t>(0);
    RunTransaction(
        writer_,
        [this, count](Transaction& transaction) -> absl::Status {
          const absl::Time now = clock_.Now();
          ASSIGN_OR_RETURN(const std::vector<IdentifiedToken> all, All());
          *count = 0;
          for (const IdentifiedToken& token : all) {
            if (token.row.expire_time > now || *count == kTokensASweep) continue;
            transaction.Erase(keys::EnrollmentToken(token.id));
            ++*count;
          }
          return absl::OkStatus();
        },
        [count, done = std::move(done)](const absl::StatusOr<Revision>& committed) {
          if (!committed.ok()) return done(committed.status());
          done(*count);
        });
  }

 private:
  void MakeFor(const std::string& region, const std::string& author, const std::string& provisioner_id,
               std::function<void(absl::StatusOr<NewEnrollmentToken>)> done) {
    const absl::StatusOr<Keyring::Key> pepper = keyring_.Current(KeyPurpose::kPepper);
    if (!pepper.ok()) return done(pepper.status());
    const absl::Time now = clock_.Now();
    const auto made = std::make_shared<NewEnrollmentToken>(NewEnrollmentToken{
        .text = GenerateApiKey(kEnrollmentTokenPrefix), .expire_time = now + kEnrollmentTokenLifetime});
    const ParsedApiKey parsed = *ParseApiKey(made->text.Access(), kEnrollmentTokenPrefix);
    made->id = std::string(parsed.id);
    const EnrollmentTokenRow row{.region = region,
                                 .secret_hmac = HmacOf(*pepper->bytes, parsed),
                                 .pepper_id = pepper->id,
                                 .author = author,
                                 .create_time = now,
                                 .expire_time = made->expire_time,
                                 .provisioner_id = provisioner_id};
    RunTransaction(
        writer_, [this, id = made->id, row](Transaction& transaction) { return PlanMake(transaction, id, row); },
        [made, done = std::move(done)](const absl::StatusOr<Revision>& committed) {
          if (!committed.ok()) return done(committed.status());
          done(std::move(*made));
        });
  }

  absl::Status PlanMake(Transaction& transaction, const std::string& id, const EnrollmentTokenRow& row) const {
    const bool named = !CheckRegionCode("code", row.region);
    std::optional<Row> region;
    // Pins it: a revocation of the region's tokens comes before this or after it.
    if (named) {
      ASSIGN_OR_RETURN(region, transaction.Read(keys::Region(row.region)));
    }
    if (!region) return NotFound("REGION_NOT_FOUND", absl::StrCat("there is no region '", row.region, "'"), row.region);
    RETURN_IF_ERROR(transaction.Read(MakersRow()).status());
    ASSIGN_OR_RETURN(const std::vector<IdentifiedToken> live, LiveOf(row.region, row.create_time));
    if (live.size() >= kMaxEnrollmentTokensPerRegion) {
      return MakeError(absl::StatusCode::kResourceExhausted,
                       absl::StrCat("the region has ", live.size(),
                                    " live enrollment tokens, and that is the limit; use one, or wait until they end"),
                       {.reason = "TOO_MANY_ENROLLMENT_TOKENS", .metadata = {{"region", row.region}}});
    }
    ASSIGN_OR_RETURN(const std::optional<Row> taken, transaction.Read(keys::EnrollmentToken(id)));
    if (taken) return absl::AbortedError("a token with this id exists; try again");
    transaction.Put(MakersRow(), "");
    transaction.Put(keys::EnrollmentToken(id), Encode(row));
    transaction.Describe({.kind = "region", .name = row.region, .region = row.region});
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<IdentifiedToken>> All() const {
    std::vector<IdentifiedToken> all;
    RETURN_IF_ERROR(
        VisitRows(writer_.store, keys::EnrollmentTokens(), "", [&](const KeyedRow& row) -> absl::StatusOr<bool> {
          if (row.key == MakersRow()) return true;
          ASSIGN_OR_RETURN(EnrollmentTokenRow token, Decode<EnrollmentTokenRow>(row.row.value));
          all.push_back({keys::LastPart(row.key), std::move(token)});
          return true;
        }));
    return all;
  }

  absl::StatusOr<std::vector<IdentifiedToken>> LiveOf(const std::string& region, absl::Time now) const {
    ASSIGN_OR_RETURN(std::vector<IdentifiedToken> tokens, All());
    std::erase_if(tokens,
                  [&](const IdentifiedToken& token) { return token.row.region != region || !Counts(token.row, now); });
    return tokens;
  }

  const Writer writer_;
  const Keyring& keyring_;
  const Clock& clock_;
};

void SweepLater(const Writer& writer, EnrollmentTokens& tokens) {
  writer.executor.RunAfter(kEnrollmentTokenSweepInterval, [writer, &tokens] {
    tokens.Sweep([writer, &tokens](const absl::StatusOr<size_t>& swept) {
      if (!swept.ok()) Log(Severity::kWarning, "sweep_failed", {{"error", swept.status()}});
      SweepLater(writer, tokens);
    });
  });
}

}  // namespace

std::unique_ptr<EnrollmentTokens> EnrollmentTokens::Create(const Writer& writer, const Keyring& keyring,
                                                           const Clock& clock) {
  return std::make_unique<StoredEnrollmentTokens>(writer, keyring, clock);
}

absl::StatusOr<bool> ReplacesSealingKey(Transaction& transaction, std::string_view id) {
  ASSIGN_OR_RETURN(const auto token, transaction.Get<EnrollmentTokenRow>(keys::EnrollmentToken(id)));
  return token && token->value.provisioner_id == kReplaces;
}

void KeepSweepingEnrollmentTokens(const Writer& writer, EnrollmentTokens& tokens) { SweepLater(writer, tokens); }

}  // namespace keyferry
