#include "services/provisioner/resync.h"

#include "absl/strings/str_cat.h"
#include "libs/crypto/aead.h"
#include "libs/model/object_hash.h"

namespace keyferry {
namespace {

constexpr size_t kSeenBytes = 16;

std::string SeenKey(const ObjectId& object) { return Sha256(ObjectIdBytes(object)).substr(0, kSeenBytes); }

}  // namespace

void Resync::Begin(const std::string& sync_id, uint64_t as_of_revision) {
  *this = Resync();
  sync_id_ = sync_id;
  as_of_revision_ = as_of_revision;
}

void Resync::Saw(const std::string& sync_id, const ObjectId& object) {
  if (sync_id.empty() || sync_id != sync_id_) return;
  if (seen_.insert(SeenKey(object)).second) hash_ += ObjectHash(object);
}

bool Resync::HasSeen(const ObjectId& object) const { return seen_.contains(SeenKey(object)); }

absl::Status Resync::Finish(const End& end) {
  const bool same = !sync_id_.empty() && end.sync_id == sync_id_ && end.as_of_revision == as_of_revision_;
  sync_id_.clear();
  if (!same) return absl::FailedPreconditionError("the resync that ends is not the one that began on this stream");
  if (end.object_count != seen_.size() || end.object_hash != hash_) {
    return absl::FailedPreconditionError(
        absl::StrCat("the resync is incomplete: ", seen_.size(), " objects came of ", end.object_count));
  }
  return absl::OkStatus();
}

}  // namespace keyferry
