// SecretSets: the writes of secret sets. Each is one plan on a Transaction: it reads the set as it is, checks, seals,
// and leaves the set's row, its generation and what its region shall hold to one commit.
//
// Invariants:
//   W1  A write that is refused changes nothing; one that is answered is durable whole.
//   W2  The set's row, its newest generation and its placement's desired state name the same uid, generation and
//   digest. W3  A write that changes nothing makes no generation. Where the region had failed, it is asked again to
//   take the one there is. W4  No value is opened, and none reaches an error, the log or the store unsealed.
//
// Errors of every write: NotFound ORGANIZATION_NOT_FOUND, SECRET_SET_NOT_FOUND; InvalidArgument INVALID_*; Aborted
// ETAG_MISMATCH, CONCURRENT_MODIFICATION; AlreadyExists REQUEST_ID_REUSED; the store's.
//
// Thread safety: all methods from any thread; none blocks, but that a call's own thread may make its commit (commit_here.h). `done` is called once, on a thread of
// the executor or of the store.
#ifndef KEYFERRY_SERVICES_API_SECRET_SETS_H_
#define KEYFERRY_SERVICES_API_SECRET_SETS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/api/secret_values.h"
#include "services/api/set_status.h"
#include "services/api/use_case.h"

namespace keyferry {

// Which set, who writes it, and the conventions of every write.
struct SetWrite {
  std::string organization;
  std::string name;
  std::string author;
  WriteConditions conditions;
};

enum class SetMode {
  // Adds or overwrites these keys, keeps the others.
  kMerge,
  kReplaceAll,
};

struct SetWriteAnswer {
  SecretSetView view;
  bool changed = false;
};

class SecretSets {
 public:
  using Done = std::function<void(absl::StatusOr<SetWriteAnswer>)>;

  // The deps' referents outlive this and every call of it.
  explicit SecretSets(const UseCaseDeps& deps) : deps_(deps) {}

  // Creates the set, in `region` or the organization's default, or changes it. InvalidArgument REGION_MISMATCH,
  // TYPE_IMMUTABLE, UNKNOWN_REGION.
  void Set(SetWrite write, std::string region, SetMode mode, std::vector<SecretValue> values, Done done) const;
  void SetImagePullSecret(SetWrite write, std::string region, std::string host, SecretBytes auth, Done done) const;
  // NotFound SECRET_NOT_FOUND. The set stays when its last key goes: what binds it must not break, and its name is not
  // given away.
  void Unset(SetWrite write, std::string key, Done done) const;
  // NotFound GENERATION_NOT_FOUND.
  void Rollback(SetWrite write, int64_t generation, Done done) const;
  // Aborted SECRET_SET_IN_USE with the deployments, unless `force`.
  void Delete(SetWrite write, bool force, std::function<void(absl::Status)> done) const;

 private:
  const UseCaseDeps deps_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SECRET_SETS_H_
