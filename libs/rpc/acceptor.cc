#include "libs/rpc/acceptor.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "libs/common/clock.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/rpc/admission.h"
#include "libs/rpc/socket.h"

namespace keyferry {
namespace {

constexpr int kMinBackoffMillis = 10;
constexpr int kMaxBackoffMillis = 500;
constexpr absl::Duration kRecountInterval = absl::Milliseconds(100);

bool IsExhaustion(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

// How many of the connections that were handed over are still open. Their new owner closes them without a word, so each
// is known by descriptor and inode: a closed descriptor, or one that is another file by now, does not count.
class OpenConnections {
 public:
  void Add(int descriptor) { inodes_[descriptor] = InodeOf(descriptor); }

  // Looks again at all of them at most every kRecountInterval: a flood must not make each refusal that dear.
  bool IsFull(size_t limit) {
    if (inodes_.size() < limit) return false;
    const absl::Duration now = SystemClock().Monotonic();
    if (now < next_count_) return true;
    next_count_ = now + kRecountInterval;
    std::erase_if(inodes_, [](const auto& entry) { return InodeOf(entry.first) != entry.second; });
    return inodes_.size() >= limit;
  }

 private:
  static ino_t InodeOf(int descriptor) {
    struct stat info {};
    return fstat(descriptor, &info) == 0 ? info.st_ino : 0;
  }

  std::unordered_map<int, ino_t> inodes_;
  absl::Duration next_count_ = -absl::InfiniteDuration();
};

rlim_t DescriptorLimit() {
  rlimit limit{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

class LoopAcceptor final : public Acceptor {
 public:
  LoopAcceptor(ListenerOptions options, Listener listener, Descriptor stop)
      : options_(std::move(options)),
        listener_(std::move(listener)),
        stop_(std::move(stop)),
        admission_(options_.max_admissions_per_second) {}

  ~LoopAcceptor() override {
    eventfd_write(stop_.get(), 1);
    if (thread_.joinable()) thread_.join();
    if (!listener_.path.empty()) unlink(listener_.path.c_str());
  }

  const std::string& address() const override { return listener_.address; }

  void Start(Handler handler) override {
    handler_ = std::move(handler);
    thread_ = std::thread([this] { Loop(); });
  }

 private:
  void Loop() {
    int backoff = 0;
    for (; Wait(backoff); HandOver()) {
      const int descriptor = accept4(listener_.descriptor.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor >= 0) {
        backoff = 0;
        Admit(Descriptor(descriptor));
      } else if (IsExhaustion(errno)) {
        if (backoff == 0)
          Log(Severity::kWarning, "accept_exhausted", {{"listener", address()}, {"error", strerror(errno)}});
        backoff = std::clamp(backoff * 2, kMinBackoffMillis, kMaxBackoffMillis);
      }
    }
  }

  // False when it is time to end. With a backoff only that is waited for: the listener stays readable all the while.
  bool Wait(int backoff_millis) {
    pollfd events[] = {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                       {.fd = listener_.descriptor.get(), .events = POLLIN, .revents = 0}};
    const absl::Duration until_next = admission_.UntilNext();
    const int millis = until_next == absl::InfiniteDuration()
                           ? -1
                           : static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(until_next, absl::Milliseconds(1))));
    poll(events, backoff_millis > 0 ? 1 : 2, backoff_millis > 0 ? backoff_millis : millis);
    return events[0].revents == 0;
  }

  void HandOver() {
    while (std::optional<Descriptor> next = admission_.Next(SystemClock().Monotonic())) handler_(next->Release());
  }

  // Closes what may not come in.
  void Admit(Descriptor descriptor) {
    if (open_.IsFull(static_cast<size_t>(options_.max_connections))) {
      if (!std::exchange(full_, true)) {
        Log(Severity::kWarning, "connections_full", {{"listener", address()}, {"limit", options_.max_connections}});
      }
      return;
    }
    full_ = false;
    if (!IsAllowedUser(descriptor.get())) return;
    open_.Add(descriptor.get());
    admission_.Arrive(std::move(descriptor), SystemClock().Monotonic());
  }

  bool IsAllowedUser(int descriptor) const {
    if (!options_.allowed_users) return true;
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    const auto& allowed = *options_.allowed_users;
    if (std::find(allowed.begin(), allowed.end(), peer.uid) != allowed.end()) return true;
    Log(Severity::kWarning, "user_refused", {{"listener", address()}, {"uid", peer.uid}});
    return false;
  }

  const ListenerOptions options_;
  const Listener listener_;
  const Descriptor stop_;
  OpenConnections open_;
  Admission admission_;
  bool full_ = false;
  Handler handler_;
  std::thread thread_;
};

}  // namespace

int ClampConnections(int wanted, rlim_t descriptor_limit) {
  const rlim_t free = descriptor_limit > kReservedDescriptors ? descriptor_limit - kReservedDescriptors : 0;
  const rlim_t room = std::max<rlim_t>(free / 2, kMinConnections);
  return room < static_cast<rlim_t>(wanted) ? static_cast<int>(room) : wanted;
}

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Bind(ListenerOptions options) {
  const bool is_unix = options.address.starts_with("unix:");
  if (options.allowed_users && !is_unix) return absl::InvalidArgumentError("only a unix socket knows its peer's user");
  Descriptor stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (stop.get() < 0) return absl::UnavailableError(absl::StrCat("eventfd: ", strerror(errno)));
  ASSIGN_OR_RETURN(Listener listener, Listen(options.address, options.file_mode));
  options.max_connections = ClampConnections(options.max_connections, DescriptorLimit());
  return std::make_unique<LoopAcceptor>(std::move(options), std::move(listener), std::move(stop));
}

}  // namespace keyferry
