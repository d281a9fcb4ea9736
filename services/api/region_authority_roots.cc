#include "services/api/region_authority_roots.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/certificate.h"
#include "libs/storage/durable_files.h"

namespace keyferry {
namespace {

constexpr char kFile[] = "/inner-roots.pem";

absl::StatusOr<std::string> ReadRoots(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (ReadCertificate(text).ok()) return text;
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": holds no PEM certificate that can be read; check the path and its permissions"));
}

absl::Status Replace(const std::string& path, const std::string& text) {
  const std::string next = path + ".next";
  std::ofstream file(next, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return absl::UnavailableError(absl::StrCat("cannot write ", next));
  RETURN_IF_ERROR(SyncPath(next));
  FAILPOINT_OR_RETURN("region_authority.before_rename");
  if (std::rename(next.c_str(), path.c_str()) != 0) return FileError("rename", next);
  FAILPOINT_OR_RETURN("region_authority.after_rename");
  return SyncParentDirectory(path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RegionAuthorityRoots>> RegionAuthorityRoots::Create(const std::string& directory,
                                                                                   std::string client_ca,
                                                                                   std::string authority_pem) {
  RETURN_IF_ERROR(MakeDirectories(directory));
  std::unique_ptr<RegionAuthorityRoots> roots(
      new RegionAuthorityRoots(directory + kFile, std::move(client_ca), std::move(authority_pem)));
  RETURN_IF_ERROR(roots->Refresh());
  return roots;
}

absl::Status RegionAuthorityRoots::Refresh() {
  ASSIGN_OR_RETURN(std::string text, ReadRoots(client_ca_));
  if (!text.ends_with('\n')) text.push_back('\n');
  text += authority_pem_;
  if (text == written_) return absl::OkStatus();
  RETURN_IF_ERROR(Replace(path_, text));
  written_ = std::move(text);
  return absl::OkStatus();
}

void KeepRefreshingRoots(Executor& executor, RegionAuthorityRoots& roots) {
  executor.RunAfter(kRootsCheckInterval, [&executor, &roots] {
    if (const absl::Status refreshed = roots.Refresh(); !refreshed.ok()) {
      Log(Severity::kError, "client_ca_not_read", {{"error", refreshed}, {"effect", "the roots before stay in force"}});
    }
    KeepRefreshingRoots(executor, roots);
  });
}

}  // namespace keyferry
