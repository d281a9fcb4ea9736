// Times on the wire.
#ifndef KEYFERRY_SERVICES_API_WIRE_TIME_H_
#define KEYFERRY_SERVICES_API_WIRE_TIME_H_

#include <google/protobuf/timestamp.pb.h>

#include "absl/time/time.h"

namespace keyferry {

inline void SetTime(absl::Time time, google::protobuf::Timestamp& wire) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  wire.set_seconds(seconds);
  wire.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_WIRE_TIME_H_
