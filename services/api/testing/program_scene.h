// keyferry-api as a process with its own directory, certificates and doors, for tests that want all of it and real TLS.
#ifndef KEYFERRY_SERVICES_API_TESTING_PROGRAM_SCENE_H_
#define KEYFERRY_SERVICES_API_TESTING_PROGRAM_SCENE_H_

#include <grpcpp/channel.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/rpc/testing/test_authority.h"
#include "services/api/testing/api_process.h"

namespace keyferry {

class ProgramScene {
 public:
  // Starts with these flags beside its own and waits until it serves. `client_ca`: another file of roots than
  // `authority`'s.
  explicit ProgramScene(const std::map<std::string, std::string>& more_flags = {}, const std::string& client_ca = "");

  // A new connection with a certificate of --client_ca.
  std::shared_ptr<grpc::Channel> Inner(const std::string& spiffe_id);
  std::shared_ptr<grpc::Channel> Operator() { return Inner("spiffe://keyferry.test/operator/ada"); }
  // A new connection with these files, which are read once.
  std::shared_ptr<grpc::Channel> InnerWith(TlsFiles files) const;
  std::shared_ptr<grpc::Channel> Edge() const;
  const std::string& inner() const { return inner_; }

  // Any RPC with an empty request.
  static absl::Status Call(const std::shared_ptr<grpc::Channel>& channel, std::string_view method,
                           const std::string& token = "");
  // Stops it as told, and starts it again on the same store.
  void Restart();

  TempDir directory;
  TestAuthority authority{directory.path(), "ca"};

 private:
  void Start();

  std::map<std::string, std::string> flags_;
  std::unique_ptr<ApiProcess> process_;
  std::string inner_;
  std::string edge_;
  int process_count_ = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_PROGRAM_SCENE_H_
