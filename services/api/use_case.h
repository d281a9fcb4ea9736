// What every use case stands on, and the conventions that all writes share (proto/keyferry/v1/secret_sets.proto).
//
// Thread safety: free functions; UseCaseDeps is immutable.
#ifndef KEYFERRY_SERVICES_API_USE_CASE_H_
#define KEYFERRY_SERVICES_API_USE_CASE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "libs/crypto/sealed_box.h"
#include "libs/storage/barrier.h"
#include "services/api/transaction.h"
#include "services/api/violations.h"

namespace keyferry {

class Quotas;

// All of it outlives the use cases. writer.store is the barrier's.
struct UseCaseDeps {
  Writer writer;
  Barrier& barrier;
  SealedBoxSender& sender;
  const Clock& clock;
  // Whether a provisioner of the region is connected. May be empty: then nothing is said about it.
  std::function<bool(const std::string& region)> region_connected;
  // May be null: then there are none.
  Quotas* quotas = nullptr;
};

struct WriteConditions {
  std::string etag;
  std::string request_id;
  bool validate_only = false;
};

// What a write is about, for the texts of its conflicts.
struct WriteSubject {
  // `secret set`
  std::string_view noun;
  // Its name in an error's metadata: `secretSet`.
  std::string_view metadata_key;
  std::string name;
};

inline constexpr char kDefaultRegion[] = "us-west";

// NotFound ORGANIZATION_NOT_FOUND, InvalidArgument INVALID_ORGANIZATION.
absl::StatusOr<OrganizationRow> ReadOrganization(Transaction& transaction, const std::string& organization);
// The organization's property, or us-west.
std::string DefaultRegionOf(const OrganizationRow& organization);
// InvalidArgument UNKNOWN_REGION, which lists the regions there are.
absl::StatusOr<RegionRow> ReadRegion(Transaction& transaction, std::string_view field, const std::string& region);

void CheckConditions(const WriteConditions& conditions, Violations& violations);
// Aborted ETAG_MISMATCH with the current etag, unless `etag` is empty or equal. `current` is empty when there is no
// such object. Names the subject where there is one.
absl::Status CheckEtag(std::string_view etag, std::string_view current,
                       const std::optional<WriteSubject>& subject = std::nullopt);
// A transaction's CONCURRENT_MODIFICATION with its subject's name; any other status, and one without a subject, as it is.
absl::Status NameConflict(absl::Status status, const std::optional<WriteSubject>& subject);

// Runs `plan` as a transaction, with validate_only without what it would write, and hands on its answer. Conflicts name
// the subject.
template <typename Answer>
void RunUseCase(const UseCaseDeps& deps, bool validate_only, std::function<absl::StatusOr<Answer>(Transaction&)> plan,
                std::function<void(absl::StatusOr<Answer>)> done, std::optional<WriteSubject> subject = std::nullopt) {
  auto answer = std::make_shared<std::optional<Answer>>();
  RunTransaction(
      deps.writer,
      [plan = std::move(plan), answer, validate_only](Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(*answer, plan(transaction));
        if (validate_only) transaction.DropWrites();
        return absl::OkStatus();
      },
      [answer, done = std::move(done), subject = std::move(subject)](absl::StatusOr<Revision> committed) {
        if (!committed.ok()) return done(NameConflict(std::move(committed).status(), subject));
        done(std::move(**answer));
      });
}

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_USE_CASE_H_
