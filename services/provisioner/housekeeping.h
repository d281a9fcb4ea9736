// Housekeeping: what goes on beside the stream: the certificate is renewed, and a new region key is told to the API.
//
// Thread safety: all methods from any thread. What the constructor takes outlives it.
#ifndef KEYFERRY_SERVICES_PROVISIONER_HOUSEKEEPING_H_
#define KEYFERRY_SERVICES_PROVISIONER_HOUSEKEEPING_H_

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "services/provisioner/api_channels.h"
#include "services/provisioner/certificate_renewal.h"
#include "services/provisioner/identity_directory.h"
#include "services/provisioner/region_keys.h"
#include "services/provisioner/sealing_key_change.h"
#include "services/provisioner/upkeep.h"

namespace keyferry {

class Housekeeping {
 public:
  // Begins at once. Without an identity somebody else renews the certificate.
  Housekeeping(const std::optional<IdentityDirectory>& identity, const RegionKeys& keys, ApiChannels& channels);

  // As SyncClientOptions::on_owned.
  void SetOwned(std::optional<std::string> sealing_key_id);
  // The keyring was read again.
  void KeysChanged();
  // nullopt: not known (yet).
  std::optional<absl::Time> CertificateExpiry() const;

 private:
  std::optional<CertificateRenewal> renewal_;
  std::optional<Upkeep> renewing_;
  SealingKeyChange key_change_;
  Upkeep changing_key_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_HOUSEKEEPING_H_
