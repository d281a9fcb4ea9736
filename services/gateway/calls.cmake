# Calls of the API, and what its errors become.
keyferry_library(keyferry_gateway_calls
  SOURCES api_calls.cc api_lane.cc api_stream.cc caller_key.cc error_answer.cc pending_call.cc
  PUBLIC keyferry_common keyferry_rpc wire_protos Boost::headers nlohmann_json::nlohmann_json
  PRIVATE absl::flat_hash_map absl::flat_hash_set absl::hash absl::inlined_vector)

keyferry_test(gateway_calls_test
  SOURCES api_calls_test.cc api_methods_test.cc caller_key_test.cc error_answer_test.cc
  LINK keyferry_gateway_calls)
target_compile_definitions(gateway_calls_test PRIVATE KEYFERRY_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
if(KEYFERRY_SANITIZE MATCHES address)
  # gcc 12 takes std::regex for uninitialized where ASan is on; a warning of its own library.
  target_compile_options(gateway_calls_test PRIVATE -Wno-maybe-uninitialized)
endif()
