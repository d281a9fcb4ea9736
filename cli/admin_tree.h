// The tree of `keyferry admin`, beside command_tree.cc.
#ifndef KEYFERRY_CLI_ADMIN_TREE_H_
#define KEYFERRY_CLI_ADMIN_TREE_H_

#include "cli/command_line.h"

namespace CLI {
class App;
}

namespace keyferry {

// Both outlive `app`, whose parsing writes into `line`; `wait` gets the text of --wait.
void AddAdminTree(CLI::App& app, CommandLine& line, std::string& wait);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_ADMIN_TREE_H_
