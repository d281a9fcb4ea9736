// What the product takes from the operating system, taken from the simulation instead, at link time: a definition in
// the program's own objects comes before that of a library's archive. No source of the product knows of it.
//
//   randombytes_* (libsodium)      its own pluggable implementation: keys, nonces, uids, ids of boots and sessions
//   std::random_device             interposed: seeds of the engines behind jitter; those engines live as long as their
//   thread, and each seed has a process of its own SystemClock                    the clock of the process whose work
//   runs CommitAndWait                  as it is: simulated stores answer work that may block at once (sim_store.h)
//   SyncStream::Start              a stream over the simulated network (sim_network.h)
#ifndef KEYFERRY_TESTS_SIMULATION_SEAMS_H_
#define KEYFERRY_TESTS_SIMULATION_SEAMS_H_

#include <cstdint>

namespace keyferry {

// From now on all randomness of this process follows from the seed. Before anything of libsodium was used.
void SeedOperatingSystem(uint64_t seed);

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_SEAMS_H_
