#include "services/gateway/caller_key.h"

#include <gtest/gtest.h>

namespace keyferry::gateway {
namespace {

uint64_t KeyOf(const std::string& authorization) { return CallerKey({.headers = {{"authorization", authorization}}}); }

TEST(CallerKeyTest, IsTheSameForEverySpellingOfACredential) {
  for (const char* same : {"bearer kf_1", "BEARER kf_1", "Bearer  kf_1", "Bearer kf_1 ", "kf_1"})
    EXPECT_EQ(KeyOf(same), KeyOf("Bearer kf_1")) << same;
}

TEST(CallerKeyTest, DiffersBetweenCredentials) {
  EXPECT_NE(KeyOf("Bearer kf_1"), KeyOf("Bearer kf_2"));
  EXPECT_NE(KeyOf("Bearer kf_1"), KeyOf("Bearer KF_1"));
  EXPECT_NE(KeyOf("Bearer kf_1"), CallerKey({}));
}

TEST(CallerKeyTest, IsOneForAllWithoutACredential) {
  EXPECT_EQ(CallerKey({}), CallerKey({.headers = {{"Cookie", "a=b"}}, .id = "other"}));
  EXPECT_EQ(CallerKey({}), KeyOf(""));
}

}  // namespace
}  // namespace keyferry::gateway
