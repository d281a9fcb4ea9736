#include "libs/rpc/status_conversion.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/error_info.pb.h"
#include "google/rpc/status.pb.h"
#include "libs/common/error.h"

namespace keyferry {
namespace {

constexpr char kDomain[] = "keyferry";
constexpr char kResource[] = "resource";
constexpr char kOmitted[] = "omitted_details";
// Stock clients accept 8 KiB of trailers, and base64 makes four bytes of three.
constexpr size_t kMaxMessageBytes = 768;
constexpr size_t kMaxDetailBytes = 4200;
constexpr absl::Duration kDefaultRetry = absl::Seconds(1);

bool IsInternal(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

// A full quota stays full until somebody does something about it.
bool PassesWithTime(absl::StatusCode code, const std::string& reason) {
  if (reason == "QUOTA_EXCEEDED") return false;
  return code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kResourceExhausted;
}

// Cuts between characters, never within one.
std::string Shorten(absl::string_view text) {
  if (text.size() <= kMaxMessageBytes) return std::string(text);
  size_t end = kMaxMessageBytes - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return absl::StrCat(text.substr(0, end), "...");
}

ErrorDetails DetailsWithDefaults(const absl::Status& status) {
  ErrorDetails details = DetailsOf(status).value_or(ErrorDetails{});
  if (details.reason.empty()) details.reason = absl::StatusCodeToString(status.code());
  if (!details.retry_after && PassesWithTime(status.code(), details.reason)) details.retry_after = kDefaultRetry;
  return details;
}

// Violations or blockers that no longer fit are left out and counted.
class DetailsBuilder {
 public:
  explicit DetailsBuilder(ErrorDetails details) : details_(std::move(details)) {}

  void AddTo(google::rpc::Status& wire) {
    for (auto& [key, value] : details_.metadata) {
      value = Shorten(value);
      used_ += key.size() + value.size();
    }
    google::rpc::BadRequest bad_request;
    for (const FieldViolation& violation : details_.violations) {
      if (!Fits(violation.field.size() + violation.description.size())) continue;
      auto& out = *bad_request.add_field_violations();
      out.set_field(violation.field);
      out.set_description(violation.description);
    }
    google::rpc::PreconditionFailure precondition;
    for (const std::string& blocker : details_.blockers) {
      if (!Fits(blocker.size() + details_.reason.size())) continue;
      auto& out = *precondition.add_violations();
      out.set_type(details_.reason);
      out.set_subject(blocker);
    }
    wire.add_details()->PackFrom(ErrorInfo());
    if (bad_request.field_violations_size() > 0) wire.add_details()->PackFrom(bad_request);
    if (precondition.violations_size() > 0) wire.add_details()->PackFrom(precondition);
    if (details_.retry_after) wire.add_details()->PackFrom(RetryInfo());
    if (details_.metadata.contains(kResource)) wire.add_details()->PackFrom(ResourceInfo());
  }

 private:
  bool Fits(size_t size) {
    used_ += size + 8;
    if (used_ <= kMaxDetailBytes) return true;
    ++omitted_;
    return false;
  }

  google::rpc::ErrorInfo ErrorInfo() const {
    google::rpc::ErrorInfo info;
    info.set_reason(details_.reason);
    info.set_domain(kDomain);
    for (const auto& [key, value] : details_.metadata) (*info.mutable_metadata())[key] = value;
    if (omitted_ > 0) (*info.mutable_metadata())[kOmitted] = absl::StrCat(omitted_);
    return info;
  }

  google::rpc::RetryInfo RetryInfo() const {
    google::rpc::RetryInfo info;
    const int64_t millis = absl::ToInt64Milliseconds(*details_.retry_after);
    info.mutable_retry_delay()->set_seconds(millis / 1000);
    info.mutable_retry_delay()->set_nanos(static_cast<int32_t>(millis % 1000) * 1'000'000);
    return info;
  }

  google::rpc::ResourceInfo ResourceInfo() const {
    google::rpc::ResourceInfo info;
    info.set_resource_type(kDomain);
    info.set_resource_name(details_.metadata.at(kResource));
    return info;
  }

  ErrorDetails details_;
  size_t used_ = 0;
  int omitted_ = 0;
};

ErrorDetails DetailsFrom(const google::rpc::Status& wire) {
  ErrorDetails details;
  for (const google::protobuf::Any& any : wire.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    google::rpc::PreconditionFailure precondition;
    google::rpc::RetryInfo retry;
    if (any.UnpackTo(&info)) {
      details.reason = info.reason();
      for (const auto& [key, value] : info.metadata()) details.metadata[key] = value;
    } else if (any.UnpackTo(&bad_request)) {
      for (const auto& violation : bad_request.field_violations()) {
        details.violations.push_back({violation.field(), violation.description()});
      }
    } else if (any.UnpackTo(&precondition)) {
      for (const auto& violation : precondition.violations()) details.blockers.push_back(violation.subject());
    } else if (any.UnpackTo(&retry)) {
      details.retry_after =
          absl::Seconds(retry.retry_delay().seconds()) + absl::Nanoseconds(retry.retry_delay().nanos());
    }
  }
  return details;
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status, std::string_view incident_id) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status wire;
  wire.set_code(static_cast<int>(status.code()));
  if (IsInternal(status.code())) {
    wire.set_message(
        absl::StrCat("internal error, incident ", absl::string_view(incident_id.data(), incident_id.size())));
    DetailsBuilder(
        {.reason = absl::StatusCodeToString(status.code()), .metadata = {{"incident", std::string(incident_id)}}})
        .AddTo(wire);
  } else {
    wire.set_message(Shorten(status.message()));
    DetailsBuilder(DetailsWithDefaults(status)).AddTo(wire);
  }
  return grpc::Status(static_cast<grpc::StatusCode>(wire.code()), wire.message(), wire.SerializeAsString());
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  google::rpc::Status wire;
  if (!wire.ParseFromString(status.error_details()) || wire.details().empty())
    return absl::Status(code, status.error_message());
  return MakeError(code, status.error_message(), DetailsFrom(wire));
}

}  // namespace keyferry
