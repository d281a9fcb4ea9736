#include "services/gateway/role_words.h"

#include <utility>

namespace keyferry::gateway {
namespace {

constexpr std::pair<v1::Role, std::string_view> kRoles[] = {{v1::ROLE_ADMIN, "admin"},
                                                            {v1::ROLE_MEMBER, "member"},
                                                            {v1::ROLE_DEPLOYER, "deployer"},
                                                            {v1::ROLE_VIEWER, "viewer"}};

}  // namespace

std::string_view RoleWord(v1::Role role) {
  for (const auto& [known, word] : kRoles) {
    if (known == role) return word;
  }
  return "";
}

std::optional<v1::Role> ParseRoleWord(std::string_view word) {
  for (const auto& [role, known] : kRoles) {
    if (known == word) return role;
  }
  return std::nullopt;
}

}  // namespace keyferry::gateway
