#include "services/api/identity_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "keyferry/v1/identities.grpc.pb.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "services/api/paging.h"
#include "services/api/violations.h"

namespace keyferry {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr absl::string_view kTokenTag = "identities:";

void ToProto(const NamedRevokedIdentity& identity, v1::RevokedIdentity& wire) {
  wire.set_spiffe_id(identity.spiffe_id);
  wire.set_note(identity.row.note);
  wire.set_author(identity.row.author);
  wire.mutable_revoke_time()->set_seconds(absl::ToUnixSeconds(identity.row.revoke_time));
}

// The id that the page before ended with; empty for the first page.
absl::StatusOr<std::string> ParsePageToken(const std::string& token, const std::string& trust_domain) {
  if (token.empty()) return "";
  std::string text;
  if (absl::WebSafeBase64Unescape(token, &text) && text.starts_with(std::string(kTokenTag))) {
    std::string id = text.substr(kTokenTag.size());
    if (ParseSpiffeId(id, trust_domain).ok()) return id;
  }
  return InvalidFields("INVALID_PAGE_TOKEN",
                       {{"page_token", "is not a token of this listing; begin again without one"}});
}

class IdentitiesService final : public v1::Identities::CallbackService {
 public:
  IdentitiesService(Guard& guard, RevokedIdentities& identities, std::string trust_domain)
      : guard_(guard), identities_(identities), trust_domain_(std::move(trust_domain)) {}

  ServerUnaryReactor* RevokeIdentity(CallbackServerContext* context, const v1::RevokeIdentityRequest* request,
                                     v1::RevokedIdentity* response) override {
    return guard_.Run(context, "Identities/RevokeIdentity", "", [=, this](const Caller& caller, Guard::Done done) {
      if (const absl::Status invalid = Check(*request, caller); !invalid.ok()) return done(invalid);
      identities_.Revoke(request->spiffe_id(), caller.principal, request->note(),
                         [response, done = std::move(done)](const absl::StatusOr<NamedRevokedIdentity>& revoked) {
                           if (revoked.ok()) ToProto(*revoked, *response);
                           done(revoked.status());
                         });
    });
  }

  ServerUnaryReactor* ListRevokedIdentities(CallbackServerContext* context,
                                            const v1::ListRevokedIdentitiesRequest* request,
                                            v1::ListRevokedIdentitiesResponse* response) override {
    return guard_.Run(context, "Identities/ListRevokedIdentities", "",
                      [=, this](const Caller&, const Guard::Done& done) { done(FillPage(*request, *response)); });
  }

 private:
  absl::Status Check(const v1::RevokeIdentityRequest& request, const Caller& caller) const {
    Violations violations;
    const auto refuse = [&](const char* field, std::string why) {
      violations.Add("INVALID_IDENTITY", FieldViolation{field, std::move(why)});
    };
    if (!ParseSpiffeId(request.spiffe_id(), trust_domain_).ok()) {
      refuse("spiffe_id", absl::StrCat("must be an operator's, a provisioner's or a service's SPIFFE id of spiffe://",
                                       trust_domain_));
    } else if (request.spiffe_id() == caller.principal) {
      refuse("spiffe_id", "is your own; another operator must revoke it");
    }
    if (request.note().size() > kMaxDisplayNameLength) {
      refuse("note", absl::StrCat("must have at most ", kMaxDisplayNameLength, " bytes, not ", request.note().size()));
    }
    return violations.ToStatus();
  }

  absl::Status FillPage(const v1::ListRevokedIdentitiesRequest& request, v1::ListRevokedIdentitiesResponse& response) {
    ASSIGN_OR_RETURN(const size_t limit, PageSizeOf(request.page_size()));
    ASSIGN_OR_RETURN(const std::string after, ParsePageToken(request.page_token(), trust_domain_));
    const std::vector<NamedRevokedIdentity> all = identities_.List();
    auto next = std::ranges::upper_bound(all, after, {}, &NamedRevokedIdentity::spiffe_id);
    PageBudget budget(limit);
    for (; next != all.end(); ++next) {
      if (!budget.Admit(TextBytesOf({next->spiffe_id, next->row.note, next->row.author}))) break;
      ToProto(*next, *response.add_identities());
    }
    if (next != all.end()) {
      const std::string& last = std::prev(next)->spiffe_id;
      response.set_next_page_token(absl::WebSafeBase64Escape(absl::StrCat(kTokenTag, last)));
    }
    return absl::OkStatus();
  }

  Guard& guard_;
  RevokedIdentities& identities_;
  const std::string trust_domain_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewIdentitiesService(Guard& guard, RevokedIdentities& identities,
                                                    std::string trust_domain) {
  return std::make_unique<IdentitiesService>(guard, identities, std::move(trust_domain));
}

}  // namespace keyferry
