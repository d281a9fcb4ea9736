#include "tests/simulation/api_node.h"

#include <cstdio>
#include <utility>

#include "libs/crypto/keyring.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"
#include "services/api/requests.h"

namespace keyferry {
namespace {

constexpr absl::Duration kChainInterval = absl::Milliseconds(500);
constexpr absl::Duration kSweepInterval = absl::Seconds(20);

// What must not fail here is the simulation's own.
void Require(const absl::Status& status, const char* what) {
  if (status.ok()) return;
  std::printf("the API does not start: %s: %s\n", what, status.ToString().c_str());
  std::fflush(stdout);
  std::abort();
}

}  // namespace

ApiNode::ApiNode(Options options)
    : options_(std::move(options)),
      root_keys_(KeyringRootKeys::Create(Keyring::ForTest())),
      signing_key_(std::make_shared<const SigningKey>(SigningKey::FromSeed(SecretBytes::Random(kSigningSeedBytes)))) {}

void ApiNode::Start(Lineage lineage) {
  if (now_) past_.push_back(std::move(now_));
  now_ = std::make_unique<ApiProcess>(options_.scheduler, wall_error_);
  now_->store = std::make_unique<SimStore>(SimStore::Options{.disk = disk_,
                                                             .process = now_->process,
                                                             .weather = weather_,
                                                             .faults = options_.faults,
                                                             .bug = options_.bug,
                                                             .on_commit = options_.on_commit,
                                                             .on_error = options_.on_end});
  const SimStore::Blocking blocking(*now_->store);
  Open(lineage);
  if (disk_.rows.count(keys::Organization(kOrganization)) == 0) CreateOrganization();
  now_->rotation->Start();
  now_->reseal->Start();
  ChainLater();
  SweepLater();
}

void ApiNode::Open(Lineage lineage) {
  ApiProcess& api = *now_;
  auto term = WriterTerm::Acquire(*api.store);
  Require(term.status(), "writer term");
  api.term = *std::move(term);
  if (lineage == Lineage::kNext) api.term->BeginNextLineage();
  auto barrier = Barrier::Open(*api.store, *root_keys_, api.term->Get());
  Require(barrier.status(), "barrier");
  api.barrier = *std::move(barrier);
  api.blocking = std::make_unique<BlockingExecutor>(api.process, *api.store);
  const auto term_now = [&api] { return api.term->Get(); };
  const Writer writer{.store = api.barrier->store(), .executor = api.process, .term = term_now};
  const Writer patient{.store = api.barrier->store(), .executor = *api.blocking, .term = term_now};
  api.directory = std::make_unique<RegionDirectory>(
      RegionDirectory::Options{.writer = writer,
                               .clock = api.process,
                               .on_rewind =
                                   [this, &api] {
                                     options_.on_rewind();
                                     const SimStore::Blocking blocking(*api.store);
                                     api.term->BeginNextLineage();
                                   },
                               .random = [this] { return options_.scheduler.random().Share(); }});
  api.sender = SealedBoxSender::Create(api.process);
  api.quotas = Quotas::Create(api.barrier->store());
  api.deps = std::make_unique<UseCaseDeps>(
      UseCaseDeps{.writer = writer,
                  .barrier = *api.barrier,
                  .sender = *api.sender,
                  .clock = api.process,
                  .region_connected = [&api](const std::string& region) { return api.directory->IsConnected(region); },
                  .quotas = api.quotas.get()});
  api.sets = std::make_unique<SecretSets>(*api.deps);
  api.deployments = std::make_unique<Deployments>(*api.deps);
  api.regions = Regions::Create(writer, api.process, *api.directory);
  api.rotation =
      KeyRotation::Create({.writer = patient, .barrier = *api.barrier, .root_keys = *root_keys_, .clock = api.process});
  UseCaseDeps patient_deps = *api.deps;
  api.reseal = RegionReseal::Create(UseCaseDeps{.writer = patient,
                                                .barrier = *api.barrier,
                                                .sender = *api.sender,
                                                .clock = api.process,
                                                .region_connected = patient_deps.region_connected,
                                                .quotas = api.quotas.get()});
  api.chainer = std::make_unique<AuditChainer>(patient, api.process, signing_key_);
}

void ApiNode::CreateOrganization() {
  auto key = now_->barrier->NewOrganizationKey(kOrganization);
  Require(key.status(), "organization key");
  keyferry::Commit commit{.term = now_->term->Get()};
  commit.mutations.push_back(*std::move(key));
  commit.mutations.push_back({.key = keys::Organization(kOrganization),
                              .value = Encode(OrganizationRow{.uid = NewUid(), .create_time = now_->process.Now()})});
  Require(CommitAndWait(now_->barrier->store(), std::move(commit)).status(), "organization");
}

void ApiNode::Commit(TransactionPlan plan) {
  RunTransaction(now_->deps->writer, std::move(plan), [](const absl::StatusOr<Revision>&) {});
}

void ApiNode::Drain() { now_->directory->DrainAll(absl::Seconds(5)); }

// As the audit trail's thread does it.
void ApiNode::ChainLater() {
  now_->blocking->RunAfter(kChainInterval, [this, &api = *now_] {
    if (api.chainer->ChainPending().ok()) api.chainer->SignHeads(AuditChainer::Which::kDue).IgnoreError();
    ChainLater();
  });
}

void ApiNode::SweepLater() {
  now_->process.RunAfter(kSweepInterval, [this, &api = *now_] {
    SweepRequests(api.deps->writer, api.request_sweep, api.process.Now(), [&api](absl::StatusOr<RowKey> next) {
      if (next.ok()) api.request_sweep = *std::move(next);
    });
    SweepLater();
  });
}

void ApiNode::End(double kept_share) {
  now_->process.Kill();
  now_->store->End(kept_share);
}

}  // namespace keyferry
