#include "services/provisioner/resync.h"

#include <gtest/gtest.h>

#include "libs/common/testing/status_matchers.h"
#include "libs/model/object_hash.h"
#include "services/provisioner/testing/object_sealer.h"

namespace keyferry {
namespace {

class ResyncTest : public ::testing::Test {
 protected:
  ResyncTest() {
    resync_.Begin("sync", 9);
    for (const char* name : {"a", "b", "a"}) resync_.Saw("sync", SetId(name));
  }
  Resync::End End(uint64_t count = 2) const {
    return {.sync_id = "sync",
            .as_of_revision = 9,
            .object_count = count,
            .object_hash = ObjectHash(SetId("a")) + ObjectHash(SetId("b"))};
  }
  Resync resync_;
};

TEST_F(ResyncTest, IsCompleteWhenCountAndHashAgree) {
  EXPECT_THAT(resync_.Finish(End()), IsOk());
  EXPECT_TRUE(resync_.HasSeen(SetId("a")));
  EXPECT_FALSE(resync_.HasSeen(AgentId("a")));
}

TEST_F(ResyncTest, IsNotCompleteWhenCountOrHashDiffer) {
  EXPECT_THAT(resync_.Finish(End(3)), StatusIs(absl::StatusCode::kFailedPrecondition));
  resync_.Begin("sync", 9);
  resync_.Saw("sync", SetId("a"));
  resync_.Saw("sync", SetId("c"));
  EXPECT_THAT(resync_.Finish(End()), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(ResyncTest, CountsOnlyEventsOfItsOwn) {
  resync_.Saw("", SetId("x"));
  resync_.Saw("other", SetId("y"));
  EXPECT_FALSE(resync_.HasSeen(SetId("x")));
  EXPECT_THAT(resync_.Finish(End()), IsOk());
}

TEST_F(ResyncTest, CannotEndTwiceNorAsAnother) {
  Resync::End other = End();
  other.sync_id = "other";
  EXPECT_THAT(resync_.Finish(other), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(resync_.Finish(End()), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(ResyncTest, ANewBeginForgetsTheOldOne) {
  resync_.Begin("sync", 9);
  EXPECT_FALSE(resync_.HasSeen(SetId("a")));
  EXPECT_THAT(resync_.Finish(End()), StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace keyferry
