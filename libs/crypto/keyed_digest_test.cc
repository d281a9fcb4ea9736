#include "libs/crypto/keyed_digest.h"

#include <gtest/gtest.h>

#include <string>

namespace keyferry {
namespace {

TEST(KeyedDigestTest, IsEqualForTheSameTextAlone) {
  const KeyedDigest digests;
  EXPECT_TRUE(KeyedDigest::Equal(digests.Of("kf_text"), digests.Of("kf_text")));
  EXPECT_FALSE(KeyedDigest::Equal(digests.Of("kf_text"), digests.Of("kf_texu")));
  EXPECT_FALSE(KeyedDigest::Equal(digests.Of("kf_text"), digests.Of("")));
}

TEST(KeyedDigestTest, AnyByteThatDiffersIsSeen) {
  const KeyedDigest digests;
  const KeyedDigest::Bytes whole = digests.Of("a");
  for (size_t i = 0; i < whole.size(); ++i) {
    KeyedDigest::Bytes other = whole;
    other[i] ^= 1;
    EXPECT_FALSE(KeyedDigest::Equal(whole, other)) << i;
  }
}

TEST(KeyedDigestTest, AnotherObjectHasAnotherKey) {
  EXPECT_FALSE(KeyedDigest::Equal(KeyedDigest().Of("a"), KeyedDigest().Of("a")));
}

}  // namespace
}  // namespace keyferry
