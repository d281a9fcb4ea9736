#include "services/api/view_conversion.h"

#include "absl/strings/str_cat.h"
#include "keyferry/v1/deployments.pb.h"
#include "keyferry/v1/secret_sets.pb.h"
#include "libs/rpc/model_conversion.h"

namespace keyferry {
namespace {

// An object in its region, whatever it is.
struct PlacementView {
  const std::string& region;
  const PlacementStatus& status;
  const std::optional<bool>& region_connected;
};

struct ProvisionedWords {
  const char* status;
  const char* reason;
  std::string message;
};

ProvisionedWords WordsOf(const PlacementView& view) {
  switch (view.status.readiness) {
    case Readiness::kReady:
      return {"True", "Proved", absl::StrCat("region ", view.region, " has proved that it holds this generation")};
    case Readiness::kFailed:
      return {"False", "Failed", FailureText(view.status)};
    case Readiness::kPending:
      break;
  }
  const bool absent = view.region_connected && !*view.region_connected;
  return {"False", absent ? "RegionNotConnected" : "Pending",
          absl::StrCat("accepted; being provisioned into region ", view.region,
                       absent ? ", where no provisioner is connected at the moment" : "")};
}

template <typename Wire>
void AddConditions(const PlacementView& view, Wire& wire) {
  const ProvisionedWords words = WordsOf(view);
  v1::Condition& provisioned = *wire.add_conditions();
  provisioned.set_type("Provisioned");
  provisioned.set_status(words.status);
  provisioned.set_reason(words.reason);
  provisioned.set_message(words.message);
  provisioned.set_observed_generation(view.status.observed_generation);
  *provisioned.mutable_last_transition_time() = ToProto(view.status.last_transition_time);
  if (!view.region_connected) return;
  v1::Condition& connected = *wire.add_conditions();
  connected.set_type("RegionConnected");
  connected.set_status(*view.region_connected ? "True" : "False");
  connected.set_reason(*view.region_connected ? "Connected" : "NotConnected");
  connected.set_message(
      absl::StrCat(*view.region_connected ? "a" : "no", " provisioner of region ", view.region, " is connected"));
  connected.set_observed_generation(view.status.observed_generation);
}

}  // namespace

void ToProto(const SecretSetView& view, v1::SecretSet& wire) {
  ToProto(view.set, wire);
  wire.set_readiness(ToProto(view.status.readiness));
  wire.set_ready_generation(view.status.ready_generation);
  if (view.status.readiness == Readiness::kFailed) wire.set_error_message(FailureText(view.status));
  AddConditions({view.set.region, view.status, view.region_connected}, wire);
}

void ToProto(const DeploymentView& view, v1::Deployment& wire) {
  ToProto(view.deployment, wire);
  wire.set_readiness(ToProto(view.status.readiness));
  wire.set_ready_generation(view.status.ready_generation);
  if (view.status.readiness == Readiness::kFailed) wire.set_error_message(FailureText(view.status));
  wire.set_unchanged(view.unchanged);
  AddConditions({view.deployment.region, view.status, view.region_connected}, wire);
}

}  // namespace keyferry
