// Takes every descriptor that this process may still open, until it ends.
#ifndef KEYFERRY_RPC_TESTING_DESCRIPTOR_HOG_H_
#define KEYFERRY_RPC_TESTING_DESCRIPTOR_HOG_H_

#include <fcntl.h>
#include <sys/resource.h>

#include <vector>

#include "libs/rpc/socket.h"

namespace keyferry {

class DescriptorHog {
 public:
  DescriptorHog() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = 256;
    setrlimit(RLIMIT_NOFILE, &low);
    while (true) {
      Descriptor descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (descriptor.get() < 0) return;
      taken_.push_back(std::move(descriptor));
    }
  }
  ~DescriptorHog() { setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorHog(const DescriptorHog&) = delete;
  DescriptorHog& operator=(const DescriptorHog&) = delete;

  void GiveOne() { taken_.pop_back(); }

 private:
  rlimit before_{};
  std::vector<Descriptor> taken_;
};

}  // namespace keyferry

#endif  // KEYFERRY_RPC_TESTING_DESCRIPTOR_HOG_H_
