#include "services/api/serve.h"

#include <grpcpp/impl/service_type.h>

#include <atomic>
#include <cstdio>
#include <optional>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/log.h"
#include "libs/common/process_hygiene.h"
#include "libs/common/ready_file.h"
#include "libs/common/stop_signal.h"
#include "libs/metrics/metrics_endpoint.h"
#include "libs/rpc/callback_pulse.h"
#include "libs/storage/rocksdb_store.h"
#include "services/api/access_policy.h"
#include "services/api/api_key_sweep.h"
#include "services/api/audit_service.h"
#include "services/api/audit_setup.h"
#include "services/api/backup_service.h"
#include "services/api/backup_setup.h"
#include "services/api/call_limits.h"
#include "services/api/client_address.h"
#include "services/api/deployment_service.h"
#include "services/api/enrollment.h"
#include "services/api/enrollment_service.h"
#include "services/api/enrollment_tokens.h"
#include "services/api/executors.h"
#include "services/api/fact_collector.h"
#include "services/api/housekeeping.h"
#include "services/api/identity_service.h"
#include "services/api/key_service.h"
#include "services/api/organization_deletion.h"
#include "services/api/organization_service.h"
#include "services/api/provisioning_service.h"
#include "services/api/quotas.h"
#include "services/api/region_authority.h"
#include "services/api/region_authority_roots.h"
#include "services/api/region_directory.h"
#include "services/api/region_metrics.h"
#include "services/api/region_provisioners.h"
#include "services/api/region_service.h"
#include "services/api/root_key_provider.h"
#include "services/api/revoked_identities.h"
#include "services/api/secret_set_service.h"
#include "services/api/serve_jobs.h"
#include "services/api/serve_services.h"
#include "services/api/shredder.h"
#include "services/api/status_service.h"
#include "services/api/writer_term.h"

namespace keyferry {
namespace {

constexpr absl::Duration kMaxReconnectAfter = absl::Seconds(5);
constexpr absl::Duration kDrainPatience = absl::Seconds(6);
constexpr absl::Duration kShutdownPatience = absl::Seconds(5);

// A keyring that is not this store's is configuration; a KMS that is away may come back; all else is the store.
int FailBarrier(const absl::Status& status, RootKeys& root_keys) {
  if (ReasonOf(status) != "KMS_UNAVAILABLE") return Fail(status, absl::IsFailedPrecondition(status) ? kExitConfiguration : kExitStore);
  return Fail(absl::UnavailableError(absl::StrCat("nothing can be served before the KMS has unwrapped the system's key: ", root_keys.Health().message())),
              kExitKmsAway);
}

// Members stand in the order in which they are made, each on those above it; the destructor takes them down the other way round.
class ApiServer {
 public:
  explicit ApiServer(const ApiOptions& options) : options_(options), ready_(options.ready_file), executors_(options.worker_thread_count) {}
  // Also after a start that failed half-way: what runs on the executors uses the members.
  ~ApiServer() { executors_.Close(); }

  // 0, or the exit code once it was said what is wrong.
  int Start() {
    for (const auto step : {&ApiServer::ReadKeys, &ApiServer::OpenStore, &ApiServer::OpenTrust, &ApiServer::MakeUseCases, &ApiServer::OpenDoors}) {
      if (const int exit_code = (this->*step)(); exit_code != 0) return exit_code;
    }
    return 0;
  }

  void ServeUntilStopped();

 private:
  int ReadKeys();
  int OpenStore();
  int OpenTrust();
  int MakeUseCases();
  void MakeServices();
  void StartJobs();
  int OpenDoors();
  FactSources Facts() const;
  KeysServiceParts KeysParts() const;

  const ApiOptions& options_;
  const Clock& clock_ = SystemClock();
  ReadyFile ready_;
  std::optional<Keyring> keyring_;
  std::unique_ptr<KeyringRootKeys> keyring_root_keys_;
  std::optional<RootKeyProvider> root_;
  // Outlive the store, whose last commits are answered while it closes.
  Executors executors_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<WriterTerm> term_;
  std::unique_ptr<Barrier> barrier_;
  std::optional<Writer> writer_, background_writer_;
  std::optional<RunningAudit> audit_;

  std::unique_ptr<RegionAuthority> authority_;
  std::unique_ptr<RegionAuthorityRoots> roots_;
  std::vector<Door> doors_;
  std::unique_ptr<PeerIdentities> peers_;
  std::unique_ptr<RevokedIdentities> revoked_identities_;

  std::optional<RegionDirectory> directory_;
  std::shared_ptr<void> revocations_;
  std::unique_ptr<SealedBoxSender> sender_;
  std::unique_ptr<Quotas> quotas_;
  std::optional<UseCaseDeps> deps_, background_deps_;
  std::unique_ptr<ApiKeys> api_keys_;
  std::unique_ptr<Organizations> organizations_;
  std::unique_ptr<Regions> regions_;
  std::unique_ptr<EnrollmentTokens> enrollment_tokens_;
  std::unique_ptr<RegionProvisioners> provisioners_;
  std::unique_ptr<RegionReseal> region_reseal_;
  std::unique_ptr<Enrollment> enrollment_;
  std::unique_ptr<KeyRotation> key_rotation_;
  std::unique_ptr<const ClientAddresses> addresses_;
  std::unique_ptr<CallLimits> limits_;
  std::unique_ptr<Guard> guard_;
  std::unique_ptr<OrganizationDeletion> organization_deletion_;
  RunningBackups backups_;
  std::unique_ptr<Shredder> shredder_;

  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::vector<std::shared_ptr<void>> gauges_;
  std::unique_ptr<MetricsEndpoint> metrics_;
  std::unique_ptr<CallbackPulse> pulse_;
  std::unique_ptr<RpcServer> server_;
  std::atomic<bool> draining_ = false;
};

// Takes what was made, or says why it was not.
template <typename T>
int Take(absl::StatusOr<T> made, auto& place, int exit_code) {
  if (!made.ok()) return Fail(made.status(), exit_code);
  place = *std::move(made);
  return 0;
}

int ApiServer::ReadKeys() {
  if (const int failed = Take(Keyring::Load(options_.keyring, options_.data_directory), keyring_, kExitConfiguration)) return failed;
  auto root_keyring = Keyring::Load(options_.keyring, options_.data_directory);
  if (!root_keyring.ok()) return Fail(root_keyring.status(), kExitConfiguration);
  keyring_root_keys_ = KeyringRootKeys::Create(*std::move(root_keyring));
  if (const absl::Status checked = CheckDoors(options_); !checked.ok()) return Fail(checked, kExitConfiguration);
  if (const absl::Status table = CheckAccessTable(ServedServices()); !table.ok()) return Fail(table, kExitStore);
  if (const absl::Status backup = CheckBackupSetup(BackupSetupOf(options_), *keyring_); !backup.ok()) return Fail(backup, kExitConfiguration);
  return Take(OpenRootKeys({.kms_socket = options_.kms_socket, .wrap_with = options_.wrap_with}, *keyring_root_keys_), root_, kExitConfiguration);
}

int ApiServer::OpenStore() {
  if (const int failed = Take(OpenRocksDbStore({.path = options_.data_directory}), store_, kExitStore)) return failed;
  if (const int failed = Take(WriterTerm::Acquire(*store_), term_, kExitStore)) return failed;
  auto barrier = Barrier::Open(*store_, *root_->keys, term_->Get());
  if (!barrier.ok()) return FailBarrier(barrier.status(), *root_->keys);
  barrier_ = *std::move(barrier);
  writer_.emplace(Writer{barrier_->store(), executors_.calls, [this] { return term_->Get(); }});
  background_writer_.emplace(Writer{barrier_->store(), executors_.background, writer_->term});
  return Take(StartAudit(options_.audit_directory, *keyring_, *writer_, *barrier_, clock_), audit_, kExitConfiguration);
}

int ApiServer::OpenTrust() {
  const RegionAuthority::Options authority{.trust_domain = options_.trust_domain, .certificate_ttl = options_.region_certificate_ttl};
  if (const int failed = Take(RegionAuthority::Create(*writer_, clock_, authority), authority_, kExitStore)) return failed;
  const std::string& authority_pem = authority_->certificate_pem();
  auto roots = RegionAuthorityRoots::Create(options_.data_directory + "/trust", options_.inner_tls.roots, authority_pem);
  if (const int failed = Take(std::move(roots), roots_, kExitStore)) return failed;
  if (const int failed = Take(DoorsOf(options_, roots_->path()), doors_, kExitConfiguration)) return failed;
  if (const int failed = Take(PeerIdentities::Create(options_.trust_domain, authority_pem), peers_, kExitConfiguration)) return failed;
  if (const int failed = Take(ClientAddresses::Create(options_.limits.edge_proxies), addresses_, kExitConfiguration)) return failed;
  return Take(RevokedIdentities::Create(*writer_, clock_), revoked_identities_, kExitStore);
}

int ApiServer::MakeUseCases() {
  directory_.emplace(RegionDirectory::Options{
      .writer = *background_writer_,
      .clock = clock_,
      .prompt = &executors_.calls,
      .on_rewind = [this] { term_->BeginNextLineage(); },
      .is_revoked = [this](const std::string& spiffe_id) { return revoked_identities_->IsRevoked(spiffe_id); }});
  revocations_ = revoked_identities_->OnChange([this] { directory_->CheckRevoked(); });
  sender_ = SealedBoxSender::Create(clock_);
  quotas_ = Quotas::Create(writer_->store);
  deps_.emplace(UseCaseDeps{.writer = *writer_,
                            .barrier = *barrier_,
                            .sender = *sender_,
                            .clock = clock_,
                            .region_connected = [this](const std::string& region) { return directory_->HasProvisioners(region); },
                            .quotas = quotas_.get()});
  background_deps_.emplace(UseCaseDeps{*background_writer_, deps_->barrier, deps_->sender, clock_, deps_->region_connected, deps_->quotas});
  api_keys_ = ApiKeys::Create(*writer_, *keyring_, clock_);
  organizations_ = Organizations::Create(*deps_);
  regions_ = Regions::Create(*background_writer_, clock_, *directory_);
  enrollment_tokens_ = EnrollmentTokens::Create(*writer_, *keyring_, clock_);
  provisioners_ = RegionProvisioners::Create({.writer = *writer_,
                                              .clock = clock_,
                                              .directory = *directory_,
                                              .tokens = *enrollment_tokens_,
                                              .revoked_identities = *revoked_identities_,
                                              .trust_domain = options_.trust_domain});
  region_reseal_ = RegionReseal::Create(*background_deps_);
  enrollment_ = Enrollment::Create({.deps = *deps_,
                                    .tokens = *enrollment_tokens_,
                                    .authority = *authority_,
                                    .certificate_renewed = [this](const std::string& region, const std::string& id,
                                                                  absl::Time expiry) { directory_->ExtendCertificate(region, id, expiry); },
                                    .sealing_key_changed = [this](const std::string& region) { region_reseal_->Begin(region); }});
  key_rotation_ = KeyRotation::Create({.writer = *background_writer_, .barrier = *barrier_, .root_keys = *root_->keys, .clock = clock_});
  limits_ = CallLimits::Create(options_.limits.calls, clock_, [this](const std::string& organization) {
    const auto found = organizations_->Get(organization);
    return found.ok() ? found->row.max_calls_per_second : 0;
  });
  organization_deletion_ = OrganizationDeletion::Create({.deps = *background_deps_,
                                                         .beneath = *store_,
                                                         .api_keys = *api_keys_,
                                                         .forget = [this](const std::string& organization) { limits_->ForgetOrganization(organization); }});
  if (const absl::Status resumed = organization_deletion_->Start(); !resumed.ok()) return Fail(resumed, kExitStore);
  guard_ = NewGuard({.peers = *peers_,
                     .api_keys = *api_keys_,
                     .executor = executors_.calls,
                     .clock = clock_,
                     .audit = audit_->trail.get(),
                     .limits = limits_.get(),
                     .enrollment_tokens = enrollment_tokens_.get(),
                     .revoked_identities = revoked_identities_.get(),
                     .addresses = addresses_.get()});
  backups_ = StartBackups(BackupSetupOf(options_), *keyring_, *store_, *background_writer_, clock_);
  shredder_ = Shredder::Start({.writer = *background_writer_,
                               .clock = clock_,
                               .copies = BackupCheckpointsOf(BackupSetupOf(options_)),
                               .forget_after = backups_.shred_copier ? absl::InfiniteDuration() : kShredRowLife});
  return 0;
}

FactSources ApiServer::Facts() const {
  return {.clock = clock_,
          .regions = *regions_,
          .barrier = *barrier_,
          .root_keys = *root_->keys,
          .audit = *audit_->trail,
          .backups = backups_.backups.get(),
          .backup_interval = options_.backup_interval,
          .data_directory = options_.data_directory,
          .inner_certificate = options_.inner_tls.certificate_chain,
          .edge_certificate = options_.edge_tls.certificate_chain};
}

KeysServiceParts ApiServer::KeysParts() const {
  return {.guard = *guard_,
          .store = writer_->store,
          .barrier = *barrier_,
          .root_keys = *root_->keys,
          .rotation = *key_rotation_,
          .reseal = *region_reseal_};
}

void ApiServer::MakeServices() {
  services_.push_back(NewSecretSetsService(*guard_, *deps_));
  services_.push_back(NewDeploymentsService(*guard_, *deps_));
  services_.push_back(NewOrganizationsService(*guard_, *organizations_, *api_keys_, limits_.get(), organization_deletion_.get()));
  services_.push_back(NewRegionsService(*guard_, *regions_, *provisioners_, *enrollment_tokens_));
  services_.push_back(NewProvisioningService(*guard_, *directory_));
  services_.push_back(NewEnrollmentService(*guard_, *enrollment_));
  services_.push_back(NewAuditService(*guard_, *audit_->reader));
  services_.push_back(NewKeysService(KeysParts()));
  services_.push_back(NewBackupsService(*guard_, backups_.backups.get(), *writer_));
  services_.push_back(NewIdentitiesService(*guard_, *revoked_identities_, options_.trust_domain));
  services_.push_back(NewStatusService({.guard = *guard_, .store = writer_->store, .sources = Facts(), .describe_keys = [parts = KeysParts()](v1::KeyStatus& status) {
                                          return DescribeKeys(parts, status);
                                        }}));
}

int ApiServer::OpenDoors() {
  MakeServices();
  std::vector<grpc::Service*> served;
  for (const auto& service : services_) served.push_back(service.get());
  if (!options_.metrics_address.empty()) {
    gauges_ = {ShowRegions(*regions_), ShowFacts(Facts())};
    if (const int failed = Take(MetricsEndpoint::Start(options_.metrics_address), metrics_, kExitConfiguration)) return failed;
  }
  pulse_ = CallbackPulse::Start();
  if (const int failed = Take(RpcServer::Start(served, std::move(doors_)), server_, kExitConfiguration)) return failed;
  StartJobs();

  const std::vector<std::string> addresses = server_->addresses();
  const std::string edge = addresses.size() > 1 ? addresses[1] : "", metrics = metrics_ == nullptr ? "" : metrics_->address();
  const absl::Status written = ready_.Write({{"inner", addresses[0]}, {"edge", edge}, {"metrics", metrics}});
  if (!written.ok()) return Fail(written, kExitConfiguration);
  Log(Severity::kInfo, "serving", {{"inner", addresses[0]}, {"edge", edge}, {"metrics", metrics}});
  return 0;
}

void ApiServer::StartJobs() {
  KeepSweepingRequests(*background_writer_, clock_);
  KeepSweepingApiKeys(*background_writer_, clock_);
  KeepSweepingEnrollmentTokens(*background_writer_, *enrollment_tokens_);
  KeepReturningMemory(executors_.calls);
  KeepRefreshingRoots(executors_.calls, *roots_);
  KeepReportingReadiness(*server_, *root_->keys, executors_.calls, draining_);
  key_rotation_->Start();
  region_reseal_->Start();
}

void ApiServer::ServeUntilStopped() {
  int signal = AwaitSignal(StopSignalsAndHangUp());
  for (; signal == SIGHUP; signal = AwaitSignal(StopSignalsAndHangUp())) ReadKeyringAgain(options_, *keyring_root_keys_, *key_rotation_);
  Log(Severity::kInfo, "draining", {{"signal", signal}});
  draining_ = true;
  server_->SetServing(false);
  directory_->DrainAll(kMaxReconnectAfter);
  directory_->AwaitEmpty(kDrainPatience);
  if (backups_.backups != nullptr) backups_.backups->Stop();
  server_->Shutdown(kShutdownPatience);
  metrics_ = nullptr;
  executors_.Close();
  Log(Severity::kInfo, "stopped");
}

}  // namespace

int Fail(const absl::Status& status, int exit_code) {
  const absl::string_view message = status.message();
  std::fprintf(stderr, "keyferry-api: %.*s\n", static_cast<int>(message.size()), message.data());
  return exit_code;
}

int Serve(const ApiOptions& options) {
  ApiServer server(options);
  if (const int exit_code = server.Start(); exit_code != 0) return exit_code;
  server.ServeUntilStopped();
  return 0;
}

}  // namespace keyferry
