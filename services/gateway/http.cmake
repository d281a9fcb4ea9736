# HTTP/1.1 over TCP and TLS. OpenSSL for TLS and random request ids.
keyferry_library(keyferry_gateway_http
  SOURCES http_answer_head.cc http_channel.cc http_connection.cc http_request_parser.cc http_server.cc http_worker.cc tls_context.cc
  PUBLIC keyferry_common keyferry_gateway_calls keyferry_gateway_text Boost::headers OpenSSL::SSL OpenSSL::Crypto
  PRIVATE keyferry_rpc)

keyferry_library(keyferry_gateway_http_testing
  SOURCES testing/http_client.cc
  PUBLIC keyferry_gateway_http
  PRIVATE keyferry_rpc nlohmann_json::nlohmann_json)
keyferry_test(gateway_http_test
  SOURCES http_connection_test.cc http_request_parser_test.cc http_server_test.cc http_tls_test.cc
  LINK keyferry_gateway_http_testing keyferry_rpc_testing)
