// Sink: a place in the region where opened objects are shown to those who use them. The region's store is the truth; a
// sink follows it and can be filled again from it at any time.
//
// Every implementation passes testing/sink_conformance.h. Thread safety: called by one thread at a time; readers of
// what it shows are other processes and are not held up.
#ifndef KEYFERRY_SERVICES_PROVISIONER_SINK_H_
#define KEYFERRY_SERVICES_PROVISIONER_SINK_H_

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/provisioner/opened_object.h"

namespace keyferry {

class Sink {
 public:
  virtual ~Sink() = default;

  // lower_snake_case, constant; for logs and error messages.
  virtual std::string_view name() const = 0;

  // Shows the object instead of whatever it showed of this id, all of it at once. After an error the old one is still
  // shown. ResourceExhausted: no room. Unavailable: any other trouble.
  virtual absl::Status Apply(const OpenedObject& object) = 0;

  // Shows nothing of it any more. Ok when it showed nothing. Unavailable.
  virtual absl::Status Remove(const ObjectId& id) = 0;

  // Reads what a user would read and compares byte for byte. NotFound: not shown. DataLoss: shown, but not exactly
  // this.
  virtual absl::Status Verify(const OpenedObject& object) = 0;

  // Ids of everything shown, in any order.
  virtual absl::StatusOr<std::vector<ObjectId>> List() = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_SINK_H_
