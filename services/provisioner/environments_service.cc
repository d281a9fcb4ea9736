#include "services/provisioner/environments_service.h"

#include <grpcpp/support/server_callback.h>

#include <map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "keyferry/v1/environments.grpc.pb.h"
#include "libs/common/error.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "libs/model/names.h"
#include "libs/rpc/status_conversion.h"
#include "services/provisioner/object_opener.h"

namespace keyferry {
namespace {

constexpr size_t kIncidentBytes = 8;

grpc::Status ToEdge(const absl::Status& status) {
  const std::string incident = absl::BytesToHexString(RandomBytes(kIncidentBytes));
  const bool internal = absl::IsDataLoss(status) || absl::IsInternal(status) || absl::IsUnknown(status);
  if (internal) Log(Severity::kError, "environment_failed", {{"incident", incident}, {"error", status}});
  return ToGrpcStatus(status, incident);
}

absl::StatusOr<ObjectId> ParseRequest(const v1::GetEnvironmentRequest& request) {
  std::vector<FieldViolation> violations;
  if (auto bad = CheckOrganizationName("organization", request.organization())) violations.push_back(*std::move(bad));
  if (auto bad = CheckAgentName("agent", request.agent())) violations.push_back(*std::move(bad));
  if (!violations.empty()) return InvalidFields("INVALID_NAME", std::move(violations));
  return ObjectId{.kind = ObjectKind::kDeployment, .organization = request.organization(), .name = request.agent()};
}

class EnvironmentSource {
 public:
  EnvironmentSource(const RegionStore& store, const RegionKeys& keys) : store_(store), keys_(keys) {}

  absl::Status Fill(const ObjectId& agent, v1::Environment& environment) const {
    ASSIGN_OR_RETURN(const auto held, store_.Get(agent));
    if (!held || held->version.operation != Operation::kApply) {
      return NotFound("DEPLOYMENT_NOT_FOUND",
                      absl::StrCat("this region holds no deployment of agent ", agent.name,
                                   "; deploy it here, or wait until it is ready"),
                      absl::StrCat("organizations/", agent.organization, "/agents/", agent.name));
    }
    ASSIGN_OR_RETURN(const OpenedObject opened, OpenObject(*keys_.Get(), *held));
    for (const OpenedValue& value : opened.values) {
      v1::EnvironmentVariable* variable = environment.add_variables();
      variable->set_name(value.key);
      variable->set_value(value.value.Access().data(), value.value.size());
    }
    environment.set_deployment_generation(opened.generation);
    environment.set_secret_set_generation(opened.secret_set_generation);
    environment.set_image(opened.image);
    return absl::OkStatus();
  }

 private:
  const RegionStore& store_;
  const RegionKeys& keys_;
};

// One WatchEnvironment call: sends the environment, then again after each Notice; what changes while a write is under
// way is sent once.
class Watch final : public grpc::ServerWriteReactor<v1::Environment>, public std::enable_shared_from_this<Watch> {
 public:
  Watch(const EnvironmentSource& source, ObjectId agent, Executor& executor, std::function<void()> on_done)
      : source_(source), agent_(std::move(agent)), strand_(Strand::Create(executor)), on_done_(std::move(on_done)) {}

  void Notice() {
    strand_->Run([self = shared_from_this()] {
      self->stale_ = true;
      self->SendIfIdle();
    });
  }

  void OnWriteDone(bool ok) override {
    strand_->Run([self = shared_from_this(), ok] {
      self->environment_.reset();
      if (!ok) return self->FinishOnce(grpc::Status::CANCELLED);
      self->SendIfIdle();
    });
  }

  void OnCancel() override {
    strand_->Run([self = shared_from_this()] { self->FinishOnce(grpc::Status::CANCELLED); });
  }

  // On gRPC's thread, since the server waits for it to return and for nothing that it hands over.
  void OnDone() override {
    const std::shared_ptr<Watch> self = shared_from_this();
    on_done_();
  }

 private:
  void SendIfIdle() {
    if (environment_ || finished_ || !stale_) return;
    stale_ = false;
    environment_ = std::make_unique<v1::Environment>();
    if (const absl::Status status = source_.Fill(agent_, *environment_); !status.ok())
      return FinishOnce(ToEdge(status));
    StartWrite(environment_.get());
  }

  void FinishOnce(const grpc::Status& status) {
    if (!std::exchange(finished_, true)) Finish(status);
  }

  const EnvironmentSource& source_;
  const ObjectId agent_;
  const std::shared_ptr<Strand> strand_;
  const std::function<void()> on_done_;
  // While a write is under way; values are freed right after it.
  std::unique_ptr<v1::Environment> environment_;
  bool stale_ = false;
  bool finished_ = false;
};

class Service final : public EnvironmentsService, public v1::Environments::CallbackService {
 public:
  Service(const RegionStore& store, const RegionKeys& keys, Executor& executor)
      : source_(store, keys), executor_(executor) {}

  grpc::Service& service() override { return *this; }

  void Changed(const ObjectId& id) override {
    absl::MutexLock lock(&mutex_);
    const auto [begin, end] = watches_.equal_range(id);
    for (auto watch = begin; watch != end; ++watch) watch->second->Notice();
  }

  grpc::ServerUnaryReactor* GetEnvironment(grpc::CallbackServerContext* context,
                                           const v1::GetEnvironmentRequest* request,
                                           v1::Environment* environment) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    executor_.Run([this, reactor, request, environment] {
      const auto agent = ParseRequest(*request);
      const absl::Status status = agent.ok() ? source_.Fill(*agent, *environment) : agent.status();
      reactor->Finish(status.ok() ? grpc::Status::OK : ToEdge(status));
    });
    return reactor;
  }

  grpc::ServerWriteReactor<v1::Environment>* WatchEnvironment(grpc::CallbackServerContext*,
                                                              const v1::GetEnvironmentRequest* request) override {
    const auto agent = ParseRequest(*request);
    if (!agent.ok()) return new Refusal(ToEdge(agent.status()));
    absl::MutexLock lock(&mutex_);
    const auto place = watches_.emplace(*agent, nullptr);
    place->second = std::make_shared<Watch>(source_, *agent, executor_, [this, place] {
      absl::MutexLock lock(&mutex_);
      watches_.erase(place);
    });
    place->second->Notice();
    return place->second.get();
  }

 private:
  class Refusal final : public grpc::ServerWriteReactor<v1::Environment> {
   public:
    explicit Refusal(const grpc::Status& status) { Finish(status); }
    void OnDone() override { delete this; }
  };

  const EnvironmentSource source_;
  Executor& executor_;
  absl::Mutex mutex_;
  std::multimap<ObjectId, std::shared_ptr<Watch>> watches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<EnvironmentsService> EnvironmentsService::Create(const RegionStore& store, const RegionKeys& keys,
                                                                 Executor& executor) {
  return std::make_unique<Service>(store, keys, executor);
}

}  // namespace keyferry
