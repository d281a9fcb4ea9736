// Transaction: an optimistic read-modify-write over the (sealed) store. Every row it reads becomes a precondition of
// its commit, so what it decided still holds at the moment of the commit; a conflict runs the whole plan again.
//
// Thread safety: a Transaction is confined to one thread; RunTransaction may be called from any. Within a call's body (CallScope)
// it may wait for the sync of its commit, and end before it returns.
#ifndef KEYFERRY_SERVICES_API_TRANSACTION_H_
#define KEYFERRY_SERVICES_API_TRANSACTION_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/common/executor.h"
#include "libs/common/status_macros.h"
#include "libs/storage/codec.h"
#include "libs/storage/store.h"

namespace keyferry {

template <typename T>
struct Versioned {
  T value;
  Revision revision = 0;
};

// What a commit did, for its audit record. Names only, never a value.
struct AuditedObject {
  // As in keyferry.v1.AuditRecord: secretSet, deployment, organization, apiKey, region, provisioner, identity, key, backup.
  std::string kind;
  std::string name;
  std::string region;
  int64_t generation = 0;
  // Empty: the organization of the call.
  std::string organization;
};

class Transaction {
 public:
  explicit Transaction(const Store& store) : store_(store) {}

  // What its audit record tells. The last one counts.
  void Describe(AuditedObject object) { described_ = std::move(object); }

  // Reads and pins: the commit goes ahead only if the row is still the same (or still absent). Sees the store, not this
  // transaction's own writes; a row is read once.
  absl::StatusOr<std::optional<Row>> Read(const RowKey& key);
  // Read and decoded. nullopt when absent.
  template <typename T>
  absl::StatusOr<std::optional<Versioned<T>>> Get(const RowKey& key) {
    ASSIGN_OR_RETURN(std::optional<Row> row, Read(key));
    if (!row) return std::optional<Versioned<T>>();
    ASSIGN_OR_RETURN(T value, Decode<T>(row->value));
    return std::optional<Versioned<T>>(Versioned<T>{std::move(value), row->revision});
  }
  // The last write of a key counts.
  void Put(const RowKey& key, std::string value);
  // The key gets the commit's revision at this offset.
  void PutStamped(const RowKey& key, size_t revision_offset, std::string value);
  void Erase(const RowKey& key);

  const Store& store() const { return store_; }
  bool has_writes() const { return !writes_.empty(); }
  void DropWrites() { writes_.clear(); }
  const std::optional<AuditedObject>& described() const { return described_; }
  // Whether every row it read is as it was: then they were all so at one moment, the last read's.
  absl::StatusOr<bool> IsCurrent() const;
  Commit TakeCommit(Term term) &&;

 private:
  const Store& store_;
  std::optional<AuditedObject> described_;
  std::map<RowKey, std::optional<Row>> reads_;
  std::map<RowKey, Mutation> writes_;
};

// Fills the transaction; called again, with a fresh one, after a conflict, on the executor's threads. An error ends it
// with nothing written.
using TransactionPlan = std::function<absl::Status(Transaction&)>;

struct Writer {
  Store& store;
  Executor& executor;
  // The store's writer term; read at each commit.
  std::function<Term()> term;
};

// A commit that runs on behalf of a call (call_scope.h; the scope of the thread that calls RunTransaction) holds the call's audit record too, in
// the same batch: what is not recorded is not done. A commit without writes leaves no record.
//
// On behalf of a call the first attempt runs at once, on the caller's thread, and done may come before this returns. done is called once, on a thread of the executor or of the store: with the commit's revision, the head when nothing
// was to be written, the plan's error, Aborted CONCURRENT_MODIFICATION, with a retry time, after kMaxCommitAttempts
// conflicts, the store's error, or for a call Unavailable AUDIT_SINK_STALLED (audit_trail.h). A conflict is the store's Aborted, or an error of the plan that rests on rows which have changed
// since: rows are read one after the other, so that a plan may see what never was at one moment. Any other error of a
// plan, Aborted too, is an answer.
void RunTransaction(const Writer& writer, TransactionPlan plan, std::function<void(absl::StatusOr<Revision>)> done);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TRANSACTION_H_
