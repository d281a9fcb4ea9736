# The program: routing, access log, metrics.
keyferry_library(keyferry_gateway
  SOURCES gateway.cc metrics.cc routes.cc
  PUBLIC keyferry_gateway_http keyferry_gateway_text keyferry_gateway_secrets keyferry_gateway_organizations keyferry_gateway_agents
  PRIVATE prometheus-cpp::core)

keyferry_program(keyferry-gateway SOURCES main.cc gateway_options.cc LINK keyferry_gateway keyferry_flags)

keyferry_test(gateway_test SOURCES gateway_test.cc LINK keyferry_gateway)
