// free() and realloc() of the whole program, in front of glibc's: they zero a block before glibc keeps it for the next
// caller. A program gets them by linking zeroing_free.cc, which a call of FreedMemoryIsZeroed brings in; shared
// libraries use them too.
//
// Needs glibc's own malloc: a preloaded one (jemalloc, valgrind's) would be handed to glibc's free and abort.
// Thread safety: any thread.
#ifndef KEYFERRY_COMMON_ZEROING_FREE_H_
#define KEYFERRY_COMMON_ZEROING_FREE_H_

#include <cstddef>

namespace keyferry {

// Sanitizers bring a malloc of their own, which finds what this would hide.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEYFERRY_ZEROING_FREE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define KEYFERRY_ZEROING_FREE 0
#endif
#endif
#ifndef KEYFERRY_ZEROING_FREE
#define KEYFERRY_ZEROING_FREE 1
#endif

// Fills a block of `size` bytes, below 128 KiB, frees it and looks at what is left. Larger ones return to the kernel.
bool FreedMemoryIsZeroed(size_t size);

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_ZEROING_FREE_H_
