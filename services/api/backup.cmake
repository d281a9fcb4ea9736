# Backups of the store, restoring one, and the shred ledger.
keyferry_library(keyferry_api_backup
  SOURCES backup_files.cc backup_keys.cc backup_manifest.cc backup_object.cc backup_repository.cc backup_service.cc backup_setup.cc backups.cc
          restore.cc restore_replay.cc shred_copier.cc shred_ledger.cc
  PUBLIC keyferry_storage keyferry_crypto keyferry_common keyferry_rpc keyferry_api_sets keyferry_api_edge
  PRIVATE wire_protos keyferry_failpoints)

keyferry_library(keyferry_api_backup_testing SOURCES testing/backup_scene.cc PUBLIC keyferry_api_backup keyferry_api_regions GTest::gmock)
keyferry_test(api_backup_test
  SOURCES backup_object_test.cc backup_repository_test.cc backups_test.cc restore_test.cc shred_ledger_test.cc
  LINK keyferry_api_backup_testing)
keyferry_test(api_backup_durability_test SOURCES backup_durability_test.cc LINK keyferry_api_backup_testing)
