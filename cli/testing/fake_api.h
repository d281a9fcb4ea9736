// An API on a unix socket whose every answer a test writes: a handler for each RPC, and a record of what came.
//
// Thread safety: handlers run on gRPC's threads, one at a time; set them before the first call.
#ifndef KEYFERRY_CLI_TESTING_FAKE_API_H_
#define KEYFERRY_CLI_TESTING_FAKE_API_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace keyferry {

class FakeApi {
 public:
  struct Call {
    // `SecretSets/SetSecrets`.
    std::string rpc;
    // The metadata, or empty.
    std::string authorization;
  };

  // Listens at once.
  explicit FakeApi(const std::string& socket_path);
  ~FakeApi();

  // handler(request, response) -> absl::Status, with the messages of that RPC. An RPC without one is UNIMPLEMENTED.
  template <typename Request, typename Response>
  void On(const std::string& rpc, std::function<absl::Status(const Request&, Response&)> handler) {
    SetRaw(rpc, [handler = std::move(handler)](const std::string& bytes, std::string& answer) {
      Request request;
      if (!request.ParseFromString(bytes)) return absl::InvalidArgumentError("the request does not parse");
      Response response;
      const absl::Status status = handler(request, response);
      answer = response.SerializeAsString();
      return status;
    });
  }

  std::vector<Call> calls() const;

 private:
  using RawHandler = std::function<absl::Status(const std::string& bytes, std::string& answer)>;
  void SetRaw(const std::string& rpc, RawHandler handler);

  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace keyferry

#endif  // KEYFERRY_CLI_TESTING_FAKE_API_H_
