// What enrollment stands on, over an ApiScene's store, and a region `eu-1` that has no sealing key yet.
#ifndef KEYFERRY_SERVICES_API_TESTING_ENROLLMENT_SCENE_H_
#define KEYFERRY_SERVICES_API_TESTING_ENROLLMENT_SCENE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/certificate_request.h"
#include "libs/crypto/sealing_key_proof.h"
#include "libs/storage/keys.h"
#include "services/api/enrollment.h"
#include "services/api/region_provisioners.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {

inline std::string IdentityOf(const std::string& region, const std::string& id) {
  return "spiffe://keyferry.test/region/" + region + "/provisioner/" + id;
}

class EnrollmentScene : public ApiScene {
 public:
  EnrollmentScene() {
    EXPECT_THAT(Commit([&](Transaction& transaction) {
                  transaction.Put(keys::Region("eu-1"), Encode(RegionRow{.create_time = clock.Now()}));
                  return absl::OkStatus();
                }),
                IsOk());
  }

  absl::StatusOr<NewEnrollmentToken> MakeToken(const std::string& region) {
    return Await<absl::StatusOr<NewEnrollmentToken>>(
        [&](auto done) { tokens->Make(region, "spiffe://keyferry.test/operator/ada", std::move(done)); });
  }
  absl::StatusOr<NewEnrollmentToken> MakeReplacingToken(const std::string& region) {
    return Await<absl::StatusOr<NewEnrollmentToken>>(
        [&](auto done) { tokens->MakeReplacing(region, "spiffe://keyferry.test/operator/ada", std::move(done)); });
  }
  // As the guard makes it of a token.
  absl::StatusOr<Caller> Admit(const NewEnrollmentToken& token) {
    ASSIGN_OR_RETURN(const VerifiedEnrollmentToken verified, tokens->Verify(token.text.Access()));
    return Caller{.kind = CallerKind::kEnrollee, .principal = "enrollment:" + verified.id, .region = verified.region};
  }
  static Caller Provisioner(const std::string& region, const std::string& id) {
    return {
        .kind = CallerKind::kProvisioner, .principal = IdentityOf(region, id), .region = region, .provisioner_id = id};
  }

  // Both steps, as the provisioner takes them.
  absl::StatusOr<ProvisionerCertificate> Enroll(const Caller& caller, const EnrollmentAsk& ask, const RegionKey& key) {
    ASSIGN_OR_RETURN(const SealingKeyChallenge challenge, enrollment->Begin(caller, ask));
    ASSIGN_OR_RETURN(const SecretBytes proof, ProveSealingKey(key, challenge.box, challenge.context));
    return Complete(caller, ask, std::string(proof.Access()));
  }
  absl::StatusOr<ProvisionerCertificate> Enroll(const std::string& region, const std::string& id,
                                                const RegionKey& key) {
    ASSIGN_OR_RETURN(const NewEnrollmentToken token, MakeToken(region));
    ASSIGN_OR_RETURN(const Caller caller, Admit(token));
    return Enroll(caller, Ask(id, key), key);
  }
  static EnrollmentAsk Ask(const std::string& id, const RegionKey& key) {
    return {.provisioner_id = id, .sealing_key = key.public_key(), .csr = NewCertificateRequest()->csr};
  }
  absl::StatusOr<ProvisionerCertificate> Complete(const Caller& caller, const EnrollmentAsk& ask,
                                                  const std::string& proof) {
    return Await<absl::StatusOr<ProvisionerCertificate>>(
        [&](auto done) { enrollment->Complete(caller, ask, proof, std::move(done)); });
  }
  absl::StatusOr<ProvisionerCertificate> Renew(const Caller& caller,
                                               const std::string& csr = NewCertificateRequest()->csr) {
    return Await<absl::StatusOr<ProvisionerCertificate>>(
        [&](auto done) { enrollment->Renew(caller, csr, std::move(done)); });
  }
  // As somebody who holds both keys.
  absl::Status ChangeKey(const Caller& caller, const RegionKey& key, const RegionKey& present) {
    ASSIGN_OR_RETURN(const SealingKeyChallenge challenge, enrollment->BeginSealingKeyChange(caller, key.public_key()));
    ASSIGN_OR_RETURN(const std::string proof, ProofOfChange(challenge, key, present));
    return CompleteKeyChange(caller, key, proof);
  }
  static absl::StatusOr<std::string> ProofOfChange(const SealingKeyChallenge& challenge, const RegionKey& key,
                                                   const RegionKey& present) {
    std::vector<RegionKey> held;
    for (const RegionKey* each : {&key, &present}) held.push_back(*RegionKey::FromPrivate(each->private_key().Clone()));
    ASSIGN_OR_RETURN(const SecretBytes proof, ProveSealingKeyChange(held, challenge.box, challenge.context));
    return std::string(proof.Access());
  }
  absl::Status CompleteKeyChange(const Caller& caller, const RegionKey& key, const std::string& proof) {
    return Await<absl::Status>(
        [&](auto done) { enrollment->CompleteSealingKeyChange(caller, key.public_key(), proof, std::move(done)); });
  }
  absl::StatusOr<std::vector<std::string>> Revoke(const std::string& region, const std::string& id) {
    return Await<absl::StatusOr<std::vector<std::string>>>(
        [&](auto done) { provisioners->Revoke(region, id, "ada", std::move(done)); });
  }

  RegionRow Region(const std::string& code) {
    return *Decode<RegionRow>((*deps->writer.store.Get(keys::Region(code)))->value);
  }
  std::optional<ProvisionerRow> ProvisionerOf(const std::string& region, const std::string& id) {
    const std::optional<Row> row = *deps->writer.store.Get(keys::Provisioner(region, id));
    return row ? std::optional<ProvisionerRow>(*Decode<ProvisionerRow>(row->value)) : std::nullopt;
  }

  RegionDirectory directory{{.writer = deps->writer, .clock = clock, .on_rewind = [] {}}};
  std::unique_ptr<EnrollmentTokens> tokens = EnrollmentTokens::Create(deps->writer, keyring, clock);
  std::unique_ptr<RevokedIdentities> revoked = *RevokedIdentities::Create(deps->writer, clock);
  std::unique_ptr<RegionAuthority> authority = *RegionAuthority::Create(
      deps->writer, clock, {.trust_domain = "keyferry.test", .certificate_ttl = absl::Hours(1)});
  std::unique_ptr<RegionProvisioners> provisioners = RegionProvisioners::Create({.writer = deps->writer,
                                                                                 .clock = clock,
                                                                                 .directory = directory,
                                                                                 .tokens = *tokens,
                                                                                 .revoked_identities = *revoked,
                                                                                 .trust_domain = "keyferry.test"});
  std::vector<std::string> renewed;
  std::vector<std::string> key_changed;
  std::unique_ptr<Enrollment> enrollment =
      Enrollment::Create({.deps = *deps,
                          .tokens = *tokens,
                          .authority = *authority,
                          .certificate_renewed = [this](const std::string& region, const std::string& id,
                                                        absl::Time) { renewed.push_back(region + "/" + id); },
                          .sealing_key_changed = [this](const std::string& region) { key_changed.push_back(region); }});
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_ENROLLMENT_SCENE_H_
