# Placements, the provisioning stream, and the Regions service.
keyferry_library(keyferry_api_regions
  SOURCES ack_queue.cc event_feed.cc event_feed_settling.cc event_outbox.cc event_preparation.cc event_window.cc inventory_audit.cc
          placement_acks.cc placement_rows.cc placement_scan.cc placements.cc provisioning_messages.cc provisioning_service.cc
          region_directory.cc region_metrics.cc region_ownership.cc region_provisioners.cc region_service.cc region_session.cc regions.cc
  PUBLIC keyferry_storage keyferry_model keyferry_crypto keyferry_common keyferry_rpc keyferry_api_sets keyferry_api_edge
  PRIVATE wire_protos keyferry_metrics keyferry_failpoints)

keyferry_library(keyferry_api_regions_testing
  SOURCES testing/fake_region.cc testing/region_scene.cc
  PUBLIC keyferry_api_regions wire_protos GTest::gtest)
keyferry_test(api_regions_test
  SOURCES event_feed_test.cc event_window_test.cc full_resync_test.cc placement_acks_test.cc provisioning_service_test.cc
          region_faults_test.cc region_session_test.cc
          region_simulation_test.cc regions_test.cc
  LINK keyferry_api_regions_testing)
