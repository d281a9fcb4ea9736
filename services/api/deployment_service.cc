#include "services/api/deployment_service.h"

#include <optional>

#include "keyferry/v1/deployments.grpc.pb.h"
#include "libs/rpc/model_conversion.h"
#include "libs/rpc/shared_answer.h"
#include "services/api/deployments.h"
#include "services/api/view_conversion.h"

namespace keyferry {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

Deployments::Done Answering(v1::Deployment* response, Guard::Done done) {
  return [response, done = std::move(done)](const absl::StatusOr<DeploymentView>& view) {
    if (view.ok()) ToProto(*view, *response);
    done(view.status());
  };
}

template <typename Request>
DeployRequest WantedBy(const Caller& caller, const Request& wire, IfExists if_exists) {
  DeployRequest request{.wanted = FromProto(wire.deployment()),
                        .if_exists = if_exists,
                        .conditions = {.etag = wire.deployment().etag(),
                                       .request_id = wire.request_id(),
                                       .validate_only = wire.validate_only()},
                        .request_content = wire.request_content()};
  request.wanted.organization = caller.organization;
  return request;
}

IfExists IfExistsOf(const v1::CreateDeploymentRequest& wire) {
  return wire.allow_existing() ? IfExists::kUpdate : IfExists::kRefuse;
}

std::shared_ptr<const v1::Deployment> Wire(const DeploymentView& view) {
  auto wire = std::make_shared<v1::Deployment>();
  ToProto(view, *wire);
  return wire;
}

class DeploymentsService final : public v1::Deployments::CallbackService {
 public:
  DeploymentsService(Guard& guard, const UseCaseDeps& deps) : guard_(guard), deployments_(deps) {
    SetMessageAllocatorFor_CreateDeployment(&create_messages_);
  }

  ServerUnaryReactor* CreateDeployment(CallbackServerContext* context, const v1::CreateDeploymentRequest* request,
                                       v1::Deployment* response) override {
    const auto body = [=, this](const Caller& caller, Guard::Done done) {
      deployments_.Deploy(WantedBy(caller, *request, IfExistsOf(*request)), Answering(response, std::move(done)));
    };
    const auto quick = [=, this](const Caller& caller) -> std::optional<absl::Status> {
      if (!request->validate_only()) return std::nullopt;
      const auto shared = deployments_.DeployFromMemory(WantedBy(caller, *request, IfExistsOf(*request)));
      if (shared == nullptr) return std::nullopt;
      ShareAnswer<v1::CreateDeploymentRequest, v1::Deployment>(*context, shared->ShownBy<v1::Deployment>(Wire));
      return absl::OkStatus();
    };
    return guard_.RunQuick(context, "Deployments/CreateDeployment", request->deployment().organization(), quick, body);
  }

  ServerUnaryReactor* UpdateDeployment(CallbackServerContext* context, const v1::UpdateDeploymentRequest* request,
                                       v1::Deployment* response) override {
    const auto body = [=, this](const Caller& caller, Guard::Done done) {
      const IfExists if_exists = request->skip_unchanged() ? IfExists::kRequireSkipUnchanged : IfExists::kRequire;
      deployments_.Deploy(WantedBy(caller, *request, if_exists), Answering(response, std::move(done)));
    };
    return guard_.Run(context, "Deployments/UpdateDeployment", request->deployment().organization(), body);
  }

  ServerUnaryReactor* GetDeployment(CallbackServerContext* context, const v1::GetDeploymentRequest* request,
                                    v1::Deployment* response) override {
    return guard_.Run(context, "Deployments/GetDeployment", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        Answering(response, std::move(done))(deployments_.Get(caller.organization, request->agent()));
                      });
  }

  ServerUnaryReactor* ListDeployments(CallbackServerContext* context, const v1::ListDeploymentsRequest* request,
                                      v1::ListDeploymentsResponse* response) override {
    return guard_.Run(context, "Deployments/ListDeployments", request->organization(),
                      [=, this](const Caller& caller, const Guard::Done& done) {
                        const absl::StatusOr<DeploymentPage> page =
                            deployments_.List({.organization = caller.organization,
                                               .region = request->region(),
                                               .page_size = request->page_size(),
                                               .page_token = request->page_token()});
                        if (!page.ok()) return done(page.status());
                        for (const DeploymentView& view : page->deployments)
                          ToProto(view, *response->add_deployments());
                        response->set_next_page_token(page->next_page_token);
                        done(absl::OkStatus());
                      });
  }

  ServerUnaryReactor* DeleteDeployment(CallbackServerContext* context, const v1::DeleteDeploymentRequest* request,
                                       v1::DeleteDeploymentResponse*) override {
    return guard_.Run(context, "Deployments/DeleteDeployment", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        deployments_.Delete(caller.organization, request->agent(),
                                            {.etag = request->etag(), .request_id = request->request_id()},
                                            std::move(done));
                      });
  }

 private:
  Guard& guard_;
  const Deployments deployments_;
  AnswerSharing<v1::CreateDeploymentRequest, v1::Deployment> create_messages_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewDeploymentsService(Guard& guard, const UseCaseDeps& deps) {
  return std::make_unique<DeploymentsService>(guard, deps);
}

}  // namespace keyferry
