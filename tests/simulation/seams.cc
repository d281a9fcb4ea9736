#include "tests/simulation/seams.h"

#include <sodium.h>

#include <cstring>
#include <random>

#include "libs/common/clock.h"
#include "tests/simulation/scheduler.h"

namespace keyferry {
namespace {

Random& OperatingSystemRandom() {
  static Random random(0);
  return random;
}

const char* Name() { return "simulation"; }
uint32_t Next32() { return static_cast<uint32_t>(OperatingSystemRandom().Next()); }
void Fill(void* const bytes, const size_t size) {
  for (size_t at = 0; at < size; at += 8) {
    const uint64_t value = OperatingSystemRandom().Next();
    std::memcpy(static_cast<char*>(bytes) + at, &value, size - at < 8 ? size - at : 8);
  }
}

randombytes_implementation implementation = {
    .implementation_name = Name, .random = Next32, .stir = nullptr, .uniform = nullptr, .buf = Fill, .close = nullptr};

// Outside of any process's work there is no time.
class SimulatedClock final : public Clock {
 public:
  absl::Time Now() const override {
    return Process::Current() == nullptr ? absl::FromUnixSeconds(1'790'000'000) : Process::Current()->Now();
  }
  absl::Duration Monotonic() const override {
    return Process::Current() == nullptr ? absl::ZeroDuration() : Process::Current()->Monotonic();
  }
};

}  // namespace

void SeedOperatingSystem(uint64_t seed) {
  OperatingSystemRandom() = Random(seed ^ 0x6f73);
  randombytes_set_implementation(&implementation);
}

const Clock& SystemClock() {
  static const SimulatedClock clock;
  return clock;
}

}  // namespace keyferry

std::random_device::result_type std::random_device::_M_getval() { return keyferry::Next32(); }
