// The inner door against certificates that must not get anywhere: each by its name, and by the layer that refuses it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/rpc/spiffe_id.h"
#include "libs/rpc/testing/forged_certificate.h"
#include "libs/rpc/testing/tls_probe.h"
#include "services/api/testing/program_scene.h"

namespace keyferry {
namespace {

constexpr char kOperator[] = "spiffe://keyferry.test/operator/ada";

// The handshake refuses it, and no byte of HTTP/2 is read; or the guard does, with UNAUTHENTICATED.
enum class Layer { kHandshake, kGuard };

struct BadCertificate {
  std::string name;
  Layer layer;
  Forged forged;

  friend void PrintTo(const BadCertificate& bad, std::ostream* out) { *out << bad.name; }
};

std::pair<NameKind, std::string> Uri(std::string text) { return {NameKind::kUri, std::move(text)}; }
Forged Named(std::string uri) { return {.names = {Uri(std::move(uri))}}; }

template <typename Change>
Forged Good(Change change) {
  Forged forged = Named(kOperator);
  change(forged);
  return forged;
}

// Those that differ from a good one in the certificate alone; the roots are right.
std::vector<BadCertificate> Cases() {
  const std::string longest = absl::StrCat(kOperator, "/", std::string(kMaxSpiffeIdBytes - sizeof(kOperator), 'x'));
  return {
      {"Expired", Layer::kHandshake, Good([](Forged& f) { f.not_after = absl::Now() - absl::Minutes(1); })},
      {"NotYetValid", Layer::kHandshake, Good([](Forged& f) { f.not_before = absl::Now() + absl::Minutes(30); })},
      {"Rsa1024", Layer::kHandshake, Good([](Forged& f) { f.key = KeyKind::kRsa1024; })},
      {"SignedWithMd5", Layer::kHandshake, Good([](Forged& f) { f.md5 = true; })},
      {"ServerAuthOnly", Layer::kHandshake, Good([](Forged& f) { f.extended_usage = "serverAuth"; })},
      {"UnknownCriticalExtension", Layer::kHandshake, Good([](Forged& f) { f.unknown_critical = true; })},
      {"KeyEnciphermentOnly", Layer::kHandshake, Good([](Forged& f) { f.usage = "critical,keyEncipherment"; })},
      {"LeafThatIsACa", Layer::kGuard, Good([](Forged& f) { f.constraints = "critical,CA:TRUE"; })},
      {"LeafThatIsACaAndMaySign", Layer::kGuard,
       Good([](Forged& f) { f.constraints = "CA:TRUE", f.usage = "digitalSignature,keyCertSign"; })},
      {"NoKeyUsage", Layer::kGuard, Good([](Forged& f) { f.usage = std::nullopt; })},
      {"NoExtendedKeyUsage", Layer::kGuard, Good([](Forged& f) { f.extended_usage = std::nullopt; })},
      {"VersionOne", Layer::kGuard, Good([](Forged& f) { f.version_1 = true; })},
      {"NoName", Layer::kGuard, Good([](Forged& f) { f.names.clear(); })},
      {"CommonNameOnly", Layer::kGuard, Good([](Forged& f) { f.names.clear(), f.common_name = kOperator; })},
      {"DnsNameOnly", Layer::kGuard, Good([](Forged& f) {
         f.names = {{NameKind::kDns, kOperator}};
       })},
      {"EmailOnly", Layer::kGuard, Good([](Forged& f) {
         f.names = {{NameKind::kEmail, kOperator}};
       })},
      {"IpAddressOnly", Layer::kGuard, Good([](Forged& f) {
         f.names = {{NameKind::kIp, std::string("\x7f\0\0\1", 4)}};
       })},
      {"TwoIds", Layer::kGuard, Good([](Forged& f) { f.names.push_back(Uri("spiffe://keyferry.test/operator/bob")); })},
      {"TheSameIdTwice", Layer::kGuard, Good([](Forged& f) { f.names.push_back(Uri(kOperator)); })},
      {"AnIdAndAnotherUri", Layer::kGuard, Good([](Forged& f) { f.names.push_back(Uri("https://keyferry.test/")); })},
      {"AnotherTrustDomain", Layer::kGuard, Named("spiffe://elsewhere.test/operator/ada")},
      {"LongerTrustDomain", Layer::kGuard, Named("spiffe://keyferry.test.evil/operator/ada")},
      {"TrustDomainBelowOurs", Layer::kGuard, Named("spiffe://sub.keyferry.test/operator/ada")},
      {"TrustDomainWithPort", Layer::kGuard, Named("spiffe://keyferry.test:443/operator/ada")},
      {"TrustDomainWithUser", Layer::kGuard, Named("spiffe://ada@keyferry.test/operator/ada")},
      {"UppercaseTrustDomain", Layer::kGuard, Named("spiffe://Keyferry.test/operator/ada")},
      {"UppercaseScheme", Layer::kGuard, Named("SPIFFE://keyferry.test/operator/ada")},
      {"UppercaseKind", Layer::kGuard, Named("spiffe://keyferry.test/Operator/ada")},
      {"UppercaseName", Layer::kGuard, Named("spiffe://keyferry.test/operator/Ada")},
      {"AnotherScheme", Layer::kGuard, Named("https://keyferry.test/operator/ada")},
      {"DotSegment", Layer::kGuard, Named("spiffe://keyferry.test/./operator/ada")},
      {"DotDotSegment", Layer::kGuard, Named("spiffe://keyferry.test/region/eu-1/../../operator/ada")},
      {"PercentEscape", Layer::kGuard, Named("spiffe://keyferry.test/operator/%61da")},
      {"Query", Layer::kGuard, Named("spiffe://keyferry.test/operator/ada?x=1")},
      {"Fragment", Layer::kGuard, Named("spiffe://keyferry.test/operator/ada#x")},
      {"EmptySegment", Layer::kGuard, Named("spiffe://keyferry.test//operator/ada")},
      {"TrailingSlash", Layer::kGuard, Named("spiffe://keyferry.test/operator/ada/")},
      {"NoPath", Layer::kGuard, Named("spiffe://keyferry.test")},
      {"EmptyName", Layer::kGuard, Named("spiffe://keyferry.test/operator/")},
      {"ExtraSegment", Layer::kGuard, Named("spiffe://keyferry.test/operator/ada/x")},
      {"UnknownKind", Layer::kGuard, Named("spiffe://keyferry.test/root/ada")},
      {"UnknownRole", Layer::kGuard, Named("spiffe://keyferry.test/organization/acme/role/owner/service/x")},
      {"InvalidRegion", Layer::kGuard, Named("spiffe://keyferry.test/region/-eu/provisioner/p1")},
      {"RegionWithoutProvisioner", Layer::kGuard, Named("spiffe://keyferry.test/region/eu-1")},
      {"NulInside", Layer::kGuard, Named(std::string(kOperator) + std::string("\0.evil", 6))},
      {"NotAscii", Layer::kGuard, Named("spiffe://keyferry.test/operator/ad\xc3\xa4")},
      {"IdOf2048Bytes", Layer::kGuard, Named(longest)},
      {"IdOf2049Bytes", Layer::kGuard, Named(longest + "x")},
  };
}

class BadCertificatesTest : public ::testing::Test {
 protected:
  // One process for all of them.
  static void SetUpTestSuite() {
    forge_directory_ = new TempDir;
    // RSA, since ECDSA knows no MD5.
    Forged root = AuthorityOf("root");
    root.key = KeyKind::kRsa2048;
    root_ = new Forger(forge_directory_->path(), "root", root);
    scene_ = new ProgramScene({}, root_->files().certificate_chain);
  }
  static void TearDownTestSuite() {
    delete scene_;
    delete root_;
    delete forge_directory_;
  }

  static void ExpectRefused(const TlsFiles& files, Layer layer) {
    EXPECT_EQ(IsLetThrough(scene_->inner(), files), layer == Layer::kGuard);
    if (layer == Layer::kGuard) {
      EXPECT_THAT(scene_->Call(scene_->InnerWith(files), "Regions/ListRegions"),
                  FailsWith(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
    }
  }
  static void ExpectAccepted(const TlsFiles& files) {
    EXPECT_TRUE(IsLetThrough(scene_->inner(), files));
    EXPECT_THAT(scene_->Call(scene_->InnerWith(files), "Regions/ListRegions"), IsOk());
  }

  static TempDir* forge_directory_;
  static Forger* root_;
  static ProgramScene* scene_;
};

TempDir* BadCertificatesTest::forge_directory_ = nullptr;
Forger* BadCertificatesTest::root_ = nullptr;
ProgramScene* BadCertificatesTest::scene_ = nullptr;

class BadLeafTest : public BadCertificatesTest, public ::testing::WithParamInterface<BadCertificate> {};

TEST_P(BadLeafTest, IsRefused) {
  ExpectRefused(root_->Issue(GetParam().name, GetParam().forged).files(), GetParam().layer);
}

INSTANTIATE_TEST_SUITE_P(All, BadLeafTest, ::testing::ValuesIn(Cases()),
                         [](const ::testing::TestParamInfo<BadCertificate>& info) { return info.param.name; });

// What the others differ from.
TEST_F(BadCertificatesTest, GoodOnesAreAccepted) {
  ExpectAccepted(root_->Issue("good", Named(kOperator)).files());
  for (const KeyKind key : {KeyKind::kEd25519, KeyKind::kRsa2048}) {
    ExpectAccepted(root_->Issue("good-key", Good([key](Forged& f) { f.key = key; })).files());
  }
  ExpectAccepted(
      root_->Issue("intermediate", AuthorityOf("intermediate")).Issue("good-leaf", Named(kOperator)).files());
}

TEST_F(BadCertificatesTest, OneOfAnotherAuthorityIsRefused) {
  const Forger other(forge_directory_->path(), "other", AuthorityOf("other"));
  ExpectRefused(other.Issue("of-other", Named(kOperator)).files(), Layer::kHandshake);
}

TEST_F(BadCertificatesTest, OneOfAnotherAuthorityOfTheSameNameIsRefused) {
  for (const char* name : {"root", "keyferry region authority"}) {
    const Forger namesake(forge_directory_->path(), "namesake", AuthorityOf(name));
    ExpectRefused(namesake.Issue("of-namesake", Named(kOperator)).files(), Layer::kHandshake);
  }
}

TEST_F(BadCertificatesTest, ASelfSignedOneIsRefused) {
  ExpectRefused(Forger(forge_directory_->path(), "self", Named(kOperator)).files(), Layer::kHandshake);
}

TEST_F(BadCertificatesTest, OneThatALeafSignedIsRefused) {
  const Forger leaf = root_->Issue("leaf", Named(kOperator));
  ExpectRefused(leaf.Issue("of-leaf", Named(kOperator)).files(), Layer::kHandshake);
}

TEST_F(BadCertificatesTest, OneBelowAnExpiredIntermediateIsRefused) {
  Forged expired = AuthorityOf("expired");
  expired.not_after = absl::Now() - absl::Minutes(1);
  ExpectRefused(root_->Issue("expired-intermediate", expired).Issue("of-expired", Named(kOperator)).files(),
                Layer::kHandshake);
}

TEST_F(BadCertificatesTest, OneWithAnothersKeyIsRefused) {
  const Forger mine = root_->Issue("mine", Named(kOperator)), others = root_->Issue("others", Named(kOperator));
  ExpectRefused(mine.FilesWithKeyOf(others), Layer::kHandshake);
}

TEST_F(BadCertificatesTest, NobodyComesWithoutOne) { ExpectRefused({}, Layer::kHandshake); }

}  // namespace
}  // namespace keyferry
