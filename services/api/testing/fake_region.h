// A region's store as docs/provisioning-protocol.md wants it: compare and apply, tombstones, a floor, sweeps. And a provisioner on it that a test scripts.
#ifndef KEYFERRY_SERVICES_API_TESTING_FAKE_REGION_H_
#define KEYFERRY_SERVICES_API_TESTING_FAKE_REGION_H_

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "keyferry/v1/provisioning.pb.h"
#include "services/api/region_directory.h"
#include "services/api/testing/region_scene.h"

namespace keyferry {

struct FakeObject {
  std::string uid;
  uint64_t revision = 0;
  bool deleted = false;
  std::string payload;
};

// What survives a provisioner.
class FakeRegion {
 public:
  explicit FakeRegion(std::string code, char incarnation = 'i') : code_(std::move(code)), incarnation_(16, incarnation) {}

  // Applies by the rule and answers; objects in `failing` answer FAILED with that ack's error.
  v1::Ack Apply(const v1::Event& event);
  void RaiseFloor(uint64_t floor);
  void Wipe(char incarnation);
  // Loses one object, without a trace.
  void Lose(const ObjectId& object) {
    objects_.erase(object);
    highest_.erase(object);
  }

  // The payload that it holds live; nullopt: none.
  std::optional<std::string> Held(const ObjectId& object) const;
  const std::string& code() const { return code_; }
  const std::string& incarnation() const { return incarnation_; }
  uint64_t max_revision_seen() const { return max_revision_seen_; }
  uint64_t floor() const { return floor_; }
  std::map<ObjectId, FakeObject>& objects() { return objects_; }
  std::map<ObjectId, v1::Ack> failing;
  // A revision of an object was replaced by a lower one.
  bool went_back = false;

 private:
  std::string code_;
  std::string incarnation_;
  std::map<ObjectId, FakeObject> objects_;
  uint64_t floor_ = 0;
  uint64_t max_revision_seen_ = 0;
  std::map<ObjectId, uint64_t> highest_;
};

// One stream. Keeps what the API sent until the test has it worked off.
class FakeProvisioner {
 public:
  FakeProvisioner(FakeRegion& region, RegionDirectory& directory, const std::string& id, char boot_id = 'b',
                  absl::Time certificate_expiry = absl::InfiniteFuture());
  ~FakeProvisioner();

  v1::Hello MakeHello() const;
  void SayHello() { SayHello(MakeHello()); }
  void SayHello(const v1::Hello& hello);
  void Say(v1::ProvisionerMessage message);
  void Heartbeat();
  void Ack(const v1::Event& event) { Ack(region_.Apply(event)); }
  void Ack(v1::Ack ack);
  // The stream breaks.
  void Break();
  // It has no more to say.
  void HalfClose();

  // What came and was not taken yet.
  std::deque<v1::ApiMessage>& inbox() { return inbox_; }
  // Works off the oldest message: applies and acks events, learns epochs and floors, sweeps, reports drift, answers inventories.
  // False: the inbox is empty.
  bool WorkOne();
  void WorkAll() {
    while (WorkOne()) {
    }
  }
  // Takes the oldest events out of the inbox, without answering; other messages before them are worked off.
  std::vector<v1::Event> TakeEvents();

  const std::optional<absl::Status>& finished() const { return finished_; }
  uint64_t epoch() const { return epoch_; }
  bool owner() const { return epoch_ != 0; }
  const std::vector<v1::ApiMessage>& log() const { return log_; }
  // The newest of the log that has it.
  template <typename Has>
  const v1::ApiMessage* Last(Has has) const {
    for (auto message = log_.rbegin(); message != log_.rend(); ++message) {
      if (((*message).*has)()) return &*message;
    }
    return nullptr;
  }

 private:
  class Transport;
  void Work(const v1::ApiMessage& message);
  void Saw(const v1::Event& event);
  void Sweep(const v1::SyncEnd& end);
  void AnswerInventory(const v1::InventoryRequest& request);

  FakeRegion& region_;
  std::shared_ptr<Transport> transport_;
  std::shared_ptr<RegionSession> session_;
  const std::string id_;
  const std::string boot_id_;
  std::deque<v1::ApiMessage> inbox_;
  std::vector<v1::ApiMessage> log_;
  std::optional<absl::Status> finished_;
  uint64_t epoch_ = 0;
  std::string sync_id_;
  std::set<ObjectId> seen_;
};

// Until nobody has anything to do now.
void Settle(RegionScene& scene, std::vector<FakeProvisioner*> provisioners);
// The same for this long, with heartbeats.
void Pass(RegionScene& scene, absl::Duration duration, std::vector<FakeProvisioner*> provisioners);

v1::ObjectId WireOf(const ObjectId& object);
ObjectId ObjectOfWire(const v1::ObjectId& wire);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_FAKE_REGION_H_
