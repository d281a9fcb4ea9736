// Drives a target where there is no libFuzzer: runs every file of its corpus, then mutations of them, until a number of
// runs or seconds.
//
//   fuzz_json_text [--runs N] [--seconds S] [--seed N] [--tokens FILE] CORPUS
//
// CORPUS is a directory, or one file: then that alone is run. An input that ends the process is left in crash-PROGRAM.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxInputBytes = 4096;

struct Options {
  uint64_t runs = 200'000;
  uint64_t seconds = 5;
  uint64_t seed = 0;
  std::string tokens;
  std::string corpus;
};

// For the signal handler.
std::string current_input;
std::string crash_file;

void SaveInput(int signal) {
  const int file = open(crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0 && write(file, current_input.data(), current_input.size()) >= 0) {
    const std::string_view saved = "the input is in this file: ";
    [[maybe_unused]] const bool told = write(STDERR_FILENO, saved.data(), saved.size()) > 0 &&
                                       write(STDERR_FILENO, crash_file.data(), crash_file.size()) > 0 &&
                                       write(STDERR_FILENO, "\n", 1) > 0;
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void Run(std::string input) {
  current_input = std::move(input);
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(current_input.data()), current_input.size());
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> ReadCorpus(const fs::path& path) {
  if (fs::is_regular_file(path)) return {ReadFile(path)};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path)) files.push_back(entry.path());
  // A seed runs the same inputs wherever the directory lies.
  std::sort(files.begin(), files.end());
  std::vector<std::string> corpus;
  for (const fs::path& file : files) corpus.push_back(ReadFile(file));
  return corpus;
}

// libFuzzer's dictionary: a quoted token a line.
std::vector<std::string> ReadTokens(const std::string& path) {
  std::vector<std::string> tokens = {std::string(kSentinel)};
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::string token;
    if (line.size() < 2 || line.front() != '"' || line.back() != '"') continue;
    if (absl::CUnescape(line.substr(1, line.size() - 2), &token)) tokens.push_back(token);
  }
  return tokens;
}

class Mutator {
 public:
  Mutator(uint64_t seed, std::vector<std::string> corpus, std::vector<std::string> tokens)
      : random_(seed), corpus_(std::move(corpus)), tokens_(std::move(tokens)) {}

  std::string Next() {
    std::string input = PickFrom(corpus_);
    for (size_t i = 0, count = 1 + Below(8); i < count; ++i) Change(input);
    if (input.size() > kMaxInputBytes) input.resize(kMaxInputBytes);
    return input;
  }

 private:
  size_t Below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  const std::string& PickFrom(const std::vector<std::string>& choices) { return choices[Below(choices.size())]; }

  void Change(std::string& input) {
    const size_t at = Below(input.size() + 1);
    switch (Below(7)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << Below(8)));
        break;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(Below(256));
        break;
      case 2:
        input.erase(at, 1 + Below(8));
        break;
      case 3:
        input.insert(at, input.substr(Below(input.size() + 1), 1 + Below(32)));
        break;
      case 4:
        input.resize(at);
        input += Tail(PickFrom(corpus_));
        break;
      default:
        input.insert(at, PickFrom(tokens_));
    }
  }
  std::string Tail(const std::string& input) { return input.substr(Below(input.size() + 1)); }

  std::mt19937_64 random_;
  const std::vector<std::string> corpus_;
  const std::vector<std::string> tokens_;
};

uint64_t SeedFromEnvironment() {
  uint64_t seed = 0;
  const char* given = std::getenv("KEYFERRY_SEED");
  return given != nullptr && absl::SimpleAtoi(given, &seed) ? seed : std::random_device()();
}

bool ParseOptions(std::span<char*> arguments, Options& options) {
  for (size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    uint64_t* number = argument == "--runs"      ? &options.runs
                       : argument == "--seconds" ? &options.seconds
                       : argument == "--seed"    ? &options.seed
                                                 : nullptr;
    const bool takes_value = number != nullptr || argument == "--tokens";
    if (takes_value && ++i == arguments.size()) return false;
    if (number != nullptr && !absl::SimpleAtoi(arguments[i], number)) return false;
    if (argument == "--tokens") options.tokens = arguments[i];
    if (!takes_value) options.corpus = argument;
  }
  return fs::exists(options.corpus);
}

int Main(std::span<char*> arguments) {
  Options options{.seed = SeedFromEnvironment()};
  if (!ParseOptions(arguments, options)) {
    std::fprintf(stderr, "usage: %s [--runs N] [--seconds S] [--seed N] [--tokens FILE] CORPUS\n", arguments[0]);
    return 2;
  }
  crash_file = fs::absolute("crash-" + fs::path(arguments[0]).filename().string());
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS}) std::signal(signal, SaveInput);
  const std::vector<std::string> corpus = ReadCorpus(options.corpus);
  std::printf("%zu files, seed %llu\n", corpus.size(), static_cast<unsigned long long>(options.seed));
  std::fflush(stdout);
  for (const std::string& input : corpus) Run(input);
  if (fs::is_regular_file(options.corpus)) return 0;

  Mutator mutator(options.seed, corpus, ReadTokens(options.tokens));
  const absl::Time end = absl::Now() + absl::Seconds(options.seconds);
  uint64_t runs = 0;
  for (; runs < options.runs && absl::Now() < end; ++runs) Run(mutator.Next());
  std::printf("%llu mutations\n", static_cast<unsigned long long>(runs));
  return 0;
}

}  // namespace
}  // namespace keyferry

int main(int argc, char** argv) { return keyferry::Main({argv, static_cast<size_t>(argc)}); }
