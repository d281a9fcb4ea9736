# Text that comes in: requests, JSON, routes.
keyferry_library(keyferry_gateway_text
  SOURCES exchange.cc json_object.cc json_text.cc media_type.cc percent_encoding.cc router.cc utf8.cc
  PUBLIC keyferry_common nlohmann_json::nlohmann_json)

keyferry_test(gateway_text_test
  SOURCES exchange_test.cc json_object_test.cc json_text_test.cc percent_encoding_test.cc router_test.cc
  LINK keyferry_gateway_text)
