// Threat T5: one flipped bit in any file of a store is named, or harms nothing. Each copy is opened in a process of its own, since RocksDB may end it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <random>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/crypto/root_keys.h"
#include "libs/storage/barrier.h"
#include "libs/storage/keys.h"
#include "libs/storage/rocksdb_store.h"

namespace keyferry {
namespace {

namespace fs = std::filesystem;

constexpr int kRows = 150;
enum Outcome { kWhole = 0, kNamed = 1, kSilentLoss = 2, kWrongValue = 3, kUnnamed = 4 };

// KEYFERRY_FLIPS=N for more, KEYFERRY_SEED=N to run one again.
uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  uint64_t number = 0;
  return text != nullptr && absl::SimpleAtoi(text, &number) ? number : otherwise;
}

RowKey KeyOf(int i) { return keys::SecretSet("acme", absl::StrCat("set-", i)); }
std::string ValueOf(int i) { return absl::StrCat("value ", i, std::string(static_cast<size_t>(50 + 7 * (i % 40)), 'x')); }

int InAProcess(const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

class BitFlipTest : public ::testing::Test {
 protected:
  // Tables, a log that is not in tables yet, and what lies beside them.
  int Fill() {
    for (const bool last : {false, true}) {
      const auto store = *OpenRocksDbStore({.path = path_, .disk = {.ballast_bytes = 0}});
      const Term term = *store->AcquireWriter(Lineage::kKeep);
      const auto barrier = *Barrier::Open(*store, *root_keys_, term);
      if (!last && !CommitAndWait(*store, {.term = term, .mutations = {*barrier->NewOrganizationKey("acme")}}).ok()) return kUnnamed;
      for (int i = last ? kRows / 2 : 0; i < (last ? kRows : kRows / 2); ++i) {
        const absl::Status committed = CommitAndWait(barrier->store(), {.term = term, .mutations = {{.key = KeyOf(i), .value = ValueOf(i)}}}).status();
        if (!committed.ok()) return kUnnamed;
      }
      if (!last && !store->Backup(path_ + ".copy").ok()) return kUnnamed;
    }
    return kWhole;
  }

  int Read(const std::string& path) {
    const auto store = OpenRocksDbStore({.path = path, .disk = {.ballast_bytes = 0}});
    if (!store.ok()) return store.status().message().empty() ? kUnnamed : kNamed;
    const auto term = (*store)->AcquireWriter(Lineage::kKeep);
    if (!term.ok()) return kNamed;
    const auto barrier = Barrier::Open(**store, *root_keys_, *term);
    if (!barrier.ok()) return barrier.status().message().empty() ? kUnnamed : kNamed;
    Outcome outcome = kWhole;
    for (int i = 0; i < kRows; ++i) {
      const auto row = (*barrier)->store().Get(KeyOf(i));
      if (!row.ok()) {
        outcome = kNamed;
      } else if (!*row) {
        return kSilentLoss;
      } else if ((*row)->value != ValueOf(i)) {
        return kWrongValue;
      }
    }
    return outcome;
  }

  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(path_)) {
      if (entry.is_regular_file() && entry.file_size() > 0 && entry.path().filename() != "ballast") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  const std::unique_ptr<RootKeys> root_keys_ = KeyringRootKeys::Create(Keyring::ForTest());
  TempDir directory_;
  const std::string path_ = directory_.path() + "/store";
};

TEST_F(BitFlipTest, OneFlippedBitInAnyFileIsNamedOrHarmsNothing) {
  const uint64_t seed = FromEnvironment("KEYFERRY_SEED", std::random_device{}()), flips = FromEnvironment("KEYFERRY_FLIPS", 300);
  std::cout << "KEYFERRY_SEED=" << seed << "\n";
  std::mt19937_64 random(seed);
  ASSERT_EQ(InAProcess([this] { return Fill(); }), kWhole);
  ASSERT_EQ(InAProcess([this] {
              fs::copy(path_, path_ + ".unharmed", fs::copy_options::recursive);
              return Read(path_ + ".unharmed");
            }),
            kWhole);
  const std::vector<fs::path> files = Files();
  std::map<int, int> outcomes;
  for (uint64_t flip = 0; flip < flips; ++flip) {
    const fs::path& file = files[flip % files.size()];
    const std::string copy = path_ + ".flipped";
    fs::remove_all(copy);
    fs::copy(path_, copy, fs::copy_options::recursive);
    std::fstream flipped(fs::path(copy) / fs::relative(file, path_), std::ios::in | std::ios::out | std::ios::binary);
    const auto place = static_cast<std::streamoff>(random() % fs::file_size(file));
    const int bit = static_cast<int>(random() % 8);
    flipped.seekg(place);
    const char byte = static_cast<char>(flipped.get() ^ (1 << bit));
    flipped.seekp(place);
    flipped.put(byte);
    flipped.close();
    const int outcome = InAProcess([&] { return Read(copy); });
    ++outcomes[outcome];
    // 70: the store ended the process, with a line that says why.
    EXPECT_THAT(outcome, ::testing::AnyOf(kWhole, kNamed, 70)) << file << " byte " << place << " bit " << bit;
  }
  std::cout << flips << " flips over " << files.size() << " files:";
  for (const auto& [outcome, count] : outcomes) std::cout << "  outcome " << outcome << ": " << count;
  std::cout << "\n";
  EXPECT_GT(outcomes[kNamed], static_cast<int>(flips / 10)) << "the flips did not meet what matters";
}

}  // namespace
}  // namespace keyferry
