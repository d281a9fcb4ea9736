// Included before everything else in those sources of the provisioner that are compiled once more for the simulation
// (CMakeLists.txt):
//   - the API and the provisioner each have a ToWire for object ids; they were never meant for one program;
//   - the jitter of reconnects follows from the seed, as all randomness.
#ifndef KEYFERRY_TESTS_SIMULATION_PRODUCT_SEAMS_H_
#define KEYFERRY_TESTS_SIMULATION_PRODUCT_SEAMS_H_

#include <limits>

#include "absl/random/random.h"
#include "libs/crypto/aead.h"

namespace absl {

class SimulatedBitGen {
 public:
  using result_type = uint64_t;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()() {
    result_type value = 0;
    for (const char byte : keyferry::RandomBytes(sizeof(value))) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }
};

}  // namespace absl

#define BitGen SimulatedBitGen
#define ToWire ProvisionerToWire

#endif  // KEYFERRY_TESTS_SIMULATION_PRODUCT_SEAMS_H_
