#include "services/api/organization_deletion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/keys.h"
#include "services/api/audit_reader.h"
#include "services/api/closable_executor.h"
#include "services/api/organization_rows.h"
#include "services/api/organizations.h"
#include "services/api/placement_acks.h"
#include "services/api/placement_rows.h"
#include "services/api/quotas.h"
#include "services/api/set_wait.h"
#include "services/api/set_watch.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {
namespace {

const auto kGone = FailsWith(absl::StatusCode::kNotFound, "ORGANIZATION_NOT_FOUND");

bool Eventually(const std::function<bool()>& condition) {
  for (const absl::Time end = absl::Now() + absl::Seconds(30); absl::Now() < end; absl::SleepFor(absl::Milliseconds(1))) {
    if (condition()) return true;
  }
  return condition();
}

class OrganizationDeletionTest : public testing::Test {
 protected:
  OrganizationDeletionTest() { Restart(); }
  ~OrganizationDeletionTest() override {
    process_->Close();
    (void)CommitAndWait(*scene_.memory, {.term = scene_.term});
  }

  // A process that finds what the last one left. `frozen`: its background work never runs.
  void Restart() {
    if (process_) process_->Close();
    if (process_) old_.push_back(std::move(process_));
    process_ = std::make_unique<ClosableExecutor>(2);
    deps_ = std::make_unique<UseCaseDeps>(*scene_.deps);
    background_ = std::make_unique<UseCaseDeps>(UseCaseDeps{
        .writer = {.store = scene_.barrier->store(), .executor = *process_, .term = [this] { return scene_.term; }},
        .barrier = *scene_.barrier,
        .sender = *scene_.sender,
        .clock = scene_.clock,
        .quotas = quotas_.get()});
    deletion_ = OrganizationDeletion::Create({.deps = *background_,
                                              .beneath = *scene_.memory,
                                              .api_keys = *api_keys_,
                                              .forget = [this](const std::string& name) { SetForgotten(name); }});
  }
  void SetForgotten(const std::string& name) {
    const absl::MutexLock lock(&mutex_);
    forgotten_ = name;
  }
  std::string Forgotten() {
    const absl::MutexLock lock(&mutex_);
    return forgotten_;
  }
  // As a process would that dies right after the commit.
  void MarkOnly(const std::string& name) {
    ASSERT_THAT(scene_.Commit([&](Transaction& transaction) -> absl::Status {
                  ASSIGN_OR_RETURN(OrganizationRow row, ReadOrganization(transaction, name));
                  row.delete_time = scene_.clock.Now();
                  transaction.Put(keys::Organization(name), Encode(row));
                  transaction.Put(keys::Shred(row.uid, ""), Encode(ShredRow{.organization = name, .delete_time = scene_.clock.Now()}));
                  return absl::OkStatus();
                }),
                IsOk());
    api_keys_->EndOrganization(name);
  }
  absl::Status Delete(const std::string& name, const std::string& confirmation) {
    return Await<absl::Status>([&](std::function<void(absl::Status)> done) { deletion_->Delete(name, confirmation, std::move(done)); });
  }
  absl::StatusOr<NewApiKey> MakeKey(const std::string& organization) {
    return Await<absl::StatusOr<NewApiKey>>([&](std::function<void(absl::StatusOr<NewApiKey>)> done) {
      api_keys_->Make({.organization = organization, .display_name = "a key", .role = Role::kAdmin, .author = "op"}, std::move(done));
    });
  }
  absl::StatusOr<NamedOrganization> MakeOrganization(const std::string& name) {
    return Await<absl::StatusOr<NamedOrganization>>(
        [&](std::function<void(absl::StatusOr<NamedOrganization>)> done) { organizations_->Make(name, "", std::move(done)); });
  }
  bool Has(const RowKey& key) { return scene_.memory->Get(key)->has_value(); }
  std::optional<OrganizationRow> RowOf(const std::string& name) {
    const auto row = scene_.barrier->store().Get(keys::Organization(name));
    EXPECT_THAT(row.status(), IsOk());
    if (!row.ok() || !row->has_value()) return std::nullopt;
    return *Decode<OrganizationRow>((*row)->value);
  }
  bool IsDone(const std::string& name) {
    const auto row = RowOf(name);
    return row && IsRetired(*row);
  }
  // Rows of the organization, and its keys.
  size_t RowsLeft(const std::string& name) {
    size_t count = Has(keys::WrappedKey(name)) ? 1 : 0;
    std::vector<KeyRange> ranges = OwnedRanges(name);
    ranges.push_back(RangeBelow(keys::ApiKeysOfOrganization(name)));
    for (const KeyRange& range : ranges) count += scene_.memory->Scan(range.begin, range.end, 10'000)->size();
    return count;
  }
  DesiredState DesiredOf(const std::string& region, const ObjectId& object) {
    const auto row = scene_.barrier->store().Get(keys::Desired(region, object));
    EXPECT_TRUE(row.ok() && row->has_value());
    return *Decode<DesiredState>((*row)->value);
  }
  void Fill() {
    scene_.SetReady("app", {{"KEY", "value"}});
    scene_.SetReady("east", {{"KEY", "value"}}, "us-east");
    ASSERT_THAT(scene_.Set(scene_.Write("requested", {.request_id = "11111111-1111-4111-8111-111111111111"}), {{"KEY", "value"}}), IsOk());
    ASSERT_THAT(scene_.Deploy({.organization = "acme", .agent = "bot", .image = "image:1", .secret_set = "app"}), IsOk());
    for (int i = 0; i < 3; ++i) ASSERT_THAT(MakeKey("acme"), IsOk());
  }

  ApiScene scene_;
  std::unique_ptr<Quotas> quotas_ = Quotas::Create(scene_.barrier->store());
  Keyring keyring_ = Keyring::ForTest();
  std::unique_ptr<ApiKeys> api_keys_ = ApiKeys::Create(scene_.deps->writer, keyring_, scene_.clock);
  std::unique_ptr<Organizations> organizations_ = Organizations::Create(*scene_.deps);
  std::unique_ptr<UseCaseDeps> deps_, background_;
  std::vector<std::unique_ptr<ClosableExecutor>> old_;
  std::unique_ptr<ClosableExecutor> process_;
  std::unique_ptr<OrganizationDeletion> deletion_;
  absl::Mutex mutex_;
  std::string forgotten_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(OrganizationDeletionTest, NothingIsDeletedUnlessTheNameIsConfirmed) {
  for (const char* confirmation : {"", "acm", "acmee", "ACME"}) {
    EXPECT_THAT(Delete("acme", confirmation), FailsWith(absl::StatusCode::kFailedPrecondition, "CONFIRMATION_MISMATCH")) << confirmation;
  }
  EXPECT_THAT(Delete("ghost", "ghost"), kGone);
  EXPECT_THAT(organizations_->Get("acme"), IsOk());
}

TEST_F(OrganizationDeletionTest, FromTheCommitOnEveryUseCaseSaysThatItDoesNotExist) {
  Fill();
  const auto key = MakeKey("acme");
  ASSERT_THAT(key, IsOk());
  SetFeeds feeds(*scene_.deps, [](const SetChange&) { return "told"; });
  const auto watch = feeds.Watch({.organization = "acme"});
  const auto next = [&] { return Await<absl::StatusOr<std::vector<Said>>>([&](SetWatch::Done done) { watch->Next(std::move(done)); }); };
  ASSERT_THAT(next(), IsOk());
  MarkOnly("acme");

  EXPECT_THAT(scene_.Set("app", {{"KEY", "other"}}), kGone);
  EXPECT_THAT(scene_.SetPull(scene_.Write("pull"), "https://quay.io", "dTpw"), kGone);
  EXPECT_THAT(scene_.Unset(scene_.Write("app"), "KEY"), kGone);
  EXPECT_THAT(scene_.Rollback(scene_.Write("app"), 1), kGone);
  EXPECT_THAT(scene_.Delete(scene_.Write("app")), kGone);
  EXPECT_THAT(scene_.Get("app"), kGone);
  EXPECT_THAT(ListSets(*scene_.deps, {.organization = "acme"}), kGone);
  EXPECT_THAT(ListGenerations(*scene_.deps, "acme", "app"), kGone);
  EXPECT_THAT(Await<absl::StatusOr<SecretSetView>>([&](std::function<void(absl::StatusOr<SecretSetView>)> done) {
                WaitUntilReady(*scene_.deps, {.organization = "acme", .name = "app"}, std::move(done));
              }),
              kGone);
  EXPECT_THAT(scene_.Deploy({.organization = "acme", .agent = "other", .image = "image:1"}), kGone);
  EXPECT_THAT(scene_.DeleteDeployment("bot"), kGone);
  EXPECT_THAT(scene_.deployments->Get("acme", "bot"), kGone);
  EXPECT_THAT(scene_.deployments->List({.organization = "acme"}), kGone);
  EXPECT_THAT(organizations_->Get("acme"), kGone);
  EXPECT_THAT(organizations_->GetProperties("acme"), kGone);
  EXPECT_THAT(organizations_->GetQuota("acme"), kGone);
  EXPECT_THAT(MakeKey("acme"), kGone);
  EXPECT_THAT(api_keys_->List("acme"), kGone);
  EXPECT_THAT(Delete("acme", "acme"), kGone);
  EXPECT_TRUE(organizations_->List(0, "")->organizations.empty());

  // In the words of a wrong key.
  EXPECT_THAT(api_keys_->Verify(key->text.Access()), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  EXPECT_FALSE(api_keys_->IsLive(key->api_key.id));
  absl::Status ended;
  for (int i = 0; i < 20 && ended.ok(); ++i) ended = next().status();
  EXPECT_THAT(ended, kGone);

  const auto again = MakeOrganization("acme");
  EXPECT_THAT(again, FailsWith(absl::StatusCode::kAlreadyExists, "ORGANIZATION_NAME_RETIRED"));
  EXPECT_THAT(std::string(again.status().message()), testing::HasSubstr("choose another"));
}

TEST_F(OrganizationDeletionTest, ItsRowsAndKeysGoAndRegionsAreTold) {
  Fill();
  scene_.AddOrganization("rival");
  ASSERT_THAT(MakeKey("rival"), IsOk());
  ASSERT_THAT(Delete("acme", "acme"), IsOk());
  ASSERT_TRUE(Eventually([&] { return IsDone("acme"); }));
  EXPECT_EQ(RowsLeft("acme"), 0U);
  EXPECT_GT(RowsLeft("rival"), 1U);
  EXPECT_EQ(DesiredOf("us-west", SetObject("app")).operation, Operation::kDelete);
  EXPECT_EQ(DesiredOf("us-east", SetObject("east")).operation, Operation::kDelete);
  EXPECT_EQ(DesiredOf("us-west", AgentObject("bot")).operation, Operation::kDelete);
  // The barrier hears of it when the commit is answered, a moment after its rows can be read.
  EXPECT_TRUE(Eventually([&] { return absl::IsNotFound(scene_.barrier->KeysOf("acme").status()); }));
}

TEST_F(OrganizationDeletionTest, OfTheOrganizationItsNameStaysAndIsNeverGivenAgain) {
  Fill();
  const auto key = MakeKey("acme");
  ASSERT_THAT(key, IsOk());
  ASSERT_THAT(api_keys_->Verify(key->text.Access()), IsOk());
  scene_.AddOrganization("rival");
  ASSERT_THAT(Delete("acme", "acme"), IsOk());
  const absl::Time delete_time = scene_.clock.Now();
  ASSERT_TRUE(Eventually([&] { return IsDone("acme"); }));
  scene_.clock.Advance(absl::Hours(24 * 365));
  for (int process = 0; process < 2; ++process) {
    EXPECT_EQ(Encode(*RowOf("acme")), Encode(RetiredName(delete_time)));
    EXPECT_THAT(MakeOrganization("acme"), FailsWith(absl::StatusCode::kAlreadyExists, "ORGANIZATION_NAME_RETIRED"));
    EXPECT_THAT(scene_.Get("app"), kGone);
    EXPECT_THAT(organizations_->Get("acme"), kGone);
    EXPECT_THAT(MakeKey("acme"), kGone);
    EXPECT_THAT(Delete("acme", "acme"), kGone);
    // Though it may be in a cache.
    EXPECT_THAT(api_keys_->Verify(key->text.Access()), FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
    const auto page = organizations_->List(1, "");
    ASSERT_THAT(page, IsOk());
    ASSERT_EQ(page->organizations.size(), 1U);
    EXPECT_EQ(page->organizations[0].name, "rival");
    // There is nothing to go on with.
    SetForgotten("");
    Restart();
    ASSERT_THAT(deletion_->Start(), IsOk());
    EXPECT_EQ(Forgotten(), "");
  }
}

TEST_F(OrganizationDeletionTest, ItsCountsAreForgotten) {
  Fill();
  ASSERT_THAT(quotas_->CountOf("acme", QuotaKind::kSecretSets), IsOkAndHolds(3));
  ASSERT_THAT(quotas_->CountOf("acme", QuotaKind::kDeployments), IsOkAndHolds(1));
  ASSERT_THAT(Delete("acme", "acme"), IsOk());
  EXPECT_TRUE(Eventually([&] { return quotas_->CountOf("acme", QuotaKind::kSecretSets).value() == 0; }));
  EXPECT_THAT(quotas_->CountOf("acme", QuotaKind::kDeployments), IsOkAndHolds(0));
  EXPECT_TRUE(Eventually([&] { return Forgotten() == "acme"; }));
}

TEST_F(OrganizationDeletionTest, ItsAuditChainIsForOperatorsAlone) {
  scene_.AddOrganization("rival");
  const AuditReader reader(*scene_.barrier, scene_.clock, nullptr);
  ASSERT_THAT(reader.List({.organization = "acme", .own_only = true}), IsOk());
  ASSERT_THAT(reader.Head("acme", /*own_only=*/true), FailsWith(absl::StatusCode::kNotFound, "AUDIT_CHAIN_EMPTY"));
  const auto expect_closed = [&] {
    EXPECT_THAT(reader.List({.organization = "acme", .own_only = true}), kGone);
    EXPECT_THAT(reader.Head("acme", /*own_only=*/true), kGone);
    EXPECT_THAT(reader.List({.organization = "acme"}), IsOk());
    EXPECT_THAT(reader.Head("acme"), FailsWith(absl::StatusCode::kNotFound, "AUDIT_CHAIN_EMPTY"));
    EXPECT_THAT(reader.List({.organization = "rival", .own_only = true}), IsOk());
  };
  MarkOnly("acme");
  expect_closed();
  ASSERT_THAT(deletion_->Start(), IsOk());
  ASSERT_TRUE(Eventually([&] { return IsDone("acme"); }));
  expect_closed();
}

TEST_F(OrganizationDeletionTest, ARegionThatComesBackLongAfterProvesTheDeleteWithoutTheKeysThatAreGone) {
  Fill();
  ASSERT_THAT(Delete("acme", "acme"), IsOk());
  ASSERT_TRUE(Eventually([&] { return IsDone("acme"); }));
  scene_.clock.Advance(absl::Hours(24 * 30));
  for (const auto& [region, object] : {std::pair("us-west", SetObject("app")), std::pair("us-east", SetObject("east")), std::pair("us-west", AgentObject("bot"))}) {
    const auto settled = scene_.Commit([&, region = std::string(region), object = object](Transaction& transaction) -> absl::Status {
      ASSIGN_OR_RETURN(const PlacementRows rows, ReadPlacementRows(transaction, region, object, scene_.term.lineage));
      ASSIGN_OR_RETURN(const AckEffect effect,
                       SettleAck(transaction,
                                 {.region = region, .lineage = scene_.term.lineage, .ceiling = scene_.memory->Ceiling(), .now = scene_.clock.Now()},
                                 {.object = object, .uid = rows.desired->uid, .revision = rows.desired->revision}));
      EXPECT_EQ(effect, AckEffect::kDeleted);
      return absl::OkStatus();
    });
    EXPECT_THAT(settled, IsOk());
    EXPECT_FALSE(Has(keys::Desired(region, object)));
  }
}

TEST_F(OrganizationDeletionTest, AStrayOfAnOrganizationThatIsGoneIsToldToGo) {
  ASSERT_THAT(Delete("acme", "acme"), IsOk());
  ASSERT_TRUE(Eventually([&] { return IsDone("acme"); }));
  EXPECT_THAT(scene_.Commit([&](Transaction& transaction) {
    return DesireDeleteOfStray(transaction, {.region = "us-west", .now = scene_.clock.Now()}, SetObject("left-behind"));
  }),
              IsOk());
  EXPECT_EQ(DesiredOf("us-west", SetObject("left-behind")).operation, Operation::kDelete);
}

TEST_F(OrganizationDeletionTest, AProcessThatDiedAnywhereIsFollowedByOneThatGoesOn) {
  for (int i = 0; i < 150; ++i) ASSERT_THAT(scene_.Set("set-" + std::to_string(i), {{"KEY", "value"}}), IsOk());
  Fill();
  MarkOnly("acme");
  for (int crash = 0; crash < 8 && !IsDone("acme"); ++crash) {
    Restart();
    ASSERT_THAT(deletion_->Start(), IsOk());
    absl::SleepFor(absl::Milliseconds(2 * crash));
  }
  Restart();
  ASSERT_THAT(deletion_->Start(), IsOk());
  ASSERT_TRUE(Eventually([&] { return IsDone("acme"); }));
  EXPECT_EQ(RowsLeft("acme"), 0U);
  for (int i = 0; i < 150; ++i) EXPECT_EQ(DesiredOf("us-west", SetObject("set-" + std::to_string(i))).operation, Operation::kDelete);
}

TEST_F(OrganizationDeletionTest, RowsThatDoNotOpenGoToo) {
  Fill();
  ASSERT_THAT(CommitAndWait(*scene_.memory, {.term = scene_.term, .mutations = {{.key = keys::SecretSet("acme", "app"), .value = "damaged"}}}), IsOk());
  ASSERT_THAT(Delete("acme", "acme"), IsOk());
  ASSERT_TRUE(Eventually([&] { return IsDone("acme"); }));
  EXPECT_EQ(RowsLeft("acme"), 0U);
}

TEST_F(OrganizationDeletionTest, WritersThatWereUnderWayLeaveNothingBehind) {
  ASSERT_THAT(scene_.Set("app", {{"KEY", "0"}}), IsOk());
  std::atomic<bool> stop = false;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; !stop; ++i) (void)scene_.Set("busy-" + std::to_string(writer * 1000 + i), {{"KEY", "value"}});
    });
  }
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_THAT(Delete("acme", "acme"), IsOk());
  EXPECT_TRUE(Eventually([&] { return IsDone("acme"); }));
  stop = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(RowsLeft("acme"), 0U);
}

}  // namespace
}  // namespace keyferry
