#include "libs/rpc/model_conversion.h"

#include <string>
#include <vector>

#include "keyferry/v1/deployments.pb.h"
#include "keyferry/v1/secret_sets.pb.h"

namespace keyferry {
namespace {

// An image pull secret's one entry has no name.
template <typename Wire>
void AddKeys(const std::vector<SecretSetEntry>& entries, Wire& wire) {
  for (const SecretSetEntry& entry : entries) {
    if (!entry.key.empty()) wire.add_keys(entry.key);
  }
}

}  // namespace

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp wire;
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return wire;
  const int64_t seconds = absl::ToUnixSeconds(time);
  wire.set_seconds(seconds);
  wire.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return wire;
}

v1::Readiness ToProto(Readiness readiness) { return static_cast<v1::Readiness>(readiness); }

void ToProto(const SecretSet& set, v1::SecretSet& wire) {
  wire.set_name(set.name);
  wire.set_organization(set.organization);
  wire.set_uid(set.uid);
  wire.set_type(static_cast<v1::SecretSetType>(set.type));
  wire.set_region(set.region);
  wire.set_generation(set.generation);
  AddKeys(set.entries, wire);
  wire.set_host(set.host);
  wire.set_etag(set.Etag());
  *wire.mutable_create_time() = ToProto(set.create_time);
  *wire.mutable_update_time() = ToProto(set.update_time);
}

void ToProto(const Deployment& deployment, v1::Deployment& wire) {
  wire.set_agent(deployment.agent);
  wire.set_organization(deployment.organization);
  wire.set_uid(deployment.uid);
  wire.set_region(deployment.region);
  wire.set_image(deployment.image);
  wire.set_secret_set(deployment.secret_set);
  wire.set_image_pull_secret(deployment.image_pull_secret);
  for (const std::string& key : deployment.required_keys) wire.add_required_keys(key);
  wire.set_secret_set_generation(deployment.secret_set_generation);
  wire.set_image_pull_secret_generation(deployment.image_pull_secret_generation);
  for (const std::string& key : deployment.keys) wire.add_keys(key);
  wire.set_generation(deployment.generation);
  wire.set_etag(deployment.Etag());
  *wire.mutable_create_time() = ToProto(deployment.create_time);
  *wire.mutable_update_time() = ToProto(deployment.update_time);
  wire.set_client_data(deployment.client_data);
}

void ToProto(const Generation& generation, v1::Generation& wire) {
  wire.set_generation(generation.number);
  AddKeys(generation.entries, wire);
  *wire.mutable_create_time() = ToProto(generation.create_time);
  wire.set_author(generation.author);
}

Deployment FromProto(const v1::Deployment& wire) {
  return {.organization = wire.organization(),
          .agent = wire.agent(),
          .region = wire.region(),
          .image = wire.image(),
          .secret_set = wire.secret_set(),
          .image_pull_secret = wire.image_pull_secret(),
          .required_keys = {wire.required_keys().begin(), wire.required_keys().end()},
          .client_data = wire.client_data()};
}

}  // namespace keyferry
