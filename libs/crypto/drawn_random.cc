#include "libs/crypto/drawn_random.h"

#include <pthread.h>
#include <sodium.h>

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
  ~Drawn() { sodium_memzero(bytes_.data(), bytes_.size()); }

  std::string Take(size_t size) {
    if (const int forks = fork_count.load(std::memory_order_relaxed); size > bytes_.size() - taken_ || forks != forks_) {
      randombytes_buf(bytes_.data(), bytes_.size());
      taken_ = 0;
      forks_ = forks;
    }
    std::string bytes(bytes_.data() + taken_, size);
    sodium_memzero(bytes_.data() + taken_, size);
    taken_ += size;
    return bytes;
  }

 private:
  std::array<char, kDrawnBytes> bytes_;
  size_t taken_ = kDrawnBytes;
  int forks_ = 0;
};

thread_local Drawn drawn;

}  // namespace

std::string DrawnRandom(size_t size) { return size > kDrawnBytes ? RandomBytes(size) : drawn.Take(size); }

}  // namespace keyferry
