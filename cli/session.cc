#include "cli/session.h"

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/usage.h"
#include "libs/common/status_macros.h"

namespace keyferry {

absl::Status Session::CallInto(std::string_view rpc, const google::protobuf::Message& request,
                               google::protobuf::Message& response, absl::Duration timeout) {
  if (client_ == nullptr) {
    if (settings_.endpoint.empty()) {
      return UsageError("no endpoint: set KEYFERRY_ENDPOINT to host:port or unix:/path, or give --endpoint");
    }
    ASSIGN_OR_RETURN(client_, ApiClient::Create({.endpoint = settings_.endpoint,
                                                 .ca_file = settings_.ca_file,
                                                 .certificate_file = settings_.certificate_file,
                                                 .key_file = settings_.key_file,
                                                 .api_key = settings_.api_key.Clone()}));
  }
  return client_->Call(rpc, request, response, timeout);
}

void Session::Print(const nlohmann::ordered_json& document, std::string_view text) {
  switch (line_.format) {
    case OutputFormat::kTable:
      console_.output << text;
      break;
    case OutputFormat::kJson:
      console_.output << RenderJson(document);
      break;
    case OutputFormat::kYaml:
      console_.output << RenderYaml(document);
      break;
  }
  console_.output.flush();
}

void Session::Note(std::string_view text) { console_.error << text << std::endl; }

absl::Status Session::Confirm(const std::string& question) {
  return line_.skip_confirm ? absl::OkStatus() : keyferry::Confirm(console_, question);
}

}  // namespace keyferry
