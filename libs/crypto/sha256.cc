// Sha256, HmacSha256 and HkdfSha256 of aead.h, with their whole state on the stack: OpenSSL's EVP allocates some contexts for each digest, which
// costs more than hashing 1 KiB.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "libs/crypto/aead.h"
#include "libs/crypto/check.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {
namespace {

constexpr size_t kHashBytes = SHA256_DIGEST_LENGTH;
constexpr uint8_t kInnerPad = 0x36, kOuterPad = 0x5c;

using Digest = std::array<uint8_t, kHashBytes>;

std::string_view ViewOf(const Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

class Sha256State {
 public:
  Sha256State() { Check(SHA256_Init(&state_) == 1, "OpenSSL has no working SHA-256"); }
  ~Sha256State() { OPENSSL_cleanse(&state_, sizeof(state_)); }
  Sha256State(const Sha256State&) = default;
  Sha256State& operator=(const Sha256State&) = delete;

  void Add(std::string_view bytes) { SHA256_Update(&state_, bytes.data(), bytes.size()); }
  void Finish(uint8_t* out) { SHA256_Final(out, &state_); }

 private:
  SHA256_CTX state_;
};

// RFC 2104. A copy goes on from where the original is.
class HmacState {
 public:
  explicit HmacState(std::string_view key) {
    std::array<uint8_t, SHA256_CBLOCK> block{};
    if (key.size() > block.size()) {
      Sha256State hashed;
      hashed.Add(key);
      hashed.Finish(block.data());
    } else {
      std::copy(key.begin(), key.end(), block.begin());
    }
    for (uint8_t& byte : block) byte ^= kInnerPad;
    inner_.Add({reinterpret_cast<const char*>(block.data()), block.size()});
    for (uint8_t& byte : block) byte ^= kInnerPad ^ kOuterPad;
    outer_.Add({reinterpret_cast<const char*>(block.data()), block.size()});
    OPENSSL_cleanse(block.data(), block.size());
  }

  void Add(std::string_view bytes) { inner_.Add(bytes); }
  void Finish(uint8_t* out) {
    Digest digest;
    inner_.Finish(digest.data());
    outer_.Add(ViewOf(digest));
    outer_.Finish(out);
    OPENSSL_cleanse(digest.data(), digest.size());
  }

 private:
  Sha256State inner_, outer_;
};

}  // namespace

SecretBytes HkdfSha256(std::string_view input_key, std::string_view salt, std::string_view info, size_t size) {
  Check(size >= 1 && size <= 255 * kHashBytes, "HKDF-SHA256 gives 1 to 8160 bytes");
  Digest block;
  HmacState extract(salt);
  extract.Add(input_key);
  extract.Finish(block.data());
  const HmacState keyed(ViewOf(block));
  SecretBytes output(size);
  const auto out = output.AccessMutable();
  for (size_t begin = 0, round = 1; begin < size; begin += kHashBytes, ++round) {
    HmacState expand = keyed;
    if (round > 1) expand.Add(ViewOf(block));
    expand.Add(info);
    const char number = static_cast<char>(round);
    expand.Add({&number, 1});
    expand.Finish(block.data());
    std::copy_n(block.begin(), std::min(kHashBytes, size - begin), out.begin() + static_cast<std::ptrdiff_t>(begin));
  }
  OPENSSL_cleanse(block.data(), block.size());
  return output;
}

std::string HmacSha256(const SecretBytes& key, std::string_view message) {
  std::string output(kHashBytes, '\0');
  HmacState state(key.Access());
  state.Add(message);
  state.Finish(reinterpret_cast<uint8_t*>(output.data()));
  return output;
}

std::string Sha256(std::string_view message) {
  std::string output(kHashBytes, '\0');
  Sha256State state;
  state.Add(message);
  state.Finish(reinterpret_cast<uint8_t*>(output.data()));
  return output;
}

}  // namespace keyferry
