# What the parts share of the API's messages; then /secrets and /events.
keyferry_library(keyferry_gateway_wire
  SOURCES violation_names.cc wire_values.cc
  PUBLIC keyferry_common wire_protos Boost::headers nlohmann_json::nlohmann_json)
keyferry_test(gateway_wire_test
  SOURCES wire_test.cc
  LINK keyferry_gateway_wire)

keyferry_library(keyferry_gateway_secrets
  SOURCES contract_words.cc event_routes.cc event_stream.cc listing.cc readiness_wait.cc request_values.cc secret_routes.cc secret_views.cc
          secret_write_routes.cc secret_writes.cc
  PUBLIC keyferry_gateway_calls keyferry_gateway_text keyferry_gateway_wire)
keyferry_test(gateway_secrets_test
  SOURCES event_stream_test.cc secret_routes_test.cc secret_write_routes_test.cc
  LINK keyferry_gateway_secrets)
