#include "services/api/deployment_memory.h"

#include <algorithm>
#include <utility>

#include "libs/crypto/aead.h"
#include "libs/storage/keys.h"
#include "services/api/deployment_rows.h"

namespace keyferry {
namespace {

// All that an answer may depend on; empty: too long, or a question of a kind that is not remembered.
std::string QuestionOf(const DeployRequest& request) {
  const Deployment& wanted = request.wanted;
  if (!request.conditions.validate_only || !request.conditions.request_id.empty()) return "";
  const char if_exists = static_cast<char>(request.if_exists);
  std::string question = JoinParts({wanted.organization, wanted.agent, std::string_view(&if_exists, 1), wanted.secret_set,
                                    wanted.image_pull_secret, wanted.region, wanted.image, wanted.client_data, request.conditions.etag});
  for (const std::string& key : wanted.required_keys) question.append(JoinParts({key}));
  return question.size() <= kMaxDeploymentQuestionBytes ? question : "";
}

}  // namespace

DeploymentMemory::DeploymentMemory(Store& store)
    : store_(store),
      organizations_(store.Ring(keys::Organizations(), PrefixEnd(keys::Organizations().bytes), [this] { DropChangedOrganizations(); })) {}

std::shared_ptr<const DeploymentMemory::Remembered> DeploymentMemory::Find(const DeployRequest& request, uint64_t lineage) {
  const std::string question = QuestionOf(request);
  if (question.empty()) return nullptr;
  std::shared_ptr<const Remembered> remembered;
  {
    const absl::MutexLock lock(&mutex_);
    const auto* const found = answers_.Find(question);
    if (found == nullptr) return nullptr;
    remembered = *found;
  }
  return remembered->answer().lineage == lineage && Holds(remembered->answer()) ? remembered : nullptr;
}

void DeploymentMemory::Remember(const DeployRequest& request, Answer answer) {
  const std::string question = QuestionOf(request);
  if (question.empty()) return;
  const absl::MutexLock lock(&mutex_);
  if (WireBytesOf(answer.view) > kMaxDeploymentAnswerBytes) return;
  std::stable_partition(answer.rows.begin(), answer.rows.end(), [](const Precondition& row) { return row.revision == 0; });
  // Under the lock: of an organization whose bell has rung already nothing gets in again.
  if (Holds(answer)) answers_.Insert(question, std::make_shared<const Remembered>(std::move(answer)));
}

size_t DeploymentMemory::size() const {
  const absl::MutexLock lock(&mutex_);
  return answers_.size();
}

bool DeploymentMemory::Holds(const Answer& answer) const {
  return std::ranges::all_of(answer.rows, [this](const Precondition& row) { return store_.RevisionInMemory(row.key) == row.revision; });
}

void DeploymentMemory::DropChangedOrganizations() {
  const absl::MutexLock lock(&mutex_);
  answers_.EraseIf([this](const std::shared_ptr<const Remembered>& remembered) {
    const RowKey key = keys::Organization(remembered->answer().view.deployment.organization);
    return std::ranges::any_of(remembered->answer().rows, [&](const Precondition& row) {
      return row.key == key && store_.RevisionInMemory(key) != row.revision;
    });
  });
}

}  // namespace keyferry
