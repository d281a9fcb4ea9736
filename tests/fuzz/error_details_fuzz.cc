// What an API that lies may answer as an error: its details are read or left; what we pass on is the same when it is
// read again and fits into trailers; nothing that a terminal would take for a command reaches a person.
#include <grpcpp/support/status.h>

#include <algorithm>
#include <string>

#include "cli/error_report.h"
#include "libs/common/error.h"
#include "libs/rpc/status_conversion.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

// As base64 this is what stock clients take.
constexpr size_t kMaxDetailsBytes = 6 * 1024;

bool IsForTerminals(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F; });
}

void Check(const grpc::Status& answer) {
  const absl::Status status = FromGrpcStatus(answer);
  Require(!status.ok(), "an error stays one");
  Require(ExitCodeFor(status) != 0, "a failed command does not exit with 0");
  Require(IsForTerminals(ErrorReport(status)), "a report holds no control characters");
  const grpc::Status passed_on = ToGrpcStatus(status, "incident");
  Require(passed_on.error_details().size() <= kMaxDetailsBytes, "details fit into trailers");
  const absl::Status once = FromGrpcStatus(passed_on);
  Require(once.code() == status.code(), "the code stays");
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto code = static_cast<grpc::StatusCode>(1 + data[0] % 16);
  const size_t half = std::min<size_t>(data[1], size - 2);
  keyferry::Check({code, std::string(keyferry::TextOf(data + 2, half)),
                   std::string(keyferry::TextOf(data + 2 + half, size - 2 - half))});
  return 0;
}
