// The reference of the benchmarks: the house's server with the edge door's TLS and services that answer at once, with
// nothing; a watch is one message after another, unhinted, as fast as they go. usage: echo_server CERTIFICATE KEY;
// prints its address.
#include <grpcpp/grpcpp.h>

#include <cstdio>

#include "keyferry/v1/deployments.grpc.pb.h"
#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "tests/bench/bench_server.h"

namespace keyferry {
namespace {

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

// The set as one event of a watch shows it.
v1::WatchSecretSetsResponse NewEvent() {
  v1::WatchSecretSetsResponse event;
  v1::SecretSet& set = *event.mutable_updated();
  set.set_name("bench-0");
  set.set_organization("acme");
  set.set_uid(std::string(32, '0'));
  set.set_type(v1::SECRET_SET_TYPE_SECRET);
  set.set_region("us-west");
  set.set_generation(1);
  for (int i = 0; i < 4; ++i) set.add_keys("KEY_" + std::to_string(i));
  set.set_etag(std::string(32, '0'));
  set.mutable_create_time()->set_seconds(1);
  set.mutable_update_time()->set_seconds(1);
  return event;
}

class EventsForEver final : public grpc::ServerWriteReactor<v1::WatchSecretSetsResponse> {
 public:
  EventsForEver() {
    snapshot_complete_.set_snapshot_complete(true);
    StartWrite(&snapshot_complete_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    StartWrite(&event_);
  }
  void OnDone() override { delete this; }

 private:
  v1::WatchSecretSetsResponse snapshot_complete_;
  const v1::WatchSecretSetsResponse event_ = NewEvent();
};

class EchoSecretSets final : public v1::SecretSets::CallbackService {
  grpc::ServerUnaryReactor* SetSecrets(grpc::CallbackServerContext* context, const v1::SetSecretsRequest*,
                                       v1::SetSecretsResponse*) override {
    return Answer(context);
  }
  grpc::ServerUnaryReactor* GetSecretSet(grpc::CallbackServerContext* context, const v1::GetSecretSetRequest*,
                                         v1::SecretSet*) override {
    return Answer(context);
  }
  grpc::ServerWriteReactor<v1::WatchSecretSetsResponse>* WatchSecretSets(grpc::CallbackServerContext*,
                                                                         const v1::WatchSecretSetsRequest*) override {
    return new EventsForEver;
  }
};

class EchoDeployments final : public v1::Deployments::CallbackService {
  grpc::ServerUnaryReactor* CreateDeployment(grpc::CallbackServerContext* context, const v1::CreateDeploymentRequest*,
                                             v1::Deployment*) override {
    return Answer(context);
  }
};

}  // namespace
}  // namespace keyferry

int main(int count, char** arguments) {
  if (count != 3) return std::fputs("usage: echo_server CERTIFICATE KEY\n", stderr), 2;
  keyferry::HoldSigterm();
  keyferry::EchoSecretSets secret_sets;
  keyferry::EchoDeployments deployments;
  return keyferry::ServeUntilTerminated(arguments[1], arguments[2], {&secret_sets, &deployments});
}
