#include "services/provisioner/housekeeping.h"

#include <utility>

#include "services/provisioner/enrollment_client.h"

namespace keyferry {

Housekeeping::Housekeeping(const std::optional<IdentityDirectory>& identity, const RegionKeys& keys,
                           ApiChannels& channels)
    : key_change_({.keys = keys,
                   .change = [&channels](const RegionKeySet& keys) { return ChangeSealingKey(channels.New(), keys.all()); }}),
      changing_key_([this] { return key_change_.Step(); }) {
  if (!identity) return;
  renewal_.emplace(CertificateRenewal::Options{
      .identity = *identity,
      .renew = [&channels](const std::string& csr) { return RenewCertificate(channels.New(), csr); },
      .clock = SystemClock()});
  renewing_.emplace([this] { return renewal_->Step(); });
}

void Housekeeping::SetOwned(std::optional<std::string> sealing_key_id) {
  key_change_.SetOwned(std::move(sealing_key_id));
  changing_key_.Nudge();
}

void Housekeeping::KeysChanged() { changing_key_.Nudge(); }

std::optional<absl::Time> Housekeeping::CertificateExpiry() const {
  if (!renewal_ || renewal_->Expiry() == absl::InfinitePast()) return std::nullopt;
  return renewal_->Expiry();
}

}  // namespace keyferry
