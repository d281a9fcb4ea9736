// For programmer errors and for a library that cannot work at all: says why and aborts. Never on input, disk or
// network.
//
// Thread safety: any thread.
#ifndef KEYFERRY_CRYPTO_CHECK_H_
#define KEYFERRY_CRYPTO_CHECK_H_

#include <cstdio>
#include <cstdlib>

namespace keyferry {

inline void Check(bool condition, const char* message) {
  if (condition) return;
  std::fprintf(stderr, "keyferry: %s\n", message);
  std::abort();
}

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_CHECK_H_
