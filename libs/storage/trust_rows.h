// Values of the rows of enrollment, revocation, shredding, rotation and audit.
#ifndef KEYFERRY_STORAGE_TRUST_ROWS_H_
#define KEYFERRY_STORAGE_TRUST_ROWS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "libs/model/audit_record.h"

namespace keyferry {

struct EnrollmentTokenRow {
  std::string region;
  // As of an API key.
  std::string secret_hmac;
  std::string pepper_id;
  std::string author;
  absl::Time create_time;
  absl::Time expire_time;
  // InfiniteFuture: unused. Used by this provisioner, or revoked (empty).
  absl::Time use_time = absl::InfiniteFuture();
  std::string provisioner_id;
};

struct ProvisionerRow {
  absl::Time enroll_time;
  absl::Time certificate_expiry;
  absl::Time revoke_time = absl::InfiniteFuture();
  // Hex; of the newest certificate.
  std::string certificate_serial;
};

// The certificate authority of provisioners. The private key is PKCS#8 DER.
struct RegionAuthorityRow {
  std::string certificate_pem;
  std::string private_key;
  absl::Time create_time;
};

struct RevokedIdentityRow {
  std::string note;
  std::string author;
  absl::Time revoke_time;
};

struct ShredRow {
  std::string organization;
  // Empty: the whole organization.
  std::string set;
  absl::Time delete_time;
  // InfiniteFuture: its bytes are not all gone yet.
  absl::Time shred_time = absl::InfiniteFuture();
};

struct RotationRow {
  absl::Time begin_time;
  // Where the next step goes on: family and key of the row; family -1: at the beginning.
  int family = -1;
  std::string cursor;
  int64_t visited_count = 0;
  int64_t moved_count = 0;
  int64_t blocked_count = 0;
};

using AuditRow = AuditRecord;

// The end of a chain; signature empty: not signed yet.
struct AuditHeadRow {
  int64_t number = 0;
  std::string hash;
  absl::Time time;
  std::string signature;
  // What the signature covers.
  int64_t signed_number = 0;
  std::string signed_hash;
  absl::Time sign_time;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_TRUST_ROWS_H_
