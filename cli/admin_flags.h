// Options of `keyferry admin`.
#ifndef KEYFERRY_CLI_ADMIN_FLAGS_H_
#define KEYFERRY_CLI_ADMIN_FLAGS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace keyferry {

struct AdminFlags {
  // keys rotate; the organization is the global --organization.
  bool root = false;
  bool system = false;
  // restore
  std::string from;
  std::string backup;
  std::string data_directory;
  std::string keyring;
  std::string shred_ledger;
  bool without_shred_ledger = false;
  // audit
  int64_t since_number = 0;
  std::string to;
  std::vector<std::string> files;
  std::string public_key;
  std::string expected_head;
  bool accept_start = false;
  bool accept_unsigned_tail = false;
  // identities
  std::string note;
};

}  // namespace keyferry

#endif  // KEYFERRY_CLI_ADMIN_FLAGS_H_
