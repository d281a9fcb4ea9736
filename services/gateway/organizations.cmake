# /regions, /properties, /users, /organizations, /apiKeys, what the gateway says of itself, and the document of all of it.
set(openapi_source ${CMAKE_CURRENT_BINARY_DIR}/openapi.cc)
add_custom_command(
  OUTPUT ${openapi_source}
  COMMAND ${CMAKE_COMMAND} -D DOCUMENT=${CMAKE_CURRENT_SOURCE_DIR}/openapi.json -D SOURCE=${openapi_source}
          -P ${CMAKE_CURRENT_SOURCE_DIR}/embed_openapi.cmake
  DEPENDS openapi.json embed_openapi.cmake
  VERBATIM)

keyferry_library(keyferry_gateway_organizations
  SOURCES api_key_routes.cc organization_routes.cc role_words.cc service_routes.cc ${openapi_source}
  PUBLIC keyferry_gateway_calls keyferry_gateway_text keyferry_gateway_wire)
keyferry_test(gateway_organizations_test
  SOURCES api_key_routes_test.cc organization_routes_test.cc service_routes_test.cc
  LINK keyferry_gateway_organizations)
keyferry_test(gateway_openapi_test
  SOURCES openapi_test.cc
  LINK keyferry_gateway)
