// API keys through their life: expiry, rotation, last use; and what an attacker can measure.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/aead.h"
#include "libs/storage/keys.h"
#include "services/api/api_key_sweep.h"
#include "services/api/api_key_uses.h"
#include "services/api/testing/edge_scene.h"
#include "services/api/testing/manual_executor.h"

namespace keyferry {
namespace {

using absl::StatusCode;

// Counts what a refusal costs, and answers commits on the thread that asks.
class CountingStore final : public Store {
 public:
  explicit CountingStore(Store& store) : store_(store) {}
  absl::StatusOr<Term> AcquireWriter(Lineage lineage) override { return store_.AcquireWriter(lineage); }
  void CommitAsync(Commit commit, CommitDone done) override { done(CommitAndWait(store_, std::move(commit))); }
  absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const override {
    ++gets;
    if (is_broken) return absl::UnavailableError("the disk is away");
    return store_.Get(key);
  }
  absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end, size_t limit) const override {
    ++scans;
    return store_.Scan(begin, end, limit);
  }
  std::unique_ptr<Subscription> Ring(const RowKey& begin, const std::string& end, std::function<void()> ring) override {
    return store_.Ring(begin, end, std::move(ring));
  }
  Revision Head() const override { return store_.Head(); }
  Revision Ceiling() const override { return store_.Ceiling(); }
  absl::Status Backup(const std::string& directory) override { return store_.Backup(directory); }
  absl::Status Purge(const std::vector<KeyRange>& ranges) override { return store_.Purge(ranges); }

  std::atomic<bool> is_broken = false;
  mutable std::atomic<int> gets = 0;
  mutable std::atomic<int> scans = 0;

 private:
  Store& store_;
};

const auto kRefused = [] { return FailsWith(StatusCode::kUnauthenticated, "UNAUTHENTICATED"); };

class ApiKeyLifeTest : public testing::Test {
 protected:
  ApiKeyLifeTest() {
    EXPECT_THAT(scene_.MakeOrganization("acme"), IsOk());
    EXPECT_THAT(scene_.MakeOrganization("other"), IsOk());
  }

  absl::StatusOr<NewApiKey> Make(std::optional<absl::Duration> time_to_live) {
    return scene_.MakeApiKey({.organization = "acme",
                              .display_name = "ci",
                              .role = Role::kMember,
                              .author = "test",
                              .time_to_live = time_to_live});
  }
  absl::Status Verify(const NewApiKey& key) { return scene_.api_keys->Verify(key.text.Access()).status(); }
  ApiKeyRow RowOf(const std::string& id) {
    const auto keys = scene_.api_keys->List("acme");
    for (const IdentifiedApiKey& key : *keys)
      if (key.id == id) return key.row;
    ADD_FAILURE() << id;
    return {};
  }
  absl::StatusOr<NewApiKey> Rotate(const std::string& id, absl::Duration overlap = kDefaultRotationOverlap,
                                   std::optional<absl::Duration> time_to_live = std::nullopt) {
    return scene_.RotateApiKey(
        {.organization = "acme", .id = id, .author = "test", .overlap = overlap, .time_to_live = time_to_live});
  }

  EdgeScene scene_;
};

TEST_F(ApiKeyLifeTest, AKeyLivesAMinuteAtLeastAnd3650DaysAtMost) {
  EXPECT_THAT(Make(absl::Minutes(1)), IsOk());
  EXPECT_THAT(Make(absl::Minutes(1) - absl::Nanoseconds(1)),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_API_KEY"));
  EXPECT_THAT(Make(absl::Hours(24 * 3650)), IsOk());
  EXPECT_THAT(Make(absl::Hours(24 * 3650) + absl::Nanoseconds(1)),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_API_KEY"));
  EXPECT_THAT(Make(absl::ZeroDuration()), FailsWith(StatusCode::kInvalidArgument, "INVALID_API_KEY"));
  EXPECT_THAT(Make(absl::InfiniteDuration()), FailsWith(StatusCode::kInvalidArgument, "INVALID_API_KEY"));
  EXPECT_THAT(Make(std::nullopt), IsOk());
}

TEST_F(ApiKeyLifeTest, AnExpiredKeyIsAnsweredAsAWrongOneFromItsLastMomentOn) {
  const auto key = Make(absl::Minutes(1));
  ASSERT_THAT(key, IsOk());
  scene_.clock.Advance(absl::Minutes(1) - absl::Nanoseconds(1));
  ASSERT_THAT(Verify(*key), IsOk());
  EXPECT_TRUE(scene_.api_keys->IsLive(key->api_key.id));
  scene_.clock.Advance(absl::Nanoseconds(1));
  const absl::Status expired = Verify(*key);
  EXPECT_FALSE(scene_.api_keys->IsLive(key->api_key.id));
  EXPECT_EQ(expired.ToString(), scene_.api_keys->Verify(GenerateApiKey().Access()).status().ToString());
}

TEST_F(ApiKeyLifeTest, ARightKeyThatHasEndedIsToldFromAGuess) {
  const auto key = Make(absl::Minutes(1));
  std::shared_ptr<const IdentifiedApiKey> ended;
  ASSERT_THAT(scene_.api_keys->Verify(key->text.Access(), &ended), IsOk());
  EXPECT_THAT(scene_.api_keys->Verify(GenerateApiKey().Access(), &ended), kRefused());
  EXPECT_EQ(ended, nullptr);
  scene_.clock.Advance(absl::Minutes(1));
  EXPECT_THAT(scene_.api_keys->Verify(key->text.Access(), &ended), kRefused());
  ASSERT_NE(ended, nullptr);
  EXPECT_EQ(ended->id, key->api_key.id);
  ended = nullptr;
  scene_.api_keys->EndOrganization("acme");
  EXPECT_THAT(scene_.api_keys->Verify(key->text.Access(), &ended), kRefused());
  EXPECT_EQ(ended, nullptr);
}

TEST_F(ApiKeyLifeTest, AKeyThatEndedIsSweptAfterThirtyDaysAndALiveOneNever) {
  const auto expires = Make(absl::Hours(1));
  const auto revoked = Make(std::nullopt);
  const auto live = Make(std::nullopt);
  ASSERT_THAT(scene_.RevokeApiKey("acme", revoked->api_key.id), IsOk());
  const auto sweep = [&] {
    absl::StatusOr<size_t> swept;
    absl::Notification done;
    SweepApiKeys(*scene_.writer, scene_.clock.Now(), [&](const absl::StatusOr<size_t>& count) {
      swept = count;
      done.Notify();
    });
    done.WaitForNotification();
    return swept.value_or(99);
  };
  scene_.clock.Advance(kEndedApiKeyLifetime);
  EXPECT_EQ(sweep(), 0U);
  scene_.clock.Advance(absl::Seconds(1));
  EXPECT_EQ(sweep(), 1U);
  scene_.clock.Advance(absl::Hours(1));
  EXPECT_EQ(sweep(), 1U);
  EXPECT_EQ(sweep(), 0U);
  const auto left = scene_.api_keys->List("acme");
  ASSERT_EQ(left->size(), 1U);
  EXPECT_EQ((*left)[0].id, live->api_key.id);
  EXPECT_THAT(Verify(*live), IsOk());
}

TEST(ApiKeySweepTest, OfAnOrganizationTheNewestThousandThatEndedStay) {
  const absl::Time now = absl::UnixEpoch() + absl::Hours(1000);
  std::vector<IdentifiedApiKey> keys{{.id = "live"}};
  for (int i = 0; i < static_cast<int>(kMaxEndedApiKeys); ++i)
    keys.push_back({.id = absl::StrCat("ended", i), .row = {.revoke_time = now - absl::Seconds(i)}});
  EXPECT_TRUE(EndedKeysToErase(keys, now).empty());
  keys.push_back({.id = "first", .row = {.expire_time = now - absl::Hours(1)}});
  EXPECT_EQ(EndedKeysToErase(keys, now), std::vector<std::string>{"first"});
}

TEST_F(ApiKeyLifeTest, WhoMakesAndRevokesKeysWithoutEndLeavesAThousand) {
  std::vector<Mutation> rows;
  for (size_t i = 0; i <= kMaxEndedApiKeys; ++i) {
    const std::string id = absl::StrCat("ended", 10000 + i);
    const absl::Time end = scene_.clock.Now() - absl::Minutes(static_cast<int64_t>(i));
    rows.push_back({.key = keys::ApiKey(id), .value = Encode(ApiKeyRow{.organization = "acme", .revoke_time = end})});
    rows.push_back({.key = keys::ApiKeyOfOrganization("acme", id), .value = ""});
  }
  ASSERT_THAT(CommitAndWait(scene_.barrier->store(), {.term = scene_.term, .mutations = std::move(rows)}), IsOk());
  const auto made = Make(std::nullopt);
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(scene_.api_keys->List("acme")->size(), kMaxEndedApiKeys + 1);
  ASSERT_THAT(scene_.RevokeApiKey("acme", made->api_key.id), IsOk());
  const auto next = Make(std::nullopt);
  ASSERT_THAT(Rotate(next->api_key.id, absl::ZeroDuration()), IsOk());
  EXPECT_LE(scene_.api_keys->List("acme")->size(), kMaxEndedApiKeys + 2);
}

TEST_F(ApiKeyLifeTest, AnExpiredKeyIsListedAndCountsForNoQuota) {
  ASSERT_THAT(scene_.UpdateQuota("acme", {.max_api_keys = 1}), IsOk());
  const auto key = Make(absl::Minutes(1));
  EXPECT_THAT(Make(std::nullopt), FailsWith(StatusCode::kResourceExhausted, "QUOTA_EXCEEDED"));
  scene_.clock.Advance(absl::Minutes(1));
  EXPECT_THAT(Make(std::nullopt), IsOk());
  EXPECT_EQ(RowOf(key->api_key.id).expire_time, scene_.clock.Now());
  EXPECT_EQ(scene_.api_keys->CountLive("acme").value_or(-1), 1);
}

TEST_F(ApiKeyLifeTest, ARotatedKeyGoesOnUntilTheOverlapEnds) {
  const auto old = Make(std::nullopt);
  ASSERT_THAT(Verify(*old), IsOk());
  const auto made = Rotate(old->api_key.id);
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(made->api_key.row.display_name, "ci");
  EXPECT_EQ(made->api_key.row.role, Role::kMember);
  EXPECT_EQ(RowOf(old->api_key.id).replaced_by, made->api_key.id);
  EXPECT_EQ(RowOf(made->api_key.id).expire_time, absl::InfiniteFuture());
  scene_.clock.Advance(kDefaultRotationOverlap - absl::Seconds(1));
  EXPECT_THAT(Verify(*old), IsOk());
  EXPECT_THAT(Verify(*made), IsOk());
  scene_.clock.Advance(absl::Seconds(1));
  EXPECT_THAT(Verify(*old), kRefused());
  EXPECT_THAT(Verify(*made), IsOk());
}

TEST_F(ApiKeyLifeTest, WithoutOverlapTheOldKeyEndsAtOnce) {
  const auto old = Make(std::nullopt);
  ASSERT_THAT(Verify(*old), IsOk());
  ASSERT_THAT(Rotate(old->api_key.id, absl::ZeroDuration()), IsOk());
  EXPECT_THAT(Verify(*old), kRefused());
}

TEST_F(ApiKeyLifeTest, AnOverlapIsZeroTo30Days) {
  EXPECT_THAT(Rotate(Make(std::nullopt)->api_key.id, absl::Hours(24 * 30)), IsOk());
  EXPECT_THAT(Rotate(Make(std::nullopt)->api_key.id, absl::Hours(24 * 30) + absl::Nanoseconds(1)),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_API_KEY"));
  EXPECT_THAT(Rotate(Make(std::nullopt)->api_key.id, -absl::Nanoseconds(1)),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_API_KEY"));
}

TEST_F(ApiKeyLifeTest, AnOverlapNeverMakesAKeyLiveLonger) {
  const auto old = Make(absl::Hours(1));
  ASSERT_THAT(Rotate(old->api_key.id, absl::Hours(24)), IsOk());
  EXPECT_EQ(RowOf(old->api_key.id).expire_time, scene_.clock.Now() + absl::Hours(1));
}

TEST_F(ApiKeyLifeTest, ANewKeyLivesAsLongAsTheOldOneWasMadeForOrAsItIsTold) {
  const auto first = Make(absl::Hours(48));
  scene_.clock.Advance(absl::Hours(40));
  const auto second = Rotate(first->api_key.id, absl::Hours(1));
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(second->api_key.row.expire_time, scene_.clock.Now() + absl::Hours(48));
  // The second was a mistake: the first, whose end the overlap has moved, is rotated again.
  ASSERT_THAT(scene_.RevokeApiKey("acme", second->api_key.id), IsOk());
  const auto third = Rotate(first->api_key.id, absl::ZeroDuration());
  ASSERT_THAT(third, IsOk());
  EXPECT_EQ(third->api_key.row.expire_time, scene_.clock.Now() + absl::Hours(48));
  const auto fourth = Rotate(third->api_key.id, absl::ZeroDuration(), absl::Hours(2));
  EXPECT_EQ(fourth->api_key.row.expire_time, scene_.clock.Now() + absl::Hours(2));
}

TEST_F(ApiKeyLifeTest, AtMostTwoOfALineAreLive) {
  const auto first = Make(std::nullopt);
  const auto second = Rotate(first->api_key.id, absl::Hours(1));
  ASSERT_THAT(second, IsOk());
  for (const std::string& id : {first->api_key.id, second->api_key.id}) {
    EXPECT_THAT(Rotate(id), FailsWith(StatusCode::kFailedPrecondition, "API_KEY_ROTATION_RUNS"));
  }
  scene_.clock.Advance(absl::Hours(1));
  EXPECT_THAT(Rotate(first->api_key.id), FailsWith(StatusCode::kFailedPrecondition, "API_KEY_NOT_LIVE"));
  EXPECT_THAT(Rotate(second->api_key.id), IsOk());
}

TEST_F(ApiKeyLifeTest, RotationRevivesNothingAndTouchesNobodyElses) {
  const auto key = Make(std::nullopt);
  EXPECT_THAT(scene_.RotateApiKey({.organization = "other", .id = key->api_key.id}),
              FailsWith(StatusCode::kNotFound, "API_KEY_NOT_FOUND"));
  EXPECT_THAT(Rotate("0000000000"), FailsWith(StatusCode::kNotFound, "API_KEY_NOT_FOUND"));
  EXPECT_THAT(Rotate(std::string(key->text.Access())), FailsWith(StatusCode::kInvalidArgument, "INVALID_API_KEY_ID"));
  ASSERT_THAT(scene_.RevokeApiKey("acme", key->api_key.id), IsOk());
  EXPECT_THAT(Rotate(key->api_key.id), FailsWith(StatusCode::kFailedPrecondition, "API_KEY_NOT_LIVE"));
}

TEST_F(ApiKeyLifeTest, NoQuotaStopsARotation) {
  const auto key = Make(std::nullopt);
  ASSERT_THAT(scene_.UpdateQuota("acme", {.max_api_keys = 1}), IsOk());
  EXPECT_THAT(Rotate(key->api_key.id), IsOk());
}

TEST_F(ApiKeyLifeTest, OfTwoRotationsAtOnceOneIsRefused) {
  for (int i = 0; i < 20; ++i) {
    const auto key = Make(std::nullopt);
    std::atomic<int> done_count = 0;
    absl::Notification both[2];
    for (absl::Notification& one : both) {
      scene_.api_keys->Rotate({.organization = "acme", .id = key->api_key.id},
                              [&](const absl::StatusOr<NewApiKey>& made) {
                                done_count += made.ok();
                                one.Notify();
                              });
    }
    for (absl::Notification& one : both) one.WaitForNotification();
    EXPECT_EQ(done_count, 1);
  }
}

// When a key was used, on the test's own thread and time.
class ApiKeyUsesTest : public ApiKeyLifeTest {
 protected:
  ApiKeyUsesTest() : keys_(ApiKeys::Create(writer_, scene_.keyring, scene_.clock)) {}

  Revision Head() const { return scene_.barrier->store().Head(); }
  ApiKeyRow Stored(const std::string& id) {
    return *Decode<ApiKeyRow>((*scene_.barrier->store().Get(keys::ApiKey(id)))->value);
  }
  void Flush() { executor_.Advance(kApiKeyUseDelay); }
  static absl::Time Hour(absl::Time time) {
    return absl::UnixEpoch() + absl::Floor(time - absl::UnixEpoch(), absl::Hours(1));
  }

  ManualExecutor executor_{scene_.clock};
  CountingStore store_{scene_.barrier->store()};
  Writer writer_{store_, executor_, [this] { return scene_.term; }};
  std::unique_ptr<ApiKeys> keys_;
};

TEST_F(ApiKeyUsesTest, AUseIsWrittenInTheBackgroundToTheHourAndOnceAnHour) {
  const auto key = Make(std::nullopt);
  const std::string id = key->api_key.id;
  EXPECT_EQ(Stored(id).last_use_time, absl::InfinitePast());
  const Revision before = Head();
  for (int i = 0; i < 100; ++i) ASSERT_THAT(keys_->Verify(key->text.Access()), IsOk());
  EXPECT_EQ(Head(), before) << "a call waits for no write";
  EXPECT_EQ((*keys_->List("acme"))[0].row.last_use_time, Hour(scene_.clock.Now()));
  Flush();
  EXPECT_EQ(Stored(id).last_use_time, Hour(scene_.clock.Now()));

  const Revision after = Head();
  for (int i = 0; i < 100; ++i) ASSERT_THAT(keys_->Verify(key->text.Access()), IsOk());
  executor_.Advance(absl::Minutes(1));
  EXPECT_EQ(Head(), after);
  scene_.clock.Advance(absl::Hours(1));
  ASSERT_THAT(keys_->Verify(key->text.Access()), IsOk());
  Flush();
  EXPECT_EQ(Stored(id).last_use_time, Hour(scene_.clock.Now()));
}

TEST_F(ApiKeyUsesTest, ManyUsesAreOneCommit) {
  std::vector<NewApiKey> made;
  for (int i = 0; i < 20; ++i) made.push_back(*Make(std::nullopt));
  const Revision before = Head();
  for (const NewApiKey& key : made) ASSERT_THAT(keys_->Verify(key.text.Access()), IsOk());
  Flush();
  EXPECT_EQ(Head(), before + 1);
  for (const NewApiKey& key : made) EXPECT_NE(Stored(key.api_key.id).last_use_time, absl::InfinitePast());
}

TEST_F(ApiKeyUsesTest, AnAttemptThatIsRefusedIsNoUse) {
  const auto key = Make(absl::Minutes(1));
  scene_.clock.Advance(absl::Minutes(1));
  EXPECT_THAT(keys_->Verify(key->text.Access()), kRefused());
  executor_.Advance(absl::Minutes(1));
  EXPECT_EQ(Stored(key->api_key.id).last_use_time, absl::InfinitePast());
}

TEST_F(ApiKeyUsesTest, AWriteOfAUseUndoesNoRevocationAndKeepsTheRowsRevision) {
  const auto key = Make(std::nullopt);
  const std::string id = key->api_key.id;
  const Revision written = (*scene_.barrier->store().Get(keys::ApiKey(id)))->revision;
  ASSERT_THAT(keys_->Verify(key->text.Access()), IsOk());
  Flush();
  EXPECT_EQ((*scene_.barrier->store().Get(keys::ApiKey(id)))->revision, written);

  scene_.clock.Advance(absl::Hours(1));
  ASSERT_THAT(keys_->Verify(key->text.Access()), IsOk());
  ASSERT_THAT(scene_.RevokeApiKey("acme", id), IsOk());
  Flush();
  EXPECT_LE(Stored(id).revoke_time, scene_.clock.Now());
}

struct Work {
  int hmacs = 0;
  int gets = 0;
  int scans = 0;
  friend bool operator==(const Work&, const Work&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Work& work) {
    return out << work.hmacs << " HMACs, " << work.gets << " gets, " << work.scans << " scans";
  }
};

TEST_F(ApiKeyLifeTest, WhatChangesOneKeyLeavesTheOthersAtHand) {
  CountingStore store(scene_.barrier->store());
  const Writer writer{store, *scene_.executor, [&] { return scene_.term; }};
  const auto keys = ApiKeys::Create(writer, scene_.keyring, scene_.clock);
  const auto steady = Make(std::nullopt), gone = Make(std::nullopt);
  ASSERT_THAT(keys->Verify(steady->text.Access()), IsOk());
  absl::Notification done;
  keys->Revoke("acme", gone->api_key.id, [&](const absl::Status&) { done.Notify(); });
  done.WaitForNotification();
  const int before = store.gets;
  ASSERT_THAT(keys->Verify(steady->text.Access()), IsOk());
  EXPECT_EQ(store.gets, before);
}

TEST_F(ApiKeyLifeTest, AStoreThatCannotBeReadKeepsAKeyAliveUnlessItWasEndedHere) {
  CountingStore store(scene_.barrier->store());
  const Writer writer{store, *scene_.executor, [&] { return scene_.term; }};
  const auto keys = ApiKeys::Create(writer, scene_.keyring, scene_.clock);
  const auto steady = Make(std::nullopt), gone = Make(std::nullopt), rotated = Make(std::nullopt);
  absl::Notification revoked, replaced;
  keys->Revoke("acme", gone->api_key.id, [&](const absl::Status&) { revoked.Notify(); });
  keys->Rotate({.organization = "acme", .id = rotated->api_key.id, .author = "test", .overlap = absl::Hours(1)},
               [&](const absl::StatusOr<NewApiKey>&) { replaced.Notify(); });
  revoked.WaitForNotification();
  replaced.WaitForNotification();
  store.is_broken = true;
  EXPECT_TRUE(keys->IsLive(steady->api_key.id));
  EXPECT_FALSE(keys->IsLive(gone->api_key.id));
  EXPECT_TRUE(keys->IsLive(rotated->api_key.id));
  scene_.clock.Advance(absl::Hours(1));
  EXPECT_FALSE(keys->IsLive(rotated->api_key.id));
}

TEST_F(ApiKeyLifeTest, AKeyThatWasRightIsNotHashedAgainUntilItsRowChanges) {
  const Writer writer{scene_.barrier->store(), *scene_.executor, [this] { return scene_.term; }};
  std::atomic<int> hmacs = 0;
  const auto keys = ApiKeys::Create(writer, scene_.keyring, scene_.clock, [&](const SecretBytes& key, std::string_view message) {
    ++hmacs;
    return HmacSha256(key, message);
  });
  const auto key = Make(std::nullopt), other = Make(std::nullopt);
  hmacs = 0;
  for (int i = 0; i < 3; ++i) ASSERT_THAT(keys->Verify(key->text.Access()), IsOk());
  EXPECT_EQ(hmacs, 1);
  absl::Notification rotated;
  keys->Rotate({.organization = "acme", .id = key->api_key.id, .author = "test", .overlap = absl::Hours(1)},
               [&](const absl::StatusOr<NewApiKey>&) { rotated.Notify(); });
  rotated.WaitForNotification();
  hmacs = 0;
  for (int i = 0; i < 3; ++i) ASSERT_THAT(keys->Verify(key->text.Access()), IsOk());
  EXPECT_EQ(hmacs, 1) << "its row is another now";
  scene_.clock.Advance(absl::Hours(1));
  EXPECT_THAT(keys->Verify(key->text.Access()), kRefused());
  EXPECT_EQ(hmacs, 2);
  keys->EndOrganization("acme");
  EXPECT_THAT(keys->Verify(other->text.Access()), kRefused());
}

TEST_F(ApiKeyLifeTest, UnknownWrongExpiredAndRevokedKeysCostTheSame) {
  CountingStore store(scene_.barrier->store());
  const Writer writer{store, *scene_.executor, [this] { return scene_.term; }};
  std::atomic<int> hmacs = 0;
  const auto keys =
      ApiKeys::Create(writer, scene_.keyring, scene_.clock, [&](const SecretBytes& key, std::string_view message) {
        ++hmacs;
        return HmacSha256(key, message);
      });
  const auto good = Make(std::nullopt);
  const auto expired = Make(absl::Minutes(1));
  const auto revoked = Make(std::nullopt);
  // The HMAC of another secret: the checksum is right and the id exists.
  const auto wrong = Make(std::nullopt);
  ApiKeyRow row = wrong->api_key.row;
  row.secret_hmac = good->api_key.row.secret_hmac;
  ASSERT_THAT(CommitAndWait(
                  scene_.barrier->store(),
                  {.term = scene_.term, .mutations = {{.key = keys::ApiKey(wrong->api_key.id), .value = Encode(row)}}}),
              IsOk());
  // That it was found right before saves nothing.
  ASSERT_THAT(keys->Verify(expired->text.Access()), IsOk());
  ASSERT_THAT(scene_.RevokeApiKey("acme", revoked->api_key.id), IsOk());
  scene_.clock.Advance(absl::Minutes(1));

  const auto measure = [&](std::string_view text) {
    // The doorbell may still ring for what was written before.
    Work work;
    for (int i = 0; i < 5; ++i) {
      hmacs = store.gets = store.scans = 0;
      EXPECT_THAT(keys->Verify(text), kRefused());
      work = {.hmacs = hmacs, .gets = store.gets, .scans = store.scans};
    }
    return work;
  };
  const Work unknown = measure(GenerateApiKey().Access());
  EXPECT_EQ(unknown, (Work{.hmacs = 1, .gets = 1}));
  EXPECT_EQ(measure(wrong->text.Access()), unknown);
  EXPECT_EQ(measure(expired->text.Access()), unknown);
  EXPECT_EQ(measure(revoked->text.Access()), unknown);
}

}  // namespace
}  // namespace keyferry
