// DeploymentMemory: what the gate lately answered to validate_only where it said yes, each answer with the rows it rests on; so that asking
// again takes neither a disk nor a key.
//
// Invariants:
//   M1  An answer counts only while each of its rows is of the revision that it was made from, and the writer of the same lineage. As no revision
//       comes back and an answer follows from its rows alone (but for times and what region_connected says), it is what the gate would say at
//       the moment of the first look.
//   M2  Find never waits: it looks at revisions in memory (Store::RevisionInMemory), and what is not there makes no answer.
//   M3  Nothing stays of an organization whose row has changed: it goes before its keys do. Bounded; what was asked for longest ago goes first.
// Answers hold names, never a value.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_DEPLOYMENT_MEMORY_H_
#define KEYFERRY_SERVICES_API_DEPLOYMENT_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libs/storage/lru_map.h"
#include "libs/storage/store.h"
#include "services/api/deployments.h"

namespace keyferry {

inline constexpr size_t kMaxDeploymentAnswers = 1024;
// Longer ones are not remembered.
inline constexpr size_t kMaxDeploymentQuestionBytes = 4096;

class DeploymentMemory {
 public:
  struct Answer {
    DeploymentView view;
    // The agent is new, and this is how many the organization may have.
    std::optional<int64_t> quota;
    uint64_t lineage = 0;
    std::vector<Precondition> rows;
  };
  // An answer, and what was last said of it.
  class Remembered {
   public:
    explicit Remembered(Answer answer) : answer_(std::move(answer)) {}

    const Answer& answer() const { return answer_; }
    std::shared_ptr<const SharedDeploymentView> Said() const {
      const std::lock_guard lock(mutex_);
      return said_;
    }
    void Say(std::shared_ptr<const SharedDeploymentView> view) const {
      const std::lock_guard lock(mutex_);
      said_ = std::move(view);
    }

   private:
    const Answer answer_;
    mutable std::mutex mutex_;
    mutable std::shared_ptr<const SharedDeploymentView> said_;
  };

  // The store outlives it.
  explicit DeploymentMemory(Store& store);

  // Null: ask the gate.
  std::shared_ptr<const Remembered> Find(const DeployRequest& request, uint64_t lineage);
  void Remember(const DeployRequest& request, Answer answer);
  size_t size() const;

 private:
  bool Holds(const Answer& answer) const;
  void DropChangedOrganizations();

  Store& store_;
  mutable std::mutex mutex_;
  LruMap<std::shared_ptr<const Remembered>> answers_{kMaxDeploymentAnswers};
  // Last: it ends before what it drops from.
  const std::unique_ptr<Store::Subscription> organizations_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_DEPLOYMENT_MEMORY_H_
