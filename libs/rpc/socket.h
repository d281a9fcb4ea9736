// Listening sockets, for Acceptor.
#ifndef KEYFERRY_RPC_SOCKET_H_
#define KEYFERRY_RPC_SOCKET_H_

#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace keyferry {

// A descriptor that closes with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(other.Release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor();

  int get() const { return value_; }
  int Release() { return std::exchange(value_, -1); }

 private:
  int value_ = -1;
};

struct Listener {
  Descriptor descriptor;
  // With the port that was chosen.
  std::string address;
  // Of a unix socket; empty otherwise.
  std::string path;
};

// Codes as Acceptor::Bind.
absl::StatusOr<Listener> Listen(const std::string& address, mode_t file_mode);

}  // namespace keyferry

#endif  // KEYFERRY_RPC_SOCKET_H_
