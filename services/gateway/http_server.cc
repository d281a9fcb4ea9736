#include "services/gateway/http_server.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <typeinfo>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/rpc/acceptor.h"
#include "libs/rpc/socket.h"
#include "services/gateway/http_worker.h"
#include "services/gateway/tls_context.h"

namespace keyferry::gateway {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
using TlsContext = std::shared_ptr<asio::ssl::context>;
using Purpose = HttpConnection::Purpose;

constexpr std::chrono::milliseconds kAcceptBackoff{100};
// Beyond the limit, and still told so.
constexpr int kMaxRefusing = 64;
// For handlers that a drain has cancelled to be answered.
constexpr absl::Duration kAnswerPatience = absl::Seconds(2);
// For what was cut off to notice it.
constexpr absl::Duration kAbortPatience = absl::Seconds(5);
constexpr int kMaxPort = 65535;

absl::Status CheckAddress(const std::string& address) {
  int port = 0;
  const size_t colon = address.rfind(':');
  if (colon != std::string::npos && absl::SimpleAtoi(address.substr(colon + 1), &port) && port <= kMaxPort &&
      !address.starts_with("unix:"))
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(address, ": must be host:port or [address]:port, the port at most ", kMaxPort));
}

bool IsPlain(const HttpDoor& door) { return door.certificate_chain.empty() && door.private_key.empty(); }

// The new context of each door; nullptr where there is no TLS.
absl::StatusOr<std::vector<TlsContext>> LoadContexts(const std::vector<HttpDoor>& doors) {
  std::vector<TlsContext> contexts;
  for (const HttpDoor& door : doors) {
    contexts.emplace_back();
    if (IsPlain(door)) continue;
    ASSIGN_OR_RETURN(contexts.back(), LoadTlsContext(door.certificate_chain, door.private_key));
  }
  return contexts;
}

struct Entrance {
  tcp::acceptor acceptor;
  std::string address;
};

// The kernel holds so much that it has not sent: what goes on beyond it shows how far the reader is.
constexpr int kUnsentBytes = 128 * 1024;

// A reader that never acknowledges is gone after the write limit, also where the kernel holds all that is left.
void TuneConnections(int listener, absl::Duration timeout) {
  const unsigned int millis = static_cast<unsigned int>(absl::ToInt64Milliseconds(timeout));
  setsockopt(listener, IPPROTO_TCP, TCP_USER_TIMEOUT, &millis, sizeof(millis));
  setsockopt(listener, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof(kUnsentBytes));
}

// What is not reserved is for connections: all doors of a server share their number.
int ClampToDescriptors(int wanted) {
  rlimit limit{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t free = limit.rlim_cur > kReservedDescriptors ? limit.rlim_cur - kReservedDescriptors : 0;
  const rlim_t room = std::max<rlim_t>(free, kMinConnections);
  if (wanted < 0 || room >= static_cast<rlim_t>(wanted)) return wanted;
  Log(Severity::kWarning, "connections_clamped",
      {{"wanted", wanted}, {"connections", room}, {"descriptors", limit.rlim_cur}});
  return static_cast<int>(room);
}

tcp ProtocolOf(int descriptor) {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &size);
  return bound.ss_family == AF_INET6 ? tcp::v6() : tcp::v4();
}

absl::StatusOr<Entrance> OpenEntrance(asio::io_context& io, const HttpDoor& door, const HttpLimits& limits) {
  RETURN_IF_ERROR(CheckAddress(door.address));
  ASSIGN_OR_RETURN(Listener listener, Listen(door.address, 0));
  TuneConnections(listener.descriptor.get(), limits.write);
  Entrance entrance{.acceptor = tcp::acceptor(io), .address = listener.address};
  error_code error;
  const tcp protocol = ProtocolOf(listener.descriptor.get());
  entrance.acceptor.assign(protocol, listener.descriptor.Release(), error);
  const tcp::endpoint bound = entrance.acceptor.local_endpoint(error);
  if (error) return absl::UnavailableError(absl::StrCat(door.address, ": ", error.message()));
  if (IsPlain(door) && !bound.address().is_loopback())
    return absl::InvalidArgumentError(
        absl::StrCat(door.address, ": without a certificate and key only a loopback address is served"));
  return entrance;
}

class Server final : public HttpServer {
 public:
  explicit Server(Options options) {
    shared_.options = std::move(options);
    shared_.options.limits.connection_count = ClampToDescriptors(shared_.options.limits.connection_count);
    for (int i = 0; i < std::max(1, shared_.options.thread_count); ++i)
      workers_.push_back(std::make_unique<HttpWorker>());
  }
  ~Server() override { Drain(absl::ZeroDuration()); }

  absl::Status Open();
  std::vector<std::string> addresses() const override;
  int connection_count() const override {
    absl::MutexLock lock(&mutex_);
    return served_;
  }
  size_t buffered_bytes() const override { return shared_.buffered_bytes; }
  absl::Status ReloadCertificates() override;
  void Drain(absl::Duration patience) override;

 private:
  asio::awaitable<void> Accept(size_t door);
  void Admit(tcp::socket socket, HttpWorker& worker, size_t door);
  void Leave(Purpose purpose);
  HttpWorker& LeastBusy() const;
  TlsContext ContextOf(size_t door) const;
  void CloseEntrances();
  void ForEach(void (HttpConnection::*visit)());
  bool AwaitLast(absl::Duration patience);

  HttpConnection::Shared shared_;
  mutable absl::Mutex mutex_;
  std::vector<TlsContext> contexts_ ABSL_GUARDED_BY(mutex_);
  size_t accepting_ ABSL_GUARDED_BY(mutex_) = 0;
  int served_ ABSL_GUARDED_BY(mutex_) = 0;
  int refusing_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_drained_ = false;
  std::vector<std::unique_ptr<HttpWorker>> workers_;
  // On the first worker.
  std::vector<Entrance> entrances_;
};

absl::Status Server::Open() {
  RETURN_IF_ERROR(ReloadCertificates());
  asio::io_context& io = workers_.front()->io();
  for (const HttpDoor& door : shared_.options.doors) {
    ASSIGN_OR_RETURN(Entrance entrance, OpenEntrance(io, door, shared_.options.limits));
    entrances_.push_back(std::move(entrance));
  }
  absl::MutexLock lock(&mutex_);
  for (; accepting_ < entrances_.size(); ++accepting_)
    asio::co_spawn(io, Accept(accepting_), [this](const std::exception_ptr&) {
      absl::MutexLock lock(&mutex_);
      --accepting_;
    });
  return absl::OkStatus();
}

asio::awaitable<void> Server::Accept(size_t door) {
  tcp::acceptor& acceptor = entrances_[door].acceptor;
  asio::steady_timer backoff(acceptor.get_executor());
  bool is_failing = false;
  while (!shared_.is_draining) {
    HttpWorker& worker = LeastBusy();
    error_code error;
    tcp::socket socket = co_await acceptor.async_accept(worker.io(), asio::redirect_error(asio::use_awaitable, error));
    if (shared_.is_draining) break;
    if (!error) {
      is_failing = false;
      // Asio accepts without it.
      fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
      Admit(std::move(socket), worker, door);
    } else if (error != asio::error::connection_aborted) {
      // For want of descriptors, as a rule: they come back.
      if (!is_failing)
        Log(Severity::kWarning, "accept_failed", {{"address", entrances_[door].address}, {"error", error.message()}});
      is_failing = true;
      backoff.expires_after(kAcceptBackoff);
      co_await backoff.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }
}

void Server::Admit(tcp::socket socket, HttpWorker& worker, size_t door) {
  TlsContext tls = ContextOf(door);
  Purpose purpose = Purpose::kServe;
  {
    absl::MutexLock lock(&mutex_);
    if (served_ >= shared_.options.limits.connection_count) purpose = Purpose::kRefuse;
    // A handshake is not worth a refusal.
    if (purpose == Purpose::kRefuse && (tls != nullptr || refusing_ >= kMaxRefusing)) return;
    ++(purpose == Purpose::kServe ? served_ : refusing_);
  }
  try {
    const bool is_tls = tls != nullptr;
    auto channel = HttpChannel::Create(std::move(socket), std::move(tls));
    worker.Adopt(std::make_shared<HttpConnection>(std::move(channel), is_tls, shared_, purpose),
                 [this, purpose] { Leave(purpose); });
  } catch (const std::exception& failure) {
    // Memory, as a rule; this connection is lost, the entrance must not be.
    Log(Severity::kError, "connection_not_admitted", {{"what", typeid(failure).name()}});
    Leave(purpose);
  }
}

void Server::Leave(Purpose purpose) {
  absl::MutexLock lock(&mutex_);
  --(purpose == Purpose::kServe ? served_ : refusing_);
}

HttpWorker& Server::LeastBusy() const {
  return **std::ranges::min_element(workers_, {}, [](const auto& worker) { return worker->connection_count(); });
}

TlsContext Server::ContextOf(size_t door) const {
  absl::MutexLock lock(&mutex_);
  return contexts_[door];
}

std::vector<std::string> Server::addresses() const {
  std::vector<std::string> addresses;
  for (const Entrance& entrance : entrances_) addresses.push_back(entrance.address);
  return addresses;
}

absl::Status Server::ReloadCertificates() {
  ASSIGN_OR_RETURN(std::vector<TlsContext> contexts, LoadContexts(shared_.options.doors));
  absl::MutexLock lock(&mutex_);
  contexts_ = std::move(contexts);
  return absl::OkStatus();
}

// Returns when nothing is accepted any more: what was has been counted.
void Server::CloseEntrances() {
  asio::post(workers_.front()->io(), [this] {
    error_code error;
    for (Entrance& entrance : entrances_) entrance.acceptor.close(error);
  });
  const auto are_closed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return accepting_ == 0; };
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&are_closed));
}

bool Server::AwaitLast(absl::Duration patience) {
  const auto is_empty = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return served_ + refusing_ == 0; };
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&is_empty), patience);
}

void Server::ForEach(void (HttpConnection::*visit)()) {
  for (const auto& worker : workers_) worker->ForEach([visit](HttpConnection& connection) { (connection.*visit)(); });
}

void Server::Drain(absl::Duration patience) {
  if (is_drained_) return;
  is_drained_ = true;
  shared_.is_draining = true;
  CloseEntrances();
  ForEach(&HttpConnection::OnDrain);
  if (!AwaitLast(std::max(patience - kAnswerPatience, absl::ZeroDuration()))) {
    shared_.is_cutting = true;
    ForEach(&HttpConnection::OnDrain);
  }
  if (!AwaitLast(std::min(patience, kAnswerPatience))) {
    ForEach(&HttpConnection::Abort);
    if (!AwaitLast(kAbortPatience))
      Log(Severity::kError, "connections_left_after_drain", {{"count", connection_count()}});
  }
  for (const auto& worker : workers_) worker->Stop();
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(Options options) {
  auto server = std::make_unique<Server>(std::move(options));
  RETURN_IF_ERROR(server->Open());
  return server;
}

}  // namespace keyferry::gateway
