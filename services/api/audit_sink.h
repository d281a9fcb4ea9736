// AuditSink: carries chained records and signed heads from the store into the second sink's files, in order and without
// gaps, from wherever the files are. What it finds wrong with the files it reports, and mends by writing what is
// missing again. A record that the store cannot give is reported, and its chain goes on behind a `start`; a chain that
// cannot be read holds up no other.
//
// Thread safety: CatchUp on one thread; lag() on any.
#ifndef KEYFERRY_SERVICES_API_AUDIT_SINK_H_
#define KEYFERRY_SERVICES_API_AUDIT_SINK_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "libs/storage/store.h"
#include "libs/storage/trust_rows.h"
#include "services/api/audit_files.h"

namespace keyferry {

class AuditSink {
 public:
  // Gets a record of what is wrong with the files, or with a record.
  using Report = std::function<void(AuditRow)>;

  // The store and the clock outlive it. `public_key`: of the key that signs heads; empty: none does.
  AuditSink(const Store& store, const Clock& clock, std::unique_ptr<AuditFiles> files, std::string public_key,
            Report report)
      : store_(store),
        clock_(clock),
        files_(std::move(files)),
        public_key_(std::move(public_key)),
        report_(std::move(report)) {}

  // Writes all records that were chained when it was called, then the heads that cover them. Blocks, for as long as the
  // disk does. Errors of the files; those of the store, once the chains that it gives are written.
  absl::Status CatchUp();
  // How long something of this chain, or of any, has been waiting that is not durable there. Zero: nothing does.
  absl::Duration lag(const std::string& organization) const;
  absl::Duration lag() const;

 private:
  struct NamedHead {
    std::string organization;
    AuditHeadRow row;
  };

  absl::StatusOr<std::vector<NamedHead>> ReadHeads();
  absl::Status CheckFiles();
  // Errors of the files. Of the store: into `unread`.
  absl::Status CopyRecords(const std::string& organization, const AuditHeadRow& head, absl::Status& unread);
  absl::Status PassGap(const std::string& organization, const AuditHeadRow& head, absl::Status& unread);
  absl::Status CopyHead(const std::string& organization, const AuditHeadRow& head);
  // False: the chain is another than the files have.
  absl::StatusOr<bool> Continues(const std::string& organization, const AuditHeadRow& head) const;
  void TellDamaged(const std::string& name);
  void Tell(const std::string& organization, const std::string& reason);

  const Store& store_;
  const Clock& clock_;
  const std::unique_ptr<AuditFiles> files_;
  const std::string public_key_;
  const Report report_;
  int64_t unsynced_count_ = 0;
  // Records that do not open and were reported.
  std::set<std::string> damaged_;
  mutable absl::Mutex mutex_;
  // Of the monotonic clock: since when the files have stood still, and chains that the store does not give.
  std::optional<absl::Duration> waiting_since_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Duration> unread_since_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_AUDIT_SINK_H_
