# The audit trail: chaining, signing, the second sink, and the Audit service. Records themselves are made beside transactions (sets.cmake).
keyferry_library(keyferry_api_audit
  SOURCES audit_chainer.cc audit_files.cc audit_queue.cc audit_reader.cc audit_scan.cc audit_service.cc audit_setup.cc audit_sink.cc audit_trail.cc
  PUBLIC keyferry_storage keyferry_model keyferry_crypto keyferry_common keyferry_rpc keyferry_api_sets keyferry_api_edge
  PRIVATE wire_protos keyferry_failpoints)


keyferry_test(api_audit_test
  SOURCES audit_chainer_test.cc audit_files_test.cc audit_sink_test.cc audit_trail_test.cc
  LINK keyferry_api_audit keyferry_api_regions)

# By hand; no tests.
keyferry_program(audit_bench SOURCES audit_bench.cc LINK keyferry_api_audit keyferry_api_regions)
keyferry_program(set_bench SOURCES set_bench.cc LINK keyferry_api_audit keyferry_api_regions)
