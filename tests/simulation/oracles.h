// What must hold whatever happens: invariants I1 to I8 of the provisioning stream (docs/provisioning-protocol.md has
// them as P1 to P7), looked at after every durable commit of the API and of a region's store and after every message of
// the API; and what must be so at the end.
//
// Thread safety: all of it belongs to one thread.
#ifndef KEYFERRY_TESTS_SIMULATION_ORACLES_H_
#define KEYFERRY_TESTS_SIMULATION_ORACLES_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "keyferry/v1/provisioning.pb.h"
#include "libs/storage/codec.h"
#include "services/api/placement_rows.h"
#include "tests/simulation/provisioner_node.h"
#include "tests/simulation/world.h"

namespace keyferry {

class Oracles {
 public:
  explicit Oracles(World& world) : world_(world) {}

  void OnApiCommit(const std::vector<RowKey>& written, Revision revision);
  void OnRegionChange(ProvisionerNode& node, const std::vector<ObjectId>& objects);
  void OnSaid(const Link& link, int stream, const v1::ApiMessage& message);
  // The gate said yes without a commit.
  void OnGateOpen(int set, int64_t generation);
  // The API's store is an older one now.
  // The store is an older one now.
  void OnRestore();

  // nullopt: everything is READY or gone, exactly, and no index entry is left. Otherwise what is not.
  std::optional<std::string> WhyNotSettled();
  // Once it is settled: regions show and hold what the API says, and each audit chain is whole.
  void CheckEnd();
  // Records of changes in the audit trail, by request id.
  std::map<std::string, int> AuditRecords();
  // I6, of all objects.
  void CheckIndexes();

 private:
  using Place = std::pair<std::string, ObjectId>;
  const Store& Rows() const { return world_.api().now().barrier->store(); }
  uint64_t Lineage() const { return LineageOf(world_.api().disk().head); }
  RegionStateRow StateOf(const std::string& region) const;
  PlacementRows RowsOf(const Place& place) const {
    return PeekPlacementRows(Rows(), place.first, place.second, Lineage()).value_or(PlacementRows());
  }
  // Whose store the region's READYs are about.
  ProvisionerNode* TargetOf(const std::string& region);
  void CheckPlacement(const Place& place);
  void CheckQuotas();
  void CheckGate(const std::string& agent);
  void CheckBookmark(const Link& link, int stream, uint64_t head);
  void CheckSealed(const std::string& bytes, const std::string& where);
  void NoteDesired(const Place& place);
  void CheckHeld(ProvisionerNode& node, const RegionObject& object);
  void Fail(const std::string& rule, const Place& place, const std::string& what);

  World& world_;
  // I2: the highest revision that a store with this incarnation ever held.
  std::map<std::pair<std::string, ObjectId>, uint64_t> highest_;
  // What was ever desired: digests by sequence; of a delete "".
  std::map<Place, std::map<uint64_t, std::set<std::string>>> desired_;
  // I5.
  Revision head_ = 0;
  std::map<std::string, uint64_t> heads_said_;
  // I7: the newest revision that a stream carried.
  std::map<std::pair<std::string, int>, std::map<ObjectId, uint64_t>> sent_;
  // Uid and generation of deployments that passed the gate.
  std::set<std::pair<std::string, int64_t>> gated_;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_ORACLES_H_
