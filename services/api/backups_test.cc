#include "services/api/backups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "absl/synchronization/notification.h"
#include "libs/common/background_pool.h"
#include "libs/common/testing/status_matchers.h"
#include "services/api/testing/backup_scene.h"

namespace keyferry {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

TEST(NextBackupTimeTest, TheFirstOneIsDueWithinAMinute) {
  EXPECT_EQ(NextBackupTime(absl::Hours(1), std::nullopt, 0, kNow, 0), kNow);
  EXPECT_EQ(NextBackupTime(absl::Hours(1), std::nullopt, 0, kNow, 1), kNow + absl::Minutes(1));
  EXPECT_EQ(NextBackupTime(absl::Seconds(10), std::nullopt, 0, kNow, 1), kNow + absl::Seconds(1));
}

TEST(NextBackupTimeTest, TheNextOneIsDueAnIntervalAndUpToATenthAfterTheNewest) {
  EXPECT_EQ(NextBackupTime(absl::Hours(1), kNow, 0, kNow, 0), kNow + absl::Hours(1));
  EXPECT_EQ(NextBackupTime(absl::Hours(1), kNow, 0, kNow, 1), kNow + absl::Minutes(66));
}

TEST(NextBackupTimeTest, AFailedOneIsTriedAgainAfterTenSecondsToAQuarterOfAnHour) {
  EXPECT_EQ(NextBackupTime(absl::Hours(1), kNow, 1, kNow, 1), kNow + kMinBackupRetry);
  EXPECT_EQ(NextBackupTime(absl::Hours(1), kNow, 2, kNow, 1), kNow + 2 * kMinBackupRetry);
  EXPECT_EQ(NextBackupTime(absl::Hours(1), kNow, 40, kNow, 1), kNow + kMaxBackupRetry);
  EXPECT_EQ(NextBackupTime(absl::Hours(1), kNow, 40, kNow, 0), kNow + kMinBackupRetry);
  EXPECT_EQ(NextBackupTime(absl::Seconds(2), kNow, 40, kNow, 1), kNow + absl::Seconds(2));
}

class BackupsTest : public testing::Test {
 protected:
  BackupsTest() : scene_(directory_.File("data")) {
    scene_.AddOrganization("acme", "acme-uid");
    scene_.AddSet("acme", "first", "first-uid", 200'000);
  }

  std::unique_ptr<Backups> Start(absl::Duration interval = absl::ZeroDuration()) {
    return Backups::Start(
        {.store = *scene_.store,
         .clock = scene_.clock,
         .checkpoint_directory = directory_.File("data/backup-checkpoint"),
         .repository = {.directory = directory_.File("backups"), .keys = keys_.Find(), .before_step = before_step_},
         .interval = interval,
         .ledger = ledger_});
  }
  static absl::StatusOr<BackupManifest> Create(Backups& backups) {
    auto made = std::make_shared<absl::StatusOr<BackupManifest>>();
    auto ended = std::make_shared<absl::Notification>();
    backups.Create([made, ended](absl::StatusOr<BackupManifest> manifest) {
      *made = std::move(manifest);
      ended->Notify();
    });
    ended->WaitForNotification();
    return *made;
  }
  // On the schedule's own thread.
  static void AwaitCount(const Backups& backups, size_t count) {
    for (int i = 0; i < 1000 && backups.Status()->backups.size() < count; ++i) absl::SleepFor(absl::Milliseconds(10));
    EXPECT_EQ(backups.Status()->backups.size(), count);
  }

  TempDir directory_;
  StoreScene scene_;
  FakeBackupKeys keys_;
  std::function<absl::Status(std::string_view)> before_step_;
  std::function<absl::StatusOr<LedgerPosition>()> ledger_;
};

TEST_F(BackupsTest, ASecondBackupAfterOneWriteCopiesLittle) {
  scene_.AddSet("acme", "large", "large-uid", 2'000'000);
  const auto backups = Start();
  const auto first = Create(*backups);
  ASSERT_THAT(first, IsOk());
  EXPECT_EQ(first->revision, scene_.store->Head());
  EXPECT_EQ(first->root_key_ids.size(), 1u);
  EXPECT_GT(first->new_bytes, 2'000'000);
  scene_.AddSet("acme", "second", "second-uid", 1000);
  scene_.clock.Advance(absl::Minutes(1));
  const auto second = Create(*backups);
  ASSERT_THAT(second, IsOk());
  EXPECT_GT(second->total_bytes, 2'000'000);
  EXPECT_LT(second->new_bytes, 200'000);
  RecordProperty("first_total_bytes", static_cast<int>(first->total_bytes));
  RecordProperty("second_new_bytes", static_cast<int>(second->new_bytes));
  EXPECT_FALSE(std::filesystem::exists(directory_.File("data/backup-checkpoint")));
}

TEST_F(BackupsTest, TheScheduleGoesOnFromTheNewestBackupAfterARestart) {
  {
    const auto backups = Start(absl::Hours(1));
    scene_.clock.Advance(absl::Minutes(1));
    AwaitCount(*backups, 1);
  }
  const auto backups = Start(absl::Hours(1));
  EXPECT_GE(*backups->Status()->next_time, scene_.clock.Now() + absl::Hours(1) - absl::Minutes(1));
  scene_.clock.Advance(absl::Minutes(66));
  AwaitCount(*backups, 2);
}

TEST_F(BackupsTest, GiveWayToCalls) {
  std::vector<int> niceness;
  before_step_ = [&niceness](std::string_view) {
    niceness.push_back(getpriority(PRIO_PROCESS, 0));
    return absl::OkStatus();
  };
  const auto backups = Start();
  ASSERT_THAT(Create(*backups), IsOk());
  EXPECT_THAT(niceness, testing::AllOf(testing::Not(testing::IsEmpty()), testing::Each(std::min(getpriority(PRIO_PROCESS, 0) + kBackgroundNiceness, 19))));
}

TEST_F(BackupsTest, AFailureIsShownAndTriedAgain) {
  bool fail = true;
  before_step_ = [&fail](std::string_view) {
    return fail ? absl::UnavailableError("the disk is away") : absl::OkStatus();
  };
  const auto backups = Start();
  EXPECT_THAT(Create(*backups), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(backups->Status()->last_problem, "the disk is away");
  EXPECT_FALSE(std::filesystem::exists(directory_.File("data/backup-checkpoint")));
  fail = false;
  EXPECT_THAT(Create(*backups), IsOk());
  EXPECT_EQ(backups->Status()->last_problem, "");
}

TEST_F(BackupsTest, ABackupIsMadeThoughTheLedgerIsAwayAndSaysSo) {
  ledger_ = [] { return absl::UnavailableError("the ledger is away"); };
  const auto backups = Start();
  const auto made = Create(*backups);
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(made->ledger.count, 0);
  EXPECT_EQ(backups->Status()->last_problem, "the ledger is away");
}

TEST_F(BackupsTest, AClockThatJumpedExpiresNothingAndIsSaid) {
  const auto backups = Start();
  for (int i = 0; i < 3; ++i, scene_.clock.Advance(absl::Minutes(1))) ASSERT_THAT(Create(*backups), IsOk());
  EXPECT_EQ(backups->Status()->last_problem, "");
  scene_.clock.Advance(kDefaultBackupRetention + kDefaultBackupInterval);
  ASSERT_THAT(Create(*backups), IsOk());
  EXPECT_EQ(backups->Status()->backups.size(), 4u);
  EXPECT_THAT(backups->Status()->last_problem, testing::HasSubstr("no backup expired"));
  // It was right: the next one goes on.
  scene_.clock.Advance(absl::Minutes(1));
  ASSERT_THAT(Create(*backups), IsOk());
  EXPECT_EQ(backups->Status()->backups.size(), 3u);
  EXPECT_EQ(backups->Status()->last_problem, "");
  scene_.clock.Advance(-absl::Hours(24 * 365));
  scene_.AddSet("acme", "later", "later-uid", 100);
  const auto made = Create(*backups);
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(backups->Status()->backups.size(), 4u);
  EXPECT_EQ(backups->Status()->backups[0].name, made->name);
  EXPECT_THAT(backups->Status()->last_problem, testing::HasSubstr("no backup expired"));
}

TEST_F(BackupsTest, ABackupOfTheFutureIsAProblem) {
  {
    const auto backups = Start();
    ASSERT_THAT(Create(*backups), IsOk());
  }
  scene_.clock.Advance(-absl::Minutes(1));
  EXPECT_EQ(Start()->Status()->last_problem, "");
  scene_.clock.Advance(-absl::Nanoseconds(1));
  EXPECT_THAT(Start()->Status()->last_problem, testing::HasSubstr("future"));
}

TEST_F(BackupsTest, OneAtATime) {
  absl::Notification begun, go_on;
  before_step_ = [&](std::string_view step) {
    if (step != "begin") return absl::OkStatus();
    begun.Notify();
    go_on.WaitForNotification();
    return absl::OkStatus();
  };
  const auto backups = Start();
  absl::Notification ended;
  backups->Create([&](const absl::StatusOr<BackupManifest>& made) {
    EXPECT_THAT(made, IsOk());
    ended.Notify();
  });
  begun.WaitForNotification();
  EXPECT_THAT(Create(*backups), FailsWith(absl::StatusCode::kAborted, "BACKUP_RUNS"));
  go_on.Notify();
  ended.WaitForNotification();
}

TEST_F(BackupsTest, StoppingEndsOneThatRunsAndAnswersIt) {
  absl::Notification begun;
  before_step_ = [&](std::string_view step) {
    if (step == "begin") begun.Notify();
    absl::SleepFor(absl::Milliseconds(5));
    return absl::OkStatus();
  };
  const auto backups = Start();
  absl::StatusOr<BackupManifest> made;
  absl::Notification ended;
  backups->Create([&](absl::StatusOr<BackupManifest> manifest) {
    made = std::move(manifest);
    ended.Notify();
  });
  begun.WaitForNotification();
  backups->Stop();
  ended.WaitForNotification();
  EXPECT_THAT(made, FailsWith(absl::StatusCode::kUnavailable, "DRAINING"));
  EXPECT_THAT(Create(*backups), FailsWith(absl::StatusCode::kUnavailable, "DRAINING"));
  EXPECT_TRUE(backups->Status()->backups.empty());
}

TEST_F(BackupsTest, WhatACrashLeftInTheDataDirectoryGoesAtTheStart) {
  for (const char* name : {"data/backup-checkpoint/db", "data/backup-checkpoint.unfinished/db"})
    std::filesystem::create_directories(directory_.File(name));
  const auto backups = Start();
  EXPECT_FALSE(std::filesystem::exists(directory_.File("data/backup-checkpoint")));
  EXPECT_FALSE(std::filesystem::exists(directory_.File("data/backup-checkpoint.unfinished")));
}

}  // namespace
}  // namespace keyferry
