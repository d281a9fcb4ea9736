#include "libs/storage/kept_rows_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

namespace keyferry {
namespace {

TEST(KeptRowsGateTest, AnOpenGateLetsThroughAtOnce) {
  KeptRowsGate gate;
  bool begun = false;
  gate.Enter([&] { begun = true; });
  EXPECT_TRUE(begun);
}

TEST(KeptRowsGateTest, WhoComesWhileItIsClosedBeginsWhenTheLastOneOpens) {
  KeptRowsGate gate;
  int begun_count = 0;
  {
    std::optional<KeptRowsGate::Closed> first(gate), second(gate);
    gate.Enter([&] { ++begun_count; });
    gate.Enter([&] { ++begun_count; });
    first.reset();
    EXPECT_EQ(begun_count, 0);
  }
  EXPECT_EQ(begun_count, 2);
}

TEST(KeptRowsGateTest, ClosingWaitsForThoseWhoEntered) {
  KeptRowsGate gate;
  gate.Enter([] {});
  std::atomic<bool> closed = false;
  std::thread closer([&] {
    const KeptRowsGate::Closed hold(gate);
    closed = true;
  });
  // Once the closer waits, who enters has to wait as well.
  for (bool waits = false; !waits;) {
    const auto begun = std::make_shared<bool>(false);
    gate.Enter([begun] { *begun = true; });
    waits = !*begun;
    if (!waits) gate.Leave();
    std::this_thread::yield();
  }
  EXPECT_FALSE(closed);
  gate.Leave();
  closer.join();
  EXPECT_TRUE(closed);
}

}  // namespace
}  // namespace keyferry
