// FileSink: values as files on a tmpfs, one 0400 file a key, for agents that read files and for container runtimes.
//
//   sets/<organization>/<set>/<KEY>             agents/<organization>/<agent>/<KEY>
//   sets/<organization>/<set>/.dockerconfigjson agents/<organization>/<agent>/.dockerconfigjson
//
// 1. `<set>` and `<agent>` are symbolic links into `.data/`; a new version is written to a fresh directory there and
// one rename of the link (or its creation, where nothing was shown) shows it. A reader that opens the directory once never sees a mixture; when the link has changed meanwhile,
//    files of the old directory may be gone already, and it reads again.
// 2. Nothing follows a link on the way down; every part of a path was checked as a name.
// 3. One FileSink a directory: it holds a lock on it. Leftovers of a crash are removed when it is created.
//
// Thread safety: as Sink.
#ifndef KEYFERRY_SERVICES_PROVISIONER_FILE_SINK_H_
#define KEYFERRY_SERVICES_PROVISIONER_FILE_SINK_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/provisioner/sink.h"

namespace keyferry {

struct FileSinkOptions {
  // Created (0700) when missing; its parent is not.
  std::string root;
  // Also where the directory is not on tmpfs or ramfs. Deleted values can then be found on the disk.
  bool allow_disk = false;
};

// FailedPrecondition, saying how to mend it: a symbolic link, not ours, open to others, not on tmpfs, in use.
// Unavailable: the disk.
absl::StatusOr<std::unique_ptr<Sink>> NewFileSink(const FileSinkOptions& options);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_FILE_SINK_H_
