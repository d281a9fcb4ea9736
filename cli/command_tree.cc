#include "cli/command_tree.h"

#include <CLI/CLI.hpp>

#include "cli/admin_tree.h"

#ifndef KEYFERRY_VERSION
#define KEYFERRY_VERSION "unknown"
#endif

namespace keyferry {
namespace {

const std::vector<std::string>& Roles() {
  static const auto& roles = *new std::vector<std::string>{"admin", "member", "deployer", "viewer"};
  return roles;
}

class CommandTreeBuilder {
 public:
  CommandTreeBuilder(CommandLine& line, RawArguments& raw) : line_(line), raw_(raw) {}

  void Build(CLI::App& app) {
    app.name("keyferry");
    app.set_version_flag("--version", "keyferry " KEYFERRY_VERSION);
    app.set_help_flag("-h,--help", "Print this help and exit");
    app.fallthrough();
    app.require_subcommand(1);
    AddGlobalOptions(app);
    AddSecretCommands(app);
    AddDeployCommands(app);
    AddRun(app);
    AddRegionCommands(app);
    AddOrganizationCommands(app);
    AddKeyCommands(app);
    AddAdminTree(app, line_, raw_.wait);
    app.add_subcommand("whoami", "Show who the credential is and what it may do");
    CLI::App* completion = app.add_subcommand("completion", "Print a completion script for a shell");
    completion->add_option("SHELL", line_.shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  }

 private:
  void AddGlobalOptions(CLI::App& app) {
    SettingFlags& flags = line_.settings;
    app.add_option("-o,--output", raw_.format, "table, json or yaml")->check(CLI::IsMember({"table", "json", "yaml"}));
    app.add_flag("-s,--skip-confirm", line_.skip_confirm, "Do not ask, also on a terminal");
    app.add_option("--endpoint", flags.endpoint, "API: host:port or unix:/path (KEYFERRY_ENDPOINT)");
    app.add_option("--organization", flags.organization,
                   "Organization; the credential's own where absent (KEYFERRY_ORG)");
    app.add_option("--api-key-file", flags.api_key_file,
                   "File with the API key, private to its owner (KEYFERRY_API_KEY holds the key itself)");
    app.add_option("--ca-file", flags.ca_file, "PEM roots that the API's certificate must chain to (KEYFERRY_CA_FILE)");
    app.add_option("--cert-file", flags.certificate_file, "PEM client certificate, for operators (KEYFERRY_CERT_FILE)");
    app.add_option("--key-file", flags.key_file, "PEM key of the client certificate (KEYFERRY_KEY_FILE)");
    app.add_option("--agent-socket", flags.agent_socket, "The region's socket for agent hosts (KEYFERRY_AGENT_SOCKET)");
    app.add_option("--config", flags.config_file, "Configuration file (KEYFERRY_CONFIG)");
  }

  void Name(CLI::App* command, const std::string& what) { command->add_option("NAME", line_.name, what)->required(); }
  void Region(CLI::App* command, const std::string& what) { command->add_option("-r,--region", line_.region, what); }
  void Etag(CLI::App* command) {
    command->add_option("--etag", line_.etag, "Go ahead only while the set's etag is this one");
  }
  void Wait(CLI::App* command, const std::string& what) { command->add_flag("--wait{30s}", raw_.wait, what); }
  void DryRun(CLI::App* command) {
    command->add_flag("--dry-run", line_.dry_run, "Check everything and change nothing");
  }

  static CLI::App* AddGroup(CLI::App& app, const std::string& name, const std::string& what) {
    CLI::App* group = app.add_subcommand(name, what);
    group->require_subcommand(1);
    return group;
  }

  void AddSecretCommands(CLI::App& app) {
    CLI::App* secrets = AddGroup(app, "secrets", "Secret sets and image pull secrets");
    AddSet(secrets->add_subcommand("set", "Create a secret set, or add and overwrite keys of one: one atomic write"));

    CLI::App* list = secrets->add_subcommand("list", "List the secret sets, or show one and its keys; never values");
    list->add_option("NAME", line_.name, "Show this set");
    Region(list, "Only sets of this region");

    CLI::App* unset = secrets->add_subcommand("unset", "Remove one key from a set");
    Name(unset, "The secret set");
    unset->add_option("KEY", line_.key, "The key to remove")->required();
    Etag(unset);
    DryRun(unset);

    CLI::App* remove = secrets->add_subcommand("delete", "Delete a secret set");
    Name(remove, "The secret set");
    remove->add_flag("--force", line_.force,
                     "Also while deployments bind it; they keep the values they were deployed with");
    Etag(remove);
    DryRun(remove);

    AddImagePullSecret(
        secrets->add_subcommand("image-pull-secret", "Create an image pull secret or replace its credentials"));

    CLI::App* wait = secrets->add_subcommand("wait", "Wait until the region has proved that it holds the set");
    Name(wait, "The secret set");
    wait->add_option("--timeout", raw_.wait, "How long, such as 30s (the default) or 5m");

    CLI::App* history = secrets->add_subcommand("history", "List the generations that a rollback can reach");
    Name(history, "The secret set");

    CLI::App* rollback =
        secrets->add_subcommand("rollback", "Make a new generation with the keys and values of an older one");
    Name(rollback, "The secret set");
    rollback->add_option("GENERATION", line_.generation, "As `secrets history` lists it")
        ->required()
        ->check(CLI::PositiveNumber);
    Etag(rollback);
    DryRun(rollback);
    Wait(rollback, "Wait until it is ready: --wait or --wait=1m");
  }

  void AddSet(CLI::App* set) {
    Name(set, "The secret set");
    set->add_option("PAIR", raw_.unused_pairs, "KEY VALUE or KEY=VALUE, any number of them")->allow_extra_args(false);
    set->add_option("-f,--file", line_.dotenv_file,
                    "Take keys and values from a .env file; keys on the command line win");
    set->add_option("--from-file", line_.from_files, "KEY=PATH: the value is the file, byte for byte; can be repeated")
        ->allow_extra_args(false);
    set->add_option("--from-stdin", line_.from_stdin_key,
                    "KEY: the value is standard input, byte for byte, newlines too");
    set->add_flag("--replace-all", line_.replace_all, "These keys become the whole set; others are removed");
    Region(set, "Where to create the set; the organization's default region where absent");
    Etag(set);
    DryRun(set);
    Wait(set, "Wait until it is ready: --wait or --wait=1m");
    set->footer(
        "An argument at a key's place is KEY=VALUE when it holds '=' (split at the first), else a key; the argument "
        "after a key is its\n"
        "value, verbatim, also when it begins with '-'. Put -- before a key that begins with '-'.");
  }

  void AddImagePullSecret(CLI::App* pull) {
    Name(pull, "The image pull secret");
    pull->add_option("HOST", line_.host, "The registry")->required();
    pull->add_option("CREDENTIALS", raw_.unused_pairs,
                     "username:token; asked for where absent, or read from standard input")
        ->allow_extra_args(false);
    Region(pull, "Where to create it; the organization's default region where absent");
    Etag(pull);
    DryRun(pull);
    Wait(pull, "Wait until it is ready: --wait or --wait=1m");
  }

  void AddDeployCommands(CLI::App& app) {
    CLI::App* deploy = app.add_subcommand(
        "deploy", "Bind an agent to its secrets in a region; missing parts come from pcc-deploy.toml");
    deploy->add_option("AGENT", line_.name, "The agent (agent_name)");
    deploy->add_option("IMAGE", line_.image, "Its image (image)");
    deploy->add_option("--secrets", line_.secret_set, "Secret set that becomes the environment (secret_set)");
    deploy->add_option("--credentials", line_.image_pull_secret, "Image pull secret (image_credentials)");
    Region(deploy, "Region; the sets' own where absent (region)");
    deploy->add_option("--require", line_.required_keys, "Key that the set must hold; can be repeated (required_keys)")
        ->allow_extra_args(false);
    deploy->add_option("-f,--file", line_.deploy_file, "Another file than ./pcc-deploy.toml");
    DryRun(deploy);
    Wait(deploy, "Wait until the sets are ready, deploy, wait until the region serves it: --wait or --wait=1m");

    CLI::App* agents = AddGroup(app, "agents", "Deployed agents");
    Region(agents->add_subcommand("list", "List the deployments"), "Only this region's");
    Name(agents->add_subcommand("show", "Show one deployment"), "The agent");
    CLI::App* remove = agents->add_subcommand("delete", "Delete a deployment");
    Name(remove, "The agent");
    Etag(remove);
  }

  void AddRun(CLI::App& app) {
    CLI::App* run =
        app.add_subcommand("run", "Replace this process by a command with the deployment's values in its environment");
    run->add_option("--agent", line_.name, "The agent whose environment it is")->required();
    run->add_flag("--clean-environment", line_.clean_environment,
                  "Pass on only PATH HOME LANG TERM TZ USER of the caller's environment");
    run->add_flag("--skip-invalid-names", line_.skip_invalid_names,
                  "Leave out keys that cannot be environment variables, with a warning");
    run->footer("Usage: keyferry run --agent NAME [OPTIONS] -- COMMAND [ARGUMENT...]");
  }

  void AddRegionCommands(CLI::App& app) {
    CLI::App* regions = AddGroup(app, "regions", "Regions");
    regions->add_subcommand("list", "List the regions");
    Name(regions->add_subcommand("show", "Show a region's provisioners and what is pending (operators)"),
         "The region's code");
    CLI::App* create = regions->add_subcommand("create", "Create a region (operators)");
    Name(create, "The region's code");
    create->add_option(
        "--sealing-key", line_.sealing_key,
        "The region's X25519 public key, 32 bytes in base64; its first provisioner brings it where absent");
    create->add_flag("--blind", line_.blind, "No escrow: only the region can open its values");
    create->add_option("--display-name", line_.display_name, "Name for people");
    CLI::App* token = regions->add_subcommand(
        "token", "Make a token that enrolls one provisioner, and print it, this once (operators)");
    Name(token, "The region's code");
    token->add_flag("--replace-sealing-key", line_.replace_sealing_key,
                    "The region's key is lost: who enrolls with this token brings another");
    CLI::App* revoke =
        regions->add_subcommand("revoke", "Cut off the region's provisioners, or one of them, for good (operators)");
    Name(revoke, "The region's code");
    revoke->add_option("--provisioner", line_.provisioner, "This one alone");
    CLI::App* resync = regions->add_subcommand("resync", "Send everything to the region again (operators)");
    Name(resync, "The region's code");
    resync->add_flag("--allow-mass-delete", line_.allow_mass_delete,
                     "Let the region sweep more than a tenth of its objects");
    resync->add_flag("--retry-failed", line_.retry_failed, "Also what failed for good");
  }

  void AddOrganizationCommands(CLI::App& app) {
    CLI::App* organizations = AddGroup(app, "orgs", "Organizations");
    organizations->add_subcommand("list", "List the organizations (operators)");
    CLI::App* create = organizations->add_subcommand("create", "Create an organization (operators)");
    Name(create, "Its name");
    create->add_option("--display-name", line_.display_name, "Name for people");
    CLI::App* remove = organizations->add_subcommand("delete", "Delete an organization and all that it has, for good (operators)");
    Name(remove, "Its name");
    remove->add_option("--confirm", line_.organization.confirm, "The name again, for scripts; asked for where absent");
    CLI::App* properties = organizations->add_subcommand("properties", "The organization's properties");
    properties->require_subcommand(1);
    properties->add_subcommand("get", "Show them");
    properties->add_subcommand("set", "Change them")
        ->add_option("--default-region", line_.default_region, "Region of sets and deployments that name none")
        ->required();
    AddQuota(organizations->add_subcommand("quota", "How much the organization may have, and has"));
  }

  void AddQuota(CLI::App* quota) {
    quota->require_subcommand(1);
    quota->add_subcommand("get", "Show it");
    CLI::App* set = quota->add_subcommand("set", "Change it (operators); 0: back to the default");
    set->add_option("--max-secret-sets", line_.organization.max_secret_sets, "Secret sets and image pull secrets");
    set->add_option("--max-deployments", line_.organization.max_deployments, "Deployments");
    set->add_option("--max-api-keys", line_.organization.max_api_keys, "Live API keys");
    set->add_option("--max-calls-per-second", line_.organization.max_calls_per_second, "Calls a second, of all its callers");
  }

  void AddKeyCommands(CLI::App& app) {
    CLI::App* keys = AddGroup(app, "keys", "API keys");
    keys->add_subcommand("list", "List the API keys; never their secret part");
    CLI::App* create = keys->add_subcommand("create", "Create an API key and print it, this once");
    Name(create, "Name for people");
    create->add_option("--role", line_.role, "admin, member, deployer or viewer")
        ->required()
        ->check(CLI::IsMember(Roles()));
    create->add_option("--expires", line_.organization.expires, "How long it lives: 90d, 12h; 1m to 3650d. For good where absent");
    CLI::App* rotate = keys->add_subcommand("rotate", "Make a key in place of one, and print it, this once");
    rotate->add_option("ID", line_.name, "As `keys list` shows it")->required();
    rotate->add_option("--overlap", line_.organization.overlap, "How long the old one lives on: 0 to 30d; 24h where absent");
    rotate->add_option("--expires", line_.organization.expires, "As for keys create; as long as the old one was made for where absent");
    keys->add_subcommand("revoke", "Revoke an API key, at once")
        ->add_option("ID", line_.name, "As `keys list` shows it")
        ->required();
  }

  CommandLine& line_;
  RawArguments& raw_;
};

CommandNode ToNode(const CLI::App* app) {
  CommandNode node{.path = PathOf(app), .description = app->get_description()};
  for (const CLI::App* child : app->get_subcommands([](const CLI::App*) { return true; }))
    node.subcommands.push_back(child->get_name());
  for (const CLI::Option* option : app->get_options([](const CLI::Option* each) { return each->nonpositional(); })) {
    CommandNode::Option& shown = node.options.emplace_back();
    for (const std::string& name : option->get_lnames()) shown.names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) shown.names.push_back("-" + name);
    shown.description = option->get_description();
    shown.takes_value = option->get_items_expected_max() > 0;
    if (shown.names[0] == "--output") shown.choices = {"table", "json", "yaml"};
    if (shown.names[0] == "--role") shown.choices = Roles();
  }
  return node;
}

void AppendNodes(const CLI::App* app, std::vector<CommandNode>& nodes) {
  nodes.push_back(ToNode(app));
  for (const CLI::App* child : app->get_subcommands([](const CLI::App*) { return true; })) AppendNodes(child, nodes);
}

}  // namespace

void BuildCommandTree(CLI::App& app, CommandLine& line, RawArguments& raw) { CommandTreeBuilder(line, raw).Build(app); }

std::string PathOf(const CLI::App* app) {
  std::string path;
  for (; app->get_parent() != nullptr; app = app->get_parent())
    path = path.empty() ? app->get_name() : app->get_name() + " " + path;
  return path;
}

std::vector<CommandNode> CommandTree() {
  CommandLine line;
  RawArguments raw;
  CLI::App app;
  BuildCommandTree(app, line, raw);
  std::vector<CommandNode> nodes;
  AppendNodes(&app, nodes);
  return nodes;
}

}  // namespace keyferry
