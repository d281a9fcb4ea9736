#include "services/api/region_service.h"

#include "keyferry/v1/regions.grpc.pb.h"
#include "libs/crypto/sealed_box.h"
#include "services/api/wire_time.h"

namespace keyferry {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

void ToProto(const NamedRegion& region, v1::Region& wire) {
  wire.set_code(region.code);
  wire.set_display_name(region.row.display_name);
  if (!region.row.sealing_key.empty()) {
    wire.set_sealing_key(region.row.sealing_key);
    wire.set_sealing_key_id(SealingKeyId(region.row.sealing_key));
  }
  for (const std::string& key : region.row.previous_sealing_keys) wire.add_previous_sealing_keys(key);
  wire.set_blind(region.row.blind);
  SetTime(region.row.create_time, *wire.mutable_create_time());
}

void ToProto(const SessionSummary& session, v1::Provisioner& wire) {
  wire.set_connected(true);
  wire.set_active(session.active);
  wire.set_version(session.version);
  SetTime(session.connect_time, *wire.mutable_connect_time());
  if (session.certificate_expiry == absl::InfiniteFuture()) return;
  SetTime(session.certificate_expiry, *wire.mutable_certificate_expire_time());
}

void ToProto(const KnownProvisioner& known, v1::Provisioner& wire) {
  wire.set_id(known.id);
  if (known.session) ToProto(*known.session, wire);
  if (!known.row) return;
  if (known.row->enroll_time != absl::InfinitePast()) SetTime(known.row->enroll_time, *wire.mutable_enroll_time());
  if (!known.session && known.row->certificate_expiry != absl::InfinitePast()) {
    SetTime(known.row->certificate_expiry, *wire.mutable_certificate_expire_time());
  }
  if (known.row->revoke_time != absl::InfiniteFuture()) SetTime(known.row->revoke_time, *wire.mutable_revoke_time());
}

class RegionsService final : public v1::Regions::CallbackService {
 public:
  RegionsService(Guard& guard, keyferry::Regions& regions, RegionProvisioners& provisioners, EnrollmentTokens& tokens)
      : guard_(guard), regions_(regions), provisioners_(provisioners), tokens_(tokens) {}

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
      const absl::StatusOr<std::vector<KnownProvisioner>> provisioners = provisioners_.List(request->code());
      if (!provisioners.ok()) return done(provisioners.status());
      ToProto(*region, *response);
      for (const KnownProvisioner& provisioner : *provisioners) ToProto(provisioner, *response->add_provisioners());
      response->set_pending_count(health->pending_count);
      response->set_oldest_pending_seconds(absl::ToInt64Seconds(health->oldest_pending_age));
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

  ServerUnaryReactor* CreateEnrollmentToken(CallbackServerContext* context, const v1::CreateEnrollmentTokenRequest* request,
                                            v1::CreateEnrollmentTokenResponse* response) override {
    return guard_.Run(context, "Regions/CreateEnrollmentToken", "", [=, this](const Caller& caller, Guard::Done done) {
      auto made = [response, done = std::move(done)](const absl::StatusOr<NewEnrollmentToken>& token) {
        if (token.ok()) {
          response->set_token(std::string(token->text.Access()));
          SetTime(token->expire_time, *response->mutable_expire_time());
        }
        done(token.status());
      };
      if (request->replace_sealing_key()) return tokens_.MakeReplacing(request->code(), caller.principal, std::move(made));
      tokens_.Make(request->code(), caller.principal, std::move(made));
    });
  }

  ServerUnaryReactor* RevokeProvisioners(CallbackServerContext* context, const v1::RevokeProvisionersRequest* request,
                                         v1::RevokeProvisionersResponse* response) override {
    return guard_.Run(context, "Regions/RevokeProvisioners", "", [=, this](const Caller& caller, Guard::Done done) {
      provisioners_.Revoke(request->code(), request->provisioner_id(), caller.principal,
                           [response, done = std::move(done)](const absl::StatusOr<std::vector<std::string>>& ids) {
                             if (ids.ok()) response->mutable_provisioner_ids()->Add(ids->begin(), ids->end());
                             done(ids.status());
                           });
    });
  }

 private:
  Guard& guard_;
  keyferry::Regions& regions_;
  RegionProvisioners& provisioners_;
  EnrollmentTokens& tokens_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewRegionsService(Guard& guard, Regions& regions, RegionProvisioners& provisioners, EnrollmentTokens& tokens) {
  return std::make_unique<RegionsService>(guard, regions, provisioners, tokens);
}

}  // namespace keyferry
