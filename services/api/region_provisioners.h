// Provisioners of regions: those with a stream, those that enrolled, and their end.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_REGION_PROVISIONERS_H_
#define KEYFERRY_SERVICES_API_REGION_PROVISIONERS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "libs/storage/codec.h"
#include "services/api/enrollment_tokens.h"
#include "services/api/region_directory.h"
#include "services/api/revoked_identities.h"
#include "services/api/transaction.h"

namespace keyferry {

struct KnownProvisioner {
  std::string id;
  // nullopt: it has no stream.
  std::optional<SessionSummary> session;
  // nullopt: it did not enroll, its certificate is of --client_ca.
  std::optional<ProvisionerRow> row;
};

class RegionProvisioners {
 public:
  struct Parts {
    Writer writer;
    const Clock& clock;
    const RegionDirectory& directory;
    EnrollmentTokens& tokens;
    RevokedIdentities& revoked_identities;
    std::string trust_domain;
  };
  // All of the parts outlives it.
  static std::unique_ptr<RegionProvisioners> Create(Parts parts);
  virtual ~RegionProvisioners() = default;

  // The owner first, then the others with a stream, then those without in order of id.
  virtual absl::StatusOr<std::vector<KnownProvisioner>> List(const std::string& region) = 0;
  // One, known or not, or, when the id is empty, all that List tells, in one commit with the region's unused tokens; the
  // ids that were not revoked before. NotFound: REGION_NOT_FOUND, PROVISIONER_NOT_FOUND (no valid id).
  virtual void Revoke(const std::string& region, const std::string& provisioner_id, const std::string& author,
                      std::function<void(absl::StatusOr<std::vector<std::string>>)> done) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REGION_PROVISIONERS_H_
