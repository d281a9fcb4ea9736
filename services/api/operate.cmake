# What operators see: status, metrics.
keyferry_library(keyferry_api_operate
  SOURCES fact_collector.cc status_service.cc system_status.cc
  PUBLIC keyferry_api_edge keyferry_api_regions keyferry_api_keys keyferry_api_backup keyferry_api_audit
  PRIVATE wire_protos keyferry_metrics keyferry_crypto)
keyferry_test(api_operate_test SOURCES system_status_test.cc LINK keyferry_api_operate)
target_compile_definitions(keyferry_api_operate PRIVATE KEYFERRY_VERSION="${PROJECT_VERSION}")
