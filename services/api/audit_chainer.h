// AuditChainer: gives waiting records their number and hash, in order of revision, and signs the ends of chains. One
// commit moves a batch: the records under their numbers, the waiting ones away, the heads on; so a crash leaves each
// record either waiting or chained. A waiting record that does not open is stepped over, reported and left where it is;
// one whose chain's end does not open waits, and the other chains go on.
//
// Thread safety: confined to one thread, but for lag(). There is one of a store.
#ifndef KEYFERRY_SERVICES_API_AUDIT_CHAINER_H_
#define KEYFERRY_SERVICES_API_AUDIT_CHAINER_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/clock.h"
#include "libs/crypto/signature.h"
#include "libs/storage/store.h"
#include "libs/storage/trust_rows.h"
#include "services/api/transaction.h"

namespace keyferry {

// In one commit, and in memory at a time.
inline constexpr size_t kMaxAuditRecordsPerCommit = 256;
inline constexpr size_t kMaxAuditRecordsPerRound = 16'384;
// A chain that moved is signed when so many records, or so long, after its last signature.
inline constexpr int64_t kMaxAuditRecordsUnsigned = 1000;
inline constexpr absl::Duration kAuditSignInterval = absl::Seconds(10);
// Chaining that has not got on for so long stands still.
inline constexpr absl::Duration kAuditStandstill = absl::Seconds(10);

// What the system says of a record that cannot be read, in its own chain. `name`: the record's.
AuditRow DamagedAuditRecord(const std::string& name, absl::Time now);

// The head of `row` as it is now, signed at `now`.
SignedAuditHead SignedHeadOf(const SigningKey& key, const std::string& organization, const AuditHeadRow& row,
                             absl::Time now);

class AuditChainer {
 public:
  // Gets a record of each row that is damaged, once.
  using Report = std::function<void(AuditRow)>;

  // All outlive it. Without a key nothing is signed.
  AuditChainer(const Writer& writer, const Clock& clock, std::shared_ptr<const SigningKey> key,
               Report report = [](const AuditRow&) {})
      : writer_(writer), clock_(clock), key_(std::move(key)), report_(std::move(report)) {
    GotOn();
  }

  // Chains all that was committed when it was called, and signs what is due. Answers how many it chained. Blocks.
  // Errors of the store; what was chained before stays so. Damaged rows are none.
  absl::StatusOr<int64_t> ChainPending();

  enum class Which : uint8_t { kDue, kAll };
  // Signs chains that moved since their last signature.
  absl::Status SignHeads(Which which);

  // How long a chain, or any, has stood still; zero: it does not.
  absl::Duration lag(const std::string& organization) const;
  absl::Duration lag() const;

 private:
  struct Chain {
    AuditHeadRow head;
    Revision revision = 0;
  };

  // Of those committed up to `newest`, the kMaxAuditRecordsPerRound first, in order.
  absl::StatusOr<std::vector<KeyedRow>> ReadPending(Revision newest);
  // Answers how many it chained.
  absl::StatusOr<int64_t> CommitBatch(std::span<const KeyedRow> batch);
  // DataLoss: it does not open, and stands still from now on.
  absl::StatusOr<Chain> ReadChain(const std::string& organization);
  void ReadStandingAgain();
  bool Stands(const std::string& organization) const;
  void Damaged(const RowKey& row);
  void GotOn() { got_on_ = absl::ToInt64Microseconds(clock_.Monotonic()); }
  absl::Duration Standstill() const;
  // Whether it signed.
  bool SignIfDue(const std::string& organization, AuditHeadRow& head, Which which) const;
  absl::Status FindUnsigned();

  const Writer writer_;
  const Clock& clock_;
  const std::shared_ptr<const SigningKey> key_;
  const Report report_;
  // Rows that do not open, and those that were reported.
  std::set<RowKey> damaged_;
  std::set<RowKey> reported_;
  // Organizations whose heads moved since they were signed.
  std::set<std::string> unsigned_;
  bool has_found_unsigned_ = false;
  // Of the monotonic clock, in microseconds: the last commit, or round without an error.
  std::atomic<int64_t> got_on_ = 0;
  mutable absl::Mutex mutex_;
  // Chains whose ends do not open, since when (monotonic).
  std::map<std::string, absl::Duration> standing_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_AUDIT_CHAINER_H_
