#include "libs/crypto/drawn_random.h"

#include <pthread.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "libs/crypto/aead.h"
#include "libs/crypto/check.h"

namespace keyferry {
namespace {

std::atomic<int> fork_count = 0;
[[maybe_unused]] const bool counts_forks = [] {
  Check(pthread_atfork(nullptr, nullptr, [] { ++fork_count; }) == 0, "there is no memory for a fork handler");
  return true;
}();

class Drawn {
 public:
  // Without a destructor: whatever still seals when a thread ends must not find zeros here.
  void Take(std::span<char> out) {
    if (const int forks = fork_count.load(std::memory_order_relaxed); out.size() > bytes_.size() - taken_ || forks != forks_) {
      randombytes_buf(bytes_.data(), bytes_.size());
      taken_ = 0;
      forks_ = forks;
    }
    char* const begin = bytes_.data() + taken_;
    std::copy_n(begin, out.size(), out.begin());
    sodium_memzero(begin, out.size());
    taken_ += out.size();
  }

 private:
  std::array<char, kDrawnBytes> bytes_;
  size_t taken_ = kDrawnBytes;
  int forks_ = 0;
};

thread_local Drawn drawn;

}  // namespace

std::string DrawnRandom(size_t size) {
  if (size > kDrawnBytes) return RandomBytes(size);
  std::string random(size, '\0');
  drawn.Take(random);
  return random;
}

void DrawRandom(std::span<char> out) {
  Check(out.size() <= kDrawnBytes, "more random bytes are asked for than are drawn at a time");
  drawn.Take(out);
}

}  // namespace keyferry
