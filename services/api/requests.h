// Request ids: a write that comes twice under one id is done once. The row keeps a keyed digest of what was asked and
// the answer, for kRequestIdLifetime. Its write is part of the write it belongs to, so that there is never one without
// the other.
//
// Of a blind region's values the digest covers sizes alone: the API keeps nothing that a guess could be tried on.
//
// Thread safety: IdempotentRequest is immutable; the functions are free.
#ifndef KEYFERRY_SERVICES_API_REQUESTS_H_
#define KEYFERRY_SERVICES_API_REQUESTS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/crypto/secret_bytes.h"
#include "libs/storage/barrier.h"
#include "services/api/transaction.h"

namespace keyferry {

class IdempotentRequest {
 public:
  // What is asked: the RPC's name and all that it was given but etag and request id. `values` are secret.
  struct Content {
    std::string rpc;
    std::vector<std::string> parts;
    std::vector<const SecretBytes*> values;
  };

  // An empty id: nothing is ever found or remembered. The values outlive the request.
  IdempotentRequest(std::string organization, std::string request_id, Content content);

  bool is_named() const { return !request_id_.empty(); }
  // The answer to the first request of this id; nullopt when there was none within the lifetime.
  // AlreadyExists REQUEST_ID_REUSED: it had other content.
  absl::StatusOr<std::optional<std::string>> FindAnswer(Transaction& transaction, const OrganizationKeys& keys,
                                                        absl::Time now) const;
  void Remember(Transaction& transaction, const OrganizationKeys& keys, bool blind, std::string answer,
                absl::Time now) const;

 private:
  std::string Digest(const OrganizationKeys& keys, bool blind) const;

  const std::string organization_;
  const std::string request_id_;
  const Content content_;
};

// The parts of a JoinParts string; nullopt for any other.
std::optional<std::vector<std::string>> SplitParts(std::string_view joined);

// Erases rows past their lifetime among the next 256 from `begin` on (at first RowKey{Family::kRequests}); done gets
// where to go on, which is the first key again at the end.
void SweepRequests(const Writer& writer, RowKey begin, absl::Time now,
                   std::function<void(absl::StatusOr<RowKey>)> done);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REQUESTS_H_
