// The roots of the inner door: one PEM file, of what --client_ca holds and the region authority's certificate behind
// it, since gRPC reads roots from a file.
//
// Thread safety: Refresh from one thread at a time.
#ifndef KEYFERRY_SERVICES_API_REGION_AUTHORITY_ROOTS_H_
#define KEYFERRY_SERVICES_API_REGION_AUTHORITY_ROOTS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/common/executor.h"

namespace keyferry {

inline constexpr absl::Duration kRootsCheckInterval = absl::Seconds(10);

class RegionAuthorityRoots {
 public:
  // Writes `<directory>/inner-roots.pem`, durable on return; makes the directory (0700). FailedPrecondition: client_ca
  // holds no certificate. Unavailable: the disk's error.
  static absl::StatusOr<std::unique_ptr<RegionAuthorityRoots>> Create(const std::string& directory,
                                                                      std::string client_ca, std::string authority_pem);

  const std::string& path() const { return path_; }
  // Writes the file anew, at once as a whole, when client_ca's content is another now. FailedPrecondition: it holds no
  // certificate; the file stays.
  absl::Status Refresh();

 private:
  RegionAuthorityRoots(std::string path, std::string client_ca, std::string authority_pem)
      : path_(std::move(path)), client_ca_(std::move(client_ca)), authority_pem_(std::move(authority_pem)) {}

  const std::string path_;
  const std::string client_ca_;
  const std::string authority_pem_;
  std::string written_;
};

// Refreshes every kRootsCheckInterval until the executor ends. Both outlive that.
void KeepRefreshingRoots(Executor& executor, RegionAuthorityRoots& roots);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REGION_AUTHORITY_ROOTS_H_
