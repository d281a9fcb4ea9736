// DrawnRandom: random bytes that may be seen but never come twice: nonces, salts, ids. A thread draws them ahead, because each draw is a system
// call. Keys come from SecretBytes::Random and RandomBytes, which draw for themselves.
//
// Thread safety: any thread. A child that a fork made draws anew; two resumptions of one snapshot of a virtual machine do not (T6 of docs/threat-model.md).
#ifndef KEYFERRY_CRYPTO_DRAWN_RANDOM_H_
#define KEYFERRY_CRYPTO_DRAWN_RANDOM_H_

#include <cstddef>
#include <span>
#include <string>

namespace keyferry {

// What a thread draws at a time.
inline constexpr size_t kDrawnBytes = 2048;

std::string DrawnRandom(size_t size);
// The same, into bytes that the caller has. At most kDrawnBytes (CHECK).
void DrawRandom(std::span<char> out);

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_DRAWN_RANDOM_H_
