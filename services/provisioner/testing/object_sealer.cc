#include "services/provisioner/testing/object_sealer.h"

#include <utility>

#include "libs/common/clock.h"
#include "libs/rpc/sealed_object_codec.h"

namespace keyferry {
namespace {

constexpr char kOrganizationUid[] = "00000000000000000000000000000001";

}  // namespace

ObjectId SetId(const std::string& name) {
  return {.kind = ObjectKind::kSecretSet, .organization = "acme", .name = name};
}
ObjectId AgentId(const std::string& name) {
  return {.kind = ObjectKind::kDeployment, .organization = "acme", .name = name};
}

ObjectSealer::ObjectSealer(const RegionKey& key)
    : public_key_(key.public_key()), sender_(SealedBoxSender::Create(SystemClock())) {}

RegionObject ObjectSealer::Set(const std::string& name, uint64_t revision, const Values& values) {
  return Wrap(SetId(name), kSetUid, revision, SealValues(kSetUid, values));
}

RegionObject ObjectSealer::PullSecret(const std::string& name, uint64_t revision, const std::string& host,
                                      const std::string& auth) {
  SealedObject sealed = SealValues(kSetUid, {{"", auth}});
  sealed.image_pull_secret = true;
  sealed.host = host;
  return Wrap(SetId(name), kSetUid, revision, sealed);
}

RegionObject ObjectSealer::Deployment(const std::string& agent, uint64_t revision, const Values& values,
                                      const std::string& auth) {
  SealedObject sealed = SealValues(kSetUid, values);
  sealed.generation = static_cast<int64_t>(revision);
  sealed.secret_set = "env";
  sealed.secret_set_uid = kSetUid;
  sealed.secret_set_generation = 7;
  sealed.image = "image:1";
  if (!auth.empty()) AddPullEntry(sealed, auth);
  return Wrap(AgentId(agent), kAgentUid, revision, sealed);
}

void ObjectSealer::AddPullEntry(SealedObject& sealed, const std::string& auth) {
  const DataKey data_key = DataKey::Create({.organization_uid = kOrganizationUid, .set_uid = kPullUid});
  sealed.pull_entry = data_key.Seal("", SecretBytes::Copy(auth));
  sealed.pull_secret_uid = kPullUid;
  sealed.pull_secret_host = "registry.example/";
  sealed.data_keys.push_back(SealKey(data_key));
}

SealedObject ObjectSealer::SealValues(const std::string& set_uid, const Values& values) {
  SealedObject sealed{.organization_uid = kOrganizationUid};
  const DataKey data_key = DataKey::Create({.organization_uid = kOrganizationUid, .set_uid = set_uid});
  for (const auto& [key, value] : values) sealed.entries.push_back(data_key.Seal(key, SecretBytes::Copy(value)));
  sealed.data_keys.push_back(SealKey(data_key));
  return sealed;
}

SealedDataKey ObjectSealer::SealKey(const DataKey& data_key) {
  return data_key.SealToRegion(*sender_, public_key_).value();
}

RegionObject ObjectSealer::Wrap(ObjectId id, const std::string& uid, uint64_t revision, const SealedObject& sealed) {
  std::string bytes = SerializeSealedObject(sealed);
  const std::string digest = Sha256(bytes);
  return {.id = std::move(id),
          .uid = uid,
          .version = {.revision = revision, .operation = Operation::kApply, .digest = digest},
          .sealed_object = std::move(bytes)};
}

RegionObject Tombstone(const ObjectId& id, uint64_t revision) {
  return {.id = id, .uid = kSetUid, .version = {.revision = revision, .operation = Operation::kDelete}};
}

}  // namespace keyferry
