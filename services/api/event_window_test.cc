#include "services/api/event_window.h"

#include <gtest/gtest.h>

namespace keyferry {
namespace {

ObjectId Named(const std::string& name) { return {.organization = "acme", .name = name}; }

TEST(EventWindowTest, AdmitsUpToItsObjectsAndNotOneMore) {
  EventWindow window(2, 1000);
  window.Add(Named("a"), {.revision = 1, .bytes = 1});
  EXPECT_TRUE(window.Admits(1));
  window.Add(Named("b"), {.revision = 2, .bytes = 1});
  EXPECT_FALSE(window.Admits(1));
  EXPECT_TRUE(window.full());
}

TEST(EventWindowTest, AdmitsUpToItsBytesAndNotOneMore) {
  EventWindow window(10, 1000);
  window.Add(Named("a"), {.revision = 1, .bytes = 400});
  EXPECT_TRUE(window.Admits(600));
  EXPECT_FALSE(window.Admits(601));
}

TEST(EventWindowTest, WhatIsLargerThanTheCreditTravelsAlone) {
  EventWindow window(10, 1000);
  EXPECT_TRUE(window.Admits(5000));
  window.Add(Named("a"), {.revision = 1, .bytes = 5000});
  EXPECT_FALSE(window.Admits(1));
}

TEST(EventWindowTest, AnAckOfThisOrALaterRevisionReturnsTheCredit) {
  EventWindow window(1, 1000);
  window.Add(Named("a"), {.revision = 5, .bytes = 1000});
  EXPECT_FALSE(window.Release(Named("a"), 4));
  EXPECT_FALSE(window.Release(Named("b"), 5));
  EXPECT_TRUE(window.Release(Named("a"), 5));
  EXPECT_TRUE(window.empty());
  EXPECT_FALSE(window.Release(Named("a"), 5));
}

TEST(EventWindowTest, SilenceIsAnsweredByOneRedeliveryAndIsHopelessTheThirdTime) {
  EventWindow window(1, 1000);
  window.Add(Named("a"), {.revision = 1, .bytes = 1, .heard = absl::ZeroDuration()});
  EXPECT_TRUE(window.TakeStalled(kStallTimeout - absl::Nanoseconds(1)).redeliver.empty());
  EXPECT_EQ(window.TakeStalled(kStallTimeout).redeliver.size(), 1u);
  EXPECT_TRUE(window.TakeStalled(kStallTimeout + absl::Seconds(1)).redeliver.empty());
  const EventWindow::Stalled second = window.TakeStalled(2 * kStallTimeout);
  EXPECT_TRUE(second.redeliver.empty());
  EXPECT_FALSE(second.hopeless);
  EXPECT_TRUE(window.TakeStalled(3 * kStallTimeout).hopeless);
}

TEST(EventWindowTest, ANewerRevisionInheritsTheSilenceOfTheOneItReplaces) {
  EventWindow window(1, 1000);
  window.Add(Named("a"), {.revision = 1, .bytes = 1000, .heard = absl::ZeroDuration()});
  ASSERT_EQ(window.TakeStalled(kStallTimeout).redeliver.size(), 1u);
  window.Supersede(Named("a"));
  EXPECT_TRUE(window.empty());
  EXPECT_TRUE(window.Admits(1000));
  window.Add(Named("a"), {.revision = 2, .bytes = 1, .heard = kStallTimeout});
  EXPECT_FALSE(window.TakeStalled(2 * kStallTimeout).hopeless);
  EXPECT_TRUE(window.TakeStalled(3 * kStallTimeout).hopeless);
}

TEST(EventWindowTest, AnAnswerEndsTheSilenceForTheNextRevision) {
  EventWindow window(1, 1000);
  window.Add(Named("a"), {.revision = 1, .bytes = 1, .heard = absl::ZeroDuration()});
  window.TakeStalled(kStallTimeout);
  window.Supersede(Named("a"));
  window.Add(Named("a"), {.revision = 2, .bytes = 1, .heard = kStallTimeout});
  ASSERT_TRUE(window.Release(Named("a"), 2));
  window.Add(Named("a"), {.revision = 3, .bytes = 1, .heard = kStallTimeout});
  EXPECT_EQ(window.TakeStalled(2 * kStallTimeout).redeliver.size(), 1u);
  EXPECT_FALSE(window.TakeStalled(3 * kStallTimeout).hopeless);
}

TEST(EventWindowTest, ProgressPutsTheStallOff) {
  EventWindow window(1, 1000);
  window.Add(Named("a"), {.revision = 1, .bytes = 1, .heard = absl::ZeroDuration()});
  window.Heard(Named("a"), absl::Seconds(30));
  EXPECT_TRUE(window.TakeStalled(kStallTimeout).redeliver.empty());
}

}  // namespace
}  // namespace keyferry
