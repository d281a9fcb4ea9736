#include "cli/console.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <iterator>

#include "absl/strings/ascii.h"
#include "cli/usage.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

constexpr size_t kMaxLineBytes = 64 * 1024;

volatile std::sig_atomic_t caught_signal = 0;

void Catch(int signal) { caught_signal = signal; }

// Echo off while it lives. A signal that would end the process only ends the wait for input: the terminal is put right
// first, then the signal does what it was meant to do. Signals are blocked but while waiting, so that none comes unseen
// just before.
class HiddenInput {
 public:
  explicit HiddenInput(int descriptor) : descriptor_(descriptor) {
    caught_signal = 0;
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : kSignals) sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, &previous_mask_);
    struct sigaction action {};
    action.sa_handler = Catch;
    for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &action, &previous_actions_[i]);
    changed_ = tcgetattr(descriptor, &previous_) == 0;
    if (!changed_) return;
    termios silent = previous_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = tcsetattr(descriptor, TCSAFLUSH, &silent) == 0;
  }
  ~HiddenInput() {
    if (changed_) tcsetattr(descriptor_, TCSADRAIN, &previous_);
    for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &previous_actions_[i], nullptr);
    pthread_sigmask(SIG_SETMASK, &previous_mask_, nullptr);
    if (caught_signal != 0) raise(caught_signal);
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;

  const sigset_t* waiting_mask() const { return &previous_mask_; }

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  const int descriptor_;
  termios previous_{};
  sigset_t previous_mask_{};
  struct sigaction previous_actions_[std::size(kSignals)];
  bool changed_ = false;
};

// waiting_mask: the signal mask while there is no input; null leaves it as it is.
absl::StatusOr<SecretBytes> ReadLine(int descriptor, const sigset_t* waiting_mask) {
  SecretBytes line(kMaxLineBytes);
  size_t size = 0;
  while (size < kMaxLineBytes) {
    pollfd input{.fd = descriptor, .events = POLLIN};
    if (ppoll(&input, 1, nullptr, waiting_mask) < 0) {
      if (errno == EINTR && caught_signal == 0) continue;
      return absl::CancelledError("interrupted");
    }
    char byte = 0;
    const ssize_t got = read(descriptor, &byte, 1);
    if (got < 0) return UsageError("the answer cannot be read");
    if (got == 0 && size == 0) return UsageError("the input ended before the answer");
    if (got == 0 || byte == '\n') return SecretBytes::Copy(line.Access().substr(0, size));
    line.AccessMutable()[size++] = static_cast<uint8_t>(byte);
  }
  return UsageError("the answer is too long");
}

}  // namespace

absl::StatusOr<SecretBytes> Prompt(Console& console, const std::string& question, Echo echo) {
  const auto ask = [&](const sigset_t* waiting_mask) {
    console.error << question << std::flush;
    return ReadLine(console.input, waiting_mask);
  };
  if (echo == Echo::kShown) return ask(nullptr);
  absl::StatusOr<SecretBytes> line = [&] {
    // Before the question: what is typed at once must not show either.
    const HiddenInput hidden(console.input);
    return ask(hidden.waiting_mask());
  }();
  console.error << std::endl;
  return line;
}

absl::Status Confirm(Console& console, const std::string& question) {
  if (!console.CanPrompt()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const SecretBytes answer, Prompt(console, question + " [y/N] ", Echo::kShown));
  const std::string word = absl::AsciiStrToLower(absl::string_view(answer.Access().data(), answer.size()));
  return word == "y" || word == "yes" ? absl::OkStatus() : absl::CancelledError("nothing was changed");
}

}  // namespace keyferry
