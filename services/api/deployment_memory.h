// DeploymentMemory: what the gate lately answered to validate_only where it said yes, each answer with the rows it rests on; so that asking
// again takes neither a disk nor a key.
//
// Invariants:
//   M1  An answer counts only while each of its rows is of the revision that it was made from, and the writer of the same lineage. As no revision
//       comes back and an answer follows from its rows alone (but for times and what region_connected says), it is what the gate would say at
//       the moment of the first look. What is absent (revision 0) may come and go again, so it is looked at first; of no answer two rows are absent.
//   M2  Find never waits: it looks at revisions in memory (Store::RevisionInMemory), and what is not there makes no answer.
//   M3  Nothing stays of an organization whose row has changed: it goes before its keys do. Bounded, over all organizations; what was asked
//       for longest ago goes first: who asks much makes others slower, never wrong.
// Answers hold names, never a value.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_DEPLOYMENT_MEMORY_H_
#define KEYFERRY_SERVICES_API_DEPLOYMENT_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/storage/lru_map.h"
#include "libs/storage/store.h"
#include "services/api/deployments.h"

namespace keyferry {

inline constexpr size_t kMaxDeploymentAnswers = 1024;
// Longer ones are not remembered.
inline constexpr size_t kMaxDeploymentQuestionBytes = 4096;
// As WireBytesOf; of each there are three copies at most.
inline constexpr size_t kMaxDeploymentAnswerBytes = 8192;

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
      const absl::MutexLock lock(&mutex_);
      return said_;
    }
    void Say(std::shared_ptr<const SharedDeploymentView> view) const {
      const absl::MutexLock lock(&mutex_);
      said_ = std::move(view);
    }

   private:
    const Answer answer_;
    mutable absl::Mutex mutex_;
    mutable std::shared_ptr<const SharedDeploymentView> said_ ABSL_GUARDED_BY(mutex_);
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
  mutable absl::Mutex mutex_;
  LruMap<std::shared_ptr<const Remembered>> answers_ ABSL_GUARDED_BY(mutex_){kMaxDeploymentAnswers};
  // Last: it ends before what it drops from.
  const std::unique_ptr<Store::Subscription> organizations_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_DEPLOYMENT_MEMORY_H_
