#include "services/api/status_service.h"

#include "keyferry/v1/status.grpc.pb.h"
#include "libs/common/status_macros.h"
#include "services/api/wire_time.h"

namespace keyferry {
namespace {

void SetIfKnown(absl::Time time, google::protobuf::Timestamp* (v1::SystemStatus::*field)(), v1::SystemStatus& wire) {
  if (time != absl::InfiniteFuture()) SetTime(time, *(wire.*field)());
}

void ToProto(const RegionFacts& region, v1::RegionStatus& wire) {
  wire.set_code(region.code);
  wire.set_connected_count(region.connected_count);
  wire.set_served(region.served);
  wire.set_pending_count(region.pending_count);
  wire.set_oldest_pending_seconds(absl::ToInt64Seconds(region.oldest_pending_age));
  if (region.certificate_expiry != absl::InfiniteFuture()) SetTime(region.certificate_expiry, *wire.mutable_certificate_expire_time());
}

void ToProto(const BackupManifest& backup, v1::Backup& wire) {
  wire.set_name(backup.name);
  SetTime(backup.create_time, *wire.mutable_create_time());
  wire.set_revision(backup.revision);
  wire.set_total_bytes(backup.total_bytes);
  wire.set_new_bytes(backup.new_bytes);
}

class StatusService final : public v1::Status::CallbackService {
 public:
  explicit StatusService(const StatusServiceParts& parts) : parts_(parts), start_time_(parts.sources.clock.Now()) {}

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context, const v1::GetStatusRequest*, v1::SystemStatus* response) override {
    return parts_.guard.Run(context, "Status/GetStatus", "", [=, this](const Caller&, const Guard::Done& done) { done(Describe(*response)); });
  }

 private:
  absl::Status Describe(v1::SystemStatus& status) const {
    status.set_version(KEYFERRY_VERSION);
    SetTime(start_time_, *status.mutable_start_time());
    status.set_head_revision(parts_.store.Head());
    ASSIGN_OR_RETURN(const CollectedFacts collected, CollectFacts(parts_.sources));
    const SystemFacts& facts = collected.facts;
    status.set_organization_count(collected.organization_count);
    for (const RegionFacts& region : facts.regions) ToProto(region, *status.add_regions());
    RETURN_IF_ERROR(parts_.describe_keys(*status.mutable_keys()));
    if (collected.last_backup) ToProto(*collected.last_backup, *status.mutable_last_backup());
    status.set_backup_problem(facts.backup_problem);
    status.set_disk_free_bytes(facts.disk_free_bytes);
    status.set_disk_total_bytes(facts.disk_total_bytes);
    for (std::string& warning : WarningsOf(facts)) status.add_warnings(std::move(warning));
    SetIfKnown(facts.inner_certificate_expiry, &v1::SystemStatus::mutable_inner_certificate_expire_time, status);
    SetIfKnown(facts.edge_certificate_expiry, &v1::SystemStatus::mutable_edge_certificate_expire_time, status);
    return absl::OkStatus();
  }

  const StatusServiceParts parts_;
  const absl::Time start_time_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewStatusService(const StatusServiceParts& parts) { return std::make_unique<StatusService>(parts); }

}  // namespace keyferry
