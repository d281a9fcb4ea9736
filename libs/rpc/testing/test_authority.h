// A certificate authority for tests: issues what a test asks for, wrong things too. Files go into the directory it is
// given.
#ifndef KEYFERRY_RPC_TESTING_TEST_AUTHORITY_H_
#define KEYFERRY_RPC_TESTING_TEST_AUTHORITY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "libs/rpc/credentials.h"

namespace keyferry {

struct TestCertificate {
  // URI names, such as SPIFFE ids. `localhost` and 127.0.0.1 are always there too.
  std::vector<std::string> uris;
  absl::Time not_before = absl::Now() - absl::Hours(1);
  absl::Time not_after = absl::Now() + absl::Hours(1);
};

class TestAuthority {
 public:
  // name: distinguishes its files from another authority's.
  TestAuthority(std::string directory, std::string name);
  ~TestAuthority();

  // Certificate, key, and this authority's own certificate as roots. A new key each time.
  TlsFiles Issue(const TestCertificate& certificate);
  const std::string& roots() const { return roots_; }

 private:
  struct Keys;
  const std::string directory_;
  const std::string name_;
  const std::string roots_;
  int serial_ = 1;
  std::unique_ptr<Keys> keys_;
};

}  // namespace keyferry

#endif  // KEYFERRY_RPC_TESTING_TEST_AUTHORITY_H_
