# Enrollment: the region authority, tokens, certificates and sealing keys of provisioners.
keyferry_library(keyferry_api_enrollment
  SOURCES enrollment.cc enrollment_service.cc enrollment_tokens.cc region_authority.cc region_authority_roots.cc
  PUBLIC keyferry_storage keyferry_model keyferry_crypto keyferry_common keyferry_rpc keyferry_api_sets keyferry_api_edge
  PRIVATE wire_protos keyferry_failpoints)

keyferry_test(api_enrollment_test
  SOURCES enrollment_test.cc enrollment_tokens_test.cc region_authority_test.cc region_provisioners_test.cc
  LINK keyferry_api_enrollment keyferry_api_scene keyferry_api_edge)

keyferry_test(api_enrollment_program_test
  SOURCES bad_certificates_test.cc enrollment_program_test.cc testing/api_process.cc testing/empty_call.cc testing/program_scene.cc
  LINK keyferry_api_enrollment keyferry_api_edge keyferry_rpc_testing nlohmann_json::nlohmann_json)
add_dependencies(api_enrollment_program_test keyferry-api)
