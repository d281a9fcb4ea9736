#include "services/api/organization_service.h"

#include "keyferry/v1/organizations.grpc.pb.h"

namespace keyferry {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

void SetTime(absl::Time time, google::protobuf::Timestamp& wire) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  wire.set_seconds(seconds);
  wire.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

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
  OrganizationsService(Guard& guard, keyferry::Organizations& organizations, ApiKeys& api_keys)
      : guard_(guard), organizations_(organizations), api_keys_(api_keys) {}

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
                            .author = caller.principal};
                        api_keys_.Make(wanted,
                                       [response, done = std::move(done)](const absl::StatusOr<NewApiKey>& made) {
                                         if (made.ok()) {
                                           ToProto(made->api_key, *response->mutable_api_key());
                                           response->set_key(std::string(made->text.Access()));
                                         }
                                         done(made.status());
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
  Guard& guard_;
  keyferry::Organizations& organizations_;
  ApiKeys& api_keys_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewOrganizationsService(Guard& guard, Organizations& organizations, ApiKeys& api_keys) {
  return std::make_unique<OrganizationsService>(guard, organizations, api_keys);
}

}  // namespace keyferry
