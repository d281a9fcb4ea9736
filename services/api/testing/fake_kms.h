// A KMS v2 plugin in this process, on a unix socket of its own: honest, until it is told to lie.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_TESTING_FAKE_KMS_H_
#define KEYFERRY_SERVICES_API_TESTING_FAKE_KMS_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace keyferry {

// What it answers instead of the truth; what is not set is true.
struct KmsLies {
  std::optional<std::string> version;
  std::optional<std::string> healthz;
  std::optional<std::string> status_key_id;
  std::optional<std::string> encrypt_key_id;
  std::optional<std::string> ciphertext;
  std::optional<std::map<std::string, std::string>> annotations;
  // Of what it decrypted.
  std::function<std::string(const std::string&)> plaintext;
  bool encrypts = true;
  // Every call ends with INTERNAL and a text that quotes what it was given.
  bool fails = false;
  // Each call takes as long.
  absl::Duration delay = absl::ZeroDuration();
};

// As it was asked.
struct KmsCall {
  std::string method;
  std::string uid;
  std::string key_id;
  std::map<std::string, std::string> annotations;
  std::string plaintext;
  std::string authority;
};

class FakeKms {
 public:
  // Listens with mode 0600. Its key is key-1.
  static std::unique_ptr<FakeKms> Start(std::string socket_path);
  virtual ~FakeKms() = default;

  virtual void Tell(KmsLies lies) = 0;
  // Later Encrypts are by another key, later Statuses name it; it goes on decrypting by those before.
  virtual void Rotate(const std::string& key_id) = 0;
  // Cuts what is under way; the socket file goes. Its keys stay for Return.
  virtual void Die() = 0;
  virtual void Return() = 0;

  virtual std::vector<KmsCall> calls() const = 0;
  virtual int CountOf(const std::string& method) const = 0;
  // Calls that were under way at one time.
  virtual int peak() const = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_FAKE_KMS_H_
