#include "libs/common/zeroing_free.h"

#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace keyferry {
namespace {

// glibc links free chunks into its lists through their first bytes.
constexpr size_t kAllocatorBytes = 32;
constexpr uint8_t kPattern = 0x3c;

}  // namespace

__attribute__((noinline)) bool FreedMemoryIsZeroed(size_t size) {
  auto* const block = static_cast<uint8_t*>(malloc(size));
  if (block == nullptr) return false;
  memset(block, kPattern, size);
  // Reading after free is the point; the address goes through an integer that the compiler cannot follow.
  volatile uintptr_t address = reinterpret_cast<uintptr_t>(block);
  asm volatile("" : : "r"(block) : "memory");
  free(block);
  const auto* const freed = reinterpret_cast<const volatile uint8_t*>(address);
  for (size_t i = kAllocatorBytes; i < size; ++i) {
    if (freed[i] == kPattern) return false;
  }
  return true;
}

}  // namespace keyferry

#if KEYFERRY_ZEROING_FREE

extern "C" {

void __libc_free(void* block);
void* __libc_realloc(void* block, size_t size);

void free(void* block) noexcept {
  if (block == nullptr) return;
  explicit_bzero(block, malloc_usable_size(block));
  __libc_free(block);
}

// Never lets glibc move a block, since it would free the old one by itself.
void* realloc(void* block, size_t size) noexcept {
  if (block == nullptr) return malloc(size);
  if (size == 0) {
    free(block);
    return nullptr;
  }
  const size_t usable = malloc_usable_size(block);
  if (size <= usable) {
    explicit_bzero(static_cast<char*>(block) + size, usable - size);
    return size < usable / 2 ? __libc_realloc(block, size) : block;
  }
  void* const moved = malloc(size);
  if (moved == nullptr) return nullptr;
  memcpy(moved, block, usable);
  free(block);
  return moved;
}

}  // extern "C"

#endif
