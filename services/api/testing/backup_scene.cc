#include "services/api/testing/backup_scene.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "libs/common/testing/status_matchers.h"
#include "libs/storage/keys.h"
#include "libs/storage/rocksdb_store.h"
#include "services/api/backup_files.h"
#include "services/api/deployment_rows.h"
#include "services/api/placements.h"
#include "services/api/secret_sets.h"

namespace keyferry {

FindBackupKeys FakeBackupKeys::Find() const {
  return [this](std::string_view id) -> absl::StatusOr<std::shared_ptr<const BackupKeys>> {
    const auto key = keys_.find(id.empty() ? current_ : std::string(id));
    if (key == keys_.end()) return absl::FailedPreconditionError("the keyring lacks that backup key");
    return std::make_shared<const BackupKeys>(DeriveBackupKeys({.id = key->first, .bytes = &key->second}));
  };
}

std::vector<std::string> FilesOf(const std::string& directory) {
  absl::StatusOr<std::vector<std::string>> files = FilesBelow(directory);
  EXPECT_THAT(files, IsOk());
  return files.ok() ? *std::move(files) : std::vector<std::string>();
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return std::move(content).str();
}

void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(content.data(), static_cast<std::streamsize>(content.size()));
}

void FlipBit(const std::string& path, size_t offset) {
  std::string content = ReadFile(path);
  ASSERT_LT(offset, content.size());
  content[offset] = static_cast<char>(content[offset] ^ 1);
  WriteFile(path, content);
}

StoreScene::StoreScene(const std::string& directory, std::unique_ptr<RootKeys> given)
    : directory(directory),
      root_keys(given ? std::move(given) : KeyringRootKeys::Create(Keyring::ForTest())),
      executor(NewThreadPool(2)) {
  Open();
}

void StoreScene::Open() {
  absl::StatusOr<std::unique_ptr<Store>> opened = OpenRocksDbStore({.path = directory, .disk = {.ballast_bytes = 0}});
  ASSERT_THAT(opened, IsOk());
  store = *std::move(opened);
  const absl::StatusOr<Term> acquired = store->AcquireWriter(Lineage::kKeep);
  ASSERT_THAT(acquired, IsOk());
  term = *acquired;
  absl::StatusOr<std::unique_ptr<Barrier>> unlocked = Barrier::Open(*store, *root_keys, term);
  ASSERT_THAT(unlocked, IsOk());
  barrier = *std::move(unlocked);
}

void StoreScene::Close() {
  barrier.reset();
  store.reset();
}

absl::Status StoreScene::Commit(const std::function<absl::Status(Transaction&)>& plan) {
  Transaction transaction(barrier->store());
  RETURN_IF_ERROR(plan(transaction));
  return CommitAndWait(barrier->store(), std::move(transaction).TakeCommit(term)).status();
}

void StoreScene::AddOrganization(const std::string& name, const std::string& uid) {
  ASSERT_THAT(Commit([&](Transaction& transaction) -> absl::Status {
                ASSIGN_OR_RETURN(Mutation key, barrier->NewOrganizationKey(name));
                transaction.Put(key.key, *std::move(key.value));
                transaction.Put(keys::Organization(name),
                                Encode(OrganizationRow{.uid = uid, .create_time = clock.Now()}));
                return absl::OkStatus();
              }),
              IsOk());
}

void StoreScene::AddSet(const std::string& organization, const std::string& name, const std::string& uid,
                        size_t bytes) {
  const SecretSet set{.organization = organization,
                      .name = name,
                      .uid = uid,
                      .region = "us-west",
                      .generation = 1,
                      .create_time = clock.Now(),
                      .update_time = clock.Now()};
  ASSERT_THAT(Commit([&](Transaction& transaction) -> absl::Status {
                transaction.Put(keys::SecretSet(organization, name), Encode(set));
                transaction.Put(keys::Generation(organization, uid, 1),
                                Encode(Generation{.number = 1,
                                                  .sealed_object = std::string(SecretBytes::Random(bytes).Access()),
                                                  .create_time = clock.Now()}));
                return DesireApply(transaction, "us-west", ObjectIdOf(set), uid, 1, "digest", clock.Now());
              }),
              IsOk());
}

void StoreScene::AddDeployment(const std::string& agent, const std::string& set, const std::string& set_uid) {
  const Deployment deployment{.organization = "acme",
                              .agent = agent,
                              .uid = "d-" + agent,
                              .region = "us-west",
                              .secret_set = set,
                              .secret_set_uid = set_uid,
                              .secret_set_generation = 1,
                              .generation = 1,
                              .create_time = clock.Now(),
                              .update_time = clock.Now()};
  ASSERT_THAT(Commit([&](Transaction& transaction) {
                return WriteDeployment(transaction, std::nullopt, deployment, clock.Now());
              }),
              IsOk());
}

void StoreScene::DeleteSet(const std::string& name, const std::string& uid) {
  ASSERT_THAT(Commit([&](Transaction& transaction) -> absl::Status {
                transaction.Erase(keys::SecretSet("acme", name));
                transaction.Put(keys::Shred("acme-uid", uid),
                                Encode(ShredRow{.organization = "acme", .set = name, .delete_time = clock.Now()}));
                return absl::OkStatus();
              }),
              IsOk());
}

bool StoreScene::Has(const RowKey& key) {
  const absl::StatusOr<std::optional<Row>> row = barrier->store().Get(key);
  EXPECT_THAT(row, IsOk());
  return row.ok() && row->has_value();
}

}  // namespace keyferry
