// This process's term as the store's writer.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_WRITER_TERM_H_
#define KEYFERRY_SERVICES_API_WRITER_TERM_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/storage/store.h"

namespace keyferry {

class WriterTerm {
 public:
  // The store outlives it. Errors of Store::AcquireWriter.
  static absl::StatusOr<std::unique_ptr<WriterTerm>> Acquire(Store& store) {
    ASSIGN_OR_RETURN(const Term term, store.AcquireWriter(Lineage::kKeep));
    return std::unique_ptr<WriterTerm>(new WriterTerm(store, term));
  }

  Term Get() const {
    absl::MutexLock lock(&mutex_);
    return term_;
  }

  // The store was rewound: all later revisions are above all that anybody may have seen. Blocks.
  void BeginNextLineage() {
    const absl::StatusOr<Term> next = store_.AcquireWriter(Lineage::kNext);
    Log(Severity::kError, "store_was_rewound", {{"next_lineage", next.status()}});
    if (!next.ok()) return;
    absl::MutexLock lock(&mutex_);
    term_ = *next;
  }

 private:
  WriterTerm(Store& store, Term term) : store_(store), term_(term) {}

  Store& store_;
  mutable absl::Mutex mutex_;
  Term term_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_WRITER_TERM_H_
