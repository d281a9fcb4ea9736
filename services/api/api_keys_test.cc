#include "services/api/api_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>

#include "absl/strings/str_format.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/keys.h"
#include "services/api/testing/edge_scene.h"

namespace keyferry {
namespace {

using ::testing::Not;

// A store whose doorbell is broken.
class SilentStore : public Store {
 public:
  explicit SilentStore(Store& store) : store_(store) {}
  absl::StatusOr<Term> AcquireWriter(Lineage lineage) override { return store_.AcquireWriter(lineage); }
  void CommitAsync(Commit commit, CommitDone done) override { store_.CommitAsync(std::move(commit), std::move(done)); }
  absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const override { return store_.Get(key); }
  absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end, size_t limit) const override {
    return store_.Scan(begin, end, limit);
  }
  std::unique_ptr<Subscription> Ring(const RowKey&, const std::string&, std::function<void()>) override {
    return std::make_unique<Subscription>();
  }
  Revision Head() const override { return store_.Head(); }
  Revision Ceiling() const override { return store_.Ceiling(); }
  absl::Status Backup(const std::string& directory) override { return store_.Backup(directory); }
  absl::Status Purge(const std::vector<KeyRange>& ranges) override { return store_.Purge(ranges); }

 private:
  Store& store_;
};

// Its first two commits meet: neither goes on before both are there.
class MeetingStore final : public SilentStore {
 public:
  using SilentStore::SilentStore;
  void CommitAsync(Commit commit, CommitDone done) override {
    std::vector<std::pair<Commit, CommitDone>> ready;
    {
      const std::lock_guard lock(mutex_);
      waiting_.emplace_back(std::move(commit), std::move(done));
      if (++count_ >= 2) ready.swap(waiting_);
    }
    for (auto& [each, answer] : ready) SilentStore::CommitAsync(std::move(each), std::move(answer));
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<Commit, CommitDone>> waiting_;
  int count_ = 0;
};

class ApiKeysTest : public testing::Test {
 protected:
  ApiKeysTest() {
    EXPECT_THAT(scene_.MakeOrganization("acme"), IsOk());
    EXPECT_THAT(scene_.MakeOrganization("other"), IsOk());
  }
  ApiKeys& keys() { return *scene_.api_keys; }

  // Of acme, ids 0000000000 and on.
  void FillWithLiveKeys(size_t count) {
    std::vector<Mutation> rows;
    for (size_t i = 0; i < count; ++i) {
      const std::string id = absl::StrFormat("%010d", i);
      rows.push_back({.key = keys::ApiKey(id),
                      .value = Encode(ApiKeyRow{.organization = "acme", .create_time = scene_.clock.Now()})});
      rows.push_back({.key = keys::ApiKeyOfOrganization("acme", id), .value = ""});
    }
    ASSERT_THAT(CommitAndWait(scene_.barrier->store(), {.term = scene_.term, .mutations = std::move(rows)}), IsOk());
  }

  EdgeScene scene_;
};

TEST(ApiKeyTextTest, AGeneratedKeyHasItsFormAndParses) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const SecretBytes key = GenerateApiKey();
    ASSERT_EQ(key.size(), 50U);
    const auto parsed = ParseApiKey(key.Access());
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->id.size(), kApiKeyIdLength);
    EXPECT_EQ(parsed->secret.size(), kApiKeySecretLength);
    EXPECT_TRUE(seen.insert(std::string(key.Access())).second);
  }
}

// CRC-32 of the first 44 bytes is 0xDA2FD0A0, which Python's zlib computed.
TEST(ApiKeyTextTest, TheChecksumIsCrc32InBase62) {
  EXPECT_TRUE(ParseApiKey("kf_0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcd3zjMcC").has_value());
}

TEST(ApiKeyTextTest, EveryChangedCharacterIsNoticed) {
  const std::string key(GenerateApiKey().Access());
  for (size_t i = 0; i < key.size(); ++i) {
    for (const char other : {'a', 'Z', '_', '-', '\0', ' '}) {
      std::string changed = key;
      if (changed[i] == other) continue;
      changed[i] = other;
      EXPECT_FALSE(ParseApiKey(changed).has_value()) << i;
    }
  }
  EXPECT_FALSE(ParseApiKey(key + "a").has_value());
  EXPECT_FALSE(ParseApiKey(std::string_view(key).substr(1)).has_value());
  EXPECT_FALSE(ParseApiKey("").has_value());
}

TEST_F(ApiKeysTest, AMadeKeyIsVerifiedWithItsOrganizationAndRole) {
  const auto made = scene_.MakeApiKey("acme", Role::kDeployer);
  ASSERT_THAT(made, IsOk());
  for (int i = 0; i < 2; ++i) {
    const auto verified = keys().Verify(made->text.Access());
    ASSERT_THAT(verified, IsOk());
    EXPECT_EQ((*verified)->id, made->api_key.id);
    EXPECT_EQ((*verified)->row.organization, "acme");
    EXPECT_EQ((*verified)->row.role, Role::kDeployer);
  }
}

TEST_F(ApiKeysTest, TheSecretIsNotInTheStore) {
  const auto made = scene_.MakeApiKey("acme", Role::kAdmin);
  const auto row = scene_.barrier->store().Get(keys::ApiKey(made->api_key.id));
  ASSERT_THAT(row, IsOk());
  EXPECT_THAT((*row)->value, Not(testing::HasSubstr(std::string(ParseApiKey(made->text.Access())->secret))));
}

// The checksum is right and the id exists: only the HMAC can tell.
TEST_F(ApiKeysTest, ASecretThatIsNotTheIdsIsRefused) {
  const auto made = scene_.MakeApiKey("acme", Role::kAdmin);
  const auto other = scene_.MakeApiKey("acme", Role::kAdmin);
  auto row = scene_.barrier->store().Get(keys::ApiKey(made->api_key.id));
  Commit swap{.term = scene_.term, .mutations = {{.key = keys::ApiKey(other->api_key.id), .value = (*row)->value}}};
  ASSERT_THAT(CommitAndWait(scene_.barrier->store(), std::move(swap)), IsOk());
  EXPECT_THAT(keys().Verify(other->text.Access()), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
}

TEST_F(ApiKeysTest, RevocationCountsFromItsAnswerOn) {
  for (int i = 0; i < 20; ++i) {
    const auto made = scene_.MakeApiKey("acme", Role::kAdmin);
    ASSERT_THAT(keys().Verify(made->text.Access()), IsOk());
    ASSERT_THAT(scene_.RevokeApiKey("acme", made->api_key.id), IsOk());
    ASSERT_THAT(keys().Verify(made->text.Access()), StatusIs(absl::StatusCode::kUnauthenticated));
  }
}

TEST_F(ApiKeysTest, RevocationDoesNotWaitForTheDoorbell) {
  SilentStore silent(scene_.barrier->store());
  const Writer writer{silent, *scene_.executor, [this] { return scene_.term; }};
  const auto deaf_keys = ApiKeys::Create(writer, scene_.keyring, scene_.clock);
  const auto made = scene_.MakeApiKey("acme", Role::kAdmin);
  ASSERT_THAT(deaf_keys->Verify(made->text.Access()), IsOk());
  absl::Notification done;
  deaf_keys->Revoke("acme", made->api_key.id, [&](const absl::Status& status) {
    EXPECT_THAT(status, IsOk());
    EXPECT_THAT(deaf_keys->Verify(made->text.Access()), StatusIs(absl::StatusCode::kUnauthenticated));
    done.Notify();
  });
  done.WaitForNotification();
}

TEST_F(ApiKeysTest, RevokingTwiceKeepsTheFirstTime) {
  const auto made = scene_.MakeApiKey("acme", Role::kAdmin);
  ASSERT_THAT(scene_.RevokeApiKey("acme", made->api_key.id), IsOk());
  const absl::Time first = (*keys().List("acme"))[0].row.revoke_time;
  scene_.clock.Advance(absl::Hours(1));
  EXPECT_THAT(scene_.RevokeApiKey("acme", made->api_key.id), IsOk());
  EXPECT_EQ((*keys().List("acme"))[0].row.revoke_time, first);
}

TEST_F(ApiKeysTest, AnotherOrganizationsKeyCannotBeRevokedNorSeen) {
  const auto made = scene_.MakeApiKey("acme", Role::kAdmin);
  EXPECT_THAT(scene_.RevokeApiKey("other", made->api_key.id),
              FailsWith(absl::StatusCode::kNotFound, "API_KEY_NOT_FOUND"));
  EXPECT_THAT(scene_.RevokeApiKey("other", "0000000000"), FailsWith(absl::StatusCode::kNotFound, "API_KEY_NOT_FOUND"));
  EXPECT_THAT(keys().Verify(made->text.Access()), IsOk());
  EXPECT_THAT(keys().List("other"), IsOkAndHolds(testing::IsEmpty()));
}

TEST_F(ApiKeysTest, ListShowsAllOfTheOrganizationInOrderOfId) {
  std::set<std::string> made;
  for (int i = 0; i < 40; ++i) made.insert(scene_.MakeApiKey("acme", Role::kViewer)->api_key.id);
  const auto listed = keys().List("acme");
  ASSERT_THAT(listed, IsOk());
  std::vector<std::string> ids;
  for (const IdentifiedApiKey& key : *listed) ids.push_back(key.id);
  EXPECT_EQ(ids, std::vector<std::string>(made.begin(), made.end()));
}

TEST_F(ApiKeysTest, AnOrganizationHasAThousandLiveKeysAndNotOneMore) {
  FillWithLiveKeys(kDefaultMaxApiKeys - 1);
  EXPECT_THAT(scene_.MakeApiKey("acme", Role::kViewer), IsOk());
  EXPECT_THAT(scene_.MakeApiKey("acme", Role::kViewer),
              FailsWith(absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED"));
  ASSERT_THAT(scene_.RevokeApiKey("acme", "0000000007"), IsOk());
  EXPECT_THAT(scene_.MakeApiKey("acme", Role::kViewer), IsOk());
}

TEST_F(ApiKeysTest, OfTwoMakersAtOnceOneGetsTheLastKey) {
  FillWithLiveKeys(kDefaultMaxApiKeys - 1);
  MeetingStore meeting(scene_.barrier->store());
  const Writer writer{meeting, *scene_.executor, [this] { return scene_.term; }};
  const auto busy_keys = ApiKeys::Create(writer, scene_.keyring, scene_.clock);
  std::atomic<int> made_count = 0;
  absl::BlockingCounter answers(2);
  for (int i = 0; i < 2; ++i) {
    busy_keys->Make({.organization = "acme", .role = Role::kViewer, .author = "test"},
                    [&](const absl::StatusOr<NewApiKey>& made) {
                      if (made.ok()) ++made_count;
                      answers.DecrementCount();
                    });
  }
  answers.Wait();
  EXPECT_EQ(made_count, 1);
  EXPECT_THAT(keys().List("acme"), IsOkAndHolds(testing::SizeIs(static_cast<size_t>(kDefaultMaxApiKeys))));
}

TEST_F(ApiKeysTest, RevokeTakesAnIdAndNeverShowsAKeyThatIsGivenInstead) {
  const auto made = scene_.MakeApiKey("acme", Role::kAdmin);
  const std::string text(made->text.Access());
  for (const std::string& id :
       {text, std::string(), std::string(9, '0'), std::string(11, '0'), std::string("000000000_")}) {
    const absl::Status refused = scene_.RevokeApiKey("acme", id);
    EXPECT_THAT(refused, FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_API_KEY_ID"));
    EXPECT_THAT(refused.ToString(), Not(testing::HasSubstr(std::string(ParseApiKey(text)->secret))));
  }
  EXPECT_THAT(keys().Verify(text), IsOk());
  EXPECT_THAT(scene_.RevokeApiKey("acme", std::string(10, '0')),
              FailsWith(absl::StatusCode::kNotFound, "API_KEY_NOT_FOUND"));
}

TEST_F(ApiKeysTest, AnAbsentOrganizationHasNoList) {
  EXPECT_THAT(keys().List("ghost"), FailsWith(absl::StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND"));
}

TEST_F(ApiKeysTest, RefusesAnAbsentOrganizationABadRoleAndALongName) {
  EXPECT_THAT(scene_.MakeApiKey("ghost", Role::kAdmin),
              FailsWith(absl::StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND"));
  EXPECT_THAT(scene_.MakeApiKey("acme", static_cast<Role>(0)),
              FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_API_KEY"));
  EXPECT_THAT(scene_.MakeApiKey("acme", static_cast<Role>(5)),
              FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_API_KEY"));
  EXPECT_THAT(scene_.MakeApiKey("acme", Role::kAdmin, std::string(128, 'n')), IsOk());
  EXPECT_THAT(scene_.MakeApiKey("acme", Role::kAdmin, std::string(129, 'n')),
              FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_API_KEY"));
}

}  // namespace
}  // namespace keyferry
