// An ApiScene with key rotation and re-sealing of regions on an executor of its own, which a test can crash.
//
// Thread safety: confined to the test's thread.
#ifndef KEYFERRY_SERVICES_API_TESTING_KEY_SCENE_H_
#define KEYFERRY_SERVICES_API_TESTING_KEY_SCENE_H_

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/keys.h"
#include "services/api/closable_executor.h"
#include "services/api/key_rotation.h"
#include "services/api/region_reseal.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {

inline bool Eventually(const std::function<bool()>& condition) {
  for (const absl::Time end = absl::Now() + absl::Seconds(30); absl::Now() < end;
       absl::SleepFor(absl::Milliseconds(1))) {
    if (condition()) return true;
  }
  return condition();
}

class KeyScene : public ApiScene {
 public:
  KeyScene() { Restart(); }
  ~KeyScene() {
    Crash();
    // The store has answered everything that came before.
    (void)CommitAndWait(*memory, {.term = term});
  }

  // What was under way stays undone.
  void Crash() {
    if (!processes.empty()) processes.back()->Close();
    reseal.reset();
    rotation.reset();
  }
  // A process that finds what the last one left.
  void Restart() {
    Crash();
    processes.push_back(std::make_unique<ClosableExecutor>(2));
    background_deps = std::make_unique<UseCaseDeps>(UseCaseDeps{
        .writer = {.store = barrier->store(), .executor = *processes.back(), .term = [this] { return term; }},
        .barrier = *barrier,
        .sender = *sender,
        .clock = clock,
        .region_connected = [this](const std::string&) { return connected.load(); }});
    rotation = KeyRotation::Create(
        {.writer = background_deps->writer, .barrier = *barrier, .root_keys = *root_keys, .clock = clock});
    reseal = RegionReseal::Create(*background_deps);
  }

  absl::StatusOr<int> Rotate(const std::string& owner) {
    return Await<absl::StatusOr<int>>(
        [&](std::function<void(absl::StatusOr<int>)> done) { rotation->Rotate(owner, std::move(done)); });
  }
  bool RotationsEnd() {
    return Eventually([&] { return rotation->Running().empty(); });
  }
  bool HasRow(const RowKey& key) { return (*barrier->store().Get(key)).has_value(); }

  // A process that has nothing in memory opens every row, and each owner has one key.
  void ExpectAllUnderOneKey() {
    const auto fresh = Barrier::Open(*memory, *root_keys, term);
    ASSERT_THAT(fresh, IsOk());
    for (int family = 0; family < kFamilyCount; ++family) {
      EXPECT_THAT((*fresh)->store().Scan({.family = static_cast<Family>(family)}, "", 1'000'000), IsOk());
    }
    const auto owners = (*fresh)->Owners();
    ASSERT_THAT(owners, IsOk());
    for (const std::string& owner : *owners) EXPECT_EQ((*fresh)->StoredKeysOf(owner)->first.keys.size(), 1) << owner;
  }
  // Every escrow copy in acme's generations opens by the keys that there are.
  void ExpectEscrowOpens() {
    const auto organization = Decode<OrganizationRow>((*barrier->store().Get(keys::Organization("acme")))->value);
    RowKey all = keys::Generations("acme", "");
    all.bytes.pop_back();
    const auto rows = barrier->store().Scan(all, PrefixEnd(all.bytes), 1'000'000);
    ASSERT_THAT(rows, IsOk());
    const auto of_acme = barrier->KeysOf("acme");
    for (const KeyedRow& row : *rows) {
      const std::string set_uid = row.key.bytes.substr(all.bytes.size(), row.key.bytes.size() - all.bytes.size() - 9);
      const auto generation = Decode<Generation>(row.row.value);
      for (const EscrowedKey& key : generation->escrowed_keys) {
        const SealContext context{.organization_uid = organization->uid, .set_uid = set_uid};
        EXPECT_THAT((*of_acme)->UnwrapDataKey(context, key.data_key_id, key.wrapped_key), IsOk())
            << "generation of set " << set_uid;
      }
    }
  }
  int NewestKeyOf(const std::string& owner) { return barrier->StoredKeysOf(owner)->first.keys.back().number; }

  // The region has another private key from now on, and says so as enrollment does.
  void ChangeSealingKey(const std::string& region) {
    RegionKey fresh = RegionKey::Generate();
    ASSERT_THAT(Commit([&](Transaction& transaction) -> absl::Status {
                  ASSIGN_OR_RETURN(auto row, transaction.Get<RegionRow>(keys::Region(region)));
                  row->value.previous_sealing_keys.insert(row->value.previous_sealing_keys.begin(),
                                                          row->value.sealing_key);
                  row->value.sealing_key = fresh.public_key();
                  row->value.sealing_key_time = clock.Now();
                  transaction.Put(keys::Region(region), Encode(row->value));
                  return absl::OkStatus();
                }),
                IsOk());
    region_keys.insert_or_assign(region, std::move(fresh));
  }
  RegionRow RowOf(const std::string& region) {
    return *Decode<RegionRow>((*barrier->store().Get(keys::Region(region)))->value);
  }
  bool ResealEnds(const std::string& region) {
    return Eventually([&] { return RowOf(region).previous_sealing_keys.empty() && reseal->Running().empty(); });
  }

  std::atomic<bool> connected = true;
  std::unique_ptr<UseCaseDeps> background_deps;
  std::unique_ptr<KeyRotation> rotation;
  std::unique_ptr<RegionReseal> reseal;
  // The last one runs.
  std::vector<std::unique_ptr<ClosableExecutor>> processes;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_KEY_SCENE_H_
