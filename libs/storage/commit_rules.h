// What every store decides alike about a commit: whether it is well-formed, which key a mutation writes, and the words
// of a refusal.
//
// Thread safety: free functions, safe anywhere.
#ifndef KEYFERRY_STORAGE_COMMIT_RULES_H_
#define KEYFERRY_STORAGE_COMMIT_RULES_H_

#include <string>

#include "absl/status/status.h"
#include "libs/storage/store.h"

namespace keyferry {

// The first lineage and what an empty store answers as its head. No row ever has revision 0.
inline constexpr uint64_t kFirstLineage = 1;
inline constexpr Revision kEmptyHead = kFirstLineage << kRevisionSequenceBits;

// InvalidArgument: a revision_offset outside its key, a key that occurs twice, or a keep_revision without value and precondition.
absl::Status CheckForm(const Commit& commit);

// The mutation's key with the revision written where it asks for it.
RowKey StampedKey(const Mutation& mutation, Revision revision);

// What the row has after this commit: a mutation with keep_revision keeps what its precondition names.
Revision RevisionAfter(const Commit& commit, const Mutation& mutation, Revision revision);

// Aborted STALE_TERM and Aborted CONCURRENT_MODIFICATION.
absl::Status StaleTerm(uint64_t asked, uint64_t current);
absl::Status Conflict(const RowKey& key);

// Answers `why` on a thread of the store, as a commit must be answered; nothing is written. For stores that wrap
// another.
void Refuse(Store& store, absl::Status why, Store::CommitDone done);

const char* FamilyName(Family family);

// Family and key as people read them: separators as '/', other bytes that do not print as '.'.
std::string Printable(const RowKey& key);

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_COMMIT_RULES_H_
