// Rows of the store as a damaged disk may give them: a frame that does not fit is refused, a value that decodes encodes
// to bytes that decode to the same, and nothing else happens. The first byte chooses the kind of row.
#include <array>
#include <string>

#include "libs/rpc/sealed_object_codec.h"
#include "libs/storage/codec.h"
#include "libs/storage/row_frame.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

template <typename T>
void CheckDecode(std::string_view bytes) {
  const absl::StatusOr<T> value = Decode<T>(bytes);
  if (!value.ok()) return Require(absl::IsDataLoss(value.status()), "bytes that are no record are data loss");
  const std::string encoded = Encode(*value);
  const absl::StatusOr<T> again = Decode<T>(encoded);
  Require(again.ok() && Encode(*again) == encoded, "an encoded value decodes to itself");
}

constexpr std::array kKinds = {
    CheckDecode<OrganizationRow>,    CheckDecode<WrappedKeysRow>, CheckDecode<ApiKeyRow>,
    CheckDecode<RegionRow>,          CheckDecode<RegionStateRow>, CheckDecode<RequestRow>,
    CheckDecode<EnrollmentTokenRow>, CheckDecode<ProvisionerRow>, CheckDecode<RegionAuthorityRow>,
    CheckDecode<RevokedIdentityRow>, CheckDecode<ShredRow>,       CheckDecode<RotationRow>,
    CheckDecode<AuditRow>,           CheckDecode<AuditHeadRow>,   CheckDecode<SecretSet>,
    CheckDecode<Generation>,         CheckDecode<Deployment>,     CheckDecode<DesiredState>,
    CheckDecode<Observation>};

void CheckFrame(std::string_view bytes) {
  const RowKey key{Family::kSets, "a/b"};
  const absl::StatusOr<Row> row = UnframeRow(key, bytes);
  if (!row.ok()) return Require(absl::IsDataLoss(row.status()), "bytes that are no frame are data loss");
  Require(FrameRow(key, row->revision, row->value) == bytes, "a frame has one form");
  Require(!UnframeRow({Family::kSets, "a/c"}, bytes).ok(), "a frame is good at its own place alone");
}

void CheckSealedObject(std::string_view bytes) {
  const auto object = ParseSealedObject(bytes);
  if (!object.ok()) return Require(absl::IsDataLoss(object.status()), "bytes that are no object are data loss");
  const std::string serialized = SerializeSealedObject(*object);
  const auto again = ParseSealedObject(serialized);
  Require(again.ok() && SerializeSealedObject(*again) == serialized, "an object parses to itself");
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes = keyferry::TextOf(data + 1, size - 1);
  const size_t kind = data[0] % (keyferry::kKinds.size() + 2);
  if (kind < keyferry::kKinds.size()) {
    keyferry::kKinds[kind](bytes);
  } else if (kind == keyferry::kKinds.size()) {
    keyferry::CheckFrame(bytes);
    keyferry::CheckFrame(keyferry::FrameRow({keyferry::Family::kSets, "a/b"}, size, bytes));
  } else {
    keyferry::CheckSealedObject(bytes);
  }
  return 0;
}
