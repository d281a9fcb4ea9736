// What every Sink must do. A sink's test instantiates it with a factory:
//   INSTANTIATE_TEST_SUITE_P(Memory, SinkConformance, ::testing::Values([] { return ...; }));
#ifndef KEYFERRY_SERVICES_PROVISIONER_TESTING_SINK_CONFORMANCE_H_
#define KEYFERRY_SERVICES_PROVISIONER_TESTING_SINK_CONFORMANCE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/provisioner/sink.h"

namespace keyferry {

// A sink and whatever it stands on.
struct SinkUnderTest {
  std::shared_ptr<void> ground;
  std::unique_ptr<Sink> sink;
};
using SinkFactory = std::function<SinkUnderTest()>;

OpenedObject Opened(ObjectId id, uint64_t revision, const std::vector<std::pair<std::string, std::string>>& values);

class SinkConformance : public ::testing::TestWithParam<SinkFactory> {
 protected:
  SinkUnderTest under_test_ = GetParam()();
  Sink& sink_ = *under_test_.sink;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_TESTING_SINK_CONFORMANCE_H_
