#include "services/api/enrollment.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/failpoint.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/certificate.h"
#include "libs/crypto/sealing_key_proof.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

constexpr std::string_view kEnrollPurpose = "keyferry/enrollment/v1";
constexpr std::string_view kChangePurpose = "keyferry/sealing-key-change/v1";
constexpr std::string_view kPresentKeyPurpose = "keyferry/sealing-key-change/present/v1";
constexpr std::string_view kEnrolleePrefix = "enrollment:";

absl::Status NotProved() {
  return MakeError(absl::StatusCode::kPermissionDenied,
                   "this is not what the box holds: the sealing key's private half was not proved, or the request is "
                   "not the one that the challenge was for; "
                   "begin again",
                   {.reason = "SEALING_KEY_NOT_PROVED"});
}

absl::Status NoSuchRegion(const std::string& region) {
  return NotFound("REGION_NOT_FOUND", absl::StrCat("there is no region '", region, "'"), region);
}

absl::Status Revoked(const std::string& id) {
  return MakeError(absl::StatusCode::kPermissionDenied,
                   absl::StrCat("provisioner '", id, "' is revoked for good; enroll another id with a new token"),
                   {.reason = "PROVISIONER_REVOKED", .metadata = {{"provisioner", id}}});
}

absl::Status CheckSealingKeySize(const std::string& key) {
  if (key.size() == kSealingKeyBytes) return absl::OkStatus();
  return InvalidFields(
      "INVALID_SEALING_KEY",
      {{"sealing_key", absl::StrCat("has ", key.size(), " bytes, an X25519 public key has ", kSealingKeyBytes)}});
}

absl::StatusOr<std::string> KeyOfCsr(const std::string& csr) {
  absl::StatusOr<std::string> key = PublicKeyOfCsr(csr);
  if (!key.ok()) return InvalidFields("INVALID_CSR", {{"csr", std::string(key.status().message())}});
  return key;
}

// The public key in the csr.
absl::StatusOr<std::string> CheckAsk(const EnrollmentAsk& ask) {
  if (auto violation = CheckRegionCode("provisioner_id", ask.provisioner_id)) {
    return InvalidFields("INVALID_PROVISIONER_ID", {*std::move(violation)});
  }
  RETURN_IF_ERROR(CheckSealingKeySize(ask.sealing_key));
  return KeyOfCsr(ask.csr);
}

std::string_view TokenIdOf(const Caller& caller) {
  return std::string_view(caller.principal).substr(kEnrolleePrefix.size());
}

absl::StatusOr<RegionRow> RegionOf(Transaction& transaction, const std::string& code) {
  ASSIGN_OR_RETURN(auto region, transaction.Get<RegionRow>(keys::Region(code)));
  if (!region) return NoSuchRegion(code);
  return std::move(region->value);
}

absl::Status CheckSameKey(const RegionRow& region, const std::string& sealing_key) {
  if (region.sealing_key.empty() || region.sealing_key == sealing_key) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   "the region has another sealing key; give this provisioner the key file that the region's other "
                   "provisioners have",
                   {.reason = "SEALING_KEY_MISMATCH"});
}

// A change does not wait for the one before to end: what that one still has to move may never move. A key that is one of
// the previous ones may come back.
absl::Status ReplaceKey(RegionRow& region, const std::string& sealing_key, absl::Time now) {
  std::vector<std::string>& previous = region.previous_sealing_keys;
  std::erase(previous, sealing_key);
  if (!region.sealing_key.empty()) previous.insert(previous.begin(), std::move(region.sealing_key));
  region.sealing_key = sealing_key;
  region.sealing_key_time = now;
  if (previous.size() <= kMaxPreviousSealingKeys) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("something is still sealed to each of ", kMaxPreviousSealingKeys,
                                " keys before the region's present one; see the region's status, and change the key "
                                "again when what is left was sealed again"),
                   {.reason = "SEALING_KEY_CHANGE_RUNS"});
}

// What is in the two boxes of a change.
struct ChangeSecrets {
  SecretBytes for_next;
  SecretBytes for_present;
};

class StoredEnrollment final : public Enrollment {
 public:
  explicit StoredEnrollment(Parts parts) : parts_(std::move(parts)) {}

  absl::StatusOr<SealingKeyChallenge> Begin(const Caller& caller, const EnrollmentAsk& ask) override {
    RETURN_IF_ERROR(CheckAsk(ask).status());
    Transaction transaction(parts_.deps.writer.store);
    ASSIGN_OR_RETURN(const bool replaces, ReplacesSealingKey(transaction, TokenIdOf(caller)));
    RETURN_IF_ERROR(CheckMayEnroll(transaction, caller.region, ask, replaces).status());
    ASSIGN_OR_RETURN(const SecretBytes secret, EnrollmentSecret(caller, ask));
    return Challenge(ask.sealing_key, secret, JoinParts({kEnrollPurpose, caller.region, ask.provisioner_id}));
  }

  void Complete(const Caller& caller, const EnrollmentAsk& ask, const std::string& proof,
                CertificateDone done) override {
    absl::StatusOr<ProvisionerCertificate> issued = IssueFor(caller, ask, proof);
    if (!issued.ok()) return done(std::move(issued));
    FAILPOINT("enrollment.certificate_issued");
    const auto certificate = std::make_shared<const ProvisionerCertificate>(*std::move(issued));
    RunTransaction(
        parts_.deps.writer,
        [this, certificate, region = caller.region, token = std::string(TokenIdOf(caller)),
         ask](Transaction& transaction) { return PlanComplete(transaction, region, token, ask, *certificate); },
        [certificate, done = std::move(done)](const absl::StatusOr<Revision>& committed) {
          FAILPOINT("enrollment.token_used");
          if (!committed.ok()) return done(committed.status());
          done(*certificate);
        });
  }

  void Renew(const Caller& caller, const std::string& csr, CertificateDone done) override {
    const absl::StatusOr<std::string> public_key = KeyOfCsr(csr);
    if (!public_key.ok()) return done(public_key.status());
    absl::StatusOr<ProvisionerCertificate> issued =
        parts_.authority.Issue(caller.region, caller.provisioner_id, *public_key);
    if (!issued.ok()) return done(std::move(issued));
    const auto certificate = std::make_shared<const ProvisionerCertificate>(*std::move(issued));
    RunTransaction(
        parts_.deps.writer,
        [certificate, region = caller.region, id = caller.provisioner_id](Transaction& transaction) {
          return PlanRenew(transaction, region, id, *certificate);
        },
        [this, certificate, region = caller.region, id = caller.provisioner_id,
         done = std::move(done)](const absl::StatusOr<Revision>& committed) {
          FAILPOINT("enrollment.renewed");
          if (!committed.ok()) return done(committed.status());
          if (parts_.certificate_renewed) parts_.certificate_renewed(region, id, certificate->expire_time);
          done(*certificate);
        });
  }

  absl::StatusOr<SealingKeyChallenge> BeginSealingKeyChange(const Caller& caller,
                                                            const std::string& sealing_key) override {
    RETURN_IF_ERROR(CheckSealingKeySize(sealing_key));
    Transaction transaction(parts_.deps.writer.store);
    ASSIGN_OR_RETURN(const RegionRow region, RegionOf(transaction, caller.region));
    RETURN_IF_ERROR(CheckMayChange(transaction, caller, region));
    if (region.sealing_key != sealing_key) {
      RegionRow changed = region;
      RETURN_IF_ERROR(ReplaceKey(changed, sealing_key, parts_.deps.clock.Now()));
    }
    const std::string subject = JoinParts({kChangePurpose, caller.region, caller.provisioner_id});
    ASSIGN_OR_RETURN(const ChangeSecrets secrets, SecretsOfChange(caller, region, sealing_key));
    ASSIGN_OR_RETURN(SealingKeyChallenge challenge, Challenge(sealing_key, secrets.for_next, subject));
    ASSIGN_OR_RETURN(const SealingKeyChallenge present, Challenge(region.sealing_key, secrets.for_present, subject));
    challenge.box = JoinBoxes(challenge.box, present.box);
    return challenge;
  }

  void CompleteSealingKeyChange(const Caller& caller, const std::string& sealing_key, const std::string& proof,
                                std::function<void(absl::Status)> done) override {
    if (absl::Status invalid = CheckSealingKeySize(sealing_key); !invalid.ok()) return done(std::move(invalid));
    RunTransaction(
        parts_.deps.writer,
        [this, caller, sealing_key, proof](Transaction& transaction) {
          return PlanChange(transaction, caller, sealing_key, proof);
        },
        [this, region = caller.region, done = std::move(done)](const absl::StatusOr<Revision>& committed) {
          FAILPOINT("sealing_key.change_committed");
          if (committed.ok() && parts_.sealing_key_changed) parts_.sealing_key_changed(region);
          done(committed.status());
        });
  }

 private:
  // The region's row, when a certificate may be given out.
  absl::StatusOr<RegionRow> CheckMayEnroll(Transaction& transaction, const std::string& region_code,
                                           const EnrollmentAsk& ask, bool replaces_key) const {
    ASSIGN_OR_RETURN(RegionRow region, RegionOf(transaction, region_code));
    if (!replaces_key) RETURN_IF_ERROR(CheckSameKey(region, ask.sealing_key));
    ASSIGN_OR_RETURN(const auto known, transaction.Get<ProvisionerRow>(keys::Provisioner(region_code, ask.provisioner_id)));
    const std::string spiffe_id = parts_.authority.SpiffeIdOf(region_code, ask.provisioner_id);
    ASSIGN_OR_RETURN(const std::optional<Row> revoked, transaction.Read(keys::RevokedIdentity(spiffe_id)));
    const bool is_revoked = revoked || (known && known->value.revoke_time != absl::InfiniteFuture());
    // One whose last certificate ran out could not renew it: it comes back with a token, under its own name.
    if (!is_revoked && (!known || known->value.certificate_expiry <= parts_.deps.clock.Now())) return region;
    const std::string why = is_revoked ? "is revoked, and its id is never given again"
                                       : absl::StrCat("has a certificate until ", absl::FormatTime(known->value.certificate_expiry, absl::UTCTimeZone()));
    return MakeError(absl::StatusCode::kAlreadyExists, absl::StrCat("provisioner '", ask.provisioner_id, "' ", why, "; choose another id"),
                     {.reason = "PROVISIONER_EXISTS", .metadata = {{"provisioner", ask.provisioner_id}}});
  }

  absl::StatusOr<ProvisionerCertificate> IssueFor(const Caller& caller, const EnrollmentAsk& ask,
                                                  const std::string& proof) const {
    ASSIGN_OR_RETURN(const std::string public_key, CheckAsk(ask));
    ASSIGN_OR_RETURN(const SecretBytes secret, EnrollmentSecret(caller, ask));
    if (!EqualInConstantTime(secret.Access(), proof)) return NotProved();
    return parts_.authority.Issue(caller.region, ask.provisioner_id, public_key);
  }

  absl::Status PlanComplete(Transaction& transaction, const std::string& region_code, const std::string& token,
                            const EnrollmentAsk& ask, const ProvisionerCertificate& certificate) const {
    ASSIGN_OR_RETURN(const bool replaces, ReplacesSealingKey(transaction, token));
    RETURN_IF_ERROR(parts_.tokens.UseIn(transaction, token, region_code, ask.provisioner_id));
    ASSIGN_OR_RETURN(RegionRow region, CheckMayEnroll(transaction, region_code, ask, replaces));
    const absl::Time now = parts_.deps.clock.Now();
    if (region.sealing_key != ask.sealing_key) {
      RETURN_IF_ERROR(ReplaceKey(region, ask.sealing_key, now));
      transaction.Put(keys::Region(region_code), Encode(region));
    }
    transaction.Put(keys::Provisioner(region_code, ask.provisioner_id),
                    Encode(ProvisionerRow{.enroll_time = now,
                                          .certificate_expiry = certificate.expire_time,
                                          .certificate_serial = certificate.serial}));
    transaction.Describe({.kind = "provisioner", .name = ask.provisioner_id, .region = region_code});
    return absl::OkStatus();
  }

  static absl::Status PlanRenew(Transaction& transaction, const std::string& region, const std::string& id,
                                const ProvisionerCertificate& certificate) {
    ASSIGN_OR_RETURN(auto row, transaction.Get<ProvisionerRow>(keys::Provisioner(region, id)));
    if (!row) {
      return NotFound("PROVISIONER_NOT_FOUND",
                      absl::StrCat("provisioner '", id, "' did not enroll; who issued its certificate renews it"), id);
    }
    ASSIGN_OR_RETURN(const std::optional<Row> revoked, transaction.Read(keys::RevokedIdentity(certificate.spiffe_id)));
    if (revoked || row->value.revoke_time != absl::InfiniteFuture()) return Revoked(id);
    row->value.certificate_expiry = std::max(row->value.certificate_expiry, certificate.expire_time);
    row->value.certificate_serial = certificate.serial;
    transaction.Put(keys::Provisioner(region, id), Encode(row->value));
    transaction.Describe({.kind = "provisioner", .name = id, .region = region});
    return absl::OkStatus();
  }

  absl::Status PlanChange(Transaction& transaction, const Caller& caller, const std::string& sealing_key,
                          const std::string& proof) const {
    ASSIGN_OR_RETURN(RegionRow region, RegionOf(transaction, caller.region));
    RETURN_IF_ERROR(CheckMayChange(transaction, caller, region));
    // The answer to the first time was lost.
    if (region.sealing_key == sealing_key) return absl::OkStatus();
    ASSIGN_OR_RETURN(const ChangeSecrets secrets, SecretsOfChange(caller, region, sealing_key));
    const SecretBytes expected = JoinProofs(secrets.for_next, secrets.for_present);
    if (!EqualInConstantTime(expected.Access(), proof)) return NotProved();
    RETURN_IF_ERROR(ReplaceKey(region, sealing_key, parts_.deps.clock.Now()));
    transaction.Put(keys::Region(caller.region), Encode(region));
    transaction.Describe({.kind = "region", .name = caller.region, .region = caller.region});
    return absl::OkStatus();
  }

  // Pins what a revocation writes: of the two at the same moment one fails.
  static absl::Status CheckMayChange(Transaction& transaction, const Caller& caller, const RegionRow& region) {
    ASSIGN_OR_RETURN(const std::optional<Row> revoked, transaction.Read(keys::RevokedIdentity(caller.principal)));
    ASSIGN_OR_RETURN(const auto row,
                     transaction.Get<ProvisionerRow>(keys::Provisioner(caller.region, caller.provisioner_id)));
    if (revoked || (row && row->value.revoke_time != absl::InfiniteFuture())) return Revoked(caller.provisioner_id);
    if (!region.sealing_key.empty()) return absl::OkStatus();
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     "the region has no sealing key yet; its first provisioner brings it when it enrolls",
                     {.reason = "REGION_NOT_ENROLLED"});
  }

  absl::StatusOr<SealingKeyChallenge> Challenge(const std::string& sealing_key, const SecretBytes& secret,
                                                const std::string& subject) const {
    SealingKeyChallenge challenge{.context = SealingKeyProofContext(subject)};
    absl::StatusOr<std::string> box = parts_.deps.sender.Seal(sealing_key, secret, challenge.context);
    if (!box.ok()) return InvalidFields("INVALID_SEALING_KEY", {{"sealing_key", std::string(box.status().message())}});
    challenge.box = *std::move(box);
    return challenge;
  }

  absl::StatusOr<SecretBytes> EnrollmentSecret(const Caller& caller, const EnrollmentAsk& ask) const {
    return SecretOf(JoinParts(
        {kEnrollPurpose, TokenIdOf(caller), caller.region, ask.provisioner_id, ask.sealing_key, Sha256(ask.csr)}));
  }

  // Of this change alone: the proof is worth nothing once the region has another key.
  absl::StatusOr<ChangeSecrets> SecretsOfChange(const Caller& caller, const RegionRow& region,
                                                const std::string& sealing_key) const {
    const std::string change = JoinParts({caller.region, caller.provisioner_id, region.sealing_key, sealing_key});
    ASSIGN_OR_RETURN(SecretBytes for_next, SecretOf(JoinParts({kChangePurpose, change})));
    ASSIGN_OR_RETURN(SecretBytes for_present, SecretOf(JoinParts({kPresentKeyPurpose, change})));
    return ChangeSecrets{.for_next = std::move(for_next), .for_present = std::move(for_present)};
  }

  // The fingerprint key is the one of the system's keys that no rotation changes.
  absl::StatusOr<SecretBytes> SecretOf(const std::string& what) const {
    ASSIGN_OR_RETURN(const auto system, parts_.deps.barrier.KeysOf(""));
    const SecretBytes key =
        HkdfSha256(system->fingerprint.Access(), "", "keyferry/sealing-key-challenge/v1", kKeyBytes);
    return SecretBytes::Take(HmacSha256(key, what));
  }

  const Parts parts_;
};

}  // namespace

std::unique_ptr<Enrollment> Enrollment::Create(Parts parts) {
  return std::make_unique<StoredEnrollment>(std::move(parts));
}

}  // namespace keyferry
