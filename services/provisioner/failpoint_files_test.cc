// The region's files at their failpoints: an error in the middle leaves the old or the new, whole, and the next attempt
// succeeds.
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "libs/common/failpoint.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "services/provisioner/file_sink.h"
#include "services/provisioner/identity_directory.h"
#include "services/provisioner/testing/identity_authority.h"
#include "services/provisioner/testing/object_sealer.h"

namespace keyferry {
namespace {

using failpoint::Armed;

size_t CountIn(const std::string& directory) {
  const auto all = std::filesystem::directory_iterator(directory);
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

OpenedObject Object(uint64_t revision, std::string_view value) {
  OpenedObject object{.id = SetId("env"), .revision = revision};
  object.values.push_back({.key = "KEY", .value = SecretBytes::Copy(value)});
  return object;
}

TEST(FailpointFilesTest, AnObjectWhoseFilesFailIsShownAsItWas) {
  const TempDir directory("/dev/shm");
  const auto sink = NewFileSink({.root = directory.path()}).value();
  ASSERT_THAT(sink->Apply(Object(1, "one")), IsOk());
  {
    const Armed armed("files_sink.data_written=error@1");
    EXPECT_THAT(sink->Apply(Object(2, "two")), StatusIs(absl::StatusCode::kUnavailable));
  }
  EXPECT_THAT(sink->Verify(Object(1, "one")), IsOk());
  EXPECT_EQ(CountIn(directory.File(".data")), 1u) << "data that nobody sees stayed";
  ASSERT_THAT(sink->Apply(Object(2, "two")), IsOk());
  EXPECT_THAT(sink->Verify(Object(2, "two")), IsOk());
}

TEST(FailpointFilesTest, AnObjectWhoseRemovalFailsIsGoneAfterTheNext) {
  const TempDir directory("/dev/shm");
  const auto sink = NewFileSink({.root = directory.path()}).value();
  ASSERT_THAT(sink->Apply(Object(1, "one")), IsOk());
  {
    const Armed armed("files_sink.link_removed=error@1");
    EXPECT_THAT(sink->Remove(SetId("env")), StatusIs(absl::StatusCode::kUnavailable));
  }
  EXPECT_THAT(sink->Remove(SetId("env")), IsOk());
  EXPECT_TRUE(sink->List()->empty());
}

TEST(FailpointFilesTest, AnIdentityIsTheOldOrTheNewOne) {
  const TempDir parent;
  const IdentityAuthority authority(parent.File("ca.pem"));
  const auto directory = IdentityDirectory::Open(parent.File("identity"), parent.File("ca.pem")).value();
  const absl::Time start = absl::FromUnixSeconds(1'700'000'000);
  const auto write = [&](int days) {
    const CertificateRequest request = NewCertificateRequest().value();
    const IssuedCertificate issued = authority.Issue(request.csr, start, absl::Hours(24 * days));
    return directory.Write(issued.identity, issued.chain, request.private_key);
  };
  ASSERT_THAT(write(1), IsOk());
  int days = 1;
  for (const char* name : {"identity.before_sync", "identity.before_rename", "identity.after_rename"}) {
    SCOPED_TRACE(name);
    const Armed armed(absl::StrCat(name, "=error@1"));
    EXPECT_FALSE(write(days + 1).ok());
    if (std::string(name) == "identity.after_rename") ++days;
    const auto identity = directory.Read();
    ASSERT_THAT(identity, IsOk());
    EXPECT_EQ(identity->expire_time, start + absl::Hours(24 * days));
    EXPECT_THAT(CheckTlsFiles(directory.Files().value()), IsOk());
  }
  EXPECT_THAT(write(days + 1), IsOk());
}

}  // namespace
}  // namespace keyferry
