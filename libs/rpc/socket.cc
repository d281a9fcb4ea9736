#include "libs/rpc/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

constexpr char kUnixPrefix[] = "unix:";
constexpr int kFlags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

absl::Status Failed(const std::string& address, const char* what) {
  const int error = errno;
  return absl::UnavailableError(absl::StrCat(address, ": ", what, ": ", strerror(error)));
}

struct HostAndPort {
  std::string host;
  std::string port;
};

absl::StatusOr<HostAndPort> SplitAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  HostAndPort parts;
  if (colon != std::string::npos) {
    parts = {.host = address.substr(0, colon), .port = address.substr(colon + 1)};
    if (parts.host.starts_with('[') && parts.host.ends_with(']'))
      parts.host = parts.host.substr(1, parts.host.size() - 2);
  }
  if (parts.host.empty() || parts.port.empty() || parts.port.find_first_not_of("0123456789") != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(address, ": must be host:port, [address]:port or unix:/path"));
  }
  return parts;
}

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

absl::StatusOr<AddressList> Resolve(const std::string& address, const HostAndPort& parts) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (const int error = getaddrinfo(parts.host.c_str(), parts.port.c_str(), &hints, &list); error != 0) {
    return absl::InvalidArgumentError(absl::StrCat(address, ": ", gai_strerror(error)));
  }
  return AddressList(list, freeaddrinfo);
}

absl::StatusOr<int> PortOf(const Descriptor& descriptor, const std::string& address) {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  if (getsockname(descriptor.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0)
    return Failed(address, "getsockname");
  if (bound.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(bound).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

absl::StatusOr<Listener> ListenOnTcp(const std::string& address) {
  ASSIGN_OR_RETURN(const HostAndPort parts, SplitAddress(address));
  ASSIGN_OR_RETURN(const AddressList list, Resolve(address, parts));
  Descriptor descriptor(socket(list->ai_family, kFlags, 0));
  if (descriptor.get() < 0) return Failed(address, "socket");
  const int on = 1;
  // SO_REUSEADDR: past connections in TIME_WAIT must not keep a restart off its port; a second listener stays refused.
  // Accepted connections inherit TCP_NODELAY.
  setsockopt(descriptor.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  setsockopt(descriptor.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (list->ai_family == AF_INET6) setsockopt(descriptor.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  if (bind(descriptor.get(), list->ai_addr, list->ai_addrlen) != 0) return Failed(address, "cannot bind");
  if (listen(descriptor.get(), SOMAXCONN) != 0) return Failed(address, "cannot listen");
  ASSIGN_OR_RETURN(const int port, PortOf(descriptor, address));
  return Listener{.descriptor = std::move(descriptor),
                  .address = absl::StrCat(address.substr(0, address.rfind(':')), ":", port)};
}

// Removes a socket that nobody listens on; leaves everything else.
absl::Status RemoveStale(const std::string& address, const sockaddr_un& name) {
  struct stat info {};
  if (lstat(name.sun_path, &info) != 0)
    return errno == ENOENT ? absl::OkStatus() : Failed(address, "cannot look at the path");
  if (!S_ISSOCK(info.st_mode))
    return absl::FailedPreconditionError(absl::StrCat(address, ": the path is not a socket; remove it"));
  const Descriptor probe(socket(AF_UNIX, kFlags, 0));
  if (probe.get() < 0) return Failed(address, "socket");
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0 || errno != ECONNREFUSED) {
    return absl::UnavailableError(absl::StrCat(address, ": another process listens there"));
  }
  if (unlink(name.sun_path) != 0) return Failed(address, "cannot remove the old socket");
  return absl::OkStatus();
}

absl::StatusOr<Listener> ListenOnUnix(const std::string& address, mode_t file_mode) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string path = address.substr(strlen(kUnixPrefix));
  if (path.empty() || path.front() != '/' || path.size() >= sizeof(name.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(address, ": must be unix: and an absolute path of at most ",
                                                   sizeof(name.sun_path) - 1, " characters"));
  }
  memcpy(name.sun_path, path.c_str(), path.size() + 1);
  RETURN_IF_ERROR(RemoveStale(address, name));
  Descriptor descriptor(socket(AF_UNIX, kFlags, 0));
  if (descriptor.get() < 0) return Failed(address, "socket");
  // Before bind, so that the file never has a wider mode; after it, because the umask took bits away.
  fchmod(descriptor.get(), file_mode);
  if (bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0)
    return Failed(address, "cannot bind");
  if (chmod(path.c_str(), file_mode) != 0) return Failed(address, "cannot set the mode");
  if (listen(descriptor.get(), SOMAXCONN) != 0) return Failed(address, "cannot listen");
  return Listener{.descriptor = std::move(descriptor), .address = address, .path = path};
}

}  // namespace

Descriptor::~Descriptor() {
  if (value_ >= 0) close(value_);
}

absl::StatusOr<Listener> Listen(const std::string& address, mode_t file_mode) {
  return address.starts_with(kUnixPrefix) ? ListenOnUnix(address, file_mode) : ListenOnTcp(address);
}

}  // namespace keyferry
