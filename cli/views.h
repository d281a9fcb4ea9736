// Wire messages as documents that commands print. Names are those of docs/cli.md and of the REST answers; they stay.
#ifndef KEYFERRY_CLI_VIEWS_H_
#define KEYFERRY_CLI_VIEWS_H_

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "keyferry/v1/deployments.pb.h"
#include "keyferry/v1/organizations.pb.h"
#include "keyferry/v1/regions.pb.h"
#include "keyferry/v1/secret_sets.pb.h"

namespace keyferry {

// `pending`, `ready`, `failed`.
std::string ReadinessWord(v1::Readiness readiness);
// `secret`, `imagePullSecret`.
std::string TypeWord(v1::SecretSetType type);
// `admin` … `viewer`, empty for none, and back.
std::string RoleWord(v1::Role role);
v1::Role RoleOfWord(const std::string& word);
// RFC 3339 in UTC, whole seconds; empty where there is none.
std::string TimeText(const google::protobuf::Timestamp& time);

nlohmann::ordered_json ToDocument(const v1::SecretSet& set);
nlohmann::ordered_json ToDocument(const v1::Generation& generation);
nlohmann::ordered_json ToDocument(const v1::Deployment& deployment);
nlohmann::ordered_json ToDocument(const v1::Region& region);
nlohmann::ordered_json ToDocument(const v1::Organization& organization);
nlohmann::ordered_json ToDocument(const v1::Properties& properties);
nlohmann::ordered_json ToDocument(const v1::ApiKey& key);
nlohmann::ordered_json ToDocument(const v1::WhoAmIResponse& caller);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_VIEWS_H_
