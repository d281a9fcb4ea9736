# /agents and /services.
keyferry_library(keyferry_gateway_agents
  SOURCES agent_bodies.cc agent_pause.cc agent_routes.cc agent_views.cc agent_write_routes.cc
  PUBLIC keyferry_gateway_calls keyferry_gateway_text keyferry_gateway_wire
  PRIVATE keyferry_gateway_secrets)
keyferry_test(gateway_agents_test
  SOURCES agent_bodies_test.cc agent_routes_test.cc agent_views_test.cc
  LINK keyferry_gateway_agents)
