#include "services/api/organization_service.h"

#include "keyferry/v1/organizations.grpc.pb.h"
#include "services/api/call_limits.h"
#include "services/api/organization_deletion.h"
#include "services/api/wire_time.h"

namespace keyferry {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

void ToProto(const NamedOrganization& organization, v1::Organization& wire) {
  wire.set_name(organization.name);
  wire.set_uid(organization.row.uid);
  wire.set_display_name(organization.row.display_name);
  SetTime(organization.row.create_time, *wire.mutable_create_time());
}

void ToProto(const OrganizationProperties& properties, v1::Properties& wire) {
  wire.set_default_region(properties.default_region);
  for (const std::string& region : properties.available_regions) wire.add_available_regions(region);
}

void ToProto(const IdentifiedApiKey& key, v1::ApiKey& wire) {
  wire.set_id(key.id);
  wire.set_display_name(key.row.display_name);
  wire.set_role(static_cast<v1::Role>(key.row.role));
  wire.set_author(key.row.author);
  SetTime(key.row.create_time, *wire.mutable_create_time());
  if (key.row.revoke_time != absl::InfiniteFuture()) SetTime(key.row.revoke_time, *wire.mutable_revoke_time());
  if (key.row.expire_time != absl::InfiniteFuture()) SetTime(key.row.expire_time, *wire.mutable_expire_time());
  if (key.row.last_use_time != absl::InfinitePast()) SetTime(key.row.last_use_time, *wire.mutable_last_use_time());
  wire.set_replaced_by(key.row.replaced_by);
}

void ToProto(const NewApiKey& made, v1::CreateApiKeyResponse& wire) {
  ToProto(made.api_key, *wire.mutable_api_key());
  wire.set_key(std::string(made.text.Access()));
}

void ToProto(const OrganizationQuota& quota, v1::Quota& wire) {
  wire.set_organization(quota.organization);
  wire.set_max_secret_sets(quota.max_secret_sets);
  wire.set_max_deployments(quota.max_deployments);
  wire.set_max_api_keys(quota.max_api_keys);
  wire.set_max_calls_per_second(quota.max_calls_per_second);
  wire.set_secret_set_count(quota.secret_set_count);
  wire.set_deployment_count(quota.deployment_count);
}

absl::Duration DurationOf(const google::protobuf::Duration& wire) {
  return absl::Seconds(wire.seconds()) + absl::Nanoseconds(wire.nanos());
}

template <typename Request>
std::optional<absl::Duration> LifetimeOf(const Request& request) {
  return request.has_time_to_live() ? std::optional(DurationOf(request.time_to_live())) : std::nullopt;
}

QuotaChange ChangeOf(const v1::UpdateQuotaRequest& request) {
  QuotaChange change;
  if (request.has_max_secret_sets()) change.max_secret_sets = request.max_secret_sets();
  if (request.has_max_deployments()) change.max_deployments = request.max_deployments();
  if (request.has_max_api_keys()) change.max_api_keys = request.max_api_keys();
  if (request.has_max_calls_per_second()) change.max_calls_per_second = request.max_calls_per_second();
  return change;
}

// Fills the response when there is an answer, and says how it went.
template <typename Answer, typename Response>
std::function<void(absl::StatusOr<Answer>)> Answering(Response* response, Guard::Done done) {
  return [response, done = std::move(done)](const absl::StatusOr<Answer>& answer) {
    if (answer.ok()) ToProto(*answer, *response);
    done(answer.status());
  };
}

class OrganizationsService final : public v1::Organizations::CallbackService {
 public:
  OrganizationsService(Guard& guard, keyferry::Organizations& organizations, ApiKeys& api_keys, CallLimits* limits,
                       OrganizationDeletion* deletion)
      : guard_(guard), organizations_(organizations), api_keys_(api_keys), limits_(limits), deletion_(deletion) {}

  ServerUnaryReactor* CreateOrganization(CallbackServerContext* context, const v1::CreateOrganizationRequest* request,
                                         v1::Organization* response) override {
    return guard_.Run(context, "Organizations/CreateOrganization", "", [=, this](const Caller&, Guard::Done done) {
      organizations_.Make(request->name(), request->display_name(),
                          Answering<NamedOrganization>(response, std::move(done)));
    });
  }

  ServerUnaryReactor* ListOrganizations(CallbackServerContext* context, const v1::ListOrganizationsRequest* request,
                                        v1::ListOrganizationsResponse* response) override {
    return guard_.Run(context, "Organizations/ListOrganizations", "",
                      [=, this](const Caller&, const Guard::Done& done) {
                        const absl::StatusOr<OrganizationPage> page =
                            organizations_.List(request->page_size(), request->page_token());
                        if (!page.ok()) return done(page.status());
                        for (const NamedOrganization& organization : page->organizations)
                          ToProto(organization, *response->add_organizations());
                        response->set_next_page_token(page->next_page_token);
                        done(absl::OkStatus());
                      });
  }

  ServerUnaryReactor* DeleteOrganization(CallbackServerContext* context, const v1::DeleteOrganizationRequest* request,
                                         v1::DeleteOrganizationResponse*) override {
    return guard_.Run(context, "Organizations/DeleteOrganization", "",
                      [=, this](const Caller&, Guard::Done done) {
                        if (deletion_ == nullptr) return done(absl::UnimplementedError("nothing deletes organizations here"));
                        deletion_->Delete(request->organization(), request->confirmation(), std::move(done));
                      });
  }

  ServerUnaryReactor* GetProperties(CallbackServerContext* context, const v1::GetPropertiesRequest* request,
                                    v1::Properties* response) override {
    return guard_.Run(context, "Organizations/GetProperties", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        Answering<OrganizationProperties>(
                            response, std::move(done))(organizations_.GetProperties(caller.organization));
                      });
  }

  ServerUnaryReactor* UpdateProperties(CallbackServerContext* context, const v1::UpdatePropertiesRequest* request,
                                       v1::Properties* response) override {
    return guard_.Run(context, "Organizations/UpdateProperties", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        organizations_.UpdateProperties(
                            caller.organization,
                            request->has_default_region() ? std::optional(request->default_region()) : std::nullopt,
                            Answering<OrganizationProperties>(response, std::move(done)));
                      });
  }

  ServerUnaryReactor* CreateApiKey(CallbackServerContext* context, const v1::CreateApiKeyRequest* request,
                                   v1::CreateApiKeyResponse* response) override {
    return guard_.Run(context, "Organizations/CreateApiKey", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        const ApiKeyRequest wanted{
                            .organization = caller.organization,
                            .display_name = request->display_name(),
                            .role = v1::Role_IsValid(request->role()) ? static_cast<Role>(request->role()) : Role{},
                            .author = caller.principal,
                            .time_to_live = LifetimeOf(*request)};
                        api_keys_.Make(wanted, Answering<NewApiKey>(response, std::move(done)));
                      });
  }

  ServerUnaryReactor* RotateApiKey(CallbackServerContext* context, const v1::RotateApiKeyRequest* request,
                                   v1::CreateApiKeyResponse* response) override {
    return guard_.Run(context, "Organizations/RotateApiKey", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        const ApiKeyRotation rotation{
                            .organization = caller.organization,
                            .id = request->id(),
                            .author = caller.principal,
                            .overlap = request->has_overlap() ? DurationOf(request->overlap()) : kDefaultRotationOverlap,
                            .time_to_live = LifetimeOf(*request)};
                        api_keys_.Rotate(rotation, Answering<NewApiKey>(response, std::move(done)));
                      });
  }

  ServerUnaryReactor* GetQuota(CallbackServerContext* context, const v1::GetQuotaRequest* request,
                               v1::Quota* response) override {
    return guard_.Run(context, "Organizations/GetQuota", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        AnsweringQuota(caller.organization, response, std::move(done))(
                            organizations_.GetQuota(caller.organization));
                      });
  }

  ServerUnaryReactor* UpdateQuota(CallbackServerContext* context, const v1::UpdateQuotaRequest* request,
                                  v1::Quota* response) override {
    return guard_.Run(context, "Organizations/UpdateQuota", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        auto answering = AnsweringQuota(caller.organization, response, std::move(done));
                        organizations_.UpdateQuota(
                            caller.organization, ChangeOf(*request),
                            [this, organization = caller.organization,
                             answering = std::move(answering)](const absl::StatusOr<OrganizationQuota>& quota) {
                              if (quota.ok() && limits_ != nullptr) limits_->ForgetOrganization(organization);
                              answering(quota);
                            });
                      });
  }

  ServerUnaryReactor* ListApiKeys(CallbackServerContext* context, const v1::ListApiKeysRequest* request,
                                  v1::ListApiKeysResponse* response) override {
    return guard_.Run(context, "Organizations/ListApiKeys", request->organization(),
                      [=, this](const Caller& caller, const Guard::Done& done) {
                        const absl::StatusOr<std::vector<IdentifiedApiKey>> keys = api_keys_.List(caller.organization);
                        if (!keys.ok()) return done(keys.status());
                        for (const IdentifiedApiKey& key : *keys) ToProto(key, *response->add_api_keys());
                        done(absl::OkStatus());
                      });
  }

  ServerUnaryReactor* RevokeApiKey(CallbackServerContext* context, const v1::RevokeApiKeyRequest* request,
                                   v1::RevokeApiKeyResponse*) override {
    return guard_.Run(context, "Organizations/RevokeApiKey", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        api_keys_.Revoke(caller.organization, request->id(), std::move(done));
                      });
  }

  ServerUnaryReactor* WhoAmI(CallbackServerContext* context, const v1::WhoAmIRequest*,
                             v1::WhoAmIResponse* response) override {
    return guard_.Run(context, "Organizations/WhoAmI", "", [=, this](const Caller& caller, const Guard::Done& done) {
      response->set_principal(caller.principal);
      response->set_organization(caller.organization);
      if (caller.kind == CallerKind::kTenant) response->set_role(static_cast<v1::Role>(caller.role));
      if (caller.organization.empty()) return done(absl::OkStatus());
      const absl::StatusOr<NamedOrganization> organization = organizations_.Get(caller.organization);
      if (organization.ok()) response->set_organization_display_name(organization->row.display_name);
      done(organization.status());
    });
  }

 private:
  std::function<void(absl::StatusOr<OrganizationQuota>)> AnsweringQuota(const std::string& organization,
                                                                        v1::Quota* response, Guard::Done done) {
    return [this, organization, response,
            done = std::move(done)](const absl::StatusOr<OrganizationQuota>& quota) {
      if (!quota.ok()) return done(quota.status());
      const absl::StatusOr<int64_t> keys = api_keys_.CountLive(organization);
      ToProto(*quota, *response);
      response->set_api_key_count(keys.value_or(0));
      done(keys.status());
    };
  }

  Guard& guard_;
  keyferry::Organizations& organizations_;
  ApiKeys& api_keys_;
  CallLimits* const limits_;
  OrganizationDeletion* const deletion_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewOrganizationsService(Guard& guard, Organizations& organizations, ApiKeys& api_keys,
                                                       CallLimits* limits, OrganizationDeletion* deletion) {
  return std::make_unique<OrganizationsService>(guard, organizations, api_keys, limits, deletion);
}

}  // namespace keyferry
