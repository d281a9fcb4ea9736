#include "services/gateway/api_methods.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>

namespace keyferry::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::MethodDescriptor;

struct Row {
  template <typename RequestT, typename ResponseT>
  Row(ApiMethod<RequestT, ResponseT> method)  // NOLINT: a list of them is written below
      : path(method.path), repeat(method.repeat), request(RequestT::descriptor()), response(ResponseT::descriptor()) {}

  std::string path;
  Repeat repeat;
  const Descriptor* request;
  const Descriptor* response;
};

std::vector<Row> Rows() {
  return {kSetSecrets,       kSetImagePullSecret, kGetSecretSet,    kListSecretSets,  kWatchSecretSets,
          kWaitUntilReady,   kUnsetSecret,        kDeleteSecretSet, kListGenerations, kRollbackSecretSet,
          kCreateDeployment, kUpdateDeployment,   kGetDeployment,   kListDeployments, kDeleteDeployment,
          kGetProperties,    kUpdateProperties,   kCreateApiKey,    kListApiKeys,     kRevokeApiKey,
          kWhoAmI,           kListRegions};
}

// `/package.Service/Method`; null when there is none.
const MethodDescriptor* Find(const std::string& path) {
  const size_t slash = path.rfind('/');
  const auto* service = DescriptorPool::generated_pool()->FindServiceByName(path.substr(1, slash - 1));
  return service == nullptr ? nullptr : service->FindMethodByName(path.substr(slash + 1));
}

TEST(ApiMethodsTest, TheTestKnowsEveryMethodOfTheHeader) {
  std::ifstream file(KEYFERRY_SOURCE_DIR "/services/gateway/api_methods.h");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::regex declaration("inline constexpr ApiMethod<");
  const auto count = std::distance(std::sregex_iterator(text.begin(), text.end(), declaration), std::sregex_iterator());
  EXPECT_EQ(static_cast<size_t>(count), Rows().size());
  std::set<std::string> paths;
  for (const Row& row : Rows()) EXPECT_TRUE(paths.insert(row.path).second) << row.path;
}

TEST(ApiMethodsTest, EveryMethodExistsWithTheseMessages) {
  for (const Row& row : Rows()) {
    const MethodDescriptor* const method = Find(row.path);
    ASSERT_NE(method, nullptr) << row.path;
    EXPECT_EQ(method->input_type(), row.request) << row.path;
    EXPECT_EQ(method->output_type(), row.response) << row.path;
    EXPECT_FALSE(method->client_streaming()) << row.path;
    EXPECT_EQ(method->server_streaming(), row.path == kWatchSecretSets.path) << row.path;
  }
}

TEST(ApiMethodsTest, OnlyWhatReadsAndDoesNotWaitIsSafeToRepeat) {
  const std::regex reads(".*/(Get|List|Watch|WhoAmI).*");
  for (const Row& row : Rows()) EXPECT_EQ(row.repeat == Repeat::kSafe, std::regex_match(row.path, reads)) << row.path;
}

}  // namespace
}  // namespace keyferry::gateway
