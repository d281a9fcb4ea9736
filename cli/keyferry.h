// The program `keyferry` but for the process around it: from arguments to exit code.
#ifndef KEYFERRY_CLI_KEYFERRY_H_
#define KEYFERRY_CLI_KEYFERRY_H_

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"
#include "cli/key_value_arguments.h"
#include "cli/session.h"

namespace keyferry {

struct Invocation {
  // Without the program's name.
  std::span<const std::string_view> arguments;
  // `NAME=VALUE`.
  std::vector<std::string> environment;
  Console& console;
  // Overwrites secrets among the arguments, once they are understood.
  std::function<void(std::span<const ArgumentTail>)> overwrite_arguments = [](auto) {};
  // Undoes what was done to the process, before `run` gives it to another program.
  std::function<void()> before_exec = [] {};
};

// The exit code, as docs/cli.md lists them. Errors go to the console's standard error.
int RunKeyferry(const Invocation& invocation);

// Commands that call the API.
CommandTable AllCommands();

}  // namespace keyferry

#endif  // KEYFERRY_CLI_KEYFERRY_H_
