#include "services/api/audit_service.h"

#include "keyferry/v1/audit.grpc.pb.h"
#include "libs/rpc/audit_conversion.h"

namespace keyferry {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

class AuditService final : public v1::Audit::CallbackService {
 public:
  AuditService(Guard& guard, const AuditReader& reader) : guard_(guard), reader_(reader) {}

  ServerUnaryReactor* ListAuditRecords(CallbackServerContext* context, const v1::ListAuditRecordsRequest* request,
                                       v1::ListAuditRecordsResponse* response) override {
    return guard_.Run(context, "Audit/ListAuditRecords", request->organization(),
                      [=, this](const Caller& caller, const Guard::Done& done) {
                        const absl::StatusOr<AuditPage> page = reader_.List({.organization = caller.organization,
                                                                             .own_only = caller.kind == CallerKind::kTenant,
                                                                             .page_size = request->page_size(),
                                                                             .page_token = request->page_token(),
                                                                             .first_number = request->first_number()});
                        if (!page.ok()) return done(page.status());
                        for (const AuditRecord& record : page->records) ToProto(record, *response->add_records());
                        response->set_next_page_token(page->next_page_token);
                        done(absl::OkStatus());
                      });
  }

  ServerUnaryReactor* GetAuditHead(CallbackServerContext* context, const v1::GetAuditHeadRequest* request,
                                   v1::AuditHead* response) override {
    return guard_.Run(context, "Audit/GetAuditHead", request->organization(),
                      [=, this](const Caller& caller, const Guard::Done& done) {
                        const absl::StatusOr<SignedAuditHead> head = reader_.Head(caller.organization, caller.kind == CallerKind::kTenant);
                        if (head.ok()) ToProto(*head, *response);
                        done(head.status());
                      });
  }

 private:
  Guard& guard_;
  const AuditReader& reader_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewAuditService(Guard& guard, const AuditReader& reader) {
  return std::make_unique<AuditService>(guard, reader);
}

}  // namespace keyferry
