#include "libs/model/placement.h"

#include <gtest/gtest.h>

#include "libs/model/secret_set.h"

namespace keyferry {
namespace {

constexpr char kTarget[] = "incarnation";

class ReadinessTest : public ::testing::Test {
 protected:
  Readiness Of() const { return ReadinessOf(desired_, observation_, target_); }

  DesiredState desired_{.revision = 7, .operation = Operation::kApply};
  std::optional<Observation> observation_ =
      Observation{.revision = 7, .target_incarnation = kTarget, .result = AckResult::kReady};
  std::string target_ = kTarget;
};

TEST_F(ReadinessTest, IsReadyWhenTheDesiredRevisionIsProvedOnThePresentTarget) { EXPECT_EQ(Of(), Readiness::kReady); }

TEST_F(ReadinessTest, IsPendingWithoutAnObservation) {
  observation_ = std::nullopt;
  EXPECT_EQ(Of(), Readiness::kPending);
}

TEST_F(ReadinessTest, IsPendingForTheObservationOfAnyOtherRevision) {
  for (const uint64_t revision : {6, 8}) {
    observation_->revision = revision;
    EXPECT_EQ(Of(), Readiness::kPending);
  }
}

TEST_F(ReadinessTest, IsPendingForAnObservationOfAnotherLineage) {
  desired_.revision = (uint64_t{2} << 48) | 7;
  observation_->revision = (uint64_t{1} << 48) | 7;
  EXPECT_EQ(Of(), Readiness::kPending);
}

TEST_F(ReadinessTest, IsPendingWhenTheTargetWasWipedOrIsUnknown) {
  target_ = "another";
  EXPECT_EQ(Of(), Readiness::kPending);
  target_ = observation_->target_incarnation = "";
  EXPECT_EQ(Of(), Readiness::kPending);
}

TEST_F(ReadinessTest, IsPendingForADeleteAlsoWhenItIsDone) {
  desired_.operation = Operation::kDelete;
  EXPECT_EQ(Of(), Readiness::kPending);
}

TEST_F(ReadinessTest, IsFailedOnlyWhenTheFailureIsFinal) {
  observation_->result = AckResult::kFailed;
  EXPECT_EQ(Of(), Readiness::kPending);
  observation_->permanent = true;
  EXPECT_EQ(Of(), Readiness::kFailed);
}

TEST_F(ReadinessTest, IsPendingForTheFinalFailureOfAnOlderRevision) {
  observation_->result = AckResult::kFailed;
  observation_->permanent = true;
  observation_->revision = 6;
  EXPECT_EQ(Of(), Readiness::kPending);
}

TEST(EtagTest, ChangesWithTheGenerationAndWhenANameIsUsedAgain) {
  SecretSet set{.name = "set", .uid = "u1", .generation = 1};
  const std::string first = set.Etag();
  EXPECT_EQ(set.Etag(), first);
  set.generation = 2;
  EXPECT_NE(set.Etag(), first);
  set.generation = 1;
  set.uid = "u2";
  EXPECT_NE(set.Etag(), first);
  Deployment deployment{.uid = "u1", .generation = 1};
  const std::string before = deployment.Etag();
  deployment.generation = 2;
  EXPECT_NE(deployment.Etag(), before);
}

}  // namespace
}  // namespace keyferry
