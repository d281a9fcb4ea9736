#include "tests/simulation/provisioner_node.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"

namespace keyferry {

absl::Status SimSink::Weather() {
  if (scheduler_.now() < full_until) {
    ++faults_[static_cast<size_t>(Fault::kSinkFull)];
    return absl::ResourceExhaustedError("the simulated sink is full");
  }
  if (scheduler_.now() < failing_until) {
    ++faults_[static_cast<size_t>(Fault::kSinkError)];
    return absl::UnavailableError("the simulated sink is away");
  }
  return absl::OkStatus();
}

absl::Status SimSink::Apply(const OpenedObject& object) {
  if (absl::Status weather = Weather(); !weather.ok()) return weather;
  return shown_.Apply(object);
}

absl::Status SimSink::Remove(const ObjectId& id) {
  if (scheduler_.now() < failing_until) return Weather();
  return shown_.Remove(id);
}

ProvisionerNode::ProvisionerNode(Options options, RegionKeys& keys)
    : options_(std::move(options)), keys_(keys), sink_(options_.scheduler, options_.faults) {
  link_.name = absl::StrCat(options_.region, "/", options_.id);
  link_.caller = {
      .kind = CallerKind::kProvisioner,
      .principal = absl::StrCat("spiffe://keyferry.test/region/", options_.region, "/provisioner/", options_.id),
      .region = options_.region,
      .provisioner_id = options_.id};
}

void ProvisionerNode::Start() {
  if (now_) past_.push_back(std::move(now_));
  now_ = std::make_unique<ProvisionerProcess>(options_.scheduler, link_.name, wall_error_);
  ProvisionerProcess& life = *now_;
  life.store = std::make_unique<SimRegionStore>(SimRegionStore::Options{
      .disk = disk_,
      .region = options_.region,
      .bug = options_.bug,
      .before_commit = [this] { EndHere(end_before_commit, Fault::kEndedBeforeCommit); },
      .after_commit = [this] { EndHere(end_after_commit, Fault::kEndedAfterCommit); },
      .on_change = [this](const std::vector<ObjectId>& objects) { options_.on_change(*this, objects); }});
  life.reconciler =
      std::make_unique<Reconciler>(Reconciler::Options{.store = *life.store, .keys = keys_, .sinks = {&sink_}});
  life.process.Run([this, &life] {
    auto drifted = life.reconciler->FillSinks();
    // As main does: it ends, and is started again.
    if (!drifted.ok()) return options_.on_end(*this);
    life.client = SyncClient::Start({.region = options_.region,
                                     .provisioner_id = options_.id,
                                     .sealing_key_ids = [this] { return keys_.Get()->ids(); },
                                     .version = "simulated",
                                     .new_channel =
                                         [this, &life] {
                                           options_.network.Dials(life.process, link_);
                                           return std::shared_ptr<grpc::Channel>();
                                         },
                                     .store = *life.store,
                                     .reconciler = *life.reconciler,
                                     .executor = life.process,
                                     .drifted = *std::move(drifted)});
  });
}

void ProvisionerNode::EndHere(bool& armed, Fault fault) {
  if (!std::exchange(armed, false)) return;
  ++options_.faults[static_cast<size_t>(fault)];
  options_.scheduler.trace().Note(name(), NameOf(fault));
  options_.on_end(*this);
  throw ProcessEnded();
}

void ProvisionerNode::End(bool power) {
  now_->process.Kill();
  // It waits for work that runs no more.
  (void)now_->client.release();
  if (!power) return;
  sink_.objects().clear();
  if (options_.bug == Bug::kAckBeforeCommit && !disk_.synced_rows.empty()) disk_.rows = disk_.synced_rows;
}

std::vector<RegionObject> ProvisionerNode::Objects() const {
  std::vector<RegionObject> objects;
  for (auto row = disk_.rows.lower_bound(kObjectPrefix);
       row != disk_.rows.end() && row->first.compare(0, 1, kObjectPrefix) == 0; ++row) {
    objects.push_back(DecodeObjectRow(row->first, row->second).value());
  }
  return objects;
}

std::optional<RegionObject> ProvisionerNode::Held(const ObjectId& id) const {
  const auto row = disk_.rows.find(ObjectKey(id));
  return row == disk_.rows.end() ? std::nullopt : std::optional(DecodeObjectRow(row->first, row->second).value());
}

RegionMeta ProvisionerNode::Meta() const {
  const auto row = disk_.rows.find(kMetaKey);
  return row == disk_.rows.end() ? RegionMeta() : DecodeMetaRow(row->second).value().meta;
}

}  // namespace keyferry
