// Where a call comes from, in one spelling: of IPv4 the address, of IPv6 the /64 that its holder chooses from. Only a
// proxy that we were told of may say it of another (`x-forwarded-for`, the last entry, which the proxy itself wrote);
// from anybody else that is just words.
//
// Thread safety: immutable.
#ifndef KEYFERRY_SERVICES_API_CLIENT_ADDRESS_H_
#define KEYFERRY_SERVICES_API_CLIENT_ADDRESS_H_

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/api/call_metadata.h"

namespace keyferry {

inline constexpr char kForwardedForMetadata[] = "x-forwarded-for";
// In the list of proxies: whoever may open the edge door's unix socket.
inline constexpr char kUnixProxy[] = "unix";

// `192.0.2.1`, `2001:db8:0:1::/64`; empty for what is no address. An IPv4 address in an IPv6 one is the IPv4 address.
std::string CanonicalAddress(std::string_view text);

class ClientAddresses {
 public:
  // InvalidArgument: a proxy that is neither an address nor `unix`.
  static absl::StatusOr<std::unique_ptr<const ClientAddresses>> Create(const std::vector<std::string>& proxies);

  // Of a call; empty when nobody knows: it came by a unix socket that is no proxy's, or its proxy did not say. `peer`
  // as gRPC writes it: `ipv4:192.0.2.1:4711`, `ipv6:%5B2001:db8::1%5D:4711`, `unix:`.
  std::string OfCall(std::string_view peer, const ClientMetadata& metadata) const;
  // `forwarded`: values of x-forwarded-for, in order.
  std::string Of(std::string_view peer, const std::vector<std::string_view>& forwarded) const;

 private:
  // Each whole, not as its /64.
  std::set<std::string, std::less<>> proxies_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_CLIENT_ADDRESS_H_
