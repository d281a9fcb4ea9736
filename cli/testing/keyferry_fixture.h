// The whole program but its process, against an API whose answers each test writes. Checks of every run that no output
// holds kSentinel.
#ifndef KEYFERRY_CLI_TESTING_KEYFERRY_FIXTURE_H_
#define KEYFERRY_CLI_TESTING_KEYFERRY_FIXTURE_H_

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <sstream>

#include "cli/keyferry.h"
#include "cli/testing/fake_api.h"
#include "keyferry/v1/secret_sets.pb.h"
#include "libs/common/testing/temp_dir.h"

namespace keyferry {

// Stands for every secret byte here: it may be in no output.
inline constexpr char kSentinel[] = "hunter2-sentinel";

inline v1::SecretSet Set(const std::string& name, v1::Readiness readiness = v1::READINESS_PENDING,
                         int64_t generation = 1) {
  v1::SecretSet set;
  set.set_name(name);
  set.set_type(v1::SECRET_SET_TYPE_SECRET);
  set.set_region("us-west");
  set.set_readiness(readiness);
  set.set_generation(generation);
  set.set_ready_generation(readiness == v1::READINESS_READY ? generation : generation - 1);
  set.set_etag("e" + std::to_string(generation));
  set.mutable_update_time()->set_seconds(1'700'000'000);
  set.add_keys("A");
  return set;
}

struct Outcome {
  int exit_code;
  std::string output;
  std::string error;
};

class KeyferryTest : public testing::Test {
 protected:
  Outcome Run(const std::vector<std::string>& arguments, const std::string& input = "") {
    std::ofstream(directory_.File("stdin"), std::ios::binary) << input;
    const int descriptor = open(directory_.File("stdin").c_str(), O_RDONLY);
    std::ostringstream output, error;
    Console console{.input = descriptor, .output = output, .error = error};
    const std::vector<std::string_view> views(arguments.begin(), arguments.end());
    const int exit_code = RunKeyferry({.arguments = views, .environment = environment_, .console = console});
    close(descriptor);
    EXPECT_THAT(output.str() + error.str(), ::testing::Not(::testing::HasSubstr(kSentinel)));
    return {exit_code, output.str(), error.str()};
  }

  // Answers SetSecrets with a pending set, and keeps the request.
  void AcceptSecrets() {
    api_.On<v1::SetSecretsRequest, v1::SetSecretsResponse>(
        "SecretSets/SetSecrets", [this](const auto& request, auto& response) {
          written_ = request;
          *response.mutable_secret_set() = Set(request.secret_set(), v1::READINESS_PENDING, 3);
          response.set_changed(true);
          return absl::OkStatus();
        });
  }

  std::map<std::string, std::string> Written() const {
    std::map<std::string, std::string> entries;
    for (const v1::SecretEntry& entry : written_.entries()) entries[entry.key()] = entry.value();
    return entries;
  }

  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_.File(name), std::ios::binary) << text;
    return directory_.File(name);
  }

  TempDir directory_;
  FakeApi api_{directory_.File("api.sock")};
  std::vector<std::string> environment_ = {"KEYFERRY_ENDPOINT=unix:" + directory_.File("api.sock"),
                                           "KEYFERRY_API_KEY=kf_test", "KEYFERRY_ORG=acme"};
  v1::SetSecretsRequest written_;
};

}  // namespace keyferry

#endif  // KEYFERRY_CLI_TESTING_KEYFERRY_FIXTURE_H_
