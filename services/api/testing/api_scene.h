// A sealed store in memory, an organization, two regions whose private keys the test holds, and the use cases over
// them. Calls wait for their answers.
//
// Thread safety: the calls from any thread; the members as their own types say.
#ifndef KEYFERRY_SERVICES_API_TESTING_API_SCENE_H_
#define KEYFERRY_SERVICES_API_TESTING_API_SCENE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "libs/common/testing/fake_clock.h"
#include "libs/storage/testing/faulty_store.h"
#include "libs/storage/testing/memory_store.h"
#include "services/api/deployments.h"
#include "services/api/secret_sets.h"
#include "services/api/set_status.h"
#include "services/api/testing/interrupting_store.h"

namespace keyferry {

// The answer of a call that gives it to a callback.
template <typename Answer>
Answer Await(const std::function<void(std::function<void(Answer)>)>& call) {
  std::shared_ptr<std::pair<absl::Notification, std::optional<Answer>>> answer(
      new std::pair<absl::Notification, std::optional<Answer>>());
  call([answer](Answer given) {
    answer->second = std::move(given);
    answer->first.Notify();
  });
  answer->first.WaitForNotification();
  return *std::move(answer->second);
}

using KeyValues = std::vector<std::pair<std::string, std::string>>;
// What a region opened, by key.
using Opened = std::map<std::string, std::string>;

class ApiScene {
 public:
  // Organization `acme`, regions `us-west` and `us-east`, and `dark`, which is blind.
  ApiScene();

  void AddOrganization(const std::string& name, const std::string& default_region = "");
  void AddRegion(const std::string& code, bool blind = false);

  // `acme` / `apiKey:tester`.
  SetWrite Write(const std::string& set, WriteConditions conditions = {}) const;
  absl::StatusOr<SetWriteAnswer> Set(const std::string& set, const KeyValues& values, const std::string& region = "");
  absl::StatusOr<SetWriteAnswer> Set(SetWrite write, const KeyValues& values, SetMode mode = SetMode::kMerge,
                                     const std::string& region = "");
  absl::StatusOr<SetWriteAnswer> SetPull(SetWrite write, const std::string& host, const std::string& auth,
                                         const std::string& region = "");
  absl::StatusOr<SetWriteAnswer> Unset(SetWrite write, const std::string& key);
  absl::StatusOr<SetWriteAnswer> Rollback(SetWrite write, int64_t generation);
  absl::Status Delete(SetWrite write, bool force = false);
  absl::StatusOr<SecretSetView> Get(const std::string& set);
  absl::StatusOr<DeploymentView> Deploy(const Deployment& wanted, IfExists if_exists = IfExists::kRefuse,
                                        WriteConditions conditions = {});
  absl::Status DeleteDeployment(const std::string& agent, WriteConditions conditions = {});

  // The region proves, or refuses, what it shall hold now. False: that changed meanwhile.
  bool Ack(const std::string& region, const ObjectId& object, int64_t* generation = nullptr);
  bool Nack(const std::string& region, const ObjectId& object, const std::string& message);
  bool Ack(const std::string& set);
  // Set, then Ack, both of which must succeed.
  void SetReady(const std::string& set, const KeyValues& values, const std::string& region = "");
  // The region came back with another store.
  void WipeRegion(const std::string& region);

  // As the region does it, with its private key.
  Opened Open(const std::string& set);
  Opened OpenDeployment(const std::string& agent);
  // Every row there is, as the store below the barrier holds it.
  std::vector<KeyedRow> RawRows() const;
  // Of the sealing view.
  std::vector<KeyedRow> Rows() const;

  absl::StatusOr<Revision> Commit(TransactionPlan plan);

  FakeClock clock;
  std::unique_ptr<Store> memory = NewMemoryStore();
  FaultyStore faulty{*memory};
  InterruptingStore interrupting{faulty};
  Keyring keyring = Keyring::ForTest();
  std::unique_ptr<RootKeys> root_keys = KeyringRootKeys::Create(Keyring::ForTest());
  Term term;
  std::unique_ptr<Barrier> barrier;
  std::unique_ptr<SealedBoxSender> sender = SealedBoxSender::Create(clock);
  std::map<std::string, RegionKey> region_keys;
  std::unique_ptr<Executor> executor = NewThreadPool(4);
  std::unique_ptr<UseCaseDeps> deps;
  std::unique_ptr<SecretSets> sets;
  std::unique_ptr<Deployments> deployments;

 private:
  bool Observe(const std::string& region, const ObjectId& object, const Observation& said, int64_t* generation);
  void SetIncarnation(const std::string& region, const std::string& incarnation);
  Opened OpenObject(const std::string& region, const std::string& sealed_object, const std::string& set_uid);
};

inline ObjectId SetObject(const std::string& set) {
  return {.kind = ObjectKind::kSecretSet, .organization = "acme", .name = set};
}
inline ObjectId AgentObject(const std::string& agent) {
  return {.kind = ObjectKind::kDeployment, .organization = "acme", .name = agent};
}

std::vector<SecretValue> ToValues(const KeyValues& values);

// Fields of the violations, in order.
std::vector<std::string> FieldsOf(const absl::Status& status);
// Empty: not there.
std::string MetadataOf(const absl::Status& status, const std::string& name);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_API_SCENE_H_
