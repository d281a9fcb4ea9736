// Seals objects to a region's key as the API does, for tests.
//
// Thread safety: confined to one thread.
#ifndef KEYFERRY_SERVICES_PROVISIONER_TESTING_OBJECT_SEALER_H_
#define KEYFERRY_SERVICES_PROVISIONER_TESTING_OBJECT_SEALER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libs/crypto/envelope.h"
#include "libs/model/secret_set.h"
#include "services/provisioner/region_store.h"

namespace keyferry {

using Values = std::map<std::string, std::string>;

// Organization `acme`, uids of 32 equal digits.
ObjectId SetId(const std::string& name);
ObjectId AgentId(const std::string& name);
inline const std::string kSetUid(32, 'a');
inline const std::string kPullUid(32, 'b');
inline const std::string kAgentUid(32, 'c');

class ObjectSealer {
 public:
  explicit ObjectSealer(const RegionKey& key);

  RegionObject Set(const std::string& name, uint64_t revision, const Values& values);
  RegionObject PullSecret(const std::string& name, uint64_t revision, const std::string& host, const std::string& auth);
  // generation = revision, secret_set_generation = 7, image `image:1`; with a pull secret for `registry.example/` when
  // auth is not empty.
  RegionObject Deployment(const std::string& agent, uint64_t revision, const Values& values,
                          const std::string& auth = "");

  // For objects that are wrong on purpose.
  SealedObject SealValues(const std::string& set_uid, const Values& values);
  static RegionObject Wrap(ObjectId id, const std::string& uid, uint64_t revision, const SealedObject& sealed);

 private:
  void AddPullEntry(SealedObject& sealed, const std::string& auth);
  SealedDataKey SealKey(const DataKey& data_key);

  const std::string public_key_;
  const std::unique_ptr<SealedBoxSender> sender_;
};

RegionObject Tombstone(const ObjectId& id, uint64_t revision);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_TESTING_OBJECT_SEALER_H_
