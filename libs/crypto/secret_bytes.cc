#include "libs/crypto/secret_bytes.h"

#include <sodium.h>

#include <cstring>
#include <type_traits>
#include <utility>

#include "libs/crypto/check.h"

namespace keyferry {

static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
static_assert(std::is_nothrow_move_constructible_v<SecretBytes> && std::is_nothrow_move_assignable_v<SecretBytes>);

namespace {

// Before main, so that no caller pays for it; until then libsodium runs its slower portable code.
[[maybe_unused]] const bool sodium_ready = [] {
  Check(sodium_init() >= 0, "libsodium does not start: no source of randomness");
  return true;
}();

}  // namespace

SecretBytes::SecretBytes(size_t size) : bytes_(size == 0 ? nullptr : new uint8_t[size]()), size_(size) {}

SecretBytes SecretBytes::Copy(std::string_view bytes) {
  SecretBytes copy;
  if (bytes.empty()) return copy;
  copy.bytes_.reset(new uint8_t[bytes.size()]);
  copy.size_ = bytes.size();
  std::memcpy(copy.bytes_.get(), bytes.data(), bytes.size());
  return copy;
}

SecretBytes SecretBytes::Take(std::string&& bytes) {
  SecretBytes copy = Copy(bytes);
  Wipe(bytes);
  return copy;
}

SecretBytes SecretBytes::Random(size_t size) {
  SecretBytes random(size);
  if (size != 0) randombytes_buf(random.bytes_.get(), size);
  return random;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this == &other) return *this;
  if (size_ != 0) sodium_memzero(bytes_.get(), size_);
  bytes_ = std::move(other.bytes_);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

SecretBytes::~SecretBytes() {
  if (size_ != 0) sodium_memzero(bytes_.get(), size_);
}

SecretBytes SecretBytes::Clone() const { return Copy(Access()); }

std::string_view SecretBytes::Access() const { return {reinterpret_cast<const char*>(bytes_.get()), size_}; }

std::span<uint8_t> SecretBytes::AccessMutable() { return {bytes_.get(), size_}; }

bool SecretBytes::Equals(const SecretBytes& other) const {
  return size_ == other.size_ && (size_ == 0 || sodium_memcmp(bytes_.get(), other.bytes_.get(), size_) == 0);
}

void Wipe(std::string& bytes) {
  // All of the capacity: an earlier, longer value may still lie behind the end.
  bytes.resize(bytes.capacity());
  sodium_memzero(bytes.data(), bytes.size());
  bytes.clear();
}

}  // namespace keyferry
