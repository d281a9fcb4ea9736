#include "libs/crypto/certificate_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/certificate.h"

namespace keyferry {
namespace {

TEST(CertificateRequestTest, IsOneThatTheAuthorityAnswers) {
  const auto request = NewCertificateRequest();
  ASSERT_THAT(request, IsOk());
  EXPECT_THAT(PublicKeyOfCsr(request->csr), IsOk());
  EXPECT_LT(request->csr.size(), kMaxCsrBytes);
}

TEST(CertificateRequestTest, HasAnotherKeyEachTime) {
  const auto one = NewCertificateRequest();
  const auto other = NewCertificateRequest();
  ASSERT_THAT(one, IsOk());
  ASSERT_THAT(other, IsOk());
  EXPECT_FALSE(one->private_key.Equals(other->private_key));
  EXPECT_NE(*PublicKeyOfCsr(one->csr), *PublicKeyOfCsr(other->csr));
}

TEST(CertificateRequestTest, ItsPrivateKeyIsUnencryptedPem) {
  const auto request = NewCertificateRequest();
  ASSERT_THAT(request, IsOk());
  EXPECT_TRUE(request->private_key.Access().starts_with("-----BEGIN PRIVATE KEY-----\n"));
  EXPECT_TRUE(request->private_key.Access().ends_with("-----END PRIVATE KEY-----\n"));
}

}  // namespace
}  // namespace keyferry
