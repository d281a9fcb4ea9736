#include "libs/rpc/sealed_object_codec.h"

#include <google/protobuf/arena.h>

#include <utility>

#include "keyferry/v1/provisioning.pb.h"

namespace keyferry {
namespace {

void ToWire(SealedEntry entry, v1::SealedEntry& wire) {
  wire.set_key(std::move(entry.key));
  wire.set_data_key_id(std::move(entry.data_key_id));
  wire.set_ciphertext(std::move(entry.ciphertext));
}

SealedEntry FromWire(const v1::SealedEntry& wire) {
  return {.key = wire.key(), .data_key_id = wire.data_key_id(), .ciphertext = wire.ciphertext()};
}

}  // namespace

std::string SerializeSealedObject(SealedObject object) {
  // Its parts lie in one block, where they fit.
  alignas(8) char block[2048];
  google::protobuf::Arena arena(block, sizeof(block));
  v1::SealedObject& wire = *google::protobuf::Arena::CreateMessage<v1::SealedObject>(&arena);
  wire.set_generation(object.generation);
  wire.set_organization_uid(object.organization_uid);
  wire.set_host(object.host);
  wire.set_image_pull_secret(object.image_pull_secret);
  for (SealedEntry& entry : object.entries) ToWire(std::move(entry), *wire.add_entries());
  for (const SealedDataKey& key : object.data_keys) {
    v1::SealedDataKey& out = *wire.add_data_keys();
    out.set_id(key.id);
    out.set_salt(key.salt);
    out.set_commitment(key.commitment);
    out.set_region_box(key.region_box);
  }
  wire.set_image(object.image);
  wire.set_secret_set(object.secret_set);
  wire.set_secret_set_uid(object.secret_set_uid);
  wire.set_secret_set_generation(object.secret_set_generation);
  wire.set_image_pull_secret_name(object.image_pull_secret_name);
  wire.set_pull_secret_uid(object.pull_secret_uid);
  wire.set_pull_secret_host(object.pull_secret_host);
  if (object.pull_entry != SealedEntry{}) ToWire(std::move(object.pull_entry), *wire.mutable_pull_entry());
  return wire.SerializeAsString();
}

absl::StatusOr<SealedObject> ParseSealedObject(std::string_view bytes) {
  v1::SealedObject wire;
  if (!wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("these bytes are no sealed object");
  }
  SealedObject object;
  object.generation = wire.generation();
  object.organization_uid = wire.organization_uid();
  object.host = wire.host();
  object.image_pull_secret = wire.image_pull_secret();
  for (const v1::SealedEntry& entry : wire.entries()) object.entries.push_back(FromWire(entry));
  for (const v1::SealedDataKey& key : wire.data_keys()) {
    object.data_keys.push_back(
        {.id = key.id(), .salt = key.salt(), .commitment = key.commitment(), .region_box = key.region_box()});
  }
  object.image = wire.image();
  object.secret_set = wire.secret_set();
  object.secret_set_uid = wire.secret_set_uid();
  object.secret_set_generation = wire.secret_set_generation();
  object.image_pull_secret_name = wire.image_pull_secret_name();
  object.pull_secret_uid = wire.pull_secret_uid();
  object.pull_secret_host = wire.pull_secret_host();
  if (wire.has_pull_entry()) object.pull_entry = FromWire(wire.pull_entry());
  return object;
}

}  // namespace keyferry
