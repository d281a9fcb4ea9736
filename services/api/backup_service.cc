#include "services/api/backup_service.h"

#include "keyferry/v1/backups.grpc.pb.h"
#include "libs/common/error.h"
#include "services/api/audit_trail.h"
#include "services/api/backups.h"
#include "services/api/call_scope.h"
#include "services/api/wire_time.h"

namespace keyferry {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

void ToProto(const BackupManifest& manifest, v1::Backup& wire) {
  wire.set_name(manifest.name);
  SetTime(manifest.create_time, *wire.mutable_create_time());
  wire.set_revision(manifest.revision);
  wire.set_total_bytes(manifest.total_bytes);
  wire.set_new_bytes(manifest.new_bytes);
}

absl::Status NoDirectory() {
  return MakeError(absl::StatusCode::kFailedPrecondition, "the API makes no backups: start it with --backup-directory",
                   {.reason = "NO_BACKUP_DIRECTORY"});
}

class BackupsService final : public v1::Backups::CallbackService {
 public:
  BackupsService(Guard& guard, keyferry::Backups* backups, const Writer& writer)
      : guard_(guard), backups_(backups), writer_(writer) {}

  ServerUnaryReactor* CreateBackup(CallbackServerContext* context, const v1::CreateBackupRequest*,
                                   v1::Backup* response) override {
    return guard_.Run(context, "Backups/CreateBackup", "", [=, this](const Caller&, Guard::Done done) {
      if (backups_ == nullptr) return done(NoDirectory());
      backups_->Create(
          [=, this, call = CallScope::Current(), done = std::move(done)](const absl::StatusOr<BackupManifest>& made) {
            if (!made.ok()) return done(made.status());
            ToProto(*made, *response);
            Record(call, made->name, done);
          });
    });
  }

  ServerUnaryReactor* ListBackups(CallbackServerContext* context, const v1::ListBackupsRequest*,
                                  v1::ListBackupsResponse* response) override {
    return guard_.Run(context, "Backups/ListBackups", "", [=, this](const Caller&, const Guard::Done& done) {
      if (backups_ == nullptr) return done(NoDirectory());
      const absl::StatusOr<BackupStatus> status = backups_->Status();
      if (!status.ok()) return done(status.status());
      for (const BackupManifest& manifest : status->backups) ToProto(manifest, *response->add_backups());
      if (status->next_time) SetTime(*status->next_time, *response->mutable_next_time());
      response->set_last_problem(status->last_problem);
      done(absl::OkStatus());
    });
  }

 private:
  // A backup is no commit that its record could be in.
  void Record(const std::shared_ptr<const AuditedCall>& call, const std::string& name, Guard::Done done) const {
    if (call == nullptr) return done(absl::OkStatus());
    RunTransaction(
        writer_,
        [call, name](Transaction& transaction) {
          AddAuditRecord(transaction, AuditRowOf(*call, {.kind = "backup", .name = name}, call->time));
          return absl::OkStatus();
        },
        [done = std::move(done)](const absl::StatusOr<Revision>& recorded) { done(recorded.status()); });
  }

  Guard& guard_;
  keyferry::Backups* const backups_;
  const Writer writer_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewBackupsService(Guard& guard, Backups* backups, const Writer& writer) {
  return std::make_unique<BackupsService>(guard, backups, writer);
}

}  // namespace keyferry
