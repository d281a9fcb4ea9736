#include "services/api/deployments.h"

#include <memory>
#include <tuple>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/crypto/aead.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"
#include "services/api/deployment_checks.h"
#include "services/api/deployment_gate.h"
#include "services/api/deployment_memory.h"
#include "services/api/deployment_rows.h"
#include "services/api/paging.h"
#include "services/api/quotas.h"
#include "services/api/requests.h"
#include "services/api/set_draft.h"

namespace keyferry {
namespace {

WriteSubject SubjectOf(const std::string& agent) { return {.noun = "agent", .metadata_key = "agent", .name = agent}; }

bool MustExist(IfExists if_exists) {
  return if_exists == IfExists::kRequire || if_exists == IfExists::kRequireSkipUnchanged;
}

std::string_view NameOf(IfExists if_exists) {
  if (if_exists == IfExists::kUpdate) return "allow existing";
  return if_exists == IfExists::kRequireSkipUnchanged ? "skip unchanged" : "";
}

std::vector<std::string> ContentOf(const DeployRequest& request) {
  const Deployment& wanted = request.wanted;
  if (!request.request_content.empty())
    return {wanted.agent, request.request_content, std::string(NameOf(request.if_exists))};
  return {wanted.agent,
          wanted.region,
          wanted.image,
          wanted.secret_set,
          wanted.image_pull_secret,
          absl::StrJoin(wanted.required_keys, ","),
          wanted.client_data,
          std::string(NameOf(request.if_exists))};
}

IdempotentRequest RequestOf(const DeployRequest& request) {
  return IdempotentRequest(
      request.wanted.organization, request.conditions.validate_only ? "" : request.conditions.request_id,
      {.rpc = MustExist(request.if_exists) ? "UpdateDeployment" : "CreateDeployment", .parts = ContentOf(request)});
}

absl::Status CheckExistence(const DeployRequest& request, const std::optional<Deployment>& existing) {
  const std::string& agent = request.wanted.agent;
  if (!existing && MustExist(request.if_exists)) return DeploymentNotFound(agent);
  if (!existing || request.if_exists != IfExists::kRefuse)
    return CheckEtag(request.conditions.etag, existing ? existing->Etag() : "", SubjectOf(agent));
  return MakeError(
      absl::StatusCode::kAlreadyExists,
      absl::StrCat("agent \"", agent, "\" exists already in region ", existing->region, "; update it instead"),
      {.reason = "DEPLOYMENT_EXISTS", .metadata = {{"agent", agent}, {"region", existing->region}}});
}

// A secret set as a deployment names it.
struct BoundName {
  const char* field;
  const char* noun;
  const std::string& name;
};

FieldViolation Missing(const BoundName& bound) {
  return {bound.field, absl::StrCat(bound.noun, " \"", bound.name, "\" does not exist in this organization")};
}

absl::Status BoundNotFound(std::vector<FieldViolation> missing, const std::string& name) {
  const std::string message = absl::StrJoin(
      missing, "; ", [](std::string* out, const FieldViolation& violation) { out->append(violation.description); });
  return MakeError(
      absl::StatusCode::kNotFound, message,
      {.reason = "SECRET_SET_NOT_FOUND", .metadata = {{"resource", name}}, .violations = std::move(missing)});
}

absl::StatusOr<std::optional<SecretSetView>> ReadBound(Transaction& transaction, const UseCaseDeps& deps,
                                                       const std::string& organization, const BoundName& bound) {
  if (bound.name.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(std::optional<SecretSet> set, FindSet(transaction, organization, bound.name));
  if (!set) return BoundNotFound({Missing(bound)}, bound.name);
  SecretSetView view;
  ASSIGN_OR_RETURN(view.status,
                   ReadPlacement(transaction, set->region, ObjectIdOf(*set), set->uid, deps.writer.term().lineage));
  if (deps.region_connected) view.region_connected = deps.region_connected(set->region);
  view.set = *std::move(set);
  return view;
}

absl::StatusOr<BoundSets> ReadBoundSets(Transaction& transaction, const UseCaseDeps& deps, const Deployment& wanted) {
  const BoundName set_name{"deployment.secret_set", "secret set", wanted.secret_set};
  const BoundName pull_name{"deployment.image_pull_secret", "image pull secret", wanted.image_pull_secret};
  absl::StatusOr<std::optional<SecretSetView>> secret_set = ReadBound(transaction, deps, wanted.organization, set_name);
  absl::StatusOr<std::optional<SecretSetView>> pull_secret =
      ReadBound(transaction, deps, wanted.organization, pull_name);
  if (absl::IsNotFound(secret_set.status()) && absl::IsNotFound(pull_secret.status()))
    return BoundNotFound({Missing(set_name), Missing(pull_name)}, wanted.secret_set);
  RETURN_IF_ERROR(secret_set.status());
  RETURN_IF_ERROR(pull_secret.status());
  return BoundSets{.secret_set = *std::move(secret_set), .image_pull_secret = *std::move(pull_secret)};
}

absl::Status AgentStays(const Deployment& existing, const std::string& region) {
  const std::string description =
      absl::StrCat("agent \"", existing.agent, "\" runs in region ", existing.region, " and cannot move to ", region,
                   "; delete it first, or deploy another agent there");
  return MakeError(absl::StatusCode::kInvalidArgument, description,
                   {.reason = "REGION_MISMATCH",
                    .metadata = {{"agent", existing.agent}, {"region", existing.region}, {"requestedRegion", region}},
                    .violations = {{"deployment.region", description}}});
}

absl::StatusOr<std::string> RegionFor(Transaction& transaction, const Deployment& wanted,
                                      const std::optional<Deployment>& existing, const BoundSets& sets,
                                      const OrganizationRow& organization) {
  std::string region = wanted.region;
  if (region.empty() && existing) region = existing->region;
  if (region.empty() && sets.secret_set) region = sets.secret_set->set.region;
  if (region.empty() && sets.image_pull_secret) region = sets.image_pull_secret->set.region;
  if (region.empty()) region = DefaultRegionOf(organization);
  ASSIGN_OR_RETURN(const RegionRow row, ReadRegion(transaction, "deployment.region", region));
  RETURN_IF_ERROR(CheckEnrolled(region, row));
  if (existing && region != existing->region) return AgentStays(*existing, region);
  RETURN_IF_ERROR(CheckBoundRegions(sets, wanted.agent, region));
  return region;
}

Deployment NextOf(const Deployment& wanted, const std::optional<Deployment>& existing, std::string region) {
  Deployment next = wanted;
  next.region = std::move(region);
  next.uid = existing ? existing->uid : NewUid();
  next.generation = existing ? existing->generation + 1 : 1;
  if (existing) next.create_time = existing->create_time;
  return next;
}

void SetTimes(DeploymentView& view, absl::Time now) {
  if (view.deployment.generation == 1) view.deployment.create_time = now;
  view.deployment.update_time = now;
  view.status.last_transition_time = now;
}

// What is there is what deploying again would make, and its region may yet prove it or has.
bool IsUnchanged(const DeployRequest& request, const BoundSets& sets, const std::optional<Deployment>& existing,
                 const PlacementStatus& status) {
  if (request.if_exists != IfExists::kRequireSkipUnchanged || !existing) return false;
  if (status.readiness == Readiness::kFailed) return false;
  Deployment next = request.wanted;
  Bind(sets, next);
  const auto binding = [](const Deployment& deployment) {
    return std::tie(deployment.image, deployment.secret_set, deployment.secret_set_uid,
                    deployment.secret_set_generation, deployment.image_pull_secret, deployment.image_pull_secret_uid,
                    deployment.image_pull_secret_generation, deployment.required_keys, deployment.client_data);
  };
  return binding(next) == binding(*existing);
}

absl::StatusOr<DeploymentView> PlanDeploy(Transaction& transaction, const UseCaseDeps& deps,
                                          const DeployRequest& request, DeploymentMemory& memory, QuotaClaim& claim) {
  claim.Begin();
  // Before anything is read: an answer must not count in a later lineage than its rows were read in.
  const uint64_t lineage = deps.writer.term().lineage;
  const Deployment& wanted = request.wanted;
  const absl::Time now = deps.clock.Now();
  ASSIGN_OR_RETURN(const OrganizationRow organization, ReadOrganization(transaction, wanted.organization));
  ASSIGN_OR_RETURN(const auto organization_keys, deps.barrier.KeysOf(wanted.organization));
  const IdempotentRequest identity = RequestOf(request);
  ASSIGN_OR_RETURN(const std::optional<std::string> answer, identity.FindAnswer(transaction, *organization_keys, now));
  if (answer) return DecodeAnswer(wanted, *answer);

  ASSIGN_OR_RETURN(const std::optional<Deployment> existing,
                   FindDeployment(transaction, wanted.organization, wanted.agent));
  RETURN_IF_ERROR(CheckExistence(request, existing));
  ASSIGN_OR_RETURN(const BoundSets sets, ReadBoundSets(transaction, deps, wanted));
  RETURN_IF_ERROR(CheckBoundTypes(sets));
  ASSIGN_OR_RETURN(std::string region, RegionFor(transaction, wanted, existing, sets, organization));
  PlacementStatus before;
  if (existing) {
    ASSIGN_OR_RETURN(before, ReadPlacement(transaction, existing->region, ObjectIdOf(*existing), existing->uid, lineage));
  }
  if (IsUnchanged(request, sets, existing, before)) {
    const DeploymentView view{.deployment = *existing, .status = before, .unchanged = true};
    identity.Remember(transaction, *organization_keys, /*blind=*/false, EncodeAnswer(view), now);
    DescribeChange(transaction, view.deployment);
    return view;
  }
  RETURN_IF_ERROR(CheckGate(sets, wanted.required_keys));
  if (!existing) RETURN_IF_ERROR(claim.Add(organization));

  DeploymentView view{.deployment = NextOf(wanted, existing, std::move(region))};
  SetTimes(view, now);
  Bind(sets, view.deployment);
  view.status.observed_generation = before.observed_generation;
  view.status.ready_generation = before.ready_generation;
  if (request.conditions.validate_only) {
    std::optional<int64_t> quota;
    if (!existing) quota = LimitOf(QuotaKind::kDeployments, organization);
    memory.Remember(request, {.view = view, .quota = quota, .lineage = lineage, .rows = Transaction(transaction).TakeCommit({}).preconditions});
    return view;
  }
  RETURN_IF_ERROR(TakeSealedValues(transaction, sets, organization.uid, view.deployment));
  RETURN_IF_ERROR(WriteDeployment(transaction, existing, view.deployment, now));
  identity.Remember(transaction, *organization_keys, /*blind=*/false, EncodeAnswer(view), now);
  return view;
}

absl::StatusOr<std::monostate> PlanDelete(Transaction& transaction, const UseCaseDeps& deps,
                                          const std::string& organization, const std::string& agent,
                                          const WriteConditions& conditions, QuotaClaim& claim) {
  claim.Begin();
  const absl::Time now = deps.clock.Now();
  RETURN_IF_ERROR(ReadOrganization(transaction, organization).status());
  ASSIGN_OR_RETURN(const auto organization_keys, deps.barrier.KeysOf(organization));
  const IdempotentRequest identity(organization, conditions.request_id, {.rpc = "DeleteDeployment", .parts = {agent}});
  ASSIGN_OR_RETURN(const std::optional<std::string> answer, identity.FindAnswer(transaction, *organization_keys, now));
  if (answer) return std::monostate();
  ASSIGN_OR_RETURN(const std::optional<Deployment> existing, FindDeployment(transaction, organization, agent));
  if (!existing) return DeploymentNotFound(agent);
  RETURN_IF_ERROR(CheckEtag(conditions.etag, existing->Etag(), SubjectOf(agent)));
  RETURN_IF_ERROR(claim.Remove());
  RETURN_IF_ERROR(EraseDeployment(transaction, *existing, now));
  identity.Remember(transaction, *organization_keys, /*blind=*/false, "", now);
  return std::monostate();
}

std::optional<bool> IsConnected(const UseCaseDeps& deps, const std::string& region) {
  if (!deps.region_connected) return std::nullopt;
  return deps.region_connected(region);
}

}  // namespace

Deployments::Deployments(const UseCaseDeps& deps) : deps_(deps), memory_(std::make_shared<DeploymentMemory>(deps.writer.store)) {}

std::shared_ptr<const SharedDeploymentView> Deployments::DeployFromMemory(const DeployRequest& request) const {
  const auto remembered = memory_->Find(request, deps_.writer.term().lineage);
  if (remembered == nullptr) return nullptr;
  const DeploymentMemory::Answer& answer = remembered->answer();
  if (answer.quota && deps_.quotas != nullptr) {
    const std::optional<int64_t> used = deps_.quotas->CountInMemory(request.wanted.organization, QuotaKind::kDeployments);
    if (!used || *used >= *answer.quota) return nullptr;
  }
  const absl::Time now = deps_.clock.Now();
  const std::optional<bool> connected = IsConnected(deps_, answer.view.deployment.region);
  const auto said = remembered->Said();
  if (said != nullptr && said->view().region_connected == connected && absl::AbsDuration(now - said->view().deployment.update_time) <= kMaxSharedAge) return said;
  DeploymentView view = answer.view;
  SetTimes(view, now);
  view.region_connected = connected;
  auto shared = std::make_shared<const SharedDeploymentView>(std::move(view));
  remembered->Say(shared);
  return shared;
}

void Deployments::Deploy(DeployRequest request, Done done) const {
  if (absl::Status invalid = CheckFields(request); !invalid.ok()) return done(invalid);
  const bool validate_only = request.conditions.validate_only;
  WriteSubject subject = SubjectOf(request.wanted.agent);
  auto claim = std::make_shared<QuotaClaim>(deps_.quotas, request.wanted.organization, QuotaKind::kDeployments);
  RunUseCase<DeploymentView>(
      deps_, validate_only,
      [deps = deps_, memory = memory_, request = std::move(request), claim](Transaction& transaction) {
        return PlanDeploy(transaction, deps, request, *memory, *claim);
      },
      [deps = deps_, claim, validate_only, done = std::move(done)](absl::StatusOr<DeploymentView> view) {
        claim->Settle(view.ok() && !validate_only);
        if (view.ok()) view->region_connected = IsConnected(deps, view->deployment.region);
        done(std::move(view));
      },
      std::move(subject));
}

void Deployments::Delete(std::string organization, std::string agent, WriteConditions conditions,
                         std::function<void(absl::Status)> done) const {
  Violations violations;
  violations.Add("INVALID_AGENT_NAME", CheckAgentName("agent", agent));
  CheckConditions(conditions, violations);
  if (absl::Status invalid = violations.ToStatus(); !invalid.ok()) return done(invalid);
  auto claim = std::make_shared<QuotaClaim>(deps_.quotas, organization, QuotaKind::kDeployments);
  RunUseCase<std::monostate>(
      deps_, conditions.validate_only,
      [deps = deps_, organization, agent, conditions, claim](Transaction& transaction) {
        return PlanDelete(transaction, deps, organization, agent, conditions, *claim);
      },
      [claim, validate_only = conditions.validate_only, done = std::move(done)](absl::StatusOr<std::monostate> deleted) {
        claim->Settle(deleted.ok() && !validate_only);
        done(deleted.status());
      },
      SubjectOf(agent));
}

absl::StatusOr<DeploymentView> Deployments::Get(const std::string& organization, const std::string& agent) const {
  Transaction reads(deps_.writer.store);
  RETURN_IF_ERROR(ReadOrganization(reads, organization).status());
  RETURN_IF_ERROR(CheckAgent(agent));
  ASSIGN_OR_RETURN(std::optional<Deployment> deployment, FindDeployment(reads, organization, agent));
  if (!deployment) return DeploymentNotFound(agent);
  ASSIGN_OR_RETURN(std::optional<DeploymentView> view, CurrentView(deps_, *std::move(deployment)));
  if (!view) return DeploymentNotFound(agent);
  view->region_connected = IsConnected(deps_, view->deployment.region);
  return *std::move(view);
}

absl::StatusOr<DeploymentPage> Deployments::List(const DeploymentListing& listing) const {
  Transaction reads(deps_.writer.store);
  RETURN_IF_ERROR(ReadOrganization(reads, listing.organization).status());
  ASSIGN_OR_RETURN(const size_t page_size, PageSizeOf(listing.page_size));
  ASSIGN_OR_RETURN(auto organization_keys, deps_.barrier.KeysOf(listing.organization));
  const PageTokens tokens(std::move(organization_keys),
                          JoinParts({"deployments", listing.organization, listing.region}));
  ASSIGN_OR_RETURN(const std::string after, tokens.Parse(listing.page_token));

  DeploymentPage page;
  PageBudget budget(page_size);
  RETURN_IF_ERROR(VisitRows(deps_.writer.store, keys::Deployments(listing.organization), after,
                            [&](const KeyedRow& row) -> absl::StatusOr<bool> {
                              if (!budget.Look(row.key)) return false;
                              ASSIGN_OR_RETURN(Deployment found, Decode<Deployment>(row.row.value));
                              if (!listing.region.empty() && found.region != listing.region) return true;
                              found.organization = listing.organization;
                              found.agent = keys::LastPart(row.key);
                              ASSIGN_OR_RETURN(auto view, CurrentView(deps_, std::move(found)));
                              if (!view) return true;
                              view->deployment.sealed_object.clear();
                              view->region_connected = IsConnected(deps_, view->deployment.region);
                              if (!budget.Admit(WireBytesOf(*view))) return false;
                              page.deployments.push_back(*std::move(view));
                              return true;
                            }));
  if (!budget.last_name().empty()) page.next_page_token = tokens.Make(budget.last_name());
  return page;
}

}  // namespace keyferry
