#include "libs/rpc/testing/raw_connection.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/numbers.h"

namespace keyferry {
namespace {

constexpr int kPatienceMillis = 10'000;

template <typename Name>
Descriptor Connect(int family, const Name& name) {
  Descriptor descriptor(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(descriptor.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0) return Descriptor();
  return descriptor;
}

}  // namespace

Descriptor ConnectRaw(const std::string& address) {
  if (address.starts_with("unix:")) {
    sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
    strncpy(name.sun_path, address.c_str() + 5, sizeof(name.sun_path) - 1);
    return Connect(AF_UNIX, name);
  }
  int port = 0;
  if (!absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port)) return Descriptor();
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<uint16_t>(port));
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return Connect(AF_INET, name);
}

bool IsClosedByPeer(const Descriptor& connection) {
  pollfd event{.fd = connection.get(), .events = POLLIN, .revents = 0};
  char byte = 0;
  return poll(&event, 1, kPatienceMillis) == 1 && read(connection.get(), &byte, 1) <= 0;
}

}  // namespace keyferry
