#include "services/api/system_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keyferry {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

SystemFacts Healthy() {
  return {.now = kNow,
          .regions = {{.code = "eu", .connected_count = 2, .served = true, .enrolled = true, .certificate_expiry = kNow + absl::Hours(1)}},
          .has_backups = true,
          .last_backup_time = kNow - absl::Minutes(10),
          .backup_interval = absl::Hours(1),
          .disk_free_bytes = int64_t{90} << 30,
          .disk_total_bytes = int64_t{100} << 30,
          .inner_certificate_expiry = kNow + absl::Hours(24 * 90)};
}

TEST(SystemStatusTest, AHealthySystemHasNoWarning) { EXPECT_THAT(WarningsOf(Healthy()), IsEmpty()); }

TEST(SystemStatusTest, SaysOfARegionWhatItLacks) {
  SystemFacts facts = Healthy();
  facts.regions[0].enrolled = facts.regions[0].served = false;
  EXPECT_THAT(WarningsOf(facts), ElementsAre(AllOf(HasSubstr("region eu"), HasSubstr("regions token eu"))));
  facts.regions[0].enrolled = true;
  facts.regions[0].pending_count = 3;
  EXPECT_THAT(WarningsOf(facts), ElementsAre(AllOf(HasSubstr("no provisioner"), HasSubstr("3 objects"))));
}

TEST(SystemStatusTest, PendingForFiveMinutesIsTooLongAndForLessIsNot) {
  SystemFacts facts = Healthy();
  facts.regions[0].pending_count = 1;
  facts.regions[0].oldest_pending_age = kPendingTooLong - absl::Seconds(1);
  EXPECT_THAT(WarningsOf(facts), IsEmpty());
  facts.regions[0].oldest_pending_age = kPendingTooLong;
  EXPECT_THAT(WarningsOf(facts), ElementsAre(HasSubstr("5m")));
}

TEST(SystemStatusTest, CertificatesAreTimelyRemembered) {
  SystemFacts facts = Healthy();
  facts.regions[0].certificate_expiry = kNow + kProvisionerCertificateNearsItsEnd;
  facts.edge_certificate_expiry = kNow + kServerCertificateNearsItsEnd;
  EXPECT_THAT(WarningsOf(facts), IsEmpty());
  facts.regions[0].certificate_expiry -= absl::Seconds(1);
  facts.edge_certificate_expiry -= absl::Seconds(1);
  EXPECT_THAT(WarningsOf(facts), ElementsAre(HasSubstr("9m59s"), HasSubstr("edge door")));
}

TEST(SystemStatusTest, ADiskBelowFifteenPercentIsSaid) {
  SystemFacts facts = Healthy();
  facts.disk_free_bytes = int64_t{15} << 30;
  EXPECT_THAT(WarningsOf(facts), IsEmpty());
  --facts.disk_free_bytes;
  EXPECT_THAT(WarningsOf(facts), ElementsAre(HasSubstr("15359 MiB (14 %)")));
}

TEST(SystemStatusTest, BackupsThatFailOrAreOverdueOrAreNotMadeAtAll) {
  SystemFacts facts = Healthy();
  facts.last_backup_time = kNow - kBackupsMissed * facts.backup_interval;
  EXPECT_THAT(WarningsOf(facts), IsEmpty());
  facts.last_backup_time = *facts.last_backup_time - absl::Seconds(1);
  facts.backup_problem = "no room";
  EXPECT_THAT(WarningsOf(facts), ElementsAre(HasSubstr("no room"), HasSubstr("2h1s old")));
  facts.has_backups = false;
  EXPECT_THAT(WarningsOf(facts), ElementsAre(HasSubstr("--backup-directory")));
}

TEST(SystemStatusTest, TheMostUrgentComesFirst) {
  SystemFacts facts = Healthy();
  facts.has_backups = false;
  facts.audit_problem = "disk full";
  facts.root_problem = "KMS away";
  facts.keys_under_old_root = 4;
  EXPECT_THAT(WarningsOf(facts), AllOf(SizeIs(4), ElementsAre(HasSubstr("audit"), HasSubstr("KMS away"), HasSubstr("4 keys"), HasSubstr("backup"))));
}

}  // namespace
}  // namespace keyferry
