# Who may come in: guard, access table, API keys, organizations.
keyferry_library(keyferry_api_edge
  SOURCES access_policy.cc api_key_checks.cc api_key_sweep.cc api_key_text.cc api_key_uses.cc api_keys.cc call_limits.cc call_metadata.cc call_report.cc client_address.cc credential_watch.cc guard.cc identity_service.cc organization_service.cc organizations.cc
          revoked_identities.cc
  PUBLIC keyferry_common keyferry_crypto keyferry_model keyferry_storage keyferry_rpc keyferry_api_sets
  PRIVATE keyferry_metrics keyferry_failpoints)

keyferry_program(keyferry-api
  SOURCES main.cc api_options.cc housekeeping.cc limit_options.cc restore_command.cc serve.cc serve_jobs.cc serve_services.cc
  LINK keyferry_api_edge keyferry_api_audit keyferry_api_backup keyferry_api_deletion keyferry_api_keys keyferry_api_enrollment keyferry_api_sets keyferry_api_regions keyferry_api_kms keyferry_api_operate keyferry_metrics keyferry_flags keyferry_failpoints)
if(KEYFERRY_SANITIZE STREQUAL thread)
  # Abseil's flags of several words fence; TSan takes no note of fences, and gcc says so.
  target_compile_options(keyferry-api PRIVATE -Wno-tsan)
endif()

keyferry_library(keyferry_api_edge_testing SOURCES testing/edge_scene.cc PUBLIC keyferry_api_edge keyferry_rpc_testing)

keyferry_test(api_edge_test
  SOURCES access_policy_test.cc api_keys_test.cc guard_test.cc organization_service_test.cc organizations_test.cc
  LINK keyferry_api_edge_testing)

keyferry_test(api_people_test
  SOURCES api_key_life_test.cc call_limits_test.cc guard_life_test.cc quotas_test.cc revoked_identities_test.cc
  LINK keyferry_api_edge_testing)

keyferry_test(api_role_matrix_test
  SOURCES hostile_corpus_test.cc role_matrix_test.cc testing/generic_call.cc
  LINK keyferry_api_edge_testing keyferry_api_enrollment keyferry_api_keys keyferry_api_backup keyferry_api_operate keyferry_api_audit
       keyferry_api_regions keyferry_api_sets wire_protos)

keyferry_test(api_program_test
  SOURCES api_program_test.cc testing/api_process.cc testing/empty_call.cc
  LINK keyferry_api_edge keyferry_rpc_testing nlohmann_json::nlohmann_json)
add_dependencies(api_program_test keyferry-api)
