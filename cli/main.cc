// keyferry: the command line for users, operators and agent hosts.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"
#include "cli/keyferry.h"
#include "libs/common/failpoint.h"
#include "libs/common/process_hygiene.h"

namespace {

bool MayColour() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0') &&
         (terminal == nullptr || std::strcmp(terminal, "dumb") != 0);
}

}  // namespace

int main(int argc, char** argv) {
  rlimit file_limit{};
  getrlimit(RLIMIT_NOFILE, &file_limit);
  struct sigaction broken_pipe {};
  sigaction(SIGPIPE, nullptr, &broken_pipe);
  const std::vector<std::string> environment = keyferry::OriginalEnvironment();
  keyferry::HardenProcess();
  FAILPOINTS_FROM_ENVIRONMENT();
  // gRPC's own lines would mix with ours, and could name more than they should.
  setenv("GRPC_VERBOSITY", "NONE", 0);

  keyferry::Console console{.input = STDIN_FILENO,
                            .output = std::cout,
                            .error = std::cerr,
                            .input_is_terminal = isatty(STDIN_FILENO) == 1,
                            .error_is_terminal = isatty(STDERR_FILENO) == 1,
                            .colour = MayColour()};
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  return keyferry::RunKeyferry({.arguments = arguments,
                                .environment = environment,
                                .console = console,
                                .overwrite_arguments =
                                    [argv](std::span<const keyferry::ArgumentTail> tails) {
                                      for (const auto& [argument, offset] : tails) {
                                        char* const tail = argv[argument + 1] + offset;
                                        explicit_bzero(tail, std::strlen(tail));
                                      }
                                    },
                                .before_exec =
                                    [&] {
                                      setrlimit(RLIMIT_NOFILE, &file_limit);
                                      sigaction(SIGPIPE, &broken_pipe, nullptr);
                                    }});
}
