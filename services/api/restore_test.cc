// Restores, with the ledger and its copier, over real stores.
#include "services/api/restore.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/synchronization/notification.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/sealed_box.h"
#include "libs/storage/keys.h"
#include "services/api/api_keys.h"
#include "services/api/backup_files.h"
#include "services/api/backups.h"
#include "services/api/placements.h"
#include "services/api/revoked_identities.h"
#include "services/api/shred_copier.h"
#include "services/api/shred_rows.h"
#include "services/api/testing/backup_scene.h"

namespace keyferry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ObjectId SetObject(const std::string& name) {
  return {.kind = ObjectKind::kSecretSet, .organization = "acme", .name = name};
}

template <typename T>
absl::StatusOr<T> Wait(const std::function<void(std::function<void(absl::StatusOr<T>)>)>& call) {
  absl::StatusOr<T> answer;
  absl::Notification ended;
  call([&](absl::StatusOr<T> result) {
    answer = std::move(result);
    ended.Notify();
  });
  ended.WaitForNotification();
  return answer;
}

class RestoreTest : public testing::Test {
 protected:
  RestoreTest() : scene_(directory_.File("data"), KeyringRootKeys::Create(Keyring::ForTest())) {
    scene_.AddOrganization("acme", "acme-uid");
    for (const char* name : {"kept", "gone", "used"}) scene_.AddSet("acme", name, std::string(name) + "-uid");
    scene_.AddDeployment("agent", "used", "used-uid");
    scene_.AddDeployment("other", "kept", "kept-uid");
    StartCopier();
  }

  void StartCopier() {
    copier_ = ShredCopier::Start({scene_.barrier->store(), *scene_.executor, [this] { return scene_.term; }},
                                 scene_.clock, ledger_path_, keys_.Find());
  }

  BackupManifest Backup() { return Backup(scene_, *copier_); }
  BackupManifest Backup(StoreScene& scene, ShredCopier& copier) {
    const auto backups = Backups::Start({.store = *scene.store,
                                         .clock = scene_.clock,
                                         .checkpoint_directory = scene.directory + "/backup-checkpoint",
                                         .repository = {.directory = backups_path_, .keys = keys_.Find()},
                                         .interval = absl::ZeroDuration(),
                                         .ledger = [&copier] { return copier.CopyNow(); }});
    absl::StatusOr<BackupManifest> made;
    absl::Notification ended;
    backups->Create([&](absl::StatusOr<BackupManifest> manifest) {
      made = std::move(manifest);
      ended.Notify();
    });
    ended.WaitForNotification();
    EXPECT_THAT(made, IsOk());
    scene_.clock.Advance(absl::Minutes(1));
    return *made;
  }

  RestoreRequest Request(const std::string& backup = "") {
    return {.repository = {.directory = backups_path_, .keys = keys_.Find()},
            .backup = backup,
            .data_directory = target_path_,
            .shred_ledger = ledger_path_};
  }
  absl::StatusOr<RestoreReport> RestoreWith(const RestoreRequest& request) {
    return Restore(request, root_keys_, scene_.clock);
  }
  // The API goes on with what was restored.
  std::unique_ptr<StoreScene> OpenTarget() {
    return std::make_unique<StoreScene>(target_path_,
                                        std::move(scene_.root_keys ? scene_.root_keys : served_->root_keys));
  }
  // What was restored serves, with the ledger, and is then out of the way.
  void GoOnWithTarget() {
    copier_.reset();
    std::filesystem::rename(target_path_, directory_.File("served"));
    served_ = std::make_unique<StoreScene>(directory_.File("served"), std::move(scene_.root_keys));
    served_copier_ =
        ShredCopier::Start({served_->barrier->store(), *served_->executor, [this] { return served_->term; }},
                           served_->clock, ledger_path_, keys_.Find());
    ASSERT_THAT(served_copier_->CopyNow(), IsOk());
  }
  bool TargetIsEmpty() { return !std::filesystem::exists(target_path_) || NamesIn(target_path_)->empty(); }

  TempDir directory_;
  const std::string backups_path_ = directory_.File("backups"), ledger_path_ = directory_.File("shred-ledger"),
                    target_path_ = directory_.File("target");
  FakeBackupKeys keys_;
  StoreScene scene_;
  // Whichever scene has them.
  RootKeys& root_keys_ = *scene_.root_keys;
  std::unique_ptr<ShredCopier> copier_;
  // What was restored, and serves.
  std::unique_ptr<StoreScene> served_;
  std::unique_ptr<ShredCopier> served_copier_;
};

TEST_F(RestoreTest, EveryRowOpensAndALaterLineageBegins) {
  const BackupManifest made = Backup();
  const auto report = RestoreWith(Request());
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->backup.name, made.name);
  EXPECT_EQ(report->row_counts.at("sets"), 3);
  EXPECT_EQ(report->row_counts.at("keys"), 2);
  EXPECT_EQ(report->lineage, 2u);
  EXPECT_TRUE(report->replayed.secret_sets.empty());
  const auto target = OpenTarget();
  EXPECT_EQ(target->term.lineage, 2u);
  EXPECT_GT(target->store->Head(), scene_.store->Head());
  EXPECT_TRUE(target->Has(keys::SecretSet("acme", "kept")));
}

TEST_F(RestoreTest, WhatWasDeletedSinceStaysDeletedAndItsRegionIsTold) {
  Backup();
  scene_.DeleteSet("gone", "gone-uid");
  scene_.DeleteSet("used", "used-uid");
  ASSERT_THAT(copier_->CopyNow(), IsOk());
  const auto report = RestoreWith(Request());
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->replayed.secret_sets, ElementsAre("acme/gone", "acme/used"));
  EXPECT_THAT(report->replayed.deployments, ElementsAre("acme/agent"));
  const auto target = OpenTarget();
  EXPECT_FALSE(target->Has(keys::SecretSet("acme", "gone")));
  EXPECT_FALSE(target->Has(keys::Generation("acme", "gone-uid", 1)));
  EXPECT_TRUE(target->Has(keys::SecretSet("acme", "kept")));
  EXPECT_FALSE(target->Has(keys::Deployment("acme", "agent")));
  EXPECT_TRUE(target->Has(keys::Deployment("acme", "other")));
  EXPECT_TRUE(target->Has(keys::Shred("acme-uid", "gone-uid")));
  Transaction read(target->barrier->store());
  const auto desired = read.Get<DesiredState>(keys::Desired("us-west", SetObject("gone")));
  ASSERT_THAT(desired, IsOk());
  EXPECT_EQ((*desired)->value.operation, Operation::kDelete);
}

TEST_F(RestoreTest, WhatAnOperatorBroughtBackIsNotDeletedAgain) {
  const BackupManifest first = Backup();
  scene_.DeleteSet("gone", "gone-uid");
  ASSERT_THAT(copier_->CopyNow(), IsOk());
  RestoreRequest without = Request();
  without.unused_ledger = *std::exchange(without.shred_ledger, std::nullopt);
  ASSERT_THAT(RestoreWith(without), IsOk());
  GoOnWithTarget();
  const BackupManifest second = Backup(*served_, *served_copier_);
  ASSERT_THAT(RestoreWith(Request(second.name)), IsOk());
  EXPECT_TRUE(OpenTarget()->Has(keys::SecretSet("acme", "gone")));
}

TEST_F(RestoreTest, WithoutTheLedgerItsLineagesArePassedOver) {
  Backup();
  ASSERT_THAT(RestoreWith(Request()), IsOk());
  GoOnWithTarget();
  RestoreRequest without = Request();
  without.unused_ledger = *std::exchange(without.shred_ledger, std::nullopt);
  const auto again = RestoreWith(without);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->lineage, 3u);
}

TEST_F(RestoreTest, AStoreThatIsBehindItsLedgerIsRefusedByTheCopier) {
  Backup();
  ASSERT_THAT(RestoreWith(Request()), IsOk());
  GoOnWithTarget();
  served_copier_.reset();
  StartCopier();
  EXPECT_THAT(copier_->CopyNow(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(copier_->problem().message(), HasSubstr("ahead of this store"));
  copier_.reset();
  const std::string ledger = directory_.File("ahead");
  ASSERT_THAT((*ShredLedger::Open(ledger, keys_.Find()))
                  ->Append(std::vector{ShredRecord{.organization_uid = "u", .revision = scene_.store->Head() + 1}}),
              IsOk());
  const auto behind =
      ShredCopier::Start({scene_.barrier->store(), *scene_.executor, [this] { return scene_.term; }}, scene_.clock,
                         ledger, keys_.Find());
  EXPECT_THAT(behind->CopyNow(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(RestoreTest, WhatWasRevokedSinceStaysRevoked) {
  const absl::Time now = scene_.clock.Now(), end = now + absl::Hours(24);
  const std::string identity = "spiffe://keyferry/operator/eve";
  ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
    for (const char* id : {"revoked", "rotated", "live"})
      transaction.Put(keys::ApiKey(id), Encode(ApiKeyRow{.organization = "acme"}));
    transaction.Put(keys::Provisioner("us-west", "one"), Encode(ProvisionerRow{.certificate_serial = "ab"}));
    transaction.Put(keys::EnrollmentToken(""), "");
    transaction.Put(keys::EnrollmentToken("token"), Encode(EnrollmentTokenRow{.region = "us-west", .expire_time = end}));
    return absl::OkStatus();
  }),
              IsOk());
  Backup();
  ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
    NoteRevokedApiKey(transaction, "acme", "revoked", now);
    NoteApiKeyEnd(transaction, "acme", "rotated", end);
    NoteRevokedApiKey(transaction, "acme", "made-since", now);
    NoteRevokedIdentity(transaction, identity, now);
    NoteRevokedProvisioner(transaction, "us-west", "one", now);
    NoteRevokedProvisioner(transaction, "us-west", "never-enrolled", now);
    return absl::OkStatus();
  }),
              IsOk());
  ASSERT_THAT(copier_->CopyNow(), IsOk());
  ASSERT_THAT(copier_->CopyNow(), IsOk());
  EXPECT_FALSE(scene_.Has(keys::Shred(":identity", identity)));
  const auto report = RestoreWith(Request());
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->replayed.revoked,
              testing::UnorderedElementsAre(HasSubstr("API key revoked of acme"), HasSubstr("API key rotated of acme"),
                                            "identity " + identity, "provisioner us-west/one",
                                            "provisioner us-west/never-enrolled", HasSubstr("enrollment token token")));
  const auto target = OpenTarget();
  Transaction read(target->barrier->store());
  EXPECT_EQ((*read.Get<ApiKeyRow>(keys::ApiKey("revoked")))->value.revoke_time, now);
  EXPECT_EQ((*read.Get<ApiKeyRow>(keys::ApiKey("rotated")))->value.revoke_time, absl::InfiniteFuture());
  EXPECT_EQ((*read.Get<ApiKeyRow>(keys::ApiKey("rotated")))->value.expire_time, end);
  EXPECT_EQ((*read.Get<ApiKeyRow>(keys::ApiKey("live")))->value.revoke_time, absl::InfiniteFuture());
  EXPECT_FALSE(target->Has(keys::ApiKey("made-since")));
  EXPECT_EQ((*read.Get<RevokedIdentityRow>(keys::RevokedIdentity(identity)))->value.revoke_time, now);
  EXPECT_EQ((*read.Get<ProvisionerRow>(keys::Provisioner("us-west", "one")))->value.revoke_time, now);
  EXPECT_EQ((*read.Get<ProvisionerRow>(keys::Provisioner("us-west", "one")))->value.certificate_serial, "ab");
  EXPECT_TRUE(target->Has(keys::Provisioner("us-west", "never-enrolled")));
  EXPECT_LE((*read.Get<EnrollmentTokenRow>(keys::EnrollmentToken("token")))->value.use_time, scene_.clock.Now());
}

TEST_F(RestoreTest, WhoRevokesLeavesItToTheLedger) {
  const Writer writer{scene_.barrier->store(), *scene_.executor, [this] { return scene_.term; }};
  const Keyring keyring = Keyring::ForTest();
  const auto api_keys = ApiKeys::Create(writer, keyring, scene_.clock);
  const auto identities = RevokedIdentities::Create(writer, scene_.clock);
  ASSERT_THAT(identities, IsOk());
  const auto make = [&] {
    return Wait<NewApiKey>([&](auto done) { api_keys->Make({.organization = "acme"}, std::move(done)); })->api_key.id;
  };
  const std::string revoked = make(), rotated = make();
  Backup();
  ASSERT_THAT(Wait<Revision>([&](auto done) {
                api_keys->Revoke("acme", revoked, [done](const absl::Status& status) {
                  status.ok() ? done(Revision{1}) : done(status);
                });
              }),
              IsOk());
  ASSERT_THAT(Wait<NewApiKey>([&](auto done) {
                api_keys->Rotate({.organization = "acme", .id = rotated}, std::move(done));
              }),
              IsOk());
  ASSERT_THAT(Wait<NamedRevokedIdentity>([&](auto done) {
                (*identities)->Revoke("spiffe://keyferry/operator/eve", "me", "", std::move(done));
              }),
              IsOk());
  ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
    return (*identities)->RevokeIn(transaction, "spiffe://keyferry/operator/bob", "me", "");
  }),
              IsOk());
  ASSERT_THAT(copier_->CopyNow(), IsOk());
  const auto report = RestoreWith(Request());
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->replayed.revoked,
              testing::UnorderedElementsAre(HasSubstr(revoked), HasSubstr(rotated),
                                            "identity spiffe://keyferry/operator/eve",
                                            "identity spiffe://keyferry/operator/bob"));
}

TEST_F(RestoreTest, TheSealingKeysThatRegionsNeedAreNamed) {
  ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
    transaction.Put(keys::Region("us-west"),
                    Encode(RegionRow{.sealing_key = std::string(32, 'n'), .previous_sealing_keys = {std::string(32, 'o')}}));
    return absl::OkStatus();
  }),
              IsOk());
  Backup();
  const auto report = RestoreWith(Request());
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->sealing_key_ids.at("us-west"),
              ElementsAre(absl::BytesToHexString(SealingKeyId(std::string(32, 'n'))),
                          absl::BytesToHexString(SealingKeyId(std::string(32, 'o')))));
}

TEST_F(RestoreTest, ASetOfTheSameNameButAnotherUidIsLeft) {
  scene_.DeleteSet("gone", "gone-uid");
  scene_.AddSet("acme", "gone", "new-uid");
  Backup();
  const auto report = RestoreWith(Request());
  ASSERT_THAT(report, IsOk());
  EXPECT_TRUE(report->replayed.secret_sets.empty());
  EXPECT_TRUE(OpenTarget()->Has(keys::SecretSet("acme", "gone")));
}

TEST_F(RestoreTest, ADeletedOrganizationStaysDeletedWithItsSetsDeploymentsAndKeys) {
  ASSERT_THAT(scene_.Commit([](Transaction& transaction) {
    transaction.Put(keys::ApiKey("key"), Encode(ApiKeyRow{.organization = "acme"}));
    transaction.Put(keys::ApiKeyOfOrganization("acme", "key"), "");
    return absl::OkStatus();
  }),
              IsOk());
  Backup();
  ASSERT_THAT(scene_.Commit([this](Transaction& transaction) {
    transaction.Put(keys::Shred("acme-uid", ""),
                    Encode(ShredRow{.organization = "acme", .delete_time = scene_.clock.Now()}));
    return absl::OkStatus();
  }),
              IsOk());
  ASSERT_THAT(copier_->CopyNow(), IsOk());
  const auto report = RestoreWith(Request());
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->replayed.organizations, ElementsAre("acme"));
  EXPECT_EQ(report->replayed.secret_sets.size(), 3u);
  EXPECT_EQ(report->replayed.deployments.size(), 2u);
  const auto target = OpenTarget();
  EXPECT_FALSE(target->Has(keys::ApiKey("key")));
  Transaction read(target->barrier->store());
  EXPECT_EQ((*read.Get<OrganizationRow>(keys::Organization("acme")))->value.delete_time,
            scene_.clock.Now() - absl::Minutes(0));
}

TEST_F(RestoreTest, TwoRestoresOfOneBackupHaveDifferentLineagesWhenTheFirstServed) {
  Backup();
  ASSERT_THAT(RestoreWith(Request()), IsOk());
  copier_.reset();
  {
    const auto served = OpenTarget();
    const auto copier = ShredCopier::Start({served->barrier->store(), *served->executor, [&] { return served->term; }},
                                           served->clock, ledger_path_, keys_.Find());
    ASSERT_THAT(copier->CopyNow(), IsOk());
    scene_.root_keys = std::move(served->root_keys);
  }
  std::filesystem::rename(target_path_, directory_.File("lost"));
  const auto again = RestoreWith(Request());
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->lineage, 3u);
}

TEST_F(RestoreTest, ADirectoryThatIsNotEmptyIsRefusedAndLeftAlone) {
  Backup();
  std::filesystem::create_directories(target_path_);
  WriteFile(target_path_ + "/something", "of mine");
  EXPECT_THAT(RestoreWith(Request()), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(*NamesIn(target_path_), ElementsAre("something"));
  std::filesystem::remove(target_path_ + "/something");
  std::filesystem::create_directories(target_path_ + "/lost+found");
  EXPECT_THAT(RestoreWith(Request()), IsOk());
}

TEST_F(RestoreTest, AnyDamagedFileIsNamedAndNothingIsRestored) {
  const BackupManifest made = Backup();
  for (const std::string& file : FilesOf(backups_path_ + "/objects")) {
    const std::string path = backups_path_ + "/objects/" + file;
    FlipBit(path, ReadFile(path).size() / 2);
    for (const auto& result : {RestoreWith(Request()), VerifyBackup(Request())}) {
      EXPECT_THAT(result, StatusIs(absl::StatusCode::kDataLoss));
      EXPECT_THAT(result.status().message(), HasSubstr(path));
    }
    EXPECT_TRUE(TargetIsEmpty());
    FlipBit(path, ReadFile(path).size() / 2);
  }
  const std::string manifest = backups_path_ + "/manifests/" + made.name;
  FlipBit(manifest, 100);
  EXPECT_THAT(RestoreWith(Request()), StatusIs(absl::StatusCode::kDataLoss));
  FlipBit(manifest, 100);
  scene_.DeleteSet("gone", "gone-uid");
  ASSERT_THAT(copier_->CopyNow(), IsOk());
  FlipBit(ledger_path_, ReadFile(ledger_path_).size() - 20);
  EXPECT_THAT(RestoreWith(Request()), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_TRUE(TargetIsEmpty());
}

TEST_F(RestoreTest, AnAbsentCutOffOrForeignLedgerIsRefused) {
  scene_.DeleteSet("gone", "gone-uid");
  Backup();
  const std::string ledger = ReadFile(ledger_path_);
  RestoreRequest absent = Request();
  absent.shred_ledger = directory_.File("nowhere");
  EXPECT_THAT(RestoreWith(absent), StatusIs(absl::StatusCode::kFailedPrecondition));
  WriteFile(ledger_path_, ledger.substr(0, ledger.rfind('\n', ledger.size() - 2) + 1));
  EXPECT_THAT(RestoreWith(Request()), StatusIs(absl::StatusCode::kDataLoss));
  const std::string foreign = directory_.File("foreign");
  ASSERT_THAT((*ShredLedger::Open(foreign, keys_.Find()))
                  ->Append(std::vector(5, ShredRecord{.organization_uid = "u", .revision = 1})),
              IsOk());
  RestoreRequest other = Request();
  other.shred_ledger = foreign;
  EXPECT_THAT(RestoreWith(other), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_TRUE(TargetIsEmpty());
  RestoreRequest without = Request();
  without.shred_ledger.reset();
  EXPECT_THAT(RestoreWith(without), IsOk());
}

TEST_F(RestoreTest, AnotherKeyringIsToldSoAndNothingIsRestored) {
  Backup();
  EXPECT_THAT(Restore(Request(), *KeyringRootKeys::Create(Keyring::ForTest()), scene_.clock),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_TRUE(TargetIsEmpty());
  const FakeBackupKeys others(std::string(20, 'b'));
  RestoreRequest request = Request();
  request.repository.keys = others.Find();
  EXPECT_THAT(RestoreWith(request), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_TRUE(TargetIsEmpty());
}

TEST_F(RestoreTest, TheNewestIsNotPassedOverInSilence) {
  const BackupManifest first = Backup(), second = Backup();
  FlipBit(backups_path_ + "/manifests/" + second.name, 100);
  const auto refused = RestoreWith(Request());
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(refused.status().message(), HasSubstr(first.name));
  EXPECT_THAT(RestoreWith(Request(first.name)), IsOk());
}

TEST_F(RestoreTest, VerifyingWritesNothing) {
  Backup();
  const auto verified = VerifyBackup(Request());
  ASSERT_THAT(verified, IsOk());
  EXPECT_FALSE(std::filesystem::exists(target_path_));
}

TEST_F(RestoreTest, AShreddedRowGoesOnceTheLedgerHasItAndIsNotCopiedAgain) {
  scene_.DeleteSet("gone", "gone-uid");
  const auto position = copier_->CopyNow();
  ASSERT_THAT(position, IsOk());
  const RowKey key = keys::Shred("acme-uid", "gone-uid");
  const Row row = **scene_.barrier->store().Get(key);
  keyferry::Commit shredded{.term = scene_.term, .preconditions = {{key, row.revision}}};
  shredded.mutations.push_back(
      {.key = key,
       .value = Encode(ShredRow{
           .organization = "acme", .set = "gone", .delete_time = scene_.clock.Now(), .shred_time = scene_.clock.Now()}),
       .keep_revision = true});
  ASSERT_THAT(CommitAndWait(scene_.barrier->store(), std::move(shredded)), IsOk());
  EXPECT_THAT(copier_->CopyNow(), IsOkAndHolds(*position));
  EXPECT_FALSE(scene_.Has(key));
}

}  // namespace
}  // namespace keyferry
