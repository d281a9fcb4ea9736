#include "services/provisioner/relay.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"

namespace keyferry {
namespace {

TEST(RelayTest, RunsOnTheThreadThatBringsIt) {
  Relay relay;
  std::thread::id ran_on;
  relay.Run([&] { ran_on = std::this_thread::get_id(); });
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(RelayTest, WhatItsOwnWorkBringsRunsAfterThatWork) {
  Relay relay;
  std::vector<int> order;
  relay.Run([&] {
    relay.Run([&] { order.push_back(2); });
    order.push_back(1);
  });
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(RelayTest, LeavesWorkToTheThreadThatIsAtIt) {
  Relay relay;
  absl::Notification begun;
  absl::Notification go_on;
  std::thread::id second_ran_on;
  std::thread first([&] {
    relay.Run([&] {
      begun.Notify();
      go_on.WaitForNotification();
    });
  });
  const std::thread::id first_id = first.get_id();
  begun.WaitForNotification();
  relay.Run([&] { second_ran_on = std::this_thread::get_id(); });
  go_on.Notify();
  first.join();
  EXPECT_EQ(second_ran_on, first_id);
}

TEST(RelayTest, FourThreadsNeverRunAtATimeAndLoseNothing) {
  Relay relay;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 2000; ++n) relay.Run([&] { ++count; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 8000);
}

TEST(RelayTest, DropsWorkBeforeTheNextRuns) {
  Relay relay;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  bool dropped = false;
  relay.Run([&, held = std::move(held)] { relay.Run([&] { dropped = watched.expired(); }); });
  EXPECT_TRUE(dropped);
}

}  // namespace
}  // namespace keyferry
