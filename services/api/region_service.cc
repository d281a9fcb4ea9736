#include "services/api/region_service.h"

#include "keyferry/v1/regions.grpc.pb.h"
#include "libs/crypto/sealed_box.h"

namespace keyferry {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

void SetTime(absl::Time time, google::protobuf::Timestamp& wire) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  wire.set_seconds(seconds);
  wire.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

void ToProto(const NamedRegion& region, v1::Region& wire) {
  wire.set_code(region.code);
  wire.set_display_name(region.row.display_name);
  wire.set_sealing_key(region.row.sealing_key);
  wire.set_sealing_key_id(SealingKeyId(region.row.sealing_key));
  wire.set_blind(region.row.blind);
  SetTime(region.row.create_time, *wire.mutable_create_time());
}

void ToProto(const RegionHealth& health, v1::Region& wire) {
  for (const SessionSummary& summary : health.provisioners) {
    v1::Provisioner& provisioner = *wire.add_provisioners();
    provisioner.set_id(summary.provisioner_id);
    provisioner.set_active(summary.active);
    provisioner.set_version(summary.version);
    SetTime(summary.connect_time, *provisioner.mutable_connect_time());
    if (summary.certificate_expiry != absl::InfiniteFuture()) {
      SetTime(summary.certificate_expiry, *provisioner.mutable_certificate_expire_time());
    }
  }
  wire.set_pending_count(health.pending_count);
  wire.set_oldest_pending_seconds(absl::ToInt64Seconds(health.oldest_pending_age));
}

class RegionsService final : public v1::Regions::CallbackService {
 public:
  RegionsService(Guard& guard, keyferry::Regions& regions) : guard_(guard), regions_(regions) {}

  ServerUnaryReactor* CreateRegion(CallbackServerContext* context, const v1::CreateRegionRequest* request, v1::Region* response) override {
    return guard_.Run(context, "Regions/CreateRegion", "", [=, this](const Caller&, Guard::Done done) {
      RegionRow row{.display_name = request->display_name(), .sealing_key = request->sealing_key(), .blind = request->blind()};
      regions_.Make(request->code(), std::move(row), [response, done = std::move(done)](const absl::StatusOr<NamedRegion>& region) {
        if (region.ok()) ToProto(*region, *response);
        done(region.status());
      });
    });
  }

  ServerUnaryReactor* ListRegions(CallbackServerContext* context, const v1::ListRegionsRequest*, v1::ListRegionsResponse* response) override {
    return guard_.Run(context, "Regions/ListRegions", "", [=, this](const Caller& caller, const Guard::Done& done) {
      const absl::StatusOr<std::vector<NamedRegion>> regions = regions_.List();
      if (!regions.ok()) return done(regions.status());
      for (const NamedRegion& region : *regions) {
        v1::Region& wire = *response->add_regions();
        if (caller.kind == CallerKind::kOperator) ToProto(region, wire);
        wire.set_code(region.code);
        wire.set_display_name(region.row.display_name);
      }
      done(absl::OkStatus());
    });
  }

  ServerUnaryReactor* GetRegion(CallbackServerContext* context, const v1::GetRegionRequest* request, v1::Region* response) override {
    return guard_.Run(context, "Regions/GetRegion", "", [=, this](const Caller&, const Guard::Done& done) {
      const absl::StatusOr<NamedRegion> region = regions_.Find(request->code());
      if (!region.ok()) return done(region.status());
      const absl::StatusOr<RegionHealth> health = regions_.HealthOf(request->code());
      if (!health.ok()) return done(health.status());
      ToProto(*region, *response);
      ToProto(*health, *response);
      done(absl::OkStatus());
    });
  }

  ServerUnaryReactor* Resync(CallbackServerContext* context, const v1::ResyncRequest* request, v1::ResyncResponse* response) override {
    return guard_.Run(context, "Regions/Resync", "", [=, this](const Caller&, Guard::Done done) {
      const ResyncOptions options{.allow_mass_delete = request->allow_mass_delete(), .retry_failed = request->retry_failed()};
      regions_.Resync(request->code(), options, [response, done = std::move(done)](const absl::StatusOr<int64_t>& retried) {
        if (retried.ok()) response->set_retried_count(*retried);
        done(retried.status());
      });
    });
  }

 private:
  Guard& guard_;
  keyferry::Regions& regions_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewRegionsService(Guard& guard, Regions& regions) {
  return std::make_unique<RegionsService>(guard, regions);
}

}  // namespace keyferry
