#include "libs/crypto/secret_bytes.h"

#include <gtest/gtest.h>

#include <sstream>
#include <type_traits>
#include <utility>

namespace keyferry {
namespace {

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};
template <typename T>
concept Comparable = requires(const T& a, const T& b) {
  a == b;
};
template <typename T>
concept Ordered = requires(const T& a, const T& b) {
  a < b;
};
template <typename T>
concept Hashable = requires(const T& value) {
  std::hash<T>()(value);
};

static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
static_assert(std::is_nothrow_move_constructible_v<SecretBytes> && std::is_nothrow_move_assignable_v<SecretBytes>);
static_assert(!Printable<SecretBytes> && !Comparable<SecretBytes> && !Ordered<SecretBytes> && !Hashable<SecretBytes>);
static_assert(!std::is_convertible_v<SecretBytes, std::string> &&
              !std::is_convertible_v<SecretBytes, std::string_view>);
static_assert(!std::is_constructible_v<std::string, SecretBytes> && !std::is_convertible_v<std::string, SecretBytes>);

TEST(SecretBytesTest, CopyKeepsEveryByte) {
  const std::string bytes("\0a\xff\0", 4);
  EXPECT_EQ(SecretBytes::Copy(bytes).Access(), bytes);
  EXPECT_TRUE(SecretBytes::Copy("").empty());
}

TEST(SecretBytesTest, ANewOneIsZero) {
  EXPECT_EQ(SecretBytes(3).Access(), std::string(3, '\0'));
  EXPECT_TRUE(SecretBytes(0).empty());
  EXPECT_TRUE(SecretBytes().Access().empty());
}

TEST(SecretBytesTest, TakeWipesItsSource) {
  std::string source(100, 's');
  const char* const place = source.data();
  const SecretBytes taken = SecretBytes::Take(std::move(source));
  EXPECT_EQ(taken.Access(), std::string(100, 's'));
  EXPECT_TRUE(source.empty());
  EXPECT_EQ(std::string_view(place, 100), std::string(100, '\0'));
}

TEST(SecretBytesTest, WipeReachesWhatLiesBehindTheEnd) {
  std::string text(100, 's');
  const char* const place = text.data();
  text.resize(3);
  Wipe(text);
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(std::string_view(place, 100), std::string(100, '\0'));
}

TEST(SecretBytesTest, MovingLeavesAnEmptyOne) {
  SecretBytes from = SecretBytes::Copy("abc");
  SecretBytes to = std::move(from);
  EXPECT_TRUE(from.empty());
  EXPECT_EQ(to.Access(), "abc");
  from = std::move(to);
  EXPECT_EQ(from.Access(), "abc");
  EXPECT_EQ(to.size(), 0u);
}

TEST(SecretBytesTest, MovingOntoItselfKeepsIt) {
  SecretBytes bytes = SecretBytes::Copy("abc");
  SecretBytes& alias = bytes;
  bytes = std::move(alias);
  EXPECT_EQ(bytes.Access(), "abc");
}

TEST(SecretBytesTest, EqualsComparesSizeAndContent) {
  const SecretBytes abc = SecretBytes::Copy("abc");
  EXPECT_TRUE(abc.Equals(abc.Clone()));
  EXPECT_FALSE(abc.Equals(SecretBytes::Copy("abd")));
  EXPECT_FALSE(abc.Equals(SecretBytes::Copy("ab")));
  EXPECT_FALSE(abc.Equals(SecretBytes()));
  EXPECT_TRUE(SecretBytes().Equals(SecretBytes()));
}

TEST(SecretBytesTest, RandomDiffersEachTime) { EXPECT_FALSE(SecretBytes::Random(32).Equals(SecretBytes::Random(32))); }

}  // namespace
}  // namespace keyferry
