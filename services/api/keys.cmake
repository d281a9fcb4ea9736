# Rotation: keys of organizations, the root key over them, sealing keys of regions; and the Keys service.
keyferry_library(keyferry_api_keys
  SOURCES key_rotation.cc key_rotation_job.cc key_rotation_root.cc key_service.cc key_summary.cc region_reseal.cc region_reseal_job.cc
          region_reseal_object.cc
  PUBLIC keyferry_storage keyferry_model keyferry_crypto keyferry_common keyferry_rpc keyferry_api_sets keyferry_api_regions keyferry_api_edge
  PRIVATE wire_protos keyferry_failpoints)

keyferry_test(api_keys_test
  SOURCES key_rotation_test.cc region_reseal_test.cc
  LINK keyferry_api_keys keyferry_api_scene)
