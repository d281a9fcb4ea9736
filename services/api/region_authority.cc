#include "services/api/region_authority.h"

#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "libs/storage/codec.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

// Clocks of regions run behind ours by some minutes at most.
constexpr absl::Duration kClockSkew = absl::Minutes(5);
constexpr double kEarliestRenewal = 0.45;
constexpr double kLatestRenewal = 0.55;

double RenewalShare() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(kEarliestRenewal, kLatestRenewal)(random);
}

absl::StatusOr<RegionAuthorityRow> NewAuthority(absl::Time now) {
  ASSIGN_OR_RETURN(const CertificateAuthority authority,
                   CertificateAuthority::Make("keyferry region authority", now - kClockSkew));
  return RegionAuthorityRow{.certificate_pem = authority.certificate_pem(),
                            .private_key = std::string(authority.PrivateKey().Access()),
                            .create_time = now};
}

absl::StatusOr<RegionAuthorityRow> FindOrMake(const Writer& writer, const Clock& clock) {
  absl::Notification done;
  absl::Status result;
  std::optional<RegionAuthorityRow> found;
  RunTransaction(
      writer,
      [&](Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(auto stored, transaction.Get<RegionAuthorityRow>(keys::RegionAuthority()));
        if (stored) {
          found = std::move(stored->value);
          return absl::OkStatus();
        }
        ASSIGN_OR_RETURN(found, NewAuthority(clock.Now()));
        transaction.Put(keys::RegionAuthority(), Encode(*found));
        return absl::OkStatus();
      },
      [&](const absl::StatusOr<Revision>& committed) {
        result = committed.status();
        done.Notify();
      });
  done.WaitForNotification();
  if (!result.ok()) return result;
  return *std::move(found);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RegionAuthority>> RegionAuthority::Create(const Writer& writer, const Clock& clock,
                                                                         Options options) {
  if (options.certificate_ttl < kMinCertificateTtl || options.certificate_ttl > kMaxCertificateTtl) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a provisioner's certificate must live ", absl::FormatDuration(kMinCertificateTtl), " to ",
        absl::FormatDuration(kMaxCertificateTtl), ", not ", absl::FormatDuration(options.certificate_ttl)));
  }
  ASSIGN_OR_RETURN(RegionAuthorityRow row, FindOrMake(writer, clock));
  const SecretBytes private_key = SecretBytes::Take(std::move(row.private_key));
  ASSIGN_OR_RETURN(CertificateAuthority authority, CertificateAuthority::Load(row.certificate_pem, private_key));
  return std::unique_ptr<RegionAuthority>(new RegionAuthority(std::move(authority), clock, std::move(options)));
}

std::string RegionAuthority::SpiffeIdOf(const std::string& region, const std::string& provisioner_id) const {
  return absl::StrCat("spiffe://", options_.trust_domain, "/region/", region, "/provisioner/", provisioner_id);
}

absl::StatusOr<ProvisionerCertificate> RegionAuthority::Issue(const std::string& region,
                                                              const std::string& provisioner_id,
                                                              const std::string& public_key) const {
  const absl::Time now = clock_.Now();
  ProvisionerCertificate issued{.spiffe_id = SpiffeIdOf(region, provisioner_id)};
  const absl::StatusOr<std::string> leaf = authority_.Issue({.public_key = public_key,
                                                             .spiffe_id = issued.spiffe_id,
                                                             .not_before = now - kClockSkew,
                                                             .not_after = now + options_.certificate_ttl});
  if (!leaf.ok())
    return absl::InternalError(absl::StrCat("the region authority issues no certificate: ", leaf.status().message()));
  ASSIGN_OR_RETURN(const CertificateFacts facts, ReadCertificate(*leaf));
  issued.chain = *leaf + certificate_pem();
  issued.serial = facts.serial;
  issued.expire_time = facts.not_after;
  issued.renew_time = now + (facts.not_after - now) * RenewalShare();
  return issued;
}

}  // namespace keyferry
