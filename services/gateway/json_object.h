// Reads the members of a JSON object by name and collects what is wrong with them, so that one answer names every bad
// member.
//
//   JsonObject body(value, "");
//   const std::optional<std::string> region = body.String("region");
//   RETURN_IF_ERROR(body.Finish());
//
// Thread safety: none; a local.
#ifndef KEYFERRY_SERVICES_GATEWAY_JSON_OBJECT_H_
#define KEYFERRY_SERVICES_GATEWAY_JSON_OBJECT_H_

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libs/common/error.h"
#include "services/gateway/exchange.h"

namespace keyferry::gateway {

// What one answer lists; the last of more says how many they are.
inline constexpr size_t kMaxViolations = 32;

class JsonObject {
 public:
  // `path` goes before each member's name in violations: `secrets[3].`. A value that is no object is a violation. value
  // outlives this.
  JsonObject(const nlohmann::json& value, std::string path);

  // nullopt when the member is absent or null. Another type is a violation, and nullopt.
  std::optional<std::string> String(std::string_view name);
  std::optional<bool> Bool(std::string_view name);
  // An integer of at most 53 bits (RFC 7493), however it is written: 5, 5.0 and 50e-1 are the same number.
  std::optional<int64_t> Integer(std::string_view name);
  // Of 1 or more.
  std::optional<int64_t> PositiveInteger(std::string_view name);
  const nlohmann::json* Array(std::string_view name);
  const nlohmann::json* Object(std::string_view name);
  bool Has(std::string_view name) const;

  void AddViolation(std::string_view member, std::string_view description);
  // Takes over a child's violations. Its unknown members are faults when this one's are: Finish and FinishLenient of
  // the parent decide.
  void Absorb(JsonObject child);

  // InvalidArgument INVALID_BODY, one violation per bad member, at most kMaxViolations; a member that nobody asked for
  // is one, by its name when that is short and plain, else by its number in the order of names. Never a value.
  absl::Status Finish();
  // As Finish, but members that nobody asked for are no fault.
  absl::Status FinishLenient();

 private:
  // Counts all, keeps the first kMaxViolations.
  struct Violations {
    void Add(FieldViolation violation);
    void Append(Violations other);

    std::vector<FieldViolation> kept;
    size_t count = 0;
  };

  const nlohmann::json* Find(std::string_view name);
  Violations UnknownMembers();
  absl::Status ToStatus() const;

  const nlohmann::json& value_;
  const std::string path_;
  std::set<std::string, std::less<>> asked_;
  Violations violations_;
  // Of absorbed children.
  Violations unknown_members_;
};

// The body of a request as an object. InvalidArgument UNSUPPORTED_MEDIA_TYPE (not application/json, or another charset
// than UTF-8, or compressed), INVALID_JSON, INVALID_BODY (no object).
absl::StatusOr<nlohmann::json> BodyOf(const Request& request);

// InvalidArgument INVALID_QUERY when the query has another parameter than these, which it names: nothing is done
// without what was asked for. The other one is named where its name is short and plain.
absl::Status CheckQuery(const Request& request, std::initializer_list<std::string_view> known);
// The only value of a query parameter; nullopt when absent; InvalidArgument INVALID_QUERY when given twice.
absl::StatusOr<std::optional<std::string>> QueryValue(const Request& request, std::string_view name);
// `true` and `false` alone; absent: false.
absl::StatusOr<bool> QueryFlag(const Request& request, std::string_view name);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_JSON_OBJECT_H_
