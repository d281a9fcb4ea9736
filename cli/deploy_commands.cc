#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cli/commands.h"
#include "cli/deploy_file.h"
#include "cli/file_reader.h"
#include "cli/output.h"
#include "cli/readiness_wait.h"
#include "cli/usage.h"
#include "cli/views.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "libs/model/names.h"

namespace keyferry {
namespace {

constexpr char kDefaultDeployFile[] = "pcc-deploy.toml";
constexpr size_t kMaxDeployFileBytes = 256 * 1024;

absl::StatusOr<DeployFile> ReadDeployFile(const std::string& named) {
  const std::string path = named.empty() ? kDefaultDeployFile : named;
  std::optional<SecretBytes> text;
  if (named.empty()) {
    ASSIGN_OR_RETURN(text, ReadSecretFileIfPresent(path, kMaxDeployFileBytes));
  } else {
    ASSIGN_OR_RETURN(text, ReadSecretFile(path, kMaxDeployFileBytes));
  }
  return text ? ParseDeployFile(path, text->Access()) : DeployFile();
}

// What the command line leaves out comes from the file.
absl::StatusOr<v1::Deployment> Merge(const Session& session) {
  const CommandLine& line = session.line();
  ASSIGN_OR_RETURN(const DeployFile file, ReadDeployFile(line.deploy_file));
  const auto choose = [](const std::string& flag, const std::string& fallback) {
    return flag.empty() ? fallback : flag;
  };
  v1::Deployment deployment;
  deployment.set_organization(session.settings().organization);
  deployment.set_agent(choose(line.name, file.agent_name));
  deployment.set_image(choose(line.image, file.image));
  deployment.set_secret_set(choose(line.secret_set, file.secret_set));
  deployment.set_image_pull_secret(choose(line.image_pull_secret, file.image_credentials));
  deployment.set_region(choose(line.region, file.region));
  for (const std::string& key : line.required_keys.empty() ? file.required_keys : line.required_keys)
    deployment.add_required_keys(key);
  if (deployment.agent().empty()) {
    return UsageError("no agent: name it on the command line, or as agent_name in pcc-deploy.toml");
  }
  return deployment;
}

std::string Question(const v1::Deployment& deployment) {
  std::string question = absl::StrCat("Deploy ", deployment.agent());
  const std::pair<const char*, const std::string&> parts[] = {{"image", deployment.image()},
                                                              {"secrets", deployment.secret_set()},
                                                              {"credentials", deployment.image_pull_secret()},
                                                              {"region", deployment.region()}};
  for (const auto& [name, value] : parts) {
    if (!value.empty()) absl::StrAppend(&question, ", ", name, " ", value);
  }
  return question + "?";
}

std::string DeployText(const v1::Deployment& deployment, bool dry_run) {
  std::string text =
      absl::StrCat(dry_run ? "dry run, nothing deployed" : "accepted", ": deployment ", deployment.agent(), ", region ",
                   deployment.region(), ", generation ", deployment.generation());
  if (!deployment.secret_set().empty()) {
    absl::StrAppend(&text, ", secrets ", deployment.secret_set(), " generation ", deployment.secret_set_generation());
  }
  if (!dry_run) absl::StrAppend(&text, ", status ", ReadinessWord(deployment.readiness()));
  return text + "\n";
}

// Waits for what the gate asks for, deploys, and waits for the region. One deadline for all of it.
class WaitingDeploy {
 public:
  WaitingDeploy(Session& session, absl::Duration timeout) : session_(session), deadline_(absl::Now() + timeout) {}

  absl::StatusOr<v1::Deployment> Run(const v1::CreateDeploymentRequest& request) {
    absl::StatusOr<v1::Deployment> accepted;
    do {
      RETURN_IF_ERROR(AwaitSet(request.deployment().secret_set()));
      RETURN_IF_ERROR(AwaitSet(request.deployment().image_pull_secret()));
      accepted = session_.Call<v1::Deployment>("Deployments/CreateDeployment", request);
      // Written again in between: the gate asks for the newest generation.
    } while (ReasonOf(accepted.status()) == "SECRET_SET_PENDING" && Left() > kLeast);
    RETURN_IF_ERROR(accepted.status());
    return WaitForDeployment(session_, accepted->agent(), accepted->generation(), Left());
  }

 private:
  static constexpr absl::Duration kLeast = absl::Milliseconds(1);
  absl::Duration Left() const { return std::max(deadline_ - absl::Now(), kLeast); }
  absl::Status AwaitSet(const std::string& name) {
    return name.empty() ? absl::OkStatus() : WaitForSecretSet(session_, name, 0, Left()).status();
  }

  Session& session_;
  const absl::Time deadline_;
};

absl::Status Deploy(Session& session) {
  const CommandLine& line = session.line();
  v1::CreateDeploymentRequest request;
  ASSIGN_OR_RETURN(*request.mutable_deployment(), Merge(session));
  request.set_allow_existing(true);
  request.set_validate_only(line.dry_run);
  request.set_request_id(NewUid());
  if (!line.dry_run) RETURN_IF_ERROR(session.Confirm(Question(request.deployment())));
  ASSIGN_OR_RETURN(const v1::Deployment deployment,
                   line.wait ? WaitingDeploy(session, *line.wait).Run(request)
                             : session.Call<v1::Deployment>("Deployments/CreateDeployment", request));
  nlohmann::ordered_json document = ToDocument(deployment);
  if (line.dry_run) document["dryRun"] = true;
  session.Print(document, DeployText(deployment, line.dry_run));
  return absl::OkStatus();
}

absl::Status ListAgents(Session& session) {
  v1::ListDeploymentsRequest request;
  request.set_organization(session.settings().organization);
  request.set_region(session.line().region);
  request.set_page_size(kDefaultPageSize);
  Table table{.header = {"AGENT", "REGION", "STATUS", "GENERATION", "SECRETS", "IMAGE", "UPDATED"}};
  nlohmann::ordered_json agents = nlohmann::ordered_json::array();
  do {
    ASSIGN_OR_RETURN(const auto page,
                     session.Call<v1::ListDeploymentsResponse>("Deployments/ListDeployments", request));
    for (const v1::Deployment& deployment : page.deployments()) {
      const std::string secrets = deployment.secret_set().empty()
                                      ? "-"
                                      : absl::StrCat(deployment.secret_set(), "@", deployment.secret_set_generation());
      table.rows.push_back({deployment.agent(), deployment.region(), ReadinessWord(deployment.readiness()),
                            absl::StrCat(deployment.generation()), secrets, deployment.image(),
                            TimeText(deployment.update_time())});
      agents.push_back(ToDocument(deployment));
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  nlohmann::ordered_json document;
  document["agents"] = std::move(agents);
  session.Print(document, RenderTable(table, session.console().colour));
  return absl::OkStatus();
}

std::string AgentText(const v1::Deployment& deployment, bool colour) {
  std::vector<std::pair<std::string, std::string>> fields = {{"agent", deployment.agent()},
                                                             {"region", deployment.region()},
                                                             {"status", ReadinessWord(deployment.readiness())}};
  if (!deployment.error_message().empty()) fields.emplace_back("error", deployment.error_message());
  fields.emplace_back("image", deployment.image());
  fields.emplace_back("generation", absl::StrCat(deployment.generation()));
  fields.emplace_back("ready generation", absl::StrCat(deployment.ready_generation()));
  if (!deployment.secret_set().empty()) {
    fields.emplace_back("secrets",
                        absl::StrCat(deployment.secret_set(), ", generation ", deployment.secret_set_generation()));
  }
  if (!deployment.image_pull_secret().empty()) {
    fields.emplace_back("credentials", absl::StrCat(deployment.image_pull_secret(), ", generation ",
                                                    deployment.image_pull_secret_generation()));
  }
  fields.emplace_back("required keys", absl::StrJoin(deployment.required_keys(), " "));
  fields.emplace_back("keys", absl::StrJoin(deployment.keys(), " "));
  fields.emplace_back("created", TimeText(deployment.create_time()));
  fields.emplace_back("updated", TimeText(deployment.update_time()));
  fields.emplace_back("etag", deployment.etag());
  return RenderFields(fields, colour);
}

absl::Status ShowAgent(Session& session) {
  v1::GetDeploymentRequest request;
  request.set_organization(session.settings().organization);
  request.set_agent(session.line().name);
  ASSIGN_OR_RETURN(const auto deployment, session.Call<v1::Deployment>("Deployments/GetDeployment", request));
  session.Print(ToDocument(deployment), AgentText(deployment, session.console().colour));
  return absl::OkStatus();
}

absl::Status DeleteAgent(Session& session) {
  const CommandLine& line = session.line();
  RETURN_IF_ERROR(session.Confirm(absl::StrCat("Delete the deployment ", line.name, "?")));
  v1::DeleteDeploymentRequest request;
  request.set_organization(session.settings().organization);
  request.set_agent(line.name);
  request.set_etag(line.etag);
  request.set_request_id(NewUid());
  RETURN_IF_ERROR(session.Call<v1::DeleteDeploymentResponse>("Deployments/DeleteDeployment", request).status());
  nlohmann::ordered_json document;
  document["agent"] = line.name;
  document["deleted"] = true;
  session.Print(document, absl::StrCat("deleted: deployment ", line.name, "\n"));
  return absl::OkStatus();
}

}  // namespace

void AddDeployCommands(CommandTable& table) {
  table["deploy"] = Deploy;
  table["agents list"] = ListAgents;
  table["agents show"] = ShowAgent;
  table["agents delete"] = DeleteAgent;
}

}  // namespace keyferry
