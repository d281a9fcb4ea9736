#include "services/api/key_service.h"

#include "keyferry/v1/keys.grpc.pb.h"
#include "libs/crypto/sealed_box.h"
#include "libs/storage/keys.h"
#include "services/api/key_summary.h"
#include "services/api/paging.h"
#include "services/api/wire_time.h"

namespace keyferry {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr char kSystem[] = "system";

void ToProto(const KeySummary& summary, v1::KeyStatus& wire) {
  wire.set_root_key_id(summary.root_key_id);
  wire.set_root_problem(std::string(summary.root_problem.message()));
  wire.set_key_count(summary.key_count);
  wire.set_keys_under_old_root(summary.keys_under_old_root);
  if (summary.oldest_key_time != absl::InfiniteFuture())
    SetTime(summary.oldest_key_time, *wire.mutable_oldest_key_time());
}

void ToProto(const KeyRotationProgress& progress, v1::KeyRotation& wire) {
  wire.set_organization(progress.owner.empty() ? kSystem : progress.owner);
  wire.set_visited_count(progress.visited_count);
  wire.set_moved_count(progress.moved_count);
  SetTime(progress.begin_time, *wire.mutable_begin_time());
}

void ToProto(const RegionResealProgress& progress, v1::KeyRotation& wire) {
  wire.set_region(progress.region);
  wire.set_visited_count(progress.visited_count);
  wire.set_moved_count(progress.moved_count);
  wire.set_blocked_count(progress.blocked_count);
  SetTime(progress.begin_time, *wire.mutable_begin_time());
}

void ToProto(const RegionRow& region, v1::RegionKeyStatus& wire) {
  if (region.sealing_key.empty()) return;
  wire.set_sealing_key_id(SealingKeyId(region.sealing_key));
  SetTime(region.sealing_key_time == absl::InfinitePast() ? region.create_time : region.sealing_key_time,
          *wire.mutable_sealing_key_time());
  for (const std::string& key : region.previous_sealing_keys) wire.add_previous_sealing_key_ids(SealingKeyId(key));
}

class KeysService final : public v1::Keys::CallbackService {
 public:
  explicit KeysService(const KeysServiceParts& parts) : parts_(parts) {}

  ServerUnaryReactor* RotateOrganizationKey(CallbackServerContext* context,
                                            const v1::RotateOrganizationKeyRequest* request,
                                            v1::RotateOrganizationKeyResponse* response) override {
    return parts_.guard.Run(context, "Keys/RotateOrganizationKey", "", [=, this](const Caller&, Guard::Done done) {
      parts_.rotation.Rotate(request->organization(),
                             [response, done = std::move(done)](const absl::StatusOr<int>& number) {
                               if (number.ok()) response->set_key_number(*number);
                               done(number.status());
                             });
    });
  }

  ServerUnaryReactor* RewrapKeys(CallbackServerContext* context, const v1::RewrapKeysRequest*,
                                 v1::RewrapKeysResponse*) override {
    return parts_.guard.Run(context, "Keys/RewrapKeys", "",
                            [this](const Caller&, Guard::Done done) { parts_.rotation.Rewrap(std::move(done)); });
  }

  ServerUnaryReactor* GetKeyStatus(CallbackServerContext* context, const v1::GetKeyStatusRequest*,
                                   v1::KeyStatus* response) override {
    return parts_.guard.Run(context, "Keys/GetKeyStatus", "",
                            [=, this](const Caller&, const Guard::Done& done) { done(DescribeKeys(parts_, *response)); });
  }

 private:
  const KeysServiceParts parts_;
};

}  // namespace

absl::Status DescribeKeys(const KeysServiceParts& parts, v1::KeyStatus& status) {
  status.set_root_provider(std::string(parts.root_keys.provider()));
  ASSIGN_OR_RETURN(const KeySummary summary, SummarizeKeys(parts.barrier, parts.root_keys));
  ToProto(summary, status);
  for (const KeyRotationProgress& progress : parts.rotation.Running()) ToProto(progress, *status.add_rotations());
  for (const RegionResealProgress& progress : parts.reseal.Running()) ToProto(progress, *status.add_rotations());
  return VisitRows(parts.store, keys::Regions(), "", [&](const KeyedRow& row) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const RegionRow region, Decode<RegionRow>(row.row.value));
    v1::RegionKeyStatus& wire = *status.add_regions();
    wire.set_region(keys::LastPart(row.key));
    ToProto(region, wire);
    return true;
  });
}

std::unique_ptr<grpc::Service> NewKeysService(const KeysServiceParts& parts) {
  return std::make_unique<KeysService>(parts);
}

}  // namespace keyferry
