// Values of libs/model.
#include <google/protobuf/io/coded_stream.h>

#include "libs/common/status_macros.h"
#include "libs/storage/codec.h"
#include "libs/storage/record_io.h"

namespace keyferry {
namespace {

template <typename Fields>
void FillEntries(const std::vector<SecretSetEntry>& entries, Fields* out) {
  for (const SecretSetEntry& entry : entries) {
    auto* record = out->Add();
    record->set_key(entry.key);
    record->set_value_bytes(entry.value_bytes);
    record->set_fingerprint(entry.fingerprint);
  }
}

// Takes the texts out of the records.
template <typename Fields>
std::vector<SecretSetEntry> EntriesOf(Fields& records) {
  std::vector<SecretSetEntry> entries;
  entries.reserve(static_cast<size_t>(records.size()));
  for (auto& record : records) {
    entries.push_back({std::move(*record.mutable_key()), record.value_bytes(), std::move(*record.mutable_fingerprint())});
  }
  return entries;
}

// A record before which its first field, 1 and bytes, comes as it is: what fills most of it is not copied into it first.
template <typename Message>
std::string SerializeBehind(std::string_view first, const Message& rest) {
  using google::protobuf::io::CodedOutputStream;
  constexpr uint8_t kTag = 1 << 3 | 2;
  uint8_t head[1 + 1 + 5] = {kRecordFormatVersion, kTag};
  const uint8_t* const end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(first.size()), head + 2);
  std::string bytes;
  bytes.reserve(sizeof(head) + first.size() + rest.ByteSizeLong());
  bytes.append(reinterpret_cast<const char*>(head), first.empty() ? 1 : static_cast<size_t>(end - head)).append(first);
  rest.AppendToString(&bytes);
  return bytes;
}

}  // namespace

std::string Encode(const SecretSet& set) {
  Scratch<storage::SecretSetRecord> scratch;
  auto& record = *scratch;
  record.set_uid(set.uid);
  record.set_type(static_cast<int32_t>(set.type));
  record.set_region(set.region);
  record.set_generation(set.generation);
  FillTime(set.create_time, record.mutable_create_time());
  FillTime(set.update_time, record.mutable_update_time());
  FillEntries(set.entries, record.mutable_entries());
  record.set_host(set.host);
  record.set_digest(set.digest);
  record.set_last_author(set.last_author);
  return Serialize(record);
}

template <>
absl::StatusOr<SecretSet> Decode(std::string_view bytes) {
  Scratch<storage::SecretSetRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  ASSIGN_OR_RETURN(const SecretSetType type,
                   EnumOf(record.type(), SecretSetType::kSecret, SecretSetType::kImagePullSecret));
  return SecretSet{.uid = std::move(*record.mutable_uid()),
                   .type = type,
                   .region = std::move(*record.mutable_region()),
                   .generation = record.generation(),
                   .create_time = TimeOf(record.create_time()),
                   .update_time = TimeOf(record.update_time()),
                   .entries = EntriesOf(*record.mutable_entries()),
                   .host = std::move(*record.mutable_host()),
                   .digest = std::move(*record.mutable_digest()),
                   .last_author = std::move(*record.mutable_last_author())};
}

std::string Encode(const Generation& generation) {
  Scratch<storage::GenerationRecord> scratch;
  auto& record = *scratch;
  for (const EscrowedKey& key : generation.escrowed_keys) {
    auto* escrowed = record.add_escrowed_keys();
    escrowed->set_data_key_id(key.data_key_id);
    escrowed->set_wrapped_key(key.wrapped_key);
  }
  FillEntries(generation.entries, record.mutable_entries());
  FillTime(generation.create_time, record.mutable_create_time());
  record.set_author(generation.author);
  record.set_host(generation.host);
  return SerializeBehind(generation.sealed_object, record);
}

template <>
absl::StatusOr<Generation> Decode(std::string_view bytes) {
  Scratch<storage::GenerationRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  Generation generation{.sealed_object = std::move(*record.mutable_sealed_object()),
                        .entries = EntriesOf(*record.mutable_entries()),
                        .host = std::move(*record.mutable_host()),
                        .create_time = TimeOf(record.create_time()),
                        .author = std::move(*record.mutable_author())};
  for (const auto& key : record.escrowed_keys()) {
    generation.escrowed_keys.push_back({key.data_key_id(), key.wrapped_key()});
  }
  return generation;
}

std::string Encode(const Deployment& deployment) {
  Scratch<storage::DeploymentRecord> scratch;
  auto& record = *scratch;
  record.set_uid(deployment.uid);
  record.set_region(deployment.region);
  record.set_image(deployment.image);
  record.set_secret_set(deployment.secret_set);
  record.set_secret_set_uid(deployment.secret_set_uid);
  record.set_secret_set_generation(deployment.secret_set_generation);
  record.set_image_pull_secret(deployment.image_pull_secret);
  record.set_image_pull_secret_uid(deployment.image_pull_secret_uid);
  record.set_image_pull_secret_generation(deployment.image_pull_secret_generation);
  record.mutable_required_keys()->Add(deployment.required_keys.begin(), deployment.required_keys.end());
  record.mutable_keys()->Add(deployment.keys.begin(), deployment.keys.end());
  record.set_generation(deployment.generation);
  record.set_client_data(deployment.client_data);
  FillTime(deployment.create_time, record.mutable_create_time());
  FillTime(deployment.update_time, record.mutable_update_time());
  record.set_sealed_object(deployment.sealed_object);
  record.set_digest(deployment.digest);
  for (const EscrowedKey& key : deployment.escrowed_keys) {
    storage::EscrowedKey& stored = *record.add_escrowed_keys();
    stored.set_data_key_id(key.data_key_id);
    stored.set_wrapped_key(key.wrapped_key);
  }
  return Serialize(record);
}

template <>
absl::StatusOr<Deployment> Decode(std::string_view bytes) {
  Scratch<storage::DeploymentRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  Deployment deployment{.uid = record.uid(),
                    .region = record.region(),
                    .image = record.image(),
                    .secret_set = record.secret_set(),
                    .secret_set_uid = record.secret_set_uid(),
                    .secret_set_generation = record.secret_set_generation(),
                    .image_pull_secret = record.image_pull_secret(),
                    .image_pull_secret_uid = record.image_pull_secret_uid(),
                    .image_pull_secret_generation = record.image_pull_secret_generation(),
                    .required_keys = {record.required_keys().begin(), record.required_keys().end()},
                    .keys = {record.keys().begin(), record.keys().end()},
                    .generation = record.generation(),
                    .client_data = record.client_data(),
                    .create_time = TimeOf(record.create_time()),
                    .update_time = TimeOf(record.update_time()),
                    .sealed_object = record.sealed_object(),
                    .digest = record.digest()};
  for (const storage::EscrowedKey& key : record.escrowed_keys()) {
    deployment.escrowed_keys.push_back({.data_key_id = key.data_key_id(), .wrapped_key = key.wrapped_key()});
  }
  return deployment;
}

std::string Encode(const DesiredState& desired) {
  Scratch<storage::PlacementRecord> scratch;
  auto& record = *scratch;
  record.set_uid(desired.uid);
  record.set_operation(static_cast<int32_t>(desired.operation));
  record.set_generation(desired.generation);
  record.set_digest(desired.digest);
  FillTime(desired.desired_time, record.mutable_desired_time());
  record.set_request_id(desired.request_id);
  return Serialize(record);
}

template <>
absl::StatusOr<DesiredState> Decode(std::string_view bytes) {
  Scratch<storage::PlacementRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  ASSIGN_OR_RETURN(const Operation operation, EnumOf(record.operation(), Operation::kApply, Operation::kRetain));
  return DesiredState{.uid = std::move(*record.mutable_uid()),
                      .operation = operation,
                      .generation = record.generation(),
                      .digest = std::move(*record.mutable_digest()),
                      .desired_time = TimeOf(record.desired_time()),
                      .request_id = std::move(*record.mutable_request_id())};
}

std::string Encode(const Observation& observation) {
  Scratch<storage::ObservationRecord> scratch;
  auto& record = *scratch;
  record.set_revision(observation.revision);
  record.set_target_incarnation(observation.target_incarnation);
  record.set_result(static_cast<int32_t>(observation.result));
  record.set_generation(observation.generation);
  record.set_ready_generation(observation.ready_generation);
  record.set_uid(observation.uid);
  record.set_error_reason(observation.error_reason);
  record.set_error_message(observation.error_message);
  record.set_permanent(observation.permanent);
  record.set_attempts(observation.attempts);
  FillTime(observation.next_attempt, record.mutable_next_attempt());
  FillTime(observation.observed_time, record.mutable_observed_time());
  record.set_suspect(observation.suspect);
  record.set_suspect_revision(observation.suspect_revision);
  return Serialize(record);
}

template <>
absl::StatusOr<Observation> Decode(std::string_view bytes) {
  Scratch<storage::ObservationRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  ASSIGN_OR_RETURN(const AckResult result, EnumOf(record.result(), AckResult::kReady, AckResult::kFailed));
  return Observation{.revision = record.revision(),
                     .target_incarnation = std::move(*record.mutable_target_incarnation()),
                     .result = result,
                     .generation = record.generation(),
                     .ready_generation = record.ready_generation(),
                     .uid = std::move(*record.mutable_uid()),
                     .error_reason = std::move(*record.mutable_error_reason()),
                     .error_message = std::move(*record.mutable_error_message()),
                     .permanent = record.permanent(),
                     .attempts = record.attempts(),
                     .next_attempt = TimeOf(record.next_attempt()),
                     .observed_time = TimeOf(record.observed_time()),
                     .suspect = record.suspect(),
                     .suspect_revision = record.suspect_revision()};
}

}  // namespace keyferry
