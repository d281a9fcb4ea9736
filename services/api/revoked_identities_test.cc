#include "services/api/revoked_identities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "keyferry/v1/identities.grpc.pb.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/rpc/status_conversion.h"
#include "libs/storage/keys.h"
#include "services/api/testing/edge_scene.h"

namespace keyferry {
namespace {

constexpr char kAda[] = "spiffe://keyferry.test/operator/ada";
constexpr char kBob[] = "spiffe://keyferry.test/operator/bob";

class RevokedIdentitiesTest : public testing::Test {
 protected:
  RevokedIdentities& identities() { return *scene_.revoked_identities; }

  absl::StatusOr<v1::RevokedIdentity> RevokeByRpc(const std::string& spiffe_id, const std::string& note = "") {
    grpc::ClientContext context;
    v1::RevokeIdentityRequest request;
    request.set_spiffe_id(spiffe_id);
    request.set_note(note);
    v1::RevokedIdentity response;
    const grpc::Status status = stub_->RevokeIdentity(&context, request, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return response;
  }
  absl::StatusOr<v1::ListRevokedIdentitiesResponse> ListByRpc(int page_size, const std::string& token = "") {
    grpc::ClientContext context;
    v1::ListRevokedIdentitiesRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    v1::ListRevokedIdentitiesResponse response;
    const grpc::Status status = stub_->ListRevokedIdentities(&context, request, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return response;
  }

  EdgeScene scene_;
  std::unique_ptr<v1::Identities::Stub> stub_ = v1::Identities::NewStub(scene_.InnerChannel(kAda));
};

TEST_F(RevokedIdentitiesTest, RevocationCountsFromItsAnswerOnAndForGood) {
  EXPECT_FALSE(identities().IsRevoked(kBob));
  ASSERT_THAT(scene_.RevokeIdentity(kBob), IsOk());
  EXPECT_TRUE(identities().IsRevoked(kBob));
  EXPECT_FALSE(identities().IsRevoked(absl::StrCat(kBob, "b")));
  const auto after_restart = RevokedIdentities::Create(*scene_.writer, scene_.clock);
  EXPECT_TRUE((*after_restart)->IsRevoked(kBob));
}

// The store's doorbell rings behind the answer.
TEST_F(RevokedIdentitiesTest, RevocationCountsAlreadyInsideItsAnswer) {
  bool revoked = false;
  absl::Notification done;
  identities().Revoke(kBob, "test", "gone", [&](const absl::StatusOr<NamedRevokedIdentity>&) {
    revoked = identities().IsRevoked(kBob);
    done.Notify();
  });
  done.WaitForNotification();
  EXPECT_TRUE(revoked);
}

TEST_F(RevokedIdentitiesTest, RevokingTwiceKeepsTheFirst) {
  ASSERT_THAT(scene_.RevokeIdentity(kBob), IsOk());
  const absl::Time first = identities().List()[0].row.revoke_time;
  scene_.clock.Advance(absl::Hours(1));
  const auto again = scene_.RevokeIdentity(kBob);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->row.revoke_time, first);
}

TEST_F(RevokedIdentitiesTest, OneThatIsRevokedInAnotherCommitCountsAfterRefreshAndTellsOnce) {
  std::atomic<int> changes = 0;
  const auto subscription = identities().OnChange([&] { ++changes; });
  absl::Notification done;
  RunTransaction(
      *scene_.writer,
      [&](Transaction& transaction) {
        return identities().RevokeIn(transaction, kBob, "test", "gone");
      },
      [&](const absl::StatusOr<Revision>&) { done.Notify(); });
  done.WaitForNotification();
  ASSERT_THAT(identities().Refresh(), IsOk());
  EXPECT_TRUE(identities().IsRevoked(kBob));
  ASSERT_THAT(identities().Refresh(), IsOk());
  EXPECT_EQ(changes, 1);
}

TEST_F(RevokedIdentitiesTest, WhoLeavesHearsNothingMoreAndMayLeaveInTheCall) {
  std::atomic<int> heard = 0;
  std::shared_ptr<void> leaves_inside;
  leaves_inside = identities().OnChange([&] {
    ++heard;
    leaves_inside.reset();
  });
  auto leaves_before = identities().OnChange([&] { heard += 100; });
  leaves_before.reset();
  ASSERT_THAT(scene_.RevokeIdentity(kAda), IsOk());
  ASSERT_THAT(scene_.RevokeIdentity(kBob), IsOk());
  EXPECT_EQ(heard, 1);
}

TEST_F(RevokedIdentitiesTest, AnOperatorRevokesAndListsByRpc) {
  const auto revoked = RevokeByRpc(kBob, "left");
  ASSERT_THAT(revoked, IsOk());
  EXPECT_EQ(revoked->author(), kAda);
  EXPECT_EQ(revoked->note(), "left");
  EXPECT_EQ(revoked->revoke_time().seconds(), absl::ToUnixSeconds(scene_.clock.Now()));
  const auto listed = ListByRpc(0);
  ASSERT_THAT(listed, IsOk());
  ASSERT_EQ(listed->identities_size(), 1);
  EXPECT_EQ(listed->identities(0).spiffe_id(), kBob);
}

TEST_F(RevokedIdentitiesTest, ListGoesThroughAllOfThemInPages) {
  std::vector<std::string> made;
  for (int i = 0; i < 7; ++i) {
    made.push_back(absl::StrCat("spiffe://keyferry.test/operator/op", i));
    ASSERT_THAT(scene_.RevokeIdentity(made.back()), IsOk());
  }
  std::vector<std::string> listed;
  std::string token;
  do {
    const auto page = ListByRpc(3, token);
    ASSERT_THAT(page, IsOk());
    for (const auto& identity : page->identities()) listed.push_back(identity.spiffe_id());
    token = page->next_page_token();
  } while (!token.empty());
  EXPECT_EQ(listed, made);
  EXPECT_THAT(ListByRpc(-1), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_PAGE_SIZE"));
  EXPECT_THAT(ListByRpc(0, "bm9uZQ"), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_PAGE_TOKEN"));
}

TEST_F(RevokedIdentitiesTest, RefusesWhatIsNoIdentityAndTheCallersOwn) {
  for (const std::string id : {"", "ada", "spiffe://other.test/operator/bob", "spiffe://keyferry.test/operator/Bob",
                               "spiffe://keyferry.test/operator/../operator/bob", kAda}) {
    EXPECT_THAT(RevokeByRpc(id), FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_IDENTITY")) << id;
  }
  EXPECT_THAT(RevokeByRpc(kBob, std::string(129, 'n')),
              FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_IDENTITY"));
  EXPECT_THAT(RevokeByRpc(kBob, std::string(128, 'n')), IsOk());
}

}  // namespace
}  // namespace keyferry
