// admin identities
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/views.h"
#include "keyferry/v1/identities.pb.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

nlohmann::ordered_json ToDocument(const v1::RevokedIdentity& identity) {
  return {{"spiffeId", identity.spiffe_id()},
          {"note", identity.note()},
          {"revokedAt", TimeText(identity.revoke_time())},
          {"author", identity.author()}};
}

absl::Status ListRevoked(Session& session) {
  v1::ListRevokedIdentitiesRequest request;
  request.set_page_size(kDefaultPageSize);
  Table table{.header = {"SPIFFE ID", "REVOKED", "AUTHOR", "NOTE"}};
  nlohmann::ordered_json identities = nlohmann::ordered_json::array();
  do {
    ASSIGN_OR_RETURN(const auto page,
                     session.Call<v1::ListRevokedIdentitiesResponse>("Identities/ListRevokedIdentities", request));
    for (const v1::RevokedIdentity& identity : page.identities()) {
      table.rows.push_back(
          {identity.spiffe_id(), TimeText(identity.revoke_time()), identity.author(), identity.note()});
      identities.push_back(ToDocument(identity));
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  nlohmann::ordered_json document;
  document["identities"] = std::move(identities);
  session.Print(document, RenderTable(table, false));
  return absl::OkStatus();
}

absl::Status Revoke(Session& session) {
  const std::string& id = session.line().name;
  RETURN_IF_ERROR(
      session.Confirm(absl::StrCat("Revoke ", id, " for good? Its calls are refused and its streams end.")));
  v1::RevokeIdentityRequest request;
  request.set_spiffe_id(id);
  request.set_note(session.line().admin.note);
  ASSIGN_OR_RETURN(const auto revoked, session.Call<v1::RevokedIdentity>("Identities/RevokeIdentity", request));
  session.Print(ToDocument(revoked), absl::StrCat("revoked: ", revoked.spiffe_id(), "\n"));
  return absl::OkStatus();
}

}  // namespace

void AddAdminIdentityCommands(CommandTable& table) {
  table["admin identities list"] = ListRevoked;
  table["admin identities revoke"] = Revoke;
}

}  // namespace keyferry
