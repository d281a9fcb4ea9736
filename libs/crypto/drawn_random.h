// DrawnRandom: random bytes that may be seen but never come twice: nonces, salts, ids. A thread draws them ahead, because each draw is a system
// call. Keys come from SecretBytes::Random and RandomBytes, which draw for themselves.
//
// Thread safety: any thread. A child that a fork made draws anew.
#ifndef KEYFERRY_CRYPTO_DRAWN_RANDOM_H_
#define KEYFERRY_CRYPTO_DRAWN_RANDOM_H_

#include <cstddef>
#include <string>

namespace keyferry {

// What a thread draws at a time.
inline constexpr size_t kDrawnBytes = 2048;

std::string DrawnRandom(size_t size);

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_DRAWN_RANDOM_H_
