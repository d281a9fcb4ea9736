# Who may come in: guard, access table, API keys, organizations.
keyferry_library(keyferry_api_edge
  SOURCES access_policy.cc api_key_text.cc api_keys.cc call_metadata.cc guard.cc organization_service.cc organizations.cc
  PUBLIC keyferry_common keyferry_crypto keyferry_model keyferry_storage keyferry_rpc keyferry_api_sets)

keyferry_program(keyferry-api
  SOURCES main.cc api_options.cc housekeeping.cc
  LINK keyferry_api_edge keyferry_api_sets keyferry_api_regions keyferry_flags)

keyferry_library(keyferry_api_edge_testing SOURCES testing/edge_scene.cc PUBLIC keyferry_api_edge keyferry_rpc_testing)

keyferry_test(api_edge_test
  SOURCES access_policy_test.cc api_keys_test.cc guard_test.cc organization_service_test.cc organizations_test.cc
  LINK keyferry_api_edge_testing)

keyferry_test(api_program_test
  SOURCES api_program_test.cc testing/api_process.cc
  LINK keyferry_api_edge keyferry_rpc_testing nlohmann_json::nlohmann_json)
add_dependencies(api_program_test keyferry-api)
