// Every failpoint, by the durable boundary that it stands at. Included by failpoint.h alone.
#ifndef KEYFERRY_COMMON_FAILPOINT_NAMES_H_
#define KEYFERRY_COMMON_FAILPOINT_NAMES_H_

#include <string_view>

namespace keyferry::failpoint {

struct Failpoint {
  std::string_view name;
  // Stands as FAILPOINT_OR_RETURN.
  bool can_fail;
};

inline constexpr Failpoint kFailpoints[] = {
    // The API's store.
    {"store.open.before_database", true}, {"store.open.after_database", true},
    {"store.term.granted", true}, {"store.commit.before_write", false},
    {"store.commit.after_write", false}, {"store.commit.before_answer", false},
    {"store.backup.before_checkpoint", true}, {"store.backup.before_rename", true},
    {"store.backup.after_rename", true}, {"store.purge.before_flush", true},
    {"store.purge.before_compaction", true}, {"manifest_mark.before_sync", true},
    {"manifest_mark.before_rename", true}, {"manifest_mark.after_rename", true},
    {"watermark.create.before_rename", true}, {"watermark.create.after_rename", true},
    {"watermark.before_write", false}, {"watermark.after_write", false},
    {"files.before_sync", true}, {"files.directory_made", true},
    // Use cases.
    {"transaction.before_commit", false}, {"transaction.committed", false},
    {"api_key_uses.before_commit", false},
    // Keys.
    {"keys.system.before_commit", true}, {"keys.change.before_commit", true},
    {"keys.change.committed", false}, {"reseal.before_commit", false},
    {"rotation.key_added", false}, {"rotation.rows_resealed", false},
    {"rotation.before_save", false}, {"rotation.before_retire", false},
    {"rotation.retired", false}, {"rotation.before_finish", false},
    {"rewrap.recorded", false}, {"rewrap.owner_moved", false},
    {"rewrap.before_settle", false}, {"region_reseal.object_moved", false},
    {"region_reseal.before_save", false}, {"region_reseal.before_finish", false},
    {"keyring.before_sync", true}, {"keyring.before_rename", true},
    {"keyring.after_rename", true},
    // The audit trail.
    {"audit.queue.before_commit", false}, {"audit.chain.before_commit", true},
    {"audit.chain.committed", true}, {"audit.sign.before_commit", true},
    {"audit.file.before_rename", false}, {"audit.file.after_rename", false},
    {"audit.file.before_write", true}, {"audit.file.before_sync", true},
    {"audit.export.before_sync", true},
    // What is to be gone.
    {"shred.ledger.before_write", true}, {"shred.ledger.before_sync", true},
    {"shred.ledger.appended", true}, {"shredder.before_purge", true},
    {"shredder.purged", true}, {"shredder.recorded", true},
    {"deletion.marked", false}, {"deletion.deletes_desired", true},
    {"deletion.rows_erased", true}, {"deletion.before_retire", true},
    // Backups.
    {"durable_file.before_rename", true}, {"durable_file.after_rename", true},
    {"backup.object.before_rename", true}, {"backup.object.after_rename", true},
    {"backup.manifest.before_rename", true}, {"backup.manifest.after_rename", true},
    {"backup.before_prune", true}, {"restore.watermark_extracted", true},
    {"restore.files_extracted", true}, {"restore.lineage_begun", true},
    {"restore.replayed", true}, {"restore.database_moved", true},
    {"restore.before_end", true},
    // Provisioners' identities, at the API.
    {"enrollment.certificate_issued", false}, {"enrollment.token_used", false},
    {"enrollment.renewed", false}, {"sealing_key.change_committed", false},
    {"region_authority.before_rename", true}, {"region_authority.after_rename", true},
    // Delivery, at the API.
    {"events.before_send", false}, {"acks.before_commit", false},
    {"acks.committed", false},
    // The region.
    {"region.store.before_write", false}, {"region.store.after_write", false},
    {"region.store.before_incarnation", true}, {"region.store.before_floor", true},
    {"region.watermark.before_write", false}, {"region.watermark.before_sync", false},
    {"region.group.before_commit", false}, {"region.group.committed", false},
    {"region.acks.before_send", false}, {"region.sweep.hidden", true},
    {"region.sweep.committed", true}, {"region.resync.before_done", false},
    {"files_sink.data_written", true}, {"files_sink.before_rename", false},
    {"files_sink.after_rename", false}, {"files_sink.link_removed", true},
    {"identity.before_sync", true}, {"identity.before_rename", true},
    {"identity.after_rename", true}, {"region.sealing_key.before_change", false},
    {"region.sealing_key.changed", false},
};

}  // namespace keyferry::failpoint

#endif  // KEYFERRY_COMMON_FAILPOINT_NAMES_H_
