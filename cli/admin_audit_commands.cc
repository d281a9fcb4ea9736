#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/usage.h"
#include "keyferry/v1/audit.pb.h"
#include "libs/common/failpoint.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/signature.h"
#include "libs/model/audit_verifier.h"
#include "libs/rpc/audit_conversion.h"

namespace keyferry {
namespace {

using Json = nlohmann::ordered_json;

// Gives all records from `first` on, in order, until it answers false.
absl::Status VisitRecords(Session& session, int64_t first,
                          const std::function<absl::StatusOr<bool>(const AuditRecord&)>& take) {
  v1::ListAuditRecordsRequest request;
  request.set_organization(session.settings().organization);
  request.set_first_number(first);
  request.set_page_size(kMaxPageSize);
  do {
    ASSIGN_OR_RETURN(const auto page, session.Call<v1::ListAuditRecordsResponse>("Audit/ListAuditRecords", request));
    for (const v1::AuditRecord& wire : page.records()) {
      ASSIGN_OR_RETURN(const bool more, take(FromProto(wire)));
      if (!more) return absl::OkStatus();
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

std::string ObjectText(const AuditRecord& record) {
  if (record.object_kind.empty()) return "";
  return record.object_name.empty() ? record.object_kind : absl::StrCat(record.object_kind, " ", record.object_name);
}

std::string DecisionText(const AuditRecord& record) {
  const std::string word(WordOf(record.decision));
  return record.reason.empty() ? word : absl::StrCat(word, " ", record.reason);
}

absl::Status List(Session& session) {
  Table table{
      .header = {"NUMBER", "TIME", "PRINCIPAL", "ROLE", "METHOD", "DECISION", "OBJECT", "REGION", "GENERATION"}};
  Json records = Json::array();
  RETURN_IF_ERROR(VisitRecords(session, session.line().admin.since_number, [&](const AuditRecord& record) {
    table.rows.push_back({absl::StrCat(record.number),
                          absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", record.time, absl::UTCTimeZone()), record.principal,
                          record.role, record.method, DecisionText(record), ObjectText(record), record.region,
                          record.generation == 0 ? "" : absl::StrCat(record.generation)});
    Json document = Json::parse(ToLine(record));
    document.erase("kind");
    records.push_back(std::move(document));
    return true;
  }));
  Json document;
  document["records"] = std::move(records);
  session.Print(document, RenderTable(table, false));
  return absl::OkStatus();
}

// Where an export goes: a new file for its owner alone, or standard output.
class ExportFile {
 public:
  static absl::StatusOr<std::unique_ptr<ExportFile>> Create(const std::string& path, std::ostream& standard_output) {
    auto file = std::unique_ptr<ExportFile>(new ExportFile(path, standard_output));
    if (path.empty()) return file;
    file->descriptor_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file->descriptor_ < 0) {
      return UsageError(absl::StrCat("cannot create ", path, ": ", std::strerror(errno),
                                     errno == EEXIST ? "; an export overwrites nothing, name another file" : ""));
    }
    return file;
  }
  // An export that is not whole is none.
  ~ExportFile() {
    if (descriptor_ < 0) return;
    close(descriptor_);
    if (!is_whole_) unlink(path_.c_str());
  }

  absl::Status Write(const std::string& line) {
    if (descriptor_ < 0) {
      standard_output_ << line << '\n';
      return absl::OkStatus();
    }
    buffer_ += line + '\n';
    return buffer_.size() < kBufferBytes ? absl::OkStatus() : Flush();
  }
  absl::Status Finish() {
    RETURN_IF_ERROR(Flush());
    FAILPOINT_OR_RETURN("audit.export.before_sync");
    if (descriptor_ >= 0 && fsync(descriptor_) != 0) return Failed();
    is_whole_ = true;
    return absl::OkStatus();
  }

 private:
  static constexpr size_t kBufferBytes = size_t{1} << 16;

  ExportFile(const std::string& path, std::ostream& standard_output) : path_(path), standard_output_(standard_output) {}

  absl::Status Failed() const {
    return absl::UnavailableError(absl::StrCat("cannot write ", path_, ": ", std::strerror(errno)));
  }
  absl::Status Flush() {
    for (size_t begin = 0; begin < buffer_.size();) {
      const ssize_t written = write(descriptor_, buffer_.data() + begin, buffer_.size() - begin);
      if (written < 0 && errno != EINTR) return Failed();
      if (written > 0) begin += static_cast<size_t>(written);
    }
    buffer_.clear();
    return absl::OkStatus();
  }

  const std::string path_;
  std::ostream& standard_output_;
  int descriptor_ = -1;
  bool is_whole_ = false;
  std::string buffer_;
};

// The head comes first, so that the records end with the one it covers, whatever is recorded meanwhile.
absl::Status Export(Session& session) {
  const int64_t first = std::max<int64_t>(1, session.line().admin.since_number);
  v1::GetAuditHeadRequest request;
  request.set_organization(session.settings().organization);
  ASSIGN_OR_RETURN(const auto wire, session.Call<v1::AuditHead>("Audit/GetAuditHead", request));
  const SignedAuditHead head = FromProto(wire);
  if (first > head.number)
    return UsageError(absl::StrCat("the chain has ", head.number, " records yet; there is none from ", first, " on"));
  ASSIGN_OR_RETURN(const auto file, ExportFile::Create(session.line().admin.to, session.console().output));
  int64_t last = 0;
  RETURN_IF_ERROR(VisitRecords(session, first, [&](const AuditRecord& record) -> absl::StatusOr<bool> {
    if (last == 0 && first > 1)
      RETURN_IF_ERROR(file->Write(ToLine(AuditStart{head.organization, first - 1, record.previous_hash})));
    RETURN_IF_ERROR(file->Write(ToLine(record)));
    last = record.number;
    return last < head.number;
  }));
  if (last != head.number)
    return absl::DataLossError(
        absl::StrCat("the API gave records up to ", last, ", and a signed head of ", head.number));
  RETURN_IF_ERROR(file->Write(ToLine(head)));
  RETURN_IF_ERROR(file->Finish());
  session.Note(absl::StrCat("records ", first, " to ", last, " and their head, signed by ",
                            absl::Base64Escape(head.public_key)));
  return absl::OkStatus();
}

absl::Status VisitLines(const std::string& path, const std::function<absl::Status(const std::string&)>& take) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return UsageError(absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  int64_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const absl::Status taken = take(line);
    if (taken.ok()) continue;
    const std::string message = absl::StrCat(path, ", line ", number, ": ", taken.message());
    const auto details = DetailsOf(taken);
    return details ? MakeError(taken.code(), message, *details) : absl::DataLossError(message);
  }
  if (file.bad()) return absl::UnavailableError(absl::StrCat("cannot read ", path));
  return absl::OkStatus();
}

absl::StatusOr<AuditVerifier::Options> OptionsOf(const AdminFlags& flags) {
  AuditVerifier::Options options{.accept_starts = flags.accept_start, .accept_unsigned_tail = flags.accept_unsigned_tail};
  if (flags.public_key.empty()) return options;
  std::string key;
  if (!absl::Base64Unescape(flags.public_key, &key) || key.size() != kVerifyKeyBytes)
    return UsageError("--public-key must be an Ed25519 public key, 32 bytes in base64");
  options.public_keys.push_back(std::move(key));
  return options;
}

// Heads of a file that may hold records too.
absl::Status ExpectHeads(AuditVerifier& verifier, const std::string& path) {
  int64_t count = 0;
  RETURN_IF_ERROR(VisitLines(path, [&](const std::string& line) -> absl::Status {
    ASSIGN_OR_RETURN(const AuditLine parsed, ParseAuditLine(line));
    const auto* const head = std::get_if<SignedAuditHead>(&parsed);
    if (head == nullptr) return absl::OkStatus();
    ++count;
    return verifier.Expect(*head);
  }));
  return count > 0 ? absl::OkStatus() : UsageError(absl::StrCat(path, " holds no signed head"));
}

void PrintProof(Session& session, const AuditVerifier& verifier) {
  Table table{.header = {"CHAIN", "FIRST", "LAST", "SIGNED UP TO"}};
  Json chains = Json::array();
  for (const AuditChainSummary& chain : verifier.Chains()) {
    table.rows.push_back({chain.organization.empty() ? "(system)" : chain.organization,
                          absl::StrCat(chain.first_number), absl::StrCat(chain.last_number),
                          chain.signed_number == 0 ? "-" : absl::StrCat(chain.signed_number)});
    chains.push_back({{"organization", chain.organization},
                      {"firstNumber", chain.first_number},
                      {"lastNumber", chain.last_number},
                      {"signedNumber", chain.signed_number}});
    if (chain.signed_number < chain.last_number) {
      session.Note(
          absl::StrCat("no signed head covers records ", chain.signed_number + 1, " to ", chain.last_number, " of ",
                       chain.organization.empty() ? "the system's chain" : absl::StrCat("chain ", chain.organization),
                       ": whoever could write the file could have replaced or cut them"));
    }
  }
  std::vector<std::string> signers;
  for (const std::string& signer : verifier.signers()) signers.push_back(absl::Base64Escape(signer));
  if (session.line().admin.public_key.empty() && !signers.empty())
    session.Note(absl::StrCat("heads are signed by ", absl::StrJoin(signers, ", "),
                              "; give --public-key to prove that it is the API's"));
  Json document = {{"verified", true}, {"chains", std::move(chains)}, {"signers", signers}};
  session.Print(document, "verified\n" + RenderTable(table, false));
}

absl::Status Verify(Session& session) {
  const AdminFlags& flags = session.line().admin;
  ASSIGN_OR_RETURN(AuditVerifier::Options options, OptionsOf(flags));
  AuditVerifier verifier(std::move(options));
  if (!flags.expected_head.empty()) RETURN_IF_ERROR(ExpectHeads(verifier, flags.expected_head));
  for (const std::string& path : flags.files) {
    RETURN_IF_ERROR(VisitLines(path, [&](const std::string& line) { return verifier.Add(line); }));
  }
  RETURN_IF_ERROR(verifier.Finish());
  PrintProof(session, verifier);
  return absl::OkStatus();
}

}  // namespace

void AddAdminAuditCommands(CommandTable& table) {
  table["admin audit list"] = List;
  table["admin audit export"] = Export;
  table["admin audit verify"] = Verify;
}

}  // namespace keyferry
