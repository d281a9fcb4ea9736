// What a command works with: its arguments, the settings, the console and the API.
#ifndef KEYFERRY_CLI_SESSION_H_
#define KEYFERRY_CLI_SESSION_H_

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/api_client.h"
#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/settings.h"

namespace keyferry {

// Lives as long as one command; so do the references.
class Session {
 public:
  Session(const CommandLine& line, const Settings& settings, Console& console)
      : line_(line), settings_(settings), console_(console) {}

  const CommandLine& line() const { return line_; }
  const Settings& settings() const { return settings_; }
  Console& console() { return console_; }

  // Connects with the first call. USAGE error when no endpoint is set; else what ApiClient::Call says.
  template <typename Response>
  absl::StatusOr<Response> Call(std::string_view rpc, const google::protobuf::Message& request,
                                absl::Duration timeout = kCallTimeout) {
    Response response;
    const absl::Status status = CallInto(rpc, request, response, timeout);
    if (!status.ok()) return status;
    return response;
  }

  // Prints the document as JSON or YAML where that was asked for, else the text.
  void Print(const nlohmann::ordered_json& document, std::string_view text);
  // For people alone, on standard error.
  void Note(std::string_view text);

  // Asks on a terminal, unless --skip-confirm.
  absl::Status Confirm(const std::string& question);

 private:
  absl::Status CallInto(std::string_view rpc, const google::protobuf::Message& request,
                        google::protobuf::Message& response, absl::Duration timeout);

  const CommandLine& line_;
  const Settings& settings_;
  Console& console_;
  std::unique_ptr<ApiClient> client_;
};

using Command = absl::Status (*)(Session&);

// By the words of the command: `secrets set`. Every leaf of the command tree has one, but for `run` and `completion`.
using CommandTable = std::map<std::string, Command, std::less<>>;

}  // namespace keyferry

#endif  // KEYFERRY_CLI_SESSION_H_
