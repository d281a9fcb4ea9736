// The API's roles as the contract writes them: `admin`, `member`, `deployer`, `viewer`.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_ROLE_WORDS_H_
#define KEYFERRY_SERVICES_GATEWAY_ROLE_WORDS_H_

#include <optional>
#include <string_view>

#include "keyferry/v1/organizations.pb.h"

namespace keyferry::gateway {

// Empty for a caller that has none.
std::string_view RoleWord(v1::Role role);
// nullopt for another word.
std::optional<v1::Role> ParseRoleWord(std::string_view word);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_ROLE_WORDS_H_
