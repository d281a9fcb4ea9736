#include "services/api/regions.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/crypto/sealed_box.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"
#include "services/api/placement_acks.h"
#include "services/api/placement_scan.h"

namespace keyferry {
namespace {

constexpr size_t kRegionsAPage = 1000;
constexpr size_t kObjectsARetry = 64;

absl::Status CheckRegion(const std::string& code, const RegionRow& row) {
  std::vector<FieldViolation> violations;
  if (auto violation = CheckRegionCode("code", code)) violations.push_back(*std::move(violation));
  if (row.display_name.size() > kMaxDisplayNameLength) {
    violations.push_back({"display_name", absl::StrCat("has ", row.display_name.size(), " bytes, at most ", kMaxDisplayNameLength, " are allowed")});
  }
  if (!violations.empty()) return InvalidFields("INVALID_REGION", std::move(violations));
  if (row.sealing_key.empty() || row.sealing_key.size() == kSealingKeyBytes) return absl::OkStatus();
  return InvalidFields("INVALID_SEALING_KEY", {{"sealing_key", absl::StrCat("has ", row.sealing_key.size(), " bytes, an X25519 public key has ",
                                                                            kSealingKeyBytes)}});
}

absl::Status NoSuchRegion(const std::string& code) {
  return NotFound("REGION_NOT_FOUND", absl::StrCat("there is no region '", code, "'"), code);
}

// Gives every placement that failed for good a new revision, page by page.
class RetryOfFailed : public std::enable_shared_from_this<RetryOfFailed> {
 public:
  RetryOfFailed(const Writer& writer, AckContext context, std::function<void(absl::StatusOr<int64_t>)> done)
      : writer_(writer), context_(std::move(context)), done_(std::move(done)), scan_(PlacementScan::OfAll(writer.store, context_.region)) {}

  void NextPage() {
    absl::StatusOr<std::vector<ObjectId>> page = scan_.Next(kObjectsARetry);
    if (!page.ok()) return done_(page.status());
    if (page->empty()) return done_(count_);
    RunTransaction(
        writer_,
        [self = shared_from_this(), objects = *std::move(page)](Transaction& transaction) -> absl::Status {
          self->touched_ = 0;
          for (const ObjectId& object : objects) {
            ASSIGN_OR_RETURN(const bool touched, Touch(transaction, self->context_, object, TouchOnly::kFailedForGood));
            self->touched_ += touched;
          }
          return absl::OkStatus();
        },
        [self = shared_from_this()](absl::StatusOr<Revision> written) {
          if (!written.ok()) return self->done_(written.status());
          self->count_ += self->touched_;
          self->writer_.executor.Run([self] { self->NextPage(); });
        });
  }

 private:
  const Writer writer_;
  const AckContext context_;
  const std::function<void(absl::StatusOr<int64_t>)> done_;
  PlacementScan scan_;
  int64_t touched_ = 0;
  int64_t count_ = 0;
};

class StoredRegions final : public Regions {
 public:
  StoredRegions(const Writer& writer, const Clock& clock, RegionDirectory& directory)
      : writer_(writer), clock_(clock), directory_(directory) {}

  void Make(const std::string& code, RegionRow row, std::function<void(absl::StatusOr<NamedRegion>)> done) override {
    if (absl::Status invalid = CheckRegion(code, row); !invalid.ok()) return done(std::move(invalid));
    row.create_time = clock_.Now();
    RunTransaction(
        writer_,
        [code, row](Transaction& transaction) -> absl::Status {
          ASSIGN_OR_RETURN(const std::optional<Row> existing, transaction.Read(keys::Region(code)));
          if (existing) {
            return MakeError(absl::StatusCode::kAlreadyExists, absl::StrCat("there is a region '", code, "' already"),
                             {.reason = "REGION_EXISTS", .metadata = {{"resource", code}}});
          }
          transaction.Put(keys::Region(code), Encode(row));
          transaction.Describe({.kind = "region", .name = code, .region = code});
          return absl::OkStatus();
        },
        [code, row, done = std::move(done)](absl::StatusOr<Revision> committed) {
          if (!committed.ok()) return done(committed.status());
          done(NamedRegion{code, row});
        });
  }

  absl::StatusOr<std::vector<NamedRegion>> List() override {
    std::vector<NamedRegion> regions;
    RowKey begin = keys::Regions();
    const std::string end = PrefixEnd(begin.bytes);
    while (true) {
      ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, writer_.store.Scan(begin, end, kRegionsAPage));
      for (const KeyedRow& row : rows) {
        ASSIGN_OR_RETURN(RegionRow region, Decode<RegionRow>(row.row.value));
        regions.push_back({keys::LastPart(row.key), std::move(region)});
      }
      if (rows.size() < kRegionsAPage) return regions;
      begin = rows.back().key;
      begin.bytes.push_back('\0');
    }
  }

  absl::StatusOr<NamedRegion> Find(const std::string& code) override {
    if (CheckRegionCode("code", code)) return NoSuchRegion(code);
    ASSIGN_OR_RETURN(const std::optional<Row> row, writer_.store.Get(keys::Region(code)));
    if (!row) return NoSuchRegion(code);
    ASSIGN_OR_RETURN(RegionRow region, Decode<RegionRow>(row->value));
    return NamedRegion{code, std::move(region)};
  }

  absl::StatusOr<RegionHealth> HealthOf(const std::string& code) override {
    ASSIGN_OR_RETURN(const Unsettled unsettled, SurveyUnsettled(writer_.store, code, std::nullopt, writer_.term().lineage));
    RegionHealth health{.provisioners = directory_.Provisioners(code), .pending_count = unsettled.count};
    if (!unsettled.lowest_revision) return health;
    ASSIGN_OR_RETURN(const std::optional<Row> row, writer_.store.Get(keys::Desired(code, unsettled.lowest_object)));
    if (!row) return health;
    ASSIGN_OR_RETURN(const DesiredState desired, Decode<DesiredState>(row->value));
    health.oldest_pending_age = std::max(absl::ZeroDuration(), clock_.Now() - desired.desired_time);
    return health;
  }

  void Resync(const std::string& code, const ResyncOptions& options, std::function<void(absl::StatusOr<int64_t>)> done) override {
    if (absl::StatusOr<NamedRegion> region = Find(code); !region.ok()) return done(region.status());
    const auto state = std::make_shared<RegionStateRow>();
    RunTransaction(
        writer_,
        [code, options, state](Transaction& transaction) -> absl::Status {
          ASSIGN_OR_RETURN(const auto row, transaction.Get<RegionStateRow>(keys::RegionState(code)));
          *state = row ? row->value : RegionStateRow{};
          state->resync_requested = true;
          state->allow_mass_delete = state->allow_mass_delete || options.allow_mass_delete;
          transaction.Put(keys::RegionState(code), Encode(*state));
          transaction.Describe({.kind = "region", .name = code, .region = code});
          return absl::OkStatus();
        },
        [this, code, options, state, done = std::move(done)](absl::StatusOr<Revision> committed) mutable {
          if (!committed.ok()) return done(committed.status());
          directory_.CheckResync(code);
          if (!options.retry_failed) return done(0);
          const AckContext context{.region = code,
                                   .target_incarnation = state->target_incarnation,
                                   .lineage = writer_.term().lineage,
                                   .now = clock_.Now()};
          const auto retry = std::make_shared<RetryOfFailed>(writer_, context, std::move(done));
          writer_.executor.Run([retry] { retry->NextPage(); });
        });
  }

 private:
  const Writer writer_;
  const Clock& clock_;
  RegionDirectory& directory_;
};

}  // namespace

std::unique_ptr<Regions> Regions::Create(const Writer& writer, const Clock& clock, RegionDirectory& directory) {
  return std::make_unique<StoredRegions>(writer, clock, directory);
}

}  // namespace keyferry
