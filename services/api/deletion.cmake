# Deleting organizations, and shredding what was deleted.
keyferry_library(keyferry_api_deletion
  SOURCES organization_deletion.cc organization_rows.cc shredder.cc
  PUBLIC keyferry_storage keyferry_common keyferry_api_sets keyferry_api_regions keyferry_api_edge
  PRIVATE keyferry_failpoints)

keyferry_test(api_deletion_test
  SOURCES organization_deletion_test.cc shredder_test.cc
  LINK keyferry_api_deletion keyferry_api_audit keyferry_api_scene)
