#include "services/api/client_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace keyferry {
namespace {

constexpr size_t kNetworkBytes = 8;
constexpr unsigned char kV4InV6[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

std::string TextOf(int family, const void* bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  return inet_ntop(family, bytes, text, sizeof text) == nullptr ? std::string() : std::string(text);
}

// The whole address in its one spelling, or the network that stands for it.
std::string Canonical(std::string_view text, bool network) {
  char terminated[INET6_ADDRSTRLEN] = {};
  if (text.empty() || text.size() >= sizeof terminated || text.find('\0') != std::string_view::npos) return "";
  std::copy(text.begin(), text.end(), terminated);
  unsigned char bytes[sizeof(in6_addr)] = {};
  // It takes one spelling alone.
  if (inet_pton(AF_INET, terminated, bytes) == 1) return std::string(text);
  if (inet_pton(AF_INET6, terminated, bytes) != 1) return "";
  if (std::memcmp(bytes, kV4InV6, sizeof kV4InV6) == 0) return TextOf(AF_INET, bytes + sizeof kV4InV6);
  if (!network) return TextOf(AF_INET6, bytes);
  std::fill(bytes + kNetworkBytes, bytes + sizeof bytes, 0);
  return absl::StrCat(TextOf(AF_INET6, bytes), "/64");
}

// The host of `ipv4:host:port` or `ipv6:[host]:port`, whose brackets gRPC escapes; `unix`; empty.
std::string_view HostOf(std::string_view peer) {
  if (peer.starts_with("unix:")) return kUnixProxy;
  if (!peer.starts_with("ipv4:") && !peer.starts_with("ipv6:")) return "";
  peer.remove_prefix(5);
  const size_t port = peer.rfind(':');
  if (port == std::string_view::npos) return "";
  peer = peer.substr(0, port);
  for (const std::string_view bracket : {"[", "%5B", "%5b"}) {
    if (peer.starts_with(bracket)) peer.remove_prefix(bracket.size());
  }
  for (const std::string_view bracket : {"]", "%5D", "%5d"}) {
    if (peer.ends_with(bracket)) peer.remove_suffix(bracket.size());
  }
  return peer;
}

std::string_view LastEntry(std::string_view list) {
  list.remove_prefix(list.rfind(',') + 1);
  while (list.starts_with(' ')) list.remove_prefix(1);
  while (list.ends_with(' ')) list.remove_suffix(1);
  return list;
}

}  // namespace

std::string CanonicalAddress(std::string_view text) { return Canonical(text, /*network=*/true); }

absl::StatusOr<std::unique_ptr<const ClientAddresses>> ClientAddresses::Create(
    const std::vector<std::string>& proxies) {
  auto addresses = std::make_unique<ClientAddresses>();
  for (const std::string& proxy : proxies) {
    std::string whole = proxy == kUnixProxy ? proxy : Canonical(proxy, /*network=*/false);
    if (whole.empty())
      return absl::InvalidArgumentError(
          absl::StrCat("\"", proxy, "\" is no address of a proxy; give an IP address, or `unix`"));
    addresses->proxies_.insert(std::move(whole));
  }
  return addresses;
}

std::string ClientAddresses::OfCall(std::string_view peer, const ClientMetadata& metadata) const {
  std::vector<std::string_view> forwarded;
  const auto [first, last] = metadata.equal_range(kForwardedForMetadata);
  for (auto value = first; value != last; ++value) forwarded.emplace_back(value->second.data(), value->second.size());
  return Of(peer, forwarded);
}

std::string ClientAddresses::Of(std::string_view peer, const std::vector<std::string_view>& forwarded) const {
  const std::string_view host = HostOf(peer);
  const bool is_unix = host == kUnixProxy;
  if (!forwarded.empty() && !proxies_.empty() &&
      proxies_.contains(is_unix ? std::string(host) : Canonical(host, /*network=*/false))) {
    std::string said = CanonicalAddress(LastEntry(forwarded.back()));
    if (!said.empty()) return said;
  }
  return is_unix ? "" : CanonicalAddress(host);
}

}  // namespace keyferry
