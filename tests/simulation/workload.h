// Clients that call the API's use cases at random, one call at a time each, and keep record of what they asked and were
// told.
//
// Thread safety: all of it belongs to one thread.
#ifndef KEYFERRY_TESTS_SIMULATION_WORKLOAD_H_
#define KEYFERRY_TESTS_SIMULATION_WORKLOAD_H_

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/api/deployments.h"
#include "services/api/secret_sets.h"
#include "tests/simulation/history.h"
#include "tests/simulation/world.h"

namespace keyferry {

class Workload {
 public:
  explicit Workload(World& world);

  void Begin();
  // No call begins any more.
  void Stop() { stopped_ = true; }
  bool idle() const;
  int call_count() const { return call_count_; }
  int done_count() const { return done_count_; }

  // What was called so far is checked, and forgotten: the API's store is another one.
  void Restored();
  // Checks the answers against each other and the end, and the audit trail against the answers.
  void CheckEnd();

 private:
  static constexpr int kClientCount = 3;
  // One call on its way: perhaps several requests, of which the newest counts.
  struct Pending {
    Call call;
    std::string request_id;
    std::string etag;
    int request_count = 0;
    std::vector<std::string> audit_ids;
  };
  // Of which answers are checked in the audit trail.
  struct Change {
    std::vector<std::string> audit_ids;
    bool certain = false;
    std::string text;
  };

  void Later(int client);
  void BeginCall(int client);
  void Choose(Call& call, int set);
  void Request(int client);
  void TimeOut(int client, int call, int request);
  void Serve(int client, const std::string& audit_id);
  void ServeWrite(const Call& call, SetWrite write, SecretSets::Done done);
  void ServeDeploy(const Call& call, const WriteConditions& conditions,
                   std::function<void(const absl::Status&, int64_t generation)> done);
  void ServeList(int client);
  void Answered(int client, int call, int request, const absl::Status& status, const SecretSet* set, bool changed);
  void Finish(int client);
  Answer AnswerOf(const Call& call, const absl::Status& status);
  void CheckHistories(bool with_end);

  World& world_;
  std::array<std::unique_ptr<Pending>, kClientCount> pending_;
  std::array<int, kClientCount> call_numbers_{};
  std::vector<std::vector<Call>> histories_;
  std::vector<SetState> begins_;
  std::vector<Change> changes_;
  // What clients saw last of a set.
  std::map<std::string, std::pair<std::string, int64_t>> etags_;
  int call_count_ = 0;
  int done_count_ = 0;
  int value_count_ = 0;
  bool stopped_ = false;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_WORKLOAD_H_
