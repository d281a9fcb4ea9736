#include "libs/model/secret_set.h"

#include "absl/strings/str_cat.h"

namespace keyferry {

std::string SecretSet::Etag() const { return absl::StrCat(uid, ".", generation); }

std::string Deployment::Etag() const { return absl::StrCat(uid, ".", generation); }

}  // namespace keyferry
