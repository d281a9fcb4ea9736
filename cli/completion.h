// Completion scripts, made from the command tree so that they always know what the program knows.
#ifndef KEYFERRY_CLI_COMPLETION_H_
#define KEYFERRY_CLI_COMPLETION_H_

#include <span>
#include <string>
#include <string_view>

#include "cli/command_tree.h"

namespace keyferry {

// shell: bash, zsh or fish.
std::string CompletionScript(std::string_view shell, std::span<const CommandNode> tree);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_COMPLETION_H_
