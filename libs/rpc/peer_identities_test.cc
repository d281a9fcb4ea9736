#include "libs/rpc/peer_identities.h"

#include <gmock/gmock.h>
#include <grpcpp/security/auth_context.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/certificate.h"
#include "libs/crypto/certificate_request.h"

namespace keyferry {
namespace {

constexpr char kOperator[] = "spiffe://keyferry.test/operator/ada";
constexpr char kProvisioner[] = "spiffe://keyferry.test/region/eu-1/provisioner/p1";

// What gRPC tells of a peer.
class FakeAuthContext final : public grpc::AuthContext {
 public:
  bool IsPeerAuthenticated() const override { return !properties_.empty(); }
  std::vector<grpc::string_ref> GetPeerIdentity() const override { return {}; }
  std::string GetPeerIdentityPropertyName() const override { return ""; }
  std::vector<grpc::string_ref> FindPropertyValues(const std::string& name) const override {
    std::vector<grpc::string_ref> values;
    for (auto [found, end] = properties_.equal_range(name); found != end; ++found) values.emplace_back(found->second);
    return values;
  }
  grpc::AuthPropertyIterator begin() const override { return Nowhere(); }
  grpc::AuthPropertyIterator end() const override { return Nowhere(); }
  void AddProperty(const std::string& name, const grpc::string_ref& value) override {
    properties_.emplace(name, std::string(value.data(), value.size()));
  }
  bool SetPeerIdentityPropertyName(const std::string&) override { return true; }

 private:
  // Its base cannot be made.
  struct Nowhere : grpc::AuthPropertyIterator {};

  std::multimap<std::string, std::string> properties_;
};

class PeerIdentitiesTest : public ::testing::Test {
 protected:
  FakeAuthContext PeerOf(const CertificateAuthority& authority, const std::string& id) const {
    const absl::Time now = absl::Now();
    FakeAuthContext context;
    context.AddProperty("x509_pem_cert", *authority.Issue({.public_key = *PublicKeyOfCsr(NewCertificateRequest()->csr),
                                                           .spiffe_id = id,
                                                           .not_before = now,
                                                           .not_after = now + absl::Hours(1)}));
    context.AddProperty("peer_spiffe_id", id);
    context.AddProperty("peer_uri", id);
    return context;
  }

  const CertificateAuthority provisioners_ = *CertificateAuthority::Make("the same name", absl::Now());
  const CertificateAuthority everybody_ = *CertificateAuthority::Make("the same name", absl::Now());
  const std::unique_ptr<PeerIdentities> peers_ =
      *PeerIdentities::Create("keyferry.test", provisioners_.certificate_pem());
};

TEST_F(PeerIdentitiesTest, TheProvisionersAuthorityVouchesForProvisionersAlone) {
  EXPECT_THAT(peers_->Identify(PeerOf(provisioners_, kProvisioner)), IsOk());
  for (const char* id : {kOperator, "spiffe://keyferry.test/organization/acme/role/admin/service/x"}) {
    EXPECT_THAT(peers_->Identify(PeerOf(provisioners_, id)), StatusIs(absl::StatusCode::kUnauthenticated)) << id;
  }
}

TEST_F(PeerIdentitiesTest, AnotherAuthorityVouchesForEverybody) {
  EXPECT_THAT(peers_->Identify(PeerOf(everybody_, kProvisioner)), IsOk());
  EXPECT_THAT(peers_->Identify(PeerOf(everybody_, kOperator)), IsOk());
}

TEST_F(PeerIdentitiesTest, WhatTheCertificateSaysMustBeWhatGrpcRead) {
  FakeAuthContext context;
  context.AddProperty("x509_pem_cert",
                      std::string(PeerOf(everybody_, kProvisioner).FindPropertyValues("x509_pem_cert")[0].data()));
  context.AddProperty("peer_spiffe_id", kOperator);
  context.AddProperty("peer_uri", kOperator);
  EXPECT_THAT(peers_->Identify(context), StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(PeerIdentitiesTest, APeerWithoutACertificateIsNobody) {
  const auto nobody = peers_->Identify(FakeAuthContext());
  ASSERT_THAT(nobody, IsOk());
  EXPECT_EQ(*nobody, nullptr);
}

}  // namespace
}  // namespace keyferry
