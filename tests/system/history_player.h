// HistoryPlayer: one client of an arena. Several of them call upon one secret set and one agent, so that their calls conflict; each call and
// its answer become a line of the history. A call whose outcome is unknown is most often sent again under its request id until it is
// answered, and now and then left unknown.
//
// Thread safety: one thread a player.
#ifndef KEYFERRY_TESTS_SYSTEM_HISTORY_PLAYER_H_
#define KEYFERRY_TESTS_SYSTEM_HISTORY_PLAYER_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <random>
#include <string>

#include "keyferry/v1/deployments.grpc.pb.h"
#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "tests/system/history_record.h"
#include "tests/system/history_region.h"

namespace keyferry {

// Shared by the players of an arena.
struct Arena {
  HistoryRegion region;
  // Of the set and of the agent, for this history.
  std::string name;
  // Calls of this history that were left unknown: each one doubles what the checker has to try.
  std::atomic<int> unknown = 0;
};

struct HistoryServer {
  std::string address, token;
  std::shared_ptr<grpc::ChannelCredentials> credentials;

  std::shared_ptr<grpc::Channel> NewChannel() const;
};

class HistoryPlayer {
 public:
  HistoryPlayer(int number, uint64_t seed, const HistoryServer& server, Arena& arena, HistoryRecord& record, Gate& gate);

  // One random call.
  void Step();
  // The end of a history, alone: the set becomes READY, and what its region holds is noted; then set and agent are deleted, if so asked.
  void Close(bool remove);

 private:
  struct Answer {
    grpc::Status status;
    nlohmann::json seen;
  };
  using Attempt = std::function<grpc::Status(grpc::ClientContext*, nlohmann::json& seen)>;

  size_t Draw(size_t below) { return random_() % below; }
  std::string RandomKey() { return "KEY_" + std::to_string(Draw(4)); }
  std::string EtagOrNone();
  std::string NewRequestId();
  void PrepareContext(grpc::ClientContext& context) const;
  // Calls until the outcome is known or is to be left unknown, and notes it. `write`: an attempt may have an effect later.
  Answer Call(const std::string& function, nlohmann::json arguments, bool write, const Attempt& attempt);
  void Note(const std::string& function, nlohmann::json arguments, int64_t begin, const Answer& answer, bool unknown);
  nlohmann::json Seen(const v1::SecretSet& set);

  template <typename Request>
  void Change(const std::string& function, nlohmann::json arguments, const Request& request,
              grpc::Status (v1::SecretSets::Stub::*method)(grpc::ClientContext*, const Request&, v1::SetSecretsResponse*));
  void Set();
  void Unset();
  void Rollback();
  bool Delete(bool force);
  void Deploy();
  bool Undeploy();
  void Get();
  void GetDeployment();
  void List();
  bool WaitUntilReady();
  // `generation` was READY in a call that began at `begin`: notes what the region's files hold, unless the region is being disturbed.
  void NoteHeld(int64_t begin, long epoch, const nlohmann::json& ready);

  const std::string client_;
  std::mt19937_64 random_;
  const std::string token_;
  Arena& arena_;
  HistoryRecord& record_;
  Gate& gate_;
  std::unique_ptr<v1::SecretSets::Stub> sets_;
  std::unique_ptr<v1::Deployments::Stub> deployments_;
  uint64_t calls_ = 0;
  std::string etag_;
  int64_t generation_ = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SYSTEM_HISTORY_PLAYER_H_
