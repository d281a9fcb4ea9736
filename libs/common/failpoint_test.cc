#include "libs/common/failpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <set>
#include <thread>

#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"

namespace keyferry {
namespace {

using failpoint::Armed;
using failpoint::PassCount;
using testing::HasSubstr;

int steps_done = 0;

absl::Status DoStep() {
  FAILPOINT_OR_RETURN("files.before_sync");
  FAILPOINT("store.commit.before_write");
  ++steps_done;
  return absl::OkStatus();
}

TEST(FailpointTest, NamesAreUniqueAndAtLeastForty) {
  std::set<std::string_view> names;
  for (const auto& each : failpoint::kFailpoints) EXPECT_TRUE(names.insert(each.name).second) << each.name;
  EXPECT_GE(names.size(), 40u);
}

TEST(FailpointTest, DoesNothingUnlessArmed) {
  steps_done = 0;
  EXPECT_THAT(DoStep(), IsOk());
  EXPECT_EQ(steps_done, 1);
  EXPECT_EQ(PassCount("files.before_sync"), 0);
}

TEST(FailpointTest, AnErrorIsReturnedAtItsPassAlone) {
  const Armed armed("files.before_sync=error@2");
  EXPECT_THAT(DoStep(), IsOk());
  const absl::Status second = DoStep();
  EXPECT_TRUE(absl::IsUnavailable(second));
  EXPECT_THAT(std::string(second.message()), HasSubstr("files.before_sync"));
  EXPECT_THAT(DoStep(), IsOk());
  EXPECT_EQ(PassCount("files.before_sync"), 3);
}

TEST(FailpointTest, WithoutANumberEveryPassActs) {
  const Armed armed("files.before_sync=error");
  EXPECT_FALSE(DoStep().ok());
  EXPECT_FALSE(DoStep().ok());
}

TEST(FailpointTest, TheEndOfTheScopeDisarms) {
  { const Armed armed("files.before_sync=error"); }
  EXPECT_THAT(DoStep(), IsOk());
}

TEST(FailpointTest, SeveralAreArmedAtOnce) {
  const Armed armed("files.before_sync=error@2,store.commit.before_write=sleep:0");
  EXPECT_THAT(DoStep(), IsOk());
  EXPECT_FALSE(DoStep().ok());
  EXPECT_EQ(PassCount("store.commit.before_write"), 1);
}

TEST(FailpointTest, RefusesWhatItDoesNotKnowAndKeepsWhatWasArmed) {
  const Armed armed("files.before_sync=error");
  for (const char* bad :
       {"nothing=crash", "files.before_sync", "files.before_sync=", "files.before_sync=explode",
        "files.before_sync=crash@0", "files.before_sync=crash@x", "files.before_sync=sleep",
        "files.before_sync=sleep:-1", "files.before_sync=crash:1", "*=crash", "store.commit.before_write=error"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(failpoint::Arm(bad))) << bad;
  }
  EXPECT_FALSE(DoStep().ok());
}

TEST(FailpointTest, APauseEndsWhenItIsDisarmed) {
  ASSERT_THAT(failpoint::Arm("store.commit.before_write=pause"), IsOk());
  steps_done = 0;
  std::thread step([] { EXPECT_THAT(DoStep(), IsOk()); });
  while (PassCount("store.commit.before_write") == 0) std::this_thread::yield();
  EXPECT_EQ(steps_done, 0);
  ASSERT_THAT(failpoint::Arm(""), IsOk());
  step.join();
  EXPECT_EQ(steps_done, 1);
}

TEST(FailpointDeathTest, ACrashKillsAtItsPassAndTellsWhichItWas) {
  const TempDir directory;
  EXPECT_EXIT(
      {
        setenv("KEYFERRY_FAILPOINTS_FIRED", directory.path().c_str(), 1);
        setenv("KEYFERRY_FAILPOINTS", "store.commit.before_write=crash@3", 1);
        failpoint::ArmFromEnvironment();
        for (int i = 0; i < 2; ++i) DoStep().IgnoreError();
        if (steps_done != 2) std::exit(1);
        DoStep().IgnoreError();
      },
      testing::KilledBySignal(SIGKILL), "");
  EXPECT_TRUE(std::ifstream(directory.File("store.commit.before_write")).good());
}

TEST(FailpointDeathTest, AnEnvironmentThatIsWrongEndsTheProcess) {
  const auto start = [](const char* text) {
    setenv("KEYFERRY_FAILPOINTS", text, 1);
    failpoint::ArmFromEnvironment();
    std::exit(0);
  };
  EXPECT_EXIT(start("no.such.place=crash"), testing::ExitedWithCode(78), "no.such.place.*failpoint_names.h");
  EXPECT_EXIT(start("files.before_sync=crash@"), testing::ExitedWithCode(78), "NAME=ACTION@N");
  EXPECT_EXIT(start("files.before_sync=crash@9"), testing::ExitedWithCode(0), "");
}

TEST(FailpointDeathTest, AFileArmsARunningProcess) {
  const TempDir directory;
  const std::string path = directory.File("arm");
  EXPECT_EXIT(
      {
        setenv("KEYFERRY_FAILPOINTS_FILE", path.c_str(), 1);
        failpoint::ArmFromEnvironment();
        std::ofstream(path) << "files.before_sync=crash\n";
        while (DoStep().ok()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      },
      testing::KilledBySignal(SIGKILL), "");
}

}  // namespace
}  // namespace keyferry
