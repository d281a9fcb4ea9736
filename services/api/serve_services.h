// The services that keyferry-api serves, by name.
#ifndef KEYFERRY_SERVICES_API_SERVE_SERVICES_H_
#define KEYFERRY_SERVICES_API_SERVE_SERVICES_H_

#include <string>
#include <vector>

namespace keyferry {

// `keyferry.v1.SecretSets` and so on, for CheckAccessTable.
std::vector<std::string> ServedServices();

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SERVE_SERVICES_H_
