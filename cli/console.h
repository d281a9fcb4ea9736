// The person or program on the other side: standard input, output and error, and what may be done with them.
#ifndef KEYFERRY_CLI_CONSOLE_H_
#define KEYFERRY_CLI_CONSOLE_H_

#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

struct Console {
  // Descriptor of standard input.
  int input;
  // What was asked for, for programs and people.
  std::ostream& output;
  // Errors, warnings and prompts.
  std::ostream& error;
  bool input_is_terminal = false;
  bool error_is_terminal = false;
  // Whether `output` may be coloured.
  bool colour = false;

  // Nobody is asked anything unless there is somebody to ask.
  bool CanPrompt() const { return input_is_terminal && error_is_terminal; }
};

// One line, without its newline. `hidden` does not echo what is typed; the terminal is as before when this returns and
// when a signal ends the process. USAGE error at the end of the input.
enum class Echo { kShown, kHidden };
absl::StatusOr<SecretBytes> Prompt(Console& console, const std::string& question, Echo echo);

// OK for `y` or `yes`, and where nobody can be asked; else Cancelled.
absl::Status Confirm(Console& console, const std::string& question);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_CONSOLE_H_
