// keyferry.v1.Enrollment from the provisioner's side.
//
// Thread safety: all functions from any thread. Each blocks until it is answered, 20 s at most.
#ifndef KEYFERRY_SERVICES_PROVISIONER_ENROLLMENT_CLIENT_H_
#define KEYFERRY_SERVICES_PROVISIONER_ENROLLMENT_CLIENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/crypto/sealed_box.h"
#include "services/provisioner/identity_directory.h"

namespace grpc {
class Channel;
}

namespace keyferry {

struct IssuedCertificate {
  // As the API says; its provisioner_id is the last part of the SPIFFE id.
  Identity identity;
  // PEM.
  std::string chain;
};

// Proves the region's key and uses up the token. channel: to the edge door. csr: DER.
// What the API says, with its reason; FailedPrecondition: what it asked to be opened is no challenge; DataLoss: it is
// none for this key.
absl::StatusOr<IssuedCertificate> Enroll(const std::shared_ptr<grpc::Channel>& channel,
                                         const std::string& provisioner_id, const RegionKey& key,
                                         const std::string& csr, const SecretBytes& token);

// channel: to the inner door, with the present certificate.
absl::StatusOr<IssuedCertificate> RenewCertificate(const std::shared_ptr<grpc::Channel>& channel,
                                                   const std::string& csr);

// Proves the first of these keys, and that the region's present one is among them, and makes the first the one that the
// API seals to. channel: as for RenewCertificate.
absl::Status ChangeSealingKey(const std::shared_ptr<grpc::Channel>& channel, const std::vector<RegionKey>& held);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_ENROLLMENT_CLIENT_H_
