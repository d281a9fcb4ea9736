// Relay: runs what it is given one after another, in order, like a Strand, but on the thread that brings it unless another is
// at it already: who comes with work that follows from its own needs no other thread to wake.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_PROVISIONER_RELAY_H_
#define KEYFERRY_SERVICES_PROVISIONER_RELAY_H_

#include <deque>
#include <functional>
#include <mutex>

namespace keyferry {

class Relay {
 public:
  // Runs it and what others bring meanwhile, or leaves it to whoever is running now (who may be the caller).
  void Run(std::function<void()> work);

 private:
  std::mutex mutex_;
  std::deque<std::function<void()>> queue_;
  bool running_ = false;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_RELAY_H_
