// Wire messages of the provisioning stream to and from model values.
//
// Thread safety: pure functions.
#ifndef KEYFERRY_SERVICES_API_PROVISIONING_MESSAGES_H_
#define KEYFERRY_SERVICES_API_PROVISIONING_MESSAGES_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "libs/model/placement.h"
#include "services/api/placement_acks.h"

namespace keyferry {

namespace v1 {
class Ack;
class ApiMessage;
class Event;
class Hello;
class ObjectId;
}  // namespace v1

// nullopt: no such kind, or a name that is none.
std::optional<ObjectId> FromWire(const v1::ObjectId& object);
// nullopt: a malformed object, uid or result.
std::optional<AckReport> FromWire(const v1::Ack& ack);
void ToWire(const ObjectId& object, v1::ObjectId* wire);

// Everything but payload, epoch and sync id.
void ToWire(const ObjectId& object, const DesiredState& desired, Operation operation, v1::Event* wire);

// InvalidArgument INVALID_HELLO with every bad field; FailedPrecondition PROTOCOL_VERSION.
absl::Status CheckHello(const v1::Hello& hello);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_PROVISIONING_MESSAGES_H_
