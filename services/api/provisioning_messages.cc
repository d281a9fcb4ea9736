#include "services/api/provisioning_messages.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "keyferry/v1/provisioning.pb.h"
#include "libs/common/error.h"
#include "libs/model/names.h"

namespace keyferry {
namespace {

constexpr uint32_t kProtocolVersion = 1;
constexpr size_t kIdBytes = 16;
constexpr size_t kMaxVersionBytes = 64;

}  // namespace

std::optional<ObjectId> FromWire(const v1::ObjectId& object) {
  if (object.kind() != v1::OBJECT_KIND_SECRET_SET && object.kind() != v1::OBJECT_KIND_DEPLOYMENT) return std::nullopt;
  ObjectId id{.kind = static_cast<ObjectKind>(object.kind()), .organization = object.organization(), .name = object.name()};
  const auto bad_name = id.kind == ObjectKind::kSecretSet ? CheckSecretSetName("name", id.name) : CheckAgentName("name", id.name);
  if (bad_name || CheckOrganizationName("organization", id.organization)) return std::nullopt;
  return id;
}

std::optional<AckReport> FromWire(const v1::Ack& ack) {
  std::optional<ObjectId> object = FromWire(ack.object());
  if (!object || ack.uid().size() != kIdBytes) return std::nullopt;
  if (ack.result() != v1::ACK_RESULT_READY && ack.result() != v1::ACK_RESULT_FAILED) return std::nullopt;
  return AckReport{.object = *std::move(object),
                   .uid = absl::BytesToHexString(ack.uid()),
                   .revision = ack.revision(),
                   .result = static_cast<AckResult>(ack.result()),
                   .digest = ack.digest(),
                   .error_reason = ack.error_reason(),
                   .error_message = ack.error_message(),
                   .permanent = ack.permanent()};
}

void ToWire(const ObjectId& object, v1::ObjectId* wire) {
  wire->set_kind(static_cast<v1::ObjectKind>(object.kind));
  wire->set_organization(object.organization);
  wire->set_name(object.name);
}

void ToWire(const ObjectId& object, const DesiredState& desired, Operation operation, v1::Event* wire) {
  ToWire(object, wire->mutable_object());
  wire->set_uid(absl::HexStringToBytes(desired.uid));
  wire->set_revision(desired.revision);
  wire->set_operation(static_cast<v1::Operation>(operation));
  wire->set_digest(desired.digest);
  wire->set_request_id(desired.request_id);
}

absl::Status CheckHello(const v1::Hello& hello) {
  if (hello.protocol_version() != kProtocolVersion) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat("protocol version ", hello.protocol_version(), " is not spoken here, only ", kProtocolVersion,
                                  "; upgrade the older of API and provisioner"),
                     {.reason = "PROTOCOL_VERSION"});
  }
  std::vector<FieldViolation> violations;
  const auto require = [&](bool holds, const char* field, const char* rule) {
    if (!holds) violations.push_back({absl::StrCat("hello.", field), rule});
  };
  require(hello.boot_id().size() == kIdBytes, "boot_id", "must be 16 bytes");
  require(hello.target_incarnation().size() == kIdBytes, "target_incarnation", "must be 16 bytes");
  require(hello.max_inflight_objects() >= 1, "max_inflight_objects", "must be 1 or more");
  require(hello.max_inflight_bytes() >= 1, "max_inflight_bytes", "must be 1 or more");
  require(hello.version().size() <= kMaxVersionBytes, "version", "must be at most 64 bytes");
  return violations.empty() ? absl::OkStatus() : InvalidFields("INVALID_HELLO", std::move(violations));
}

}  // namespace keyferry
