#include "services/api/secret_sets.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/model/names.h"
#include "services/api/quotas.h"
#include "services/api/requests.h"
#include "services/api/set_draft.h"
#include "services/api/set_scene.h"

namespace keyferry {
namespace {

// A write of values, of either type; an image pull secret is a set of one value that is always replaced whole.
struct Put {
  SetWrite write;
  SecretSetType type = SecretSetType::kSecret;
  std::string region;
  std::string host;
  SetMode mode = SetMode::kMerge;
  std::vector<SecretValue> values;
};

IdempotentRequest RequestOf(const Put& put) {
  const WriteConditions& conditions = put.write.conditions;
  if (conditions.validate_only || conditions.request_id.empty()) return IdempotentRequest(put.write.organization, "", {});
  IdempotentRequest::Content content{
      .rpc = put.type == SecretSetType::kSecret ? "SetSecrets" : "SetImagePullSecret",
      .parts = {put.write.name, put.region, put.host, put.mode == SetMode::kMerge ? "merge" : "replace"}};
  for (const SecretValue& value : put.values) {
    content.parts.push_back(value.key);
    content.values.push_back(&value.value);
  }
  return IdempotentRequest(put.write.organization, conditions.request_id, std::move(content));
}

std::string_view NameOf(SecretSetType type) {
  return type == SecretSetType::kSecret ? "a regular secret set" : "an image pull secret";
}

absl::Status CheckType(const SecretSet& set, SecretSetType type) {
  if (set.type == type) return absl::OkStatus();
  return InvalidFields(
      "TYPE_IMMUTABLE",
      {{"secret_set", absl::StrCat("\"", set.name, "\" is ", std::string(NameOf(set.type)), " and cannot become ",
                                   std::string(NameOf(type)), "; choose another name")}});
}

absl::Status CheckStays(const SecretSet& set, const std::string& region) {
  if (region.empty() || region == set.region) return absl::OkStatus();
  const std::string description =
      absl::StrCat("secret set \"", set.name, "\" exists in region ", set.region, " and cannot move to ", region,
                   "; create a set under another name there");
  return MakeError(absl::StatusCode::kInvalidArgument, description,
                   {.reason = "REGION_MISMATCH",
                    .metadata = {{"secretSet", set.name}, {"region", set.region}, {"requestedRegion", region}},
                    .violations = {{"region", description}}});
}

// Whether the set holds exactly what the write would make it hold. Never known of a blind region.
bool Holds(const SecretSet& set, const Put& put, const OrganizationKeys& keys) {
  if (set.host != put.host) return false;
  if (put.mode == SetMode::kReplaceAll && set.entries.size() != put.values.size()) return false;
  return std::ranges::all_of(put.values, [&](const SecretValue& value) {
    const auto entry = std::ranges::find(set.entries, value.key, &SecretSetEntry::key);
    return entry != set.entries.end() && !entry->fingerprint.empty() &&
           entry->fingerprint == Fingerprint(keys, set.uid, value.key, value.value);
  });
}

// Whether nothing of what the set holds stays: then its newest generation need not be read.
bool ReplacesAll(const SecretSet& set, const Put& put) {
  if (put.mode == SetMode::kReplaceAll) return true;
  return std::ranges::all_of(set.entries, [&](const SecretSetEntry& entry) {
    return std::ranges::find(put.values, entry.key, &SecretValue::key) != put.values.end();
  });
}

absl::StatusOr<SetDraft> DraftOf(Transaction& transaction, const Put& put, const std::optional<SecretSet>& set,
                                 const std::string& region) {
  if (!set) {
    return SetDraft::New({.organization = put.write.organization,
                          .name = put.write.name,
                          .uid = NewUid(),
                          .type = put.type,
                          .region = region});
  }
  if (ReplacesAll(*set, put)) return SetDraft::New(*set);
  ASSIGN_OR_RETURN(const std::optional<Generation> newest, ReadGeneration(transaction, *set, set->generation));
  if (!newest) return absl::DataLossError("a set's newest generation is not there");
  return SetDraft::After(*set, *newest);
}

absl::StatusOr<SetWriteAnswer> Write(Transaction& transaction, const UseCaseDeps& deps, const Put& put,
                                     const SetScene& scene, const std::string& region_code, const RegionRow& region) {
  ASSIGN_OR_RETURN(SetDraft draft, DraftOf(transaction, put, scene.set, region_code));
  draft.SetHost(put.host);
  RETURN_IF_ERROR(draft.Put(
      put.values,
      {.organization_uid = scene.organization.uid, .region = region, .keys = *scene.keys, .sender = deps.sender}));
  RETURN_IF_ERROR(draft.CheckSize());
  ASSIGN_OR_RETURN(SecretSet written,
                   std::move(draft).Write(transaction, scene.organization.uid, put.write.author, scene.now));
  return Changed(transaction, deps, scene.set, std::move(written));
}

absl::StatusOr<SetWriteAnswer> PlanPut(Transaction& transaction, const UseCaseDeps& deps, const Put& put,
                                       QuotaClaim& claim) {
  claim.Begin();
  const IdempotentRequest request = RequestOf(put);
  ASSIGN_OR_RETURN(const SetScene scene, OpenScene(transaction, deps, put.write, request));
  if (scene.answer) return DecodeAnswer(put.write, *scene.answer);

  std::string region_code = put.region;
  if (region_code.empty()) region_code = scene.set ? scene.set->region : DefaultRegionOf(scene.organization);
  if (scene.set) RETURN_IF_ERROR(CheckType(*scene.set, put.type));
  ASSIGN_OR_RETURN(const RegionRow region, ReadRegion(transaction, "region", region_code));
  if (scene.set) RETURN_IF_ERROR(CheckStays(*scene.set, put.region));

  SetWriteAnswer answer;
  if (scene.set && Holds(*scene.set, put, *scene.keys)) {
    ASSIGN_OR_RETURN(answer, Unchanged(transaction, deps, scene));
  } else {
    if (!scene.set) RETURN_IF_ERROR(claim.Add(scene.organization));
    ASSIGN_OR_RETURN(answer, Write(transaction, deps, put, scene, region_code, region));
  }
  if (request.is_named()) request.Remember(transaction, *scene.keys, region.blind, EncodeAnswer(answer), scene.now);
  DescribeChange(transaction, answer.view.set);
  return answer;
}

void RunPut(const UseCaseDeps& deps, Put put, SecretSets::Done done) {
  const bool validate_only = put.write.conditions.validate_only;
  WriteSubject subject = SubjectOf(put.write);
  auto claim = std::make_shared<QuotaClaim>(deps.quotas, put.write.organization, QuotaKind::kSecretSets);
  auto shared = std::make_shared<const Put>(std::move(put));
  RunUseCase<SetWriteAnswer>(
      deps, validate_only,
      [deps, shared, claim](Transaction& transaction) { return PlanPut(transaction, deps, *shared, *claim); },
      [claim, validate_only, done = std::move(done)](absl::StatusOr<SetWriteAnswer> answer) {
        claim->Settle(answer.ok() && !validate_only);
        done(std::move(answer));
      },
      std::move(subject));
}

void CheckWrite(const SetWrite& write, Violations& violations) {
  violations.Add("INVALID_SECRET_SET_NAME", CheckSecretSetName("secret_set", write.name));
  CheckConditions(write.conditions, violations);
}

}  // namespace

void SecretSets::Set(SetWrite write, std::string region, SetMode mode, std::vector<SecretValue> values,
                     Done done) const {
  Violations violations;
  CheckWrite(write, violations);
  CheckSecretValues(values, violations);
  if (absl::Status invalid = violations.ToStatus(); !invalid.ok()) return done(invalid);
  RunPut(deps_, {.write = std::move(write), .region = std::move(region), .mode = mode, .values = std::move(values)},
         std::move(done));
}

void SecretSets::SetImagePullSecret(SetWrite write, std::string region, std::string host, SecretBytes auth,
                                    Done done) const {
  Violations violations;
  CheckWrite(write, violations);
  CheckHost(host, violations);
  SecretBytes normal = NormalizePullAuth(auth, violations);
  if (absl::Status invalid = violations.ToStatus(); !invalid.ok()) return done(invalid);
  Put put{.write = std::move(write),
          .type = SecretSetType::kImagePullSecret,
          .region = std::move(region),
          .host = NormalizeHost(host),
          .mode = SetMode::kReplaceAll};
  put.values.push_back({.key = "", .value = std::move(normal)});
  RunPut(deps_, std::move(put), std::move(done));
}

}  // namespace keyferry
