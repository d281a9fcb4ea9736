// An API at the other end of Provisioning.Sync that does what a test tells it: accepts streams, reads what the
// provisioner says, answers. Waits are bounded; a test that waits in vain fails there.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_PROVISIONER_TESTING_FAKE_API_H_
#define KEYFERRY_SERVICES_PROVISIONER_TESTING_FAKE_API_H_

#include <grpcpp/channel.h>
#include <grpcpp/server.h>

#include <memory>
#include <string>

#include "keyferry/v1/provisioning.pb.h"

namespace keyferry {

class FakeStream {
 public:
  virtual ~FakeStream() = default;
  // What came at its beginning.
  virtual const v1::Hello& hello() const = 0;
  // The next message of this kind; heartbeats and progress before it are skipped, anything else is a failure. An empty
  // message after 10 s.
  virtual v1::ProvisionerMessage Next(v1::ProvisionerMessage::MessageCase kind) = 0;
  virtual void Send(v1::ApiMessage message) = 0;
  // Whether the provisioner said that it is through, or the stream broke, within 10 s.
  virtual bool WaitForEnd() = 0;
  // Ends the stream after what was sent.
  virtual void End(const grpc::Status& status) = 0;
};

class FakeApi {
 public:
  // On 127.0.0.1; port 0: any.
  static std::unique_ptr<FakeApi> Start(int port = 0);
  virtual ~FakeApi() = default;
  virtual int port() const = 0;
  // The next stream, whose Hello has come; null after 10 s.
  virtual std::shared_ptr<FakeStream> Accept() = 0;
  // The same, welcomed and granted with this epoch.
  std::shared_ptr<FakeStream> AcceptOwner(uint64_t epoch);
};

std::shared_ptr<grpc::Channel> InsecureChannel(int port);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_TESTING_FAKE_API_H_
