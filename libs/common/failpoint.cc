#include "libs/common/failpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace keyferry::failpoint {
namespace {

constexpr char kEnvironment[] = "KEYFERRY_FAILPOINTS", kFileEnvironment[] = "KEYFERRY_FAILPOINTS_FILE",
               kFiredEnvironment[] = "KEYFERRY_FAILPOINTS_FIRED";
constexpr std::string_view kEvery = "*";
constexpr auto kFilePoll = std::chrono::milliseconds(5);

enum class Action { kNone, kMark, kCrash, kError, kSleep, kPause };

struct Setting {
  Action action = Action::kNone;
  // Of the one pass that it is for; 0: of all.
  int at = 0;
  int milliseconds = 0;
};

using Table = std::array<Setting, std::size(kFailpoints)>;

struct State {
  std::mutex mutex;
  std::condition_variable changed;
  Table table;
  std::array<int, std::size(kFailpoints)> passes = {};
  std::string fired_directory;
};

// Never destroyed: threads pass failpoints until the process is gone.
State& GlobalState() {
  static State* const state = new State;
  return *state;
}

std::optional<size_t> Find(std::string_view name) {
  for (size_t i = 0; i < std::size(kFailpoints); ++i) {
    if (kFailpoints[i].name == name) return i;
  }
  return std::nullopt;
}

std::optional<Setting> ParseSetting(absl::string_view text) {
  Setting setting;
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('@', 1));
  if (parts.size() == 2 && (!absl::SimpleAtoi(parts[1], &setting.at) || setting.at < 1)) return std::nullopt;
  const std::vector<absl::string_view> words = absl::StrSplit(parts[0], absl::MaxSplits(':', 1));
  const bool has_number = words.size() == 2;
  if (has_number && (!absl::SimpleAtoi(words[1], &setting.milliseconds) || setting.milliseconds < 0))
    return std::nullopt;
  if (words[0] == "sleep" && has_number) setting.action = Action::kSleep;
  if (words[0] == "mark" && !has_number) setting.action = Action::kMark;
  if (words[0] == "crash" && !has_number) setting.action = Action::kCrash;
  if (words[0] == "error" && !has_number) setting.action = Action::kError;
  if (words[0] == "pause" && !has_number) setting.action = Action::kPause;
  return setting.action == Action::kNone ? std::nullopt : std::optional(setting);
}

absl::Status Refuse(absl::string_view entry, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("failpoint \"", entry, "\": ", why));
}

absl::Status Parse(absl::string_view entry, Table& table) {
  const std::vector<absl::string_view> parts = absl::StrSplit(entry, absl::MaxSplits('=', 1));
  const std::optional<Setting> setting = parts.size() == 2 ? ParseSetting(parts[1]) : std::nullopt;
  if (!setting)
    return Refuse(entry,
                  "not of the form NAME=ACTION or NAME=ACTION@N; actions are crash, error, sleep:MS, pause and mark");
  const std::string_view name(parts[0].data(), parts[0].size());
  if (name == kEvery && setting->action == Action::kMark) {
    table.fill(*setting);
    return absl::OkStatus();
  }
  const std::optional<size_t> number = Find(name);
  if (!number) return Refuse(entry, "there is none of this name; libs/common/failpoint_names.h lists them");
  if (setting->action == Action::kError && !kFailpoints[*number].can_fail)
    return Refuse(entry, "this place cannot fail");
  table[*number] = *setting;
  return absl::OkStatus();
}

void LeaveFired(const std::string& directory, size_t number) {
  if (directory.empty()) return;
  const std::string path = absl::StrCat(directory, "/", std::string(kFailpoints[number].name));
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return;
  const std::string line = absl::StrCat(getpid(), "\n");
  if (write(file, line.data(), line.size()) < 0) std::perror(path.c_str());
  close(file);
}

[[noreturn]] void EndBadly(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  std::_Exit(kExitBadFailpoint);
}

void ArmOrEnd(const std::string& text) {
  if (const absl::Status armed = Arm(text); !armed.ok()) EndBadly(armed);
}

// Nullopt: there is no such file yet, or it is being put there.
std::optional<std::string> ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || (!std::getline(file, line) && !file.eof())) return std::nullopt;
  return line;
}

void TellArmed(const std::string& path, const std::string& text) { std::ofstream(path + ".armed") << text << "\n"; }

void Follow(const std::string& path, std::string text) {
  while (true) {
    std::this_thread::sleep_for(kFilePoll);
    std::optional<std::string> now = ReadLine(path);
    if (!now || *now == text) continue;
    text = *std::move(now);
    ArmOrEnd(text);
    TellArmed(path, text);
  }
}

}  // namespace

absl::Status Arm(std::string_view text) {
  Table table;
  for (const absl::string_view entry :
       absl::StrSplit(absl::string_view(text.data(), text.size()), ',', absl::SkipEmpty())) {
    if (absl::Status parsed = Parse(entry, table); !parsed.ok()) return parsed;
  }
  State& state = GlobalState();
  {
    const std::lock_guard lock(state.mutex);
    state.table = table;
    state.passes.fill(0);
    int armed = 0;
    for (const Setting& setting : table) armed += setting.action != Action::kNone;
    armed_count.store(armed, std::memory_order_relaxed);
  }
  state.changed.notify_all();
  return absl::OkStatus();
}

absl::Status Pass(size_t number) {
  State& state = GlobalState();
  std::unique_lock lock(state.mutex);
  const Setting setting = state.table[number];
  const int pass = ++state.passes[number];
  if (setting.action == Action::kNone || (setting.at != 0 && setting.at != pass)) return absl::OkStatus();
  LeaveFired(state.fired_directory, number);
  switch (setting.action) {
    case Action::kCrash:
      kill(getpid(), SIGKILL);
      state.changed.wait(lock, [] { return false; });
      break;
    case Action::kError:
      return absl::UnavailableError(absl::StrCat("failpoint ", std::string(kFailpoints[number].name)));
    case Action::kSleep:
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds(setting.milliseconds));
      break;
    case Action::kPause:
      state.changed.wait(lock, [&] { return state.table[number].action != Action::kPause; });
      break;
    default:
      break;
  }
  return absl::OkStatus();
}

int PassCount(std::string_view name) {
  State& state = GlobalState();
  const std::lock_guard lock(state.mutex);
  const std::optional<size_t> number = Find(name);
  return number ? state.passes[*number] : 0;
}

void ArmFromEnvironment() {
  const char *fired = std::getenv(kFiredEnvironment), *text = std::getenv(kEnvironment),
             *path = std::getenv(kFileEnvironment);
  if (fired != nullptr) GlobalState().fired_directory = fired;
  if (text != nullptr) ArmOrEnd(text);
  if (path == nullptr) return;
  const std::string first = ReadLine(path).value_or("");
  if (text == nullptr) ArmOrEnd(first);
  TellArmed(path, first);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread(Follow, std::string(path), first).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Armed::Armed(std::string_view text) { ArmOrEnd(std::string(text)); }

Armed::~Armed() { ArmOrEnd(""); }

}  // namespace keyferry::failpoint
