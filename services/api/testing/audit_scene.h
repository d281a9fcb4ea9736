// A sealed store in memory with an audit trail that a test chains by hand.
#ifndef KEYFERRY_SERVICES_API_TESTING_AUDIT_SCENE_H_
#define KEYFERRY_SERVICES_API_TESTING_AUDIT_SCENE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/fake_clock.h"
#include "libs/model/testing/audit_chain_example.h"
#include "libs/storage/barrier.h"
#include "libs/storage/keys.h"
#include "libs/storage/testing/faulty_store.h"
#include "libs/storage/testing/memory_store.h"
#include "services/api/audit_chainer.h"
#include "services/api/audit_reader.h"
#include "services/api/audit_trail.h"

namespace keyferry {

class AuditScene {
 public:
  AuditScene() {
    term = *faulty.AcquireWriter(Lineage::kKeep);
    barrier = *Barrier::Open(faulty, *root_keys, term);
    writer = std::make_unique<Writer>(Writer{barrier->store(), *executor, [this] { return term; }});
    chainer = std::make_unique<AuditChainer>(*writer, clock, key);
    reader = std::make_unique<AuditReader>(*barrier, clock, key);
  }

  // One commit of these rows.
  absl::StatusOr<Revision> Add(const std::vector<AuditRow>& rows) {
    Transaction transaction(writer->store);
    for (const AuditRow& row : rows) AddAuditRecord(transaction, row);
    return CommitAndWait(writer->store, std::move(transaction).TakeCommit(term));
  }
  AuditRow Row(const std::string& name, const std::string& organization = "acme") const {
    return {.organization = organization,
            .time = clock.Now(),
            .principal = "apiKey:AAAAAAAAAA",
            .method = "Test/Test",
            .object_name = name};
  }
  absl::Status AddRecord(const std::string& name, const std::string& organization = "acme") {
    return Add({Row(name, organization)}).status();
  }
  // `count` records, a commit each, chained.
  void Chain(int count, const std::string& organization = "acme") {
    for (int i = 0; i < count; ++i) {
      if (!AddRecord(absl::StrCat("object-", i), organization).ok()) std::abort();
    }
    if (!chainer->ChainPending().ok()) std::abort();
  }

  // The row does not open any more, or never did.
  void Damage(const RowKey& row) {
    if (!CommitAndWait(*memory, {.term = term, .mutations = {{.key = row, .value = "damaged"}}}).ok()) std::abort();
  }

  std::vector<AuditRecord> Records(const std::string& organization = "acme") const {
    std::vector<AuditRecord> records;
    std::string token;
    do {
      const AuditPage page = *reader->List({.organization = organization, .page_token = token});
      records.insert(records.end(), page.records.begin(), page.records.end());
      token = page.next_page_token;
    } while (!token.empty());
    return records;
  }
  std::vector<std::string> Names(const std::string& organization = "acme") const {
    std::vector<std::string> names;
    for (const AuditRecord& record : Records(organization)) names.push_back(record.object_name);
    return names;
  }
  AuditHeadRow HeadRow(const std::string& organization = "acme") const {
    const auto row = *writer->store.Get(keys::AuditHead(organization));
    return row ? *Decode<AuditHeadRow>(row->value) : AuditHeadRow{};
  }
  size_t PendingCount() const {
    const RowKey begin = keys::AuditPendings();
    return writer->store.Scan(begin, PrefixEnd(begin.bytes), 100'000)->size();
  }

  FakeClock clock;
  std::unique_ptr<Store> memory = NewMemoryStore();
  FaultyStore faulty{*memory};
  std::unique_ptr<RootKeys> root_keys = KeyringRootKeys::Create(Keyring::ForTest());
  Term term;
  std::unique_ptr<Barrier> barrier;
  std::unique_ptr<Executor> executor = NewThreadPool(2);
  std::unique_ptr<Writer> writer;
  std::shared_ptr<const SigningKey> key = std::make_shared<const SigningKey>(ExampleSigningKey());
  std::unique_ptr<AuditChainer> chainer;
  std::unique_ptr<AuditReader> reader;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_AUDIT_SCENE_H_
