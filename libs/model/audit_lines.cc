#include "libs/model/audit_lines.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"

namespace keyferry {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<AuditDecision, std::string_view> kDecisions[] = {
    {AuditDecision::kDone, "done"}, {AuditDecision::kDenied, "denied"}, {AuditDecision::kDelivered, "delivered"}};

std::string TextOf(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ", time, absl::UTCTimeZone()); }

std::string Dump(const Json& document) { return document.dump(-1, ' ', false, Json::error_handler_t::replace); }

// Fields of a parsed document. What is absent, or of another type, is empty: its line will not be what ToLine makes of
// it.
class Fields {
 public:
  explicit Fields(const Json& document) : document_(document) {}

  std::string Text(const char* name) const {
    const Json* const field = Find(name);
    return field != nullptr && field->is_string() ? field->get<std::string>() : "";
  }
  template <typename Number>
  Number Integer(const char* name) const {
    const Json* const field = Find(name);
    return field != nullptr && field->is_number_integer() ? field->get<Number>() : Number{};
  }
  std::string Hex(const char* name) const {
    const std::string text = Text(name);
    const bool is_hex = text.size() % 2 == 0 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
    return is_hex ? absl::HexStringToBytes(text) : "";
  }
  std::string Base64(const char* name) const {
    std::string bytes;
    return absl::Base64Unescape(Text(name), &bytes) ? bytes : "";
  }
  absl::Time Time(const char* name) const {
    absl::Time time;
    return absl::ParseTime("%Y-%m-%dT%H:%M:%E*SZ", Text(name), absl::UTCTimeZone(), &time, nullptr) ? time
                                                                                                    : absl::Time();
  }

 private:
  const Json* Find(const char* name) const {
    const auto field = document_.find(name);
    return field == document_.end() ? nullptr : &*field;
  }

  const Json& document_;
};

AuditRecord RecordOf(const Fields& fields) {
  AuditRecord record{.number = fields.Integer<int64_t>("number"),
                     .organization = fields.Text("organization"),
                     .time = fields.Time("time"),
                     .principal = fields.Text("principal"),
                     .role = fields.Text("role"),
                     .method = fields.Text("method"),
                     .code = fields.Text("code"),
                     .reason = fields.Text("reason"),
                     .object_kind = fields.Text("objectKind"),
                     .object_name = fields.Text("objectName"),
                     .region = fields.Text("region"),
                     .generation = fields.Integer<int64_t>("generation"),
                     .request_id = fields.Text("requestId"),
                     .revision = fields.Integer<uint64_t>("revision"),
                     .previous_hash = fields.Hex("previousHash"),
                     .hash = fields.Hex("hash")};
  for (const auto& [decision, word] : kDecisions) {
    if (fields.Text("decision") == word) record.decision = decision;
  }
  return record;
}

SignedAuditHead HeadOf(const Fields& fields) {
  return {.organization = fields.Text("organization"),
          .number = fields.Integer<int64_t>("number"),
          .hash = fields.Hex("hash"),
          .time = fields.Time("time"),
          .signature = fields.Base64("signature"),
          .public_key = fields.Base64("publicKey")};
}

AuditStart StartOf(const Fields& fields) {
  return {.organization = fields.Text("organization"),
          .number = fields.Integer<int64_t>("number"),
          .hash = fields.Hex("hash")};
}

std::optional<AuditLine> LineOf(const Fields& fields) {
  const std::string kind = fields.Text("kind");
  if (kind == "record") return RecordOf(fields);
  if (kind == "head") return HeadOf(fields);
  if (kind == "start") return StartOf(fields);
  return std::nullopt;
}

}  // namespace

std::string_view WordOf(AuditDecision decision) {
  for (const auto& [each, word] : kDecisions) {
    if (each == decision) return word;
  }
  return "unknown";
}

std::string ToLine(const AuditRecord& record) {
  return Dump({{"kind", "record"},
               {"organization", record.organization},
               {"number", record.number},
               {"time", TextOf(record.time)},
               {"principal", record.principal},
               {"role", record.role},
               {"method", record.method},
               {"decision", WordOf(record.decision)},
               {"code", record.code},
               {"reason", record.reason},
               {"objectKind", record.object_kind},
               {"objectName", record.object_name},
               {"region", record.region},
               {"generation", record.generation},
               {"requestId", record.request_id},
               {"revision", record.revision},
               {"previousHash", absl::BytesToHexString(record.previous_hash)},
               {"hash", absl::BytesToHexString(record.hash)}});
}

std::string ToLine(const SignedAuditHead& head) {
  return Dump({{"kind", "head"},
               {"organization", head.organization},
               {"number", head.number},
               {"hash", absl::BytesToHexString(head.hash)},
               {"time", TextOf(head.time)},
               {"signature", absl::Base64Escape(head.signature)},
               {"publicKey", absl::Base64Escape(head.public_key)}});
}

std::string ToLine(const AuditStart& start) {
  return Dump({{"kind", "start"},
               {"organization", start.organization},
               {"number", start.number},
               {"hash", absl::BytesToHexString(start.hash)}});
}

absl::StatusOr<AuditLine> ParseAuditLine(std::string_view line) {
  const Json document = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (document.is_object()) {
    std::optional<AuditLine> parsed = LineOf(Fields(document));
    const auto text = [](const auto& value) { return ToLine(value); };
    if (parsed && std::visit(text, *parsed) == line) return *std::move(parsed);
  }
  return absl::InvalidArgumentError("is no line of an export: cut off, reformatted, or with other fields");
}

}  // namespace keyferry
