// Backup keys, and a store of RocksDB behind a barrier with an organization `acme`, in directories of their own.
//
// Thread safety: confined to one thread.
#ifndef KEYFERRY_SERVICES_API_TESTING_BACKUP_SCENE_H_
#define KEYFERRY_SERVICES_API_TESTING_BACKUP_SCENE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libs/common/executor.h"
#include "libs/common/testing/fake_clock.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/storage/barrier.h"
#include "services/api/backup_keys.h"
#include "services/api/backup_repository.h"
#include "services/api/transaction.h"

namespace keyferry {

// A keyring's backup keys, made up.
class FakeBackupKeys {
 public:
  explicit FakeBackupKeys(const std::string& id = std::string(kIdLength, 'a')) { Add(id); }
  // It becomes the current one.
  void Add(const std::string& id) {
    keys_[id] = SecretBytes::Random(32);
    current_ = id;
  }
  void Destroy(const std::string& id) { keys_.erase(id); }
  FindBackupKeys Find() const;

 private:
  static constexpr size_t kIdLength = 20;
  std::map<std::string, SecretBytes> keys_;
  std::string current_;
};

std::vector<std::string> FilesOf(const std::string& directory);
std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& content);
// With one bit of the byte at `offset` turned.
void FlipBit(const std::string& path, size_t offset);

class StoreScene {
 public:
  // The store below `directory`.
  explicit StoreScene(const std::string& directory, std::unique_ptr<RootKeys> root_keys = nullptr);
  ~StoreScene() { Close(); }

  void Open();
  void Close();
  void AddOrganization(const std::string& name, const std::string& uid);
  // A set with one generation and a placement in us-west.
  void AddSet(const std::string& organization, const std::string& name, const std::string& uid, size_t bytes = 100);
  void AddDeployment(const std::string& agent, const std::string& set, const std::string& set_uid);
  // As DeleteSecretSet: the set's row goes, its ShredRow comes.
  void DeleteSet(const std::string& name, const std::string& uid);
  absl::Status Commit(const std::function<absl::Status(Transaction&)>& plan);
  bool Has(const RowKey& key);

  const std::string directory;
  FakeClock clock;
  std::unique_ptr<RootKeys> root_keys;
  std::unique_ptr<Executor> executor;
  std::unique_ptr<Store> store;
  std::unique_ptr<Barrier> barrier;
  Term term;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_BACKUP_SCENE_H_
