// SecretBytes: bytes that must not show. Zeroed when freed, move-only, unprintable, not comparable with ==.
// Reading them takes the word Access, so that one grep audits every place that does.
//
// Thread safety: as a std::string.
#ifndef KEYFERRY_CRYPTO_SECRET_BYTES_H_
#define KEYFERRY_CRYPTO_SECRET_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace keyferry {

class SecretBytes {
 public:
  SecretBytes() = default;
  // size bytes of zero.
  explicit SecretBytes(size_t size);
  // Copies; the source is the caller's to wipe.
  static SecretBytes Copy(std::string_view bytes);
  // Copies and then zeroes the source, which becomes empty.
  static SecretBytes Take(std::string&& bytes);
  static SecretBytes Random(size_t size);

  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  SecretBytes Clone() const;

  // Plaintext. Valid while this lives.
  std::string_view Access() const;
  std::span<uint8_t> AccessMutable();

  // In constant time over equal sizes.
  bool Equals(const SecretBytes& other) const;

  bool operator==(const SecretBytes&) const = delete;

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  size_t size_ = 0;
};

// Overwrites a string that held a secret, in a way that the compiler keeps, and empties it.
void Wipe(std::string& bytes);

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_SECRET_BYTES_H_
