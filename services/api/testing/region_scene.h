// An API without gRPC on one thread: store, clock, executor and directory, and the use cases' side of placements.
#ifndef KEYFERRY_SERVICES_API_TESTING_REGION_SCENE_H_
#define KEYFERRY_SERVICES_API_TESTING_REGION_SCENE_H_

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "libs/common/testing/fake_clock.h"
#include "libs/model/placement.h"
#include "services/api/placement_rows.h"
#include "services/api/placements.h"
#include "services/api/region_directory.h"
#include "services/api/testing/manual_executor.h"
#include "services/api/testing/stepped_store.h"

namespace keyferry {

std::string SealingKeyOf(const std::string& region);
// A secret set of organization `acme`.
ObjectId SetNamed(const std::string& name);

class RegionScene {
 public:
  explicit RegionScene(ManualExecutor::Pick pick = nullptr);
  ~RegionScene();

  FakeClock& clock() { return clock_; }
  ManualExecutor& executor() { return executor_; }
  SteppedStore& store() { return store_; }
  RegionDirectory& directory() { return *directory_; }
  const Writer& writer() const { return writer_; }
  uint64_t lineage() const { return term_.lineage; }
  int rewind_count() const { return rewind_count_; }
  // How often regions' streams went to work since the scene began, where those do that keep up, and where the others do.
  int prompt_count() const { return prompt_.count; }
  int background_count() const { return background_.count; }
  double random = 1;
  // SPIFFE ids `spiffe://keyferry.test/region/<region>/provisioner/<id>` that count no longer.
  std::set<std::string> revoked;

  void CreateRegion(const std::string& code);
  // Runs it to its end.
  absl::Status Commit(TransactionPlan plan);
  // Begins it only.
  void CommitLater(TransactionPlan plan);
  // Writes the object's next generation and places it. Answers the payload.
  std::string Write(const std::string& region, const std::string& name, size_t bytes = 20);
  TransactionPlan WritePlan(const std::string& region, const ObjectId& object, const std::string& payload, const std::string& uid);
  void Erase(const std::string& region, const std::string& name);

  PlacementRows Rows(const std::string& region, const ObjectId& object);
  std::optional<Readiness> ReadinessOf(const std::string& region, const ObjectId& object);
  RegionStateRow State(const std::string& region);
  // Of both indexes.
  size_t IndexEntries() { return store_.AllOf(Family::kPending).size(); }

  // Kills the API: nothing under way is written; the store stays.
  void CrashApi();

 private:
  void OpenDirectory();
  void EndDirectory();

  // The same executor, counted.
  struct Counted final : Executor {
    explicit Counted(Executor& beneath) : beneath(beneath) {}
    void Run(std::function<void()> work) override {
      ++count;
      beneath.Run(std::move(work));
    }
    void RunAfter(absl::Duration delay, std::function<void()> work) override { beneath.RunAfter(delay, std::move(work)); }
    Executor& beneath;
    int count = 0;
  };

  FakeClock clock_;
  ManualExecutor executor_;
  Counted prompt_{executor_}, background_{executor_};
  SteppedStore store_;
  Term term_;
  Writer writer_;
  int rewind_count_ = 0;
  int generation_ = 0;
  std::unique_ptr<RegionDirectory> directory_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_REGION_SCENE_H_
