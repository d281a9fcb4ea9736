#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/dotenv.h"
#include "cli/file_reader.h"
#include "cli/readiness_wait.h"
#include "cli/usage.h"
#include "cli/views.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "libs/model/names.h"

namespace keyferry {
namespace {

constexpr size_t kMaxDotenvBytes = 2 * 1024 * 1024;

// The name stands where a value could have slipped to, so no error may show it; the API's would.
absl::Status CheckName(const std::string& name) {
  if (!CheckSecretSetName("name", name)) return absl::OkStatus();
  return UsageError(absl::StrCat("the first argument is the set's name and this one is none: ", kMinSetNameLength,
                                 " to ", kMaxSetNameLength,
                                 " of a-z 0-9 - and ., beginning and ending with a letter or digit"));
}

absl::Status CheckValue(const KeyValue& entry) {
  if (entry.value.size() > kMaxValueBytes) {
    return UsageError(
        absl::StrCat("the value of ", entry.key, " has ", entry.value.size(), " bytes; the limit is ", kMaxValueBytes));
  }
  if (entry.value.Access().find('\0') != std::string_view::npos) {
    return UsageError(absl::StrCat("the value of ", entry.key, " holds a NUL byte, which no environment variable can"));
  }
  return absl::OkStatus();
}

class Entries {
 public:
  // Keys of the command line and of the files it names, each once.
  absl::Status Add(KeyValue entry) {
    RETURN_IF_ERROR(CheckValue(entry));
    if (!keys_.insert(entry.key).second)
      return UsageError(absl::StrCat("key ", entry.key, " is given twice on the command line"));
    entries_.push_back(std::move(entry));
    return absl::OkStatus();
  }
  // Keys of a .env file, where the command line has not said otherwise.
  absl::Status AddDefault(KeyValue entry) {
    return keys_.contains(entry.key) ? absl::OkStatus() : Add(std::move(entry));
  }

  absl::StatusOr<std::vector<KeyValue>> Take() {
    if (entries_.empty())
      return UsageError("nothing to set: give KEY VALUE, KEY=VALUE, --file, --from-file or --from-stdin");
    if (entries_.size() > kMaxKeysPerSet)
      return UsageError(absl::StrCat(entries_.size(), " keys; a set holds at most ", kMaxKeysPerSet));
    size_t size = 0;
    for (const KeyValue& entry : entries_) size += entry.value.size();
    if (size > kMaxSetBytes)
      return UsageError(absl::StrCat(size, " bytes of values; a set holds at most ", kMaxSetBytes));
    return std::move(entries_);
  }

 private:
  std::vector<KeyValue> entries_;
  std::set<std::string> keys_;
};

absl::Status AddFromFile(const std::string& argument, Entries& entries) {
  const size_t equals = argument.find('=');
  if (equals == std::string::npos) return UsageError("--from-file takes KEY=PATH");
  RETURN_IF_ERROR(CheckKey("--from-file", argument.substr(0, equals)));
  ASSIGN_OR_RETURN(SecretBytes value, ReadSecretFile(argument.substr(equals + 1), kMaxValueBytes));
  return entries.Add({argument.substr(0, equals), std::move(value)});
}

absl::StatusOr<std::vector<KeyValue>> GatherEntries(Session& session) {
  const CommandLine& line = session.line();
  Entries entries;
  for (const KeyValue& pair : line.pairs.entries) RETURN_IF_ERROR(entries.Add({pair.key, pair.value.Clone()}));
  for (const std::string& argument : line.from_files) RETURN_IF_ERROR(AddFromFile(argument, entries));
  if (!line.from_stdin_key.empty()) {
    RETURN_IF_ERROR(CheckKey("--from-stdin", line.from_stdin_key));
    ASSIGN_OR_RETURN(SecretBytes value, ReadSecretStream(session.console().input, "standard input", kMaxValueBytes));
    RETURN_IF_ERROR(entries.Add({line.from_stdin_key, std::move(value)}));
  }
  if (!line.dotenv_file.empty()) {
    ASSIGN_OR_RETURN(const SecretBytes text, ReadSecretFile(line.dotenv_file, kMaxDotenvBytes));
    ASSIGN_OR_RETURN(std::vector<KeyValue> pairs, ParseDotenv(line.dotenv_file, text.Access()));
    for (KeyValue& pair : pairs) RETURN_IF_ERROR(entries.AddDefault(std::move(pair)));
  }
  return entries.Take();
}

// What both kinds of write ask for.
template <typename Request>
Request NewWrite(const Session& session) {
  Request request;
  request.set_organization(session.settings().organization);
  request.set_secret_set(session.line().name);
  request.set_region(session.line().region);
  request.set_etag(session.line().etag);
  request.set_request_id(NewUid());
  request.set_validate_only(session.line().dry_run);
  return request;
}

absl::Status SetSecrets(Session& session) {
  const CommandLine& line = session.line();
  RETURN_IF_ERROR(CheckName(line.name));
  for (const std::string& key : line.pairs.option_like) {
    session.Note(absl::StrCat("warning: what follows ", key,
                              " is spelled like an option of this command; it was taken as the value"));
  }
  ASSIGN_OR_RETURN(const std::vector<KeyValue> entries, GatherEntries(session));
  if (line.replace_all && !line.dry_run) {
    RETURN_IF_ERROR(session.Confirm(
        absl::StrCat("Make these ", entries.size(), " keys the whole of ", line.name, " and remove all others?")));
  }
  auto request = NewWrite<v1::SetSecretsRequest>(session);
  request.set_replace_all(line.replace_all);
  const absl::Cleanup wiper = [&request] {
    for (v1::SecretEntry& entry : *request.mutable_entries()) Wipe(*entry.mutable_value());
  };
  for (const KeyValue& entry : entries) {
    v1::SecretEntry& added = *request.add_entries();
    added.set_key(entry.key);
    added.set_value(entry.value.Access().data(), entry.value.size());
  }
  ASSIGN_OR_RETURN(const auto response, session.Call<v1::SetSecretsResponse>("SecretSets/SetSecrets", request));
  return ReportWrite(session, response);
}

absl::StatusOr<SecretBytes> AskForCredentials(Session& session) {
  const std::string& host = session.line().host;
  ASSIGN_OR_RETURN(const SecretBytes username,
                   Prompt(session.console(), absl::StrCat("Username for ", host, ": "), Echo::kShown));
  if (username.empty() || username.Access().find(':') != std::string_view::npos) {
    return UsageError("a username has at least one character and no ':'");
  }
  ASSIGN_OR_RETURN(const SecretBytes token, Prompt(session.console(), "Token: ", Echo::kHidden));
  if (token.empty()) return UsageError("the token is empty");
  std::string credentials;
  credentials.reserve(username.size() + 1 + token.size());
  credentials.append(username.Access()).append(":").append(token.Access());
  return SecretBytes::Take(std::move(credentials));
}

absl::StatusOr<SecretBytes> ReadCredentials(Session& session) {
  ASSIGN_OR_RETURN(SecretBytes text, ReadSecretStream(session.console().input, "standard input", kMaxPullAuthBytes));
  std::string_view line = text.Access();
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) return UsageError("no credentials: give username:token as an argument or on standard input");
  return SecretBytes::Copy(line);
}

// base64 has no ':', so what has one is username:token still to be encoded.
absl::StatusOr<SecretBytes> EncodeCredentials(SecretBytes credentials) {
  const std::string_view text = credentials.Access();
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return credentials;
  if (colon == 0 || colon + 1 == text.size())
    return UsageError("credentials are username:token, neither of them empty");
  return SecretBytes::Take(absl::Base64Escape(absl::string_view(text.data(), text.size())));
}

absl::StatusOr<SecretBytes> FindCredentials(Session& session) {
  if (session.line().credentials) return session.line().credentials->Clone();
  return session.console().CanPrompt() ? AskForCredentials(session) : ReadCredentials(session);
}

absl::Status SetImagePullSecret(Session& session) {
  RETURN_IF_ERROR(CheckName(session.line().name));
  ASSIGN_OR_RETURN(SecretBytes credentials, FindCredentials(session));
  ASSIGN_OR_RETURN(const SecretBytes auth, EncodeCredentials(std::move(credentials)));
  auto request = NewWrite<v1::SetImagePullSecretRequest>(session);
  const absl::Cleanup wiper = [&request] { Wipe(*request.mutable_auth()); };
  request.set_host(session.line().host);
  request.set_auth(auth.Access().data(), auth.size());
  ASSIGN_OR_RETURN(const auto response, session.Call<v1::SetSecretsResponse>("SecretSets/SetImagePullSecret", request));
  return ReportWrite(session, response);
}

std::string WriteText(const Session& session, const v1::SetSecretsResponse& response) {
  const v1::SecretSet& set = response.secret_set();
  const char* outcome = session.line().dry_run ? "dry run, nothing written"
                        : response.changed()   ? "accepted"
                                               : "unchanged";
  std::string text = absl::StrCat(outcome, ": secret set ", set.name(), ", region ", set.region(), ", generation ",
                                  set.generation(), ", status ", ReadinessWord(set.readiness()), "\n");
  if (session.line().dry_run) return text;
  if (set.readiness() == v1::READINESS_PENDING)
    absl::StrAppend(&text, "wait for it: keyferry secrets wait ", set.name(), "\n");
  if (response.changed())
    absl::StrAppend(&text, "deployments keep the values they were deployed with; redeploy to give them these\n");
  return text;
}

}  // namespace

absl::Status ReportWrite(Session& session, const v1::SetSecretsResponse& response) {
  v1::SetSecretsResponse latest = response;
  absl::Status waited;
  if (session.line().wait) {
    const v1::SecretSet& set = response.secret_set();
    auto ready = WaitForSecretSet(session, set.name(), set.generation(), *session.line().wait);
    waited = ready.status();
    if (ready.ok()) *latest.mutable_secret_set() = *std::move(ready);
  }
  nlohmann::ordered_json document = ToDocument(latest.secret_set());
  document["changed"] = response.changed();
  if (session.line().dry_run) document["dryRun"] = true;
  session.Print(document, WriteText(session, latest));
  return waited;
}

void AddSecretWriteCommands(CommandTable& table) {
  table["secrets set"] = SetSecrets;
  table["secrets image-pull-secret"] = SetImagePullSecret;
}

}  // namespace keyferry
