#include "services/api/secret_values.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/common/limits.h"
#include "libs/model/names.h"

namespace keyferry {
namespace {

constexpr char kSizeReason[] = "INVALID_SECRET_SET_SIZE";
constexpr char kValueReason[] = "INVALID_SECRET_VALUE";
constexpr char kAuthReason[] = "INVALID_CREDENTIALS";
constexpr char kAuthRule[] =
    "must be `username:token`, or the base64 of it (standard alphabet, padded), without spaces or line breaks";

constexpr char kAuthIsJson[] =
    "is JSON, as of a docker config file, or the base64 of it; give `username:token` of the registry instead, or the base64 of that";

std::string EntryField(size_t index, std::string_view part) {
  return absl::StrCat("entries[", index, "].", absl::string_view(part.data(), part.size()));
}

void CheckValue(size_t index, const SecretBytes& value, Violations& violations) {
  if (value.size() > kMaxValueBytes) {
    violations.Add(kValueReason,
                   FieldViolation{EntryField(index, "value"), absl::StrCat("a value holds at most ", kMaxValueBytes,
                                                                           " bytes; found ", value.size())});
  }
  if (const size_t nul = value.Access().find('\0'); nul != std::string_view::npos) {
    violations.Add(kValueReason,
                   FieldViolation{EntryField(index, "value"),
                                  absl::StrCat("a value cannot hold a NUL byte, as it becomes an environment "
                                               "variable; found one at byte ",
                                               nul + 1)});
  }
}

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(".-_:/[]").find(c) != std::string_view::npos;
}

// What keeps it from being a registry's; empty: nothing.
std::string HostFault(std::string_view host) {
  if (const auto bad = std::find_if_not(host.begin(), host.end(), IsHostCharacter); bad != host.end()) {
    return absl::StrCat("position ", bad - host.begin() + 1, " cannot be part of one");
  }
  constexpr std::string_view kSchemeEnd = "://";
  if (const size_t end = host.find(kSchemeEnd); end != std::string_view::npos) {
    const absl::string_view scheme(host.data(), end);
    const bool is_web = absl::EqualsIgnoreCase(scheme, "http") || absl::EqualsIgnoreCase(scheme, "https");
    if (!is_web) return "its scheme, where it has one, must be http or https";
    host.remove_prefix(end + kSchemeEnd.size());
  }
  const bool named = !host.empty() && (absl::ascii_isalnum(host.front()) || host.front() == '[');
  return named ? "" : "this one has no name of a host";
}

// `username:token`, both there, nothing that could not stand in an HTTP header.
bool IsCredentials(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return false;
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; });
}

bool BeginsAsJson(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && text[begin] == '{';
}

// Empty when it is no base64.
SecretBytes Decoded(std::string_view text) {
  std::string decoded;
  if (!absl::Base64Unescape(absl::string_view(text.data(), text.size()), &decoded)) return SecretBytes();
  return SecretBytes::Take(std::move(decoded));
}

bool IsEncodedCredentials(std::string_view text) {
  const SecretBytes plain = Decoded(text);
  if (text.size() % 4 != 0 || plain.empty()) return false;
  SecretBytes canonical = SecretBytes::Take(absl::Base64Escape(absl::string_view(plain.Access().data(), plain.size())));
  return IsCredentials(plain.Access()) && canonical.Access() == text;
}

}  // namespace

void CheckSecretValues(const std::vector<SecretValue>& values, Violations& violations) {
  if (values.empty()) {
    violations.Add(kSizeReason, FieldViolation{"entries", "must hold at least one key and its value; found none"});
  }
  if (values.size() > kMaxKeysPerSet) {
    violations.Add(kSizeReason, FieldViolation{"entries", absl::StrCat("must be at most ", kMaxKeysPerSet,
                                                                       " keys; found ", values.size())});
    return;
  }
  std::map<std::string_view, size_t> first;
  for (size_t i = 0; i < values.size(); ++i) {
    violations.Add("INVALID_SECRET_KEY", CheckSecretKey(EntryField(i, "key"), values[i].key));
    CheckValue(i, values[i].value, violations);
    const auto [same, fresh] = first.emplace(values[i].key, i);
    if (fresh) continue;
    violations.Add(
        "INVALID_SECRET_KEY",
        FieldViolation{EntryField(i, "key"), absl::StrCat("is the same key as entries[", same->second, "]")});
  }
}

void CheckSetSize(const std::vector<SecretSetEntry>& entries, Violations& violations) {
  size_t value_bytes = 0;
  for (const SecretSetEntry& entry : entries) value_bytes += entry.value_bytes;
  if (entries.size() > kMaxKeysPerSet) {
    violations.Add(kSizeReason,
                   FieldViolation{"entries", absl::StrCat("a set holds at most ", kMaxKeysPerSet,
                                                          " keys; with these it would hold ", entries.size())});
  }
  if (value_bytes > kMaxSetBytes) {
    violations.Add(kSizeReason,
                   FieldViolation{"entries", absl::StrCat("the values of a set are at most ", kMaxSetBytes,
                                                          " bytes in all; with these they would be ", value_bytes)});
  }
}

void CheckHost(std::string_view host, Violations& violations) {
  constexpr char kReason[] = "INVALID_HOST";
  if (host.empty() || NormalizeHost(host).size() > kMaxHostLength) {
    violations.Add(kReason, FieldViolation{"host", absl::StrCat("must be 1 to ", kMaxHostLength,
                                                                " characters, with the slash at its end; found ",
                                                                host.empty() ? 0 : NormalizeHost(host).size())});
  } else if (const std::string fault = HostFault(host); !fault.empty()) {
    violations.Add(kReason, FieldViolation{"host", absl::StrCat("must be a registry host, such as ghcr.io or "
                                                                "https://index.docker.io/v1/; ",
                                                                fault)});
  }
}

std::string NormalizeHost(std::string_view host) {
  std::string normal(host);
  if (!normal.ends_with('/')) normal.push_back('/');
  return normal;
}

SecretBytes NormalizePullAuth(const SecretBytes& auth, Violations& violations) {
  const std::string_view text = auth.Access();
  SecretBytes encoded;
  if (BeginsAsJson(text) || BeginsAsJson(Decoded(text).Access())) {
    violations.Add(kAuthReason, FieldViolation{"auth", kAuthIsJson});
    return encoded;
  }
  if (text.size() <= kMaxPullAuthBytes && IsCredentials(text)) {
    encoded = SecretBytes::Take(absl::Base64Escape(absl::string_view(text.data(), text.size())));
  } else if (text.size() <= kMaxPullAuthBytes && IsEncodedCredentials(text)) {
    encoded = auth.Clone();
  } else if (!text.empty() && text.size() <= kMaxPullAuthBytes) {
    violations.Add(kAuthReason, FieldViolation{"auth", kAuthRule});
    return encoded;
  }
  if (!encoded.empty() && encoded.size() <= kMaxPullAuthBytes) return encoded;
  const size_t found = encoded.empty() ? text.size() : encoded.size();
  violations.Add(kAuthReason, FieldViolation{"auth", absl::StrCat("must be 1 to ", kMaxPullAuthBytes,
                                                                  " bytes as base64; found ", found)});
  return SecretBytes();
}

}  // namespace keyferry
