#include "tests/simulation/chaos.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/simulation/oracles.h"

namespace keyferry {
namespace {

constexpr double kKindShare = 0.7;
constexpr double kRestoreShare = 0.3;
constexpr absl::Duration kLeastCalm = absl::Milliseconds(500);

}  // namespace

Chaos::Chaos(World& world, Workload& workload)
    : world_(world), workload_(workload), max_calm_(world.random().Between(absl::Seconds(2), absl::Seconds(10))) {
  for (const auto kind : {&Chaos::BreakApi, &Chaos::BreakProvisioner, &Chaos::BreakLink, &Chaos::Operate}) {
    if (world_.random().Chance(kKindShare)) kinds_.push_back(kind);
  }
  if (kinds_.empty()) kinds_.push_back(&Chaos::BreakLink);
}

void Chaos::Begin() { Later(); }

void Chaos::Later() {
  world_.scheduler().After(world_.random().Between(kLeastCalm, max_calm_), nullptr, [this] {
    if (ended_) return;
    const auto kind = kinds_[world_.random().Draw(kinds_.size())];
    if (world_.api().alive()) (this->*kind)(world_.random().Draw(10));
    Later();
  });
}

ProvisionerNode& Chaos::AnyProvisioner() {
  return *world_.provisioners()[world_.random().Draw(world_.provisioners().size())];
}
std::string Chaos::AnyRegion() { return world_.regions()[world_.random().Draw(world_.regions().size())]; }
absl::Duration Chaos::AWhile(absl::Duration most) {
  return world_.scheduler().now() + world_.random().Between(absl::Seconds(1), most);
}

void Chaos::BreakApi(uint64_t dice) {
  ApiNode& api = world_.api();
  DiskWeather& weather = api.weather();
  switch (dice) {
    case 0:
    case 1:
      world_.Count(Fault::kApiKilled);
      return world_.EndApi(/*kept_share=*/world_.random().Share(), /*silently=*/false);
    case 2:
    case 3:
      world_.Count(Fault::kApiPowerLost);
      return world_.EndApi(world_.random().Chance(0.5) ? 0 : world_.random().Share(), /*silently=*/true);
    case 4:
      weather.full_until = AWhile(absl::Seconds(6));
      return world_.trace().Note("api", "disk full");
    case 5:
      weather.error = true;
      return world_.trace().Note("api", "disk error to come");
    case 6:
      weather.slow_until = AWhile(absl::Seconds(15));
      return world_.trace().Note("api", "slow disk");
    case 7:
      world_.Count(Fault::kApiPaused);
      world_.trace().Note("api", "paused");
      return api.now().process.PauseUntil(AWhile(absl::Seconds(25)));
    case 8:
      world_.Count(Fault::kClockAhead);
      api.wall_error() += world_.random().Between(absl::Seconds(1), absl::Minutes(50));
      return world_.trace().Note("api", "clock jumps ahead");
    default:
      world_.Count(Fault::kClockBack);
      api.wall_error() -= world_.random().Between(absl::Seconds(1), absl::Minutes(10));
      return world_.trace().Note("api", "clock jumps back");
  }
}

void Chaos::BreakProvisioner(uint64_t dice) {
  ProvisionerNode& node = AnyProvisioner();
  switch (dice) {
    case 0:
      if (node.alive()) world_.Count(Fault::kProvisionerKilled);
      return world_.EndProvisioner(node, /*power=*/false);
    case 1:
      if (node.alive()) world_.Count(Fault::kProvisionerPowerLost);
      return world_.EndProvisioner(node, /*power=*/true);
    case 2:
      node.end_before_commit = true;
      return;
    case 3:
      node.end_after_commit = true;
      return;
    case 4:
    case 5: {
      // Its power goes, and its disk comes back older than it was, or empty.
      if (!node.alive()) return;
      const bool wiped = dice == 4;
      world_.Count(wiped ? Fault::kRegionWiped : Fault::kRegionTailLost);
      world_.EndProvisioner(node, /*power=*/true);
      world_.trace().Note(node.name(), wiped ? "is wiped" : "lost its tail");
      node.disk().rows =
          wiped || node.disk().older_rows.empty() ? std::map<std::string, std::string>() : node.disk().older_rows;
      node.disk().tail_lost = true;
      return;
    }
    case 6:
      node.sink().full_until = AWhile(absl::Seconds(20));
      return world_.trace().Note(node.name(), "sink full");
    case 7:
      node.sink().failing_until = AWhile(absl::Seconds(20));
      return world_.trace().Note(node.name(), "sink fails");
    case 8:
      if (node.sink().objects().empty()) return;
      world_.Count(Fault::kSinkTampered);
      world_.trace().Note(node.name(), "sink tampered with");
      node.sink().objects().erase(
          std::next(node.sink().objects().begin(), world_.random().Draw(node.sink().objects().size())));
      return;
    default:
      if (!node.alive()) return;
      world_.Count(Fault::kProvisionerPaused);
      world_.trace().Note(node.name(), "paused");
      node.wall_error() += world_.random().Between(-absl::Minutes(5), absl::Minutes(5));
      return node.now().process.PauseUntil(AWhile(absl::Seconds(40)));
  }
}

void Chaos::BreakLink(uint64_t dice) {
  Link& link = AnyProvisioner().link();
  switch (dice) {
    case 0:
    case 1:
      return world_.network().Cut(link, Told::kBoth);
    case 2:
      return world_.network().Cut(link, Told::kClientOnly);
    case 3:
      return world_.network().Cut(link, Told::kApiOnly);
    case 4:
    case 5:
      link.cut_in_batch = true;
      return;
    case 6:
      world_.Count(Fault::kPartitionToApi);
      link.to_api_blocked_until = AWhile(absl::Seconds(40));
      return world_.trace().Note(link.name, "cannot reach the API");
    case 7:
      world_.Count(Fault::kPartitionFromApi);
      link.from_api_blocked_until = AWhile(absl::Seconds(60));
      return world_.trace().Note(link.name, "hears nothing from the API");
    case 8:
      world_.Count(Fault::kPartition);
      link.to_api_blocked_until = link.from_api_blocked_until = AWhile(absl::Seconds(60));
      return world_.trace().Note(link.name, "is cut off");
    default:
      link.slow_until = AWhile(absl::Seconds(15));
      return world_.trace().Note(link.name, "slow network");
  }
}

// What operators do, at the wrong moment.
void Chaos::Operate(uint64_t dice) {
  ApiProcess& api = world_.api().now();
  switch (dice) {
    case 0:
      return Restore();
    case 1: {
      world_.Count(Fault::kDrained);
      world_.trace().Note("api", "drains");
      world_.api().Drain();
      const Process* const drained = &api.process;
      world_.scheduler().After(absl::Seconds(6), nullptr, [this, drained] {
        if (world_.api().process() == drained) world_.EndApi(/*kept_share=*/1, /*silently=*/false);
      });
      return;
    }
    case 2:
    case 3:
      world_.Count(Fault::kResyncAsked);
      return api.regions->Resync(
          AnyRegion(), {.allow_mass_delete = world_.random().Chance(0.5), .retry_failed = world_.random().Chance(0.5)},
          [](const absl::StatusOr<int64_t>&) {});
    case 4:
    case 5:
      world_.Count(Fault::kInventoryAsked);
      return api.directory->BeginAudit(AnyRegion());
    case 6:
    case 7: {
      world_.Count(Fault::kKeyRotated);
      const std::string owner = world_.random().Chance(0.7) ? kOrganization : "";
      world_.trace().Note("api", absl::StrCat("rotates the key of '", owner, "'"));
      return api.rotation->Rotate(owner, [](const absl::StatusOr<int>&) {});
    }
    case 8:
      world_.Count(Fault::kSealingKeyChanged);
      return world_.ChangeSealingKey(AnyRegion());
    default:
      backup_ = world_.api().disk();
      return world_.trace().Note("api", "is backed up");
  }
}

// The clients' answers until now are of another store.
void Chaos::Restore() {
  if (!backup_ || !world_.random().Chance(kRestoreShare)) return;
  world_.Count(Fault::kBackupRestored);
  world_.Restore(*backup_);
  world_.oracles().OnRestore();
  workload_.Restored();
}

void Chaos::End() {
  ended_ = true;
  world_.api().weather() = {};
  if (world_.api().process() != nullptr) world_.api().process()->PauseUntil(absl::ZeroDuration());
  for (const auto& node : world_.provisioners()) {
    node->link().to_api_blocked_until = node->link().from_api_blocked_until = node->link().slow_until =
        absl::ZeroDuration();
    node->link().cut_in_batch = node->end_before_commit = node->end_after_commit = false;
    node->sink().full_until = node->sink().failing_until = absl::ZeroDuration();
    if (node->alive()) node->now().process.PauseUntil(absl::ZeroDuration());
  }
}

}  // namespace keyferry
