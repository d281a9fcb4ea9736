# Secret sets and deployments: use cases on transactions, and the two services over them.
keyferry_library(keyferry_api_sets
  SOURCES audit_rows.cc call_scope.cc call_slots.cc deployment_checks.cc deployment_gate.cc deployment_memory.cc deployment_rows.cc deployment_service.cc deployments.cc paging.cc quotas.cc requests.cc secret_set_service.cc
          secret_sets.cc secret_values.cc shred_rows.cc set_draft.cc set_edits.cc set_feed.cc set_log.cc set_rings.cc set_scene.cc set_status.cc set_wait.cc set_watch.cc
          set_watch_reactor.cc transaction.cc use_case.cc view_conversion.cc violations.cc
  PUBLIC keyferry_storage keyferry_model keyferry_crypto keyferry_common keyferry_rpc $<TARGET_NAME_IF_EXISTS:keyferry_api_regions>
  PRIVATE wire_protos keyferry_failpoints)

keyferry_library(keyferry_api_scene
  SOURCES testing/api_scene.cc
  PUBLIC keyferry_api_sets keyferry_api_regions GTest::gmock)
keyferry_test(keyferry_api_sets_test
  SOURCES deployment_memory_test.cc deployments_test.cc paging_test.cc secret_sets_test.cc secret_values_test.cc set_concurrency_test.cc set_edits_test.cc
          set_log_test.cc set_rings_test.cc set_status_test.cc set_watch_test.cc transaction_test.cc
  LINK keyferry_api_scene)
keyferry_test(keyferry_api_sets_service_test
  SOURCES sets_service_test.cc
  LINK keyferry_api_scene wire_protos)
