#include "tests/bench/fleet.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "keyferry/v1/provisioning.pb.h"
#include "keyferry/v1/regions.grpc.pb.h"
#include "libs/common/backoff.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/certificate.h"
#include "libs/crypto/certificate_request.h"
#include "libs/rpc/callback_pulse.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/status_conversion.h"
#include "services/provisioner/sync_client.h"
#include "tests/bench/fleet_member.h"

namespace keyferry {
namespace {

constexpr size_t kIdBytes = 16;
constexpr size_t kSealingKeyBytes = 32;
// Handshakes under way at a time.
constexpr int kMaxConnecting = 32;
constexpr absl::Duration kBeat = absl::Seconds(5);

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

absl::Status WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  return file.flush() ? absl::OkStatus() : absl::UnavailableError(absl::StrCat("cannot write ", path));
}

// What a PEM holds.
absl::StatusOr<SecretBytes> DerOf(const std::string& pem) {
  std::string base64;
  for (size_t begin = 0; begin < pem.size();) {
    const size_t end = std::min(pem.find('\n', begin), pem.size());
    if (pem.compare(begin, 5, "-----") != 0) base64 += pem.substr(begin, end - begin);
    begin = end + 1;
  }
  std::string der;
  if (base64.empty() || !absl::Base64Unescape(base64, &der)) return absl::InvalidArgumentError("no PEM");
  return SecretBytes::Take(std::move(der));
}

class NullFleet final : public Fleet {
 public:
  NullFleet(FleetOptions options, CertificateAuthority authority, std::string public_key,
            std::shared_ptr<grpc::Channel> operator_channel)
      : options_(std::move(options)),
        authority_(std::move(authority)),
        public_key_(std::move(public_key)),
        regions_(v1::Regions::NewStub(operator_channel)) {
    beats_ = std::thread([this] { BeatUntilEnd(); });
  }
  ~NullFleet() override {
    Disconnect(0, absl::Now() + absl::Seconds(30));
    {
      std::lock_guard lock(tally_.mutex);
      ending_ = true;
      tally_.changed.notify_all();
    }
    beats_.join();
  }

  absl::Status MakeRegions(int count) override;
  absl::Status Connect(int count, absl::Duration patience) override;
  void Cut() override;
  absl::Status Recover(absl::Duration patience) override;
  void Answer(FleetManner manner) override { tally_.manner = manner; }
  void Wipe() override { incarnation_ = RandomBytes(kIdBytes); }
  FleetCounts counts() const override {
    return {.connected = tally_.connected,
            .events = tally_.events,
            .batches = tally_.batches,
            .payload_bytes = tally_.payload_bytes,
            .resyncs = tally_.resyncs,
            .revived = revived_,
            .synced = tally_.synced,
            .ended = tally_.ended};
  }

 private:
  std::string CodeOf(int number) const { return absl::StrCat(options_.prefix, "-", number); }
  absl::StatusOr<v1::Region> Make(const std::string& code);
  absl::StatusOr<TlsFiles> Certify(int number);
  absl::StatusOr<std::shared_ptr<FleetMember>> StartMember(int number);
  absl::Status Replace(size_t number);
  absl::Duration ReturnDelay(int attempt);
  void Disconnect(int kept, absl::Time deadline);
  int ConnectingLocked() const;
  absl::Status ReviveEnded();
  absl::Status AwaitConnecting(int allowed, absl::Time deadline);
  void BeatUntilEnd();

  const FleetOptions options_;
  const CertificateAuthority authority_;
  const std::string public_key_;
  const std::unique_ptr<v1::Regions::Stub> regions_;
  const std::unique_ptr<CallbackPulse> pulse_ = CallbackPulse::Start();
  absl::BitGen random_;
  std::string incarnation_ = std::string(kIdBytes, 'i');
  std::vector<std::string> sealing_key_ids_;
  std::set<int> certified_;
  // Members, and whether to end, are written under tally_.mutex.
  FleetTally tally_;
  std::vector<std::shared_ptr<FleetMember>> members_;
  // Of those that are on their way back.
  struct Return {
    int attempts = 0;
    absl::Time due = absl::InfiniteFuture();
  };
  std::vector<Return> returns_;
  int64_t revived_ = 0;
  bool ending_ = false;
  std::thread beats_;
};

absl::Status NullFleet::MakeRegions(int count) {
  for (int i = static_cast<int>(sealing_key_ids_.size()); i < count; ++i) {
    ASSIGN_OR_RETURN(const v1::Region region, Make(CodeOf(i)));
    sealing_key_ids_.push_back(region.sealing_key_id());
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Region> NullFleet::Make(const std::string& code) {
  v1::Region region;
  {
    grpc::ClientContext context;
    v1::CreateRegionRequest request;
    request.set_code(code);
    // Any 32 bytes are a public key; nobody opens what is sealed to it.
    request.set_sealing_key(std::string(kSealingKeyBytes, 'k'));
    const grpc::Status made = regions_->CreateRegion(&context, request, &region);
    if (made.ok()) return region;
    if (made.error_code() != grpc::StatusCode::ALREADY_EXISTS) return FromGrpcStatus(made);
  }
  grpc::ClientContext context;
  v1::GetRegionRequest request;
  request.set_code(code);
  const grpc::Status found = regions_->GetRegion(&context, request, &region);
  if (!found.ok()) return FromGrpcStatus(found);
  return region;
}

absl::StatusOr<TlsFiles> NullFleet::Certify(int number) {
  const TlsFiles files{.certificate_chain = absl::StrCat(options_.scratch, "/", number, ".pem"),
                       .private_key = options_.scratch + "/fleet.key",
                       .roots = options_.certificates + "/ca.pem"};
  if (certified_.contains(number)) return files;
  const std::string spiffe_id =
      absl::StrCat("spiffe://", options_.trust_domain, "/region/", CodeOf(number), "/provisioner/fleet");
  ASSIGN_OR_RETURN(const std::string leaf, authority_.Issue({.public_key = public_key_,
                                                             .spiffe_id = spiffe_id,
                                                             .not_before = absl::Now() - absl::Minutes(5),
                                                             .not_after = absl::Now() + absl::Hours(24)}));
  RETURN_IF_ERROR(WriteFile(files.certificate_chain, leaf));
  certified_.insert(number);
  return files;
}

absl::StatusOr<std::shared_ptr<FleetMember>> NullFleet::StartMember(int number) {
  ASSIGN_OR_RETURN(const TlsFiles files, Certify(number));
  ASSIGN_OR_RETURN(const auto credentials, FixedTlsChannelCredentials(files));
  v1::Hello hello;
  hello.set_protocol_version(1);
  hello.set_region(CodeOf(number));
  hello.set_provisioner_id("fleet");
  hello.set_boot_id(RandomBytes(kIdBytes));
  hello.set_target_incarnation(incarnation_);
  hello.set_max_inflight_objects(64);
  hello.set_max_inflight_bytes(4 * 1024 * 1024);
  hello.set_sealing_key_id(sealing_key_ids_[static_cast<size_t>(number)]);
  hello.set_version("bench");
  auto member = std::make_shared<FleetMember>(tally_, std::move(hello));
  member->Start(NewUnsharedChannel(options_.api, credentials));
  return member;
}

int NullFleet::ConnectingLocked() const { return static_cast<int>(members_.size()) - tally_.connected; }

// As provisioners do, those whose stream the API ended in good order come back. What ended otherwise is an error.
absl::Status NullFleet::ReviveEnded() {
  for (size_t i = 0; i < members_.size(); ++i) {
    const std::shared_ptr<FleetMember> ended = members_[i];
    if (!ended->has_ended()) continue;
    if (!ended->status().ok())
      return absl::UnavailableError(absl::StrCat("a provisioner's stream ended: ", ended->status().ToString()));
    ++revived_;
    RETURN_IF_ERROR(Replace(i));
  }
  return absl::OkStatus();
}

// One that has ended.
absl::Status NullFleet::Replace(size_t number) {
  const std::shared_ptr<FleetMember> ended = members_[number];
  ASSIGN_OR_RETURN(std::shared_ptr<FleetMember> member, StartMember(static_cast<int>(number)));
  {
    std::lock_guard lock(tally_.mutex);
    members_[number] = std::move(member);
  }
  ended->Drop();
  return absl::OkStatus();
}

void NullFleet::Cut() {
  for (const auto& member : members_) member->Cancel();
  std::unique_lock lock(tally_.mutex);
  tally_.changed.wait_for(lock, std::chrono::seconds(30), [&] {
    return std::all_of(members_.begin(), members_.end(), [](const auto& member) { return member->has_ended(); });
  });
  // The connection goes with its channel.
  for (const auto& member : members_) {
    if (member->has_ended()) member->Drop();
  }
}

// SyncClient's.
absl::Duration NullFleet::ReturnDelay(int attempt) {
  const SyncTimings timings;
  const absl::Duration first =
      timings.min_first_retry + (timings.max_first_retry - timings.min_first_retry) * absl::Uniform(random_, 0.0, 1.0);
  if (attempt == 0) return first;
  return std::max(first,
                  BackoffDelay(attempt - 1, timings.min_retry, timings.max_retry, absl::Uniform(random_, 0.0, 1.0)));
}

absl::Status NullFleet::Recover(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  returns_.resize(members_.size());
  while (tally_.synced < static_cast<int>(members_.size())) {
    const absl::Time now = absl::Now();
    if (now >= deadline)
      return absl::DeadlineExceededError(
          absl::StrCat(counts().connected, " own their regions, ", counts().synced, " are synced"));
    for (size_t i = 0; i < members_.size(); ++i) {
      if (!members_[i]->has_ended()) continue;
      Return& back = returns_[i];
      if (back.due == absl::InfiniteFuture()) back.due = now + ReturnDelay(back.attempts++);
      if (now < back.due) continue;
      back.due = absl::InfiniteFuture();
      ++revived_;
      RETURN_IF_ERROR(Replace(i));
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  returns_.clear();
  return absl::OkStatus();
}

// Until no more than `allowed` members are on their way.
absl::Status NullFleet::AwaitConnecting(int allowed, absl::Time deadline) {
  while (true) {
    const int64_t ended = tally_.ended;
    RETURN_IF_ERROR(ReviveEnded());
    std::unique_lock lock(tally_.mutex);
    if (ConnectingLocked() <= allowed) return absl::OkStatus();
    if (absl::Now() >= deadline)
      return absl::DeadlineExceededError(absl::StrCat(ConnectingLocked(), " provisioners do not own their regions"));
    tally_.changed.wait_until(lock, absl::ToChronoTime(deadline),
                              [&] { return ConnectingLocked() <= allowed || tally_.ended != ended; });
  }
}

absl::Status NullFleet::Connect(int count, absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  RETURN_IF_ERROR(MakeRegions(count));
  Disconnect(count, deadline);
  while (static_cast<int>(members_.size()) < count) {
    ASSIGN_OR_RETURN(std::shared_ptr<FleetMember> member, StartMember(static_cast<int>(members_.size())));
    {
      std::lock_guard lock(tally_.mutex);
      members_.push_back(std::move(member));
    }
    RETURN_IF_ERROR(AwaitConnecting(kMaxConnecting, deadline));
  }
  return AwaitConnecting(0, deadline);
}

void NullFleet::Disconnect(int kept, absl::Time deadline) {
  std::vector<std::shared_ptr<FleetMember>> leaving;
  {
    std::lock_guard lock(tally_.mutex);
    for (; static_cast<int>(members_.size()) > kept; members_.pop_back()) leaving.push_back(members_.back());
  }
  for (const auto& member : leaving) member->Cancel();
  std::unique_lock lock(tally_.mutex);
  tally_.changed.wait_until(lock, absl::ToChronoTime(deadline), [&] {
    return std::all_of(leaving.begin(), leaving.end(), [](const auto& member) { return member->has_ended(); });
  });
  for (const auto& member : leaving) {
    if (member->has_ended()) member->Drop();
  }
}

// As the API asks for, and spread over time.
void NullFleet::BeatUntilEnd() {
  constexpr size_t kTurns = 50;
  for (size_t turn = 0;; turn = (turn + 1) % kTurns) {
    std::unique_lock lock(tally_.mutex);
    tally_.changed.wait_for(lock, absl::ToChronoNanoseconds(kBeat / kTurns), [&] { return ending_; });
    if (ending_) return;
    for (size_t i = turn; i < members_.size(); i += kTurns) {
      if (!members_[i]->has_ended()) members_[i]->Beat();
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Fleet>> Fleet::Create(FleetOptions options) {
  ASSIGN_OR_RETURN(const SecretBytes key, DerOf(ReadFile(options.certificates + "/ca.key")));
  ASSIGN_OR_RETURN(CertificateAuthority authority,
                   CertificateAuthority::Load(ReadFile(options.certificates + "/ca.pem"), key));
  ASSIGN_OR_RETURN(const CertificateRequest request, NewCertificateRequest());
  ASSIGN_OR_RETURN(std::string public_key, PublicKeyOfCsr(request.csr));
  RETURN_IF_ERROR(WriteFile(options.scratch + "/fleet.key", std::string(request.private_key.Access())));
  ASSIGN_OR_RETURN(const auto credentials,
                   FixedTlsChannelCredentials({.certificate_chain = options.certificates + "/operator.pem",
                                               .private_key = options.certificates + "/operator.key",
                                               .roots = options.certificates + "/ca.pem"}));
  auto channel = NewUnsharedChannel(options.api, credentials);
  return std::make_unique<NullFleet>(std::move(options), std::move(authority), std::move(public_key),
                                     std::move(channel));
}

}  // namespace keyferry
