#include "libs/common/process_hygiene.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <utility>

#include "libs/common/zeroing_free.h"

namespace keyferry {
namespace {

using ::testing::Contains;

// The exit status of a child that does `work`; gtest's own death tests would print it.
template <typename Work>
int StatusOfChild(Work work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ProcessHygieneTest, AHardenedProcessDumpsNoCoreAndOpensManyFiles) {
  const auto check = [] {
    HardenProcess();
    rlimit core = {1, 1}, files = {};
    getrlimit(RLIMIT_CORE, &core);
    getrlimit(RLIMIT_NOFILE, &files);
    if (core.rlim_cur != 0 || core.rlim_max != 0) return 1;
    if (prctl(PR_GET_DUMPABLE) != 0) return 2;
    return files.rlim_cur == files.rlim_max ? 0 : 3;
  };
  EXPECT_EQ(StatusOfChild(check), 0);
}

TEST(ProcessHygieneTest, TwiceIsAsGoodAsOnce) {
  EXPECT_EQ(StatusOfChild([] {
              HardenProcess();
              HardenProcess();
              return 0;
            }),
            0);
}

class HeldExecutor final : public Executor {
 public:
  void Run(std::function<void()>) override {}
  void RunAfter(absl::Duration delay, std::function<void()> work) override {
    EXPECT_EQ(delay, kMemoryReturnInterval);
    next = std::move(work);
  }
  std::function<void()> next;
};

size_t ResidentBytes() {
  size_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST(ProcessHygieneTest, PagesThatAreFreeBetweenOthersAreReturnedAgainAndAgain) {
  if (!KEYFERRY_ZEROING_FREE) GTEST_SKIP() << "a sanitizer has a malloc of its own";
  HeldExecutor executor;
  KeepReturningMemory(executor);
  for (int round = 0; round < 2; ++round) {
    constexpr size_t kBlocks = 4000, kBlockBytes = 16 << 10;
    std::vector<std::unique_ptr<std::string>> blocks(kBlocks);
    for (auto& block : blocks) block = std::make_unique<std::string>(kBlockBytes, 'x');
    for (size_t i = 0; i < kBlocks; i += 2) blocks[i].reset();
    const size_t before = ResidentBytes();
    std::exchange(executor.next, nullptr)();
    EXPECT_LT(ResidentBytes() + kBlocks * kBlockBytes / 4, before);
  }
}

TEST(ProcessHygieneTest, LargeBlocksAreMappedOnTheirOwnHoweverManyWereFreed) {
  if (!KEYFERRY_ZEROING_FREE) GTEST_SKIP() << "a sanitizer has a malloc of its own";
  EXPECT_EQ(StatusOfChild([] {
              HardenProcess();
              const auto mapped_by = [](size_t size) {
                const size_t before = mallinfo2().hblkhd;
                void* const block = malloc(size);
                asm volatile("" : : "r"(block) : "memory");
                const size_t mapped = mallinfo2().hblkhd - before;
                free(block);
                return mapped;
              };
              // Larger than what earlier tests left free, which would be used first.
              constexpr size_t kLarge = size_t{16} << 20;
              mapped_by(2 * kLarge - kMappedBytes);
              return mapped_by(kLarge) >= kLarge ? 0 : 1;
            }),
            0);
}

TEST(ProcessHygieneTest, OriginalEnvironmentIsTheEnvironment) {
  setenv("KEYFERRY_HYGIENE_TEST", "a=b c", 1);
  EXPECT_THAT(OriginalEnvironment(), Contains("KEYFERRY_HYGIENE_TEST=a=b c"));
  unsetenv("KEYFERRY_HYGIENE_TEST");
}

#if KEYFERRY_ZEROING_FREE

TEST(ZeroingFreeTest, FreedBlocksOfEverySizeAreZero) {
  for (size_t size = 33; size < 128 * 1024; size += size / 3) EXPECT_TRUE(FreedMemoryIsZeroed(size)) << size;
}

// Counts the canary in the heaps of all threads: a block that another one took and this one freed may be the next one here. The canary is computed, so that it stands nowhere else.
class HeapTest : public ::testing::Test {
 protected:
  static constexpr size_t kCanaryBytes = 16;
  static void Fill(char* to, size_t size) {
    for (size_t i = 0; i < size; ++i) to[i] = static_cast<char>('A' + (i % kCanaryBytes) * 7 % 26 + 128);
  }
  static int CanariesInHeap() {
    char canary[kCanaryBytes];
    Fill(canary, kCanaryBytes);
    std::ifstream maps("/proc/self/maps");
    int found = 0;
    for (std::string line; std::getline(maps, line);) {
      // Address, rights, offset, device, inode, and where it is no heap mostly a path.
      std::istringstream fields(line);
      std::string rights, path;
      fields >> path >> rights >> path >> path >> path >> path;
      const bool is_heap = fields.fail() || path == "[heap]";
      if (!is_heap || !rights.starts_with("rw")) continue;
      const char* const start = reinterpret_cast<const char*>(std::stoull(line, nullptr, 16));
      const char* const end = reinterpret_cast<const char*>(std::stoull(line.substr(line.find('-') + 1), nullptr, 16));
      for (const char* at = start; (at = static_cast<const char*>(memmem(at, end - at, canary, kCanaryBytes))); ++at)
        ++found;
    }
    return found;
  }
};

TEST_F(HeapTest, ACanaryThatLivesIsFound) {
  const auto block = std::make_unique<char[]>(100);
  Fill(block.get(), 100);
  EXPECT_GT(CanariesInHeap(), 0);
}

TEST_F(HeapTest, NoCanaryIsLeftAfterStringsWereFreed) {
  for (size_t size = kCanaryBytes; size < 20'000; size += 1 + size / 5) {
    std::string text(size, '\0');
    Fill(text.data(), size);
    const std::string copy = text + text;
  }
  EXPECT_EQ(CanariesInHeap(), 0);
}

TEST_F(HeapTest, NoCanaryIsLeftAfterReallocGrewAndShrank) {
  for (const size_t size : {24, 100, 1000, 1100, 5000, 100'000}) {
    char* block = static_cast<char*>(malloc(size));
    Fill(block, size);
    // Something behind it, so that it cannot grow in place.
    void* const wall = malloc(size);
    block = static_cast<char*>(realloc(block, 3 * size));
    EXPECT_EQ(CanariesInHeap(), static_cast<int>(size / kCanaryBytes)) << "moved with its content, once";
    block = static_cast<char*>(realloc(block, kCanaryBytes));
    EXPECT_EQ(CanariesInHeap(), 1) << "what was cut off is gone";
    free(block);
    free(wall);
    EXPECT_EQ(CanariesInHeap(), 0) << size;
  }
}

TEST_F(HeapTest, ReallocKeepsItsContract) {
  void* const fresh = realloc(nullptr, 10);
  ASSERT_NE(fresh, nullptr);
  EXPECT_EQ(realloc(fresh, 0), nullptr);
  char* block = static_cast<char*>(realloc(nullptr, 1));
  for (size_t size = 2; size < 300'000; size = size * 3 / 2 + 1) {
    block[0] = 'k';
    block = static_cast<char*>(realloc(block, size));
    ASSERT_EQ(block[0], 'k');
    block[size - 1] = 'e';
  }
  free(block);
}

#endif

}  // namespace
}  // namespace keyferry
