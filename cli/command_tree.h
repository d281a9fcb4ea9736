// Every command and option, said once: CLI11 parses by it, help and completion scripts are made from it.
#ifndef KEYFERRY_CLI_COMMAND_TREE_H_
#define KEYFERRY_CLI_COMMAND_TREE_H_

#include <string>
#include <vector>

#include "cli/command_line.h"

namespace CLI {
class App;
}

namespace keyferry {

// What is understood only after parsing.
struct RawArguments {
  std::string format = "table";
  std::string wait;
  // Stand in the help; taken off the command line before CLI11 sees it.
  std::vector<std::string> unused_pairs;
};

// Both outlive `app`, whose parsing writes into them.
void BuildCommandTree(CLI::App& app, CommandLine& line, RawArguments& raw);

// The words of a command: `secrets set`; empty for the root.
std::string PathOf(const CLI::App* app);

// One node of the tree of commands, for completion scripts.
struct CommandNode {
  struct Option {
    // `--region`, `-r`.
    std::vector<std::string> names;
    std::string description;
    bool takes_value = false;
    // What the value can be, where that is known.
    std::vector<std::string> choices;
  };
  // Words after `keyferry`; empty for the root.
  std::string path;
  std::string description;
  std::vector<std::string> subcommands;
  std::vector<Option> options;
};

// All of them, parents before children; global options are at the root.
std::vector<CommandNode> CommandTree();

}  // namespace keyferry

#endif  // KEYFERRY_CLI_COMMAND_TREE_H_
