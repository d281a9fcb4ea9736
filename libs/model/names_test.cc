#include "libs/model/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "libs/common/limits.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Check = std::optional<FieldViolation> (*)(std::string_view, std::string_view);

bool Accepts(Check check, std::string_view name) { return !check("field", name).has_value(); }

TEST(NamesTest, LengthsAreAcceptedToTheLimitAndRefusedOnePastIt) {
  const struct {
    Check check;
    size_t min, max;
  } rules[] = {{CheckSecretSetName, kMinSetNameLength, kMaxSetNameLength},
               {CheckSecretKey, 1, kMaxKeyLength},
               {CheckAgentName, 1, kMaxAgentNameLength},
               {CheckRegionCode, 1, kMaxDnsLabelLength},
               {CheckOrganizationName, 1, kMaxDnsLabelLength},
               {CheckRequestId, 1, kMaxRequestIdLength}};
  for (const auto& rule : rules) {
    EXPECT_TRUE(Accepts(rule.check, std::string(rule.min, 'a'))) << rule.min;
    EXPECT_FALSE(Accepts(rule.check, std::string(rule.min - 1, 'a'))) << rule.min - 1;
    EXPECT_TRUE(Accepts(rule.check, std::string(rule.max, 'a'))) << rule.max;
    EXPECT_FALSE(Accepts(rule.check, std::string(rule.max + 1, 'a'))) << rule.max + 1;
  }
}

TEST(NamesTest, TheLimitsAreThoseOfTheDesign) {
  EXPECT_EQ(kMinSetNameLength, 3u);
  EXPECT_EQ(kMaxSetNameLength, 63u);
  EXPECT_EQ(kMaxKeyLength, 64u);
  EXPECT_EQ(kMaxAgentNameLength, 54u);
}

TEST(NamesTest, ASetNameIsLabelsJoinedBySingleDots) {
  for (const char* name : {"abc", "a-b", "a.b", "1.2", "my-secrets-us-west", "a--b", "0ab", "a.b.c-d.e"}) {
    EXPECT_TRUE(Accepts(CheckSecretSetName, name)) << name;
  }
  for (const char* name :
       {"-ab", "ab-", ".ab", "ab.", "a..b", "a.-b", "a-.b", "Abc", "a_b", "a b", "a/b", "...", "---", "a\nb"}) {
    EXPECT_FALSE(Accepts(CheckSecretSetName, name)) << name;
  }
}

TEST(NamesTest, AgentsRegionsAndOrganizationsAreOneLabel) {
  for (const Check check : {CheckAgentName, CheckRegionCode, CheckOrganizationName}) {
    for (const char* name : {"a", "us-west", "0", "a--b"}) EXPECT_TRUE(Accepts(check, name)) << name;
    for (const char* name : {"-a", "a-", "-", "a.b", "A", "a_b", "a b", "us/west"})
      EXPECT_FALSE(Accepts(check, name)) << name;
  }
}

TEST(NamesTest, AKeyIsLettersDigitsUnderscoresAndHyphens) {
  for (const char* key : {"A", "SECRET_NAME", "a-b", "_", "-", "9", "aZ09_-"})
    EXPECT_TRUE(Accepts(CheckSecretKey, key)) << key;
  for (const char* key : {"a b", "a=b", "a.b", "a/b", "é", "a\tb", "a:b", "a$b"})
    EXPECT_FALSE(Accepts(CheckSecretKey, key)) << key;
}

TEST(NamesTest, ARequestIdIsPrintableAscii) {
  for (const char* id : {"a", "550e8400-e29b-41d4-a716-446655440000", "a b", "~!@#"})
    EXPECT_TRUE(Accepts(CheckRequestId, id)) << id;
  for (const char* id : {"a\nb", "\x7f", "\x1b[31m", "é"}) EXPECT_FALSE(Accepts(CheckRequestId, id)) << id;
}

TEST(NamesTest, HostileNamesAreRefusedEverywhere) {
  const std::string hostile[] = {
      "",
      std::string("a\0b", 3),
      "..",
      "../../etc/passwd",
      "a/../b",
      "%2e%2e",
      "a%00b",
      "\xff\xfe",
      "a\r\nb: c",
      "\xc3\x28",
      "a\xe2\x80\xae"
      "b",
      "<script>",
      "$(id)",
      "`id`",
      "'; --",
      "\xd0\xb0\xd0\xb0\xd0\xb0",  // Cyrillic letters that look Latin
      " abc",
      "abc ",
      "abc\n",
      std::string(1 << 20, 'a'),
  };
  for (const Check check :
       {CheckSecretSetName, CheckSecretKey, CheckAgentName, CheckRegionCode, CheckOrganizationName}) {
    for (const std::string& name : hostile) EXPECT_FALSE(Accepts(check, name)) << name.substr(0, 40);
  }
}

TEST(NamesTest, AViolationNamesTheFieldTheRuleAndWhatWasFound) {
  const auto violation = CheckSecretKey("entries[3].key", "AB CD");
  ASSERT_TRUE(violation);
  EXPECT_EQ(violation->field, "entries[3].key");
  EXPECT_THAT(violation->description, HasSubstr("[A-Za-z0-9_-]"));
  EXPECT_THAT(violation->description, HasSubstr("byte 0x20 at position 3"));
  EXPECT_THAT(CheckSecretKey("key", std::string(65, 'a'))->description, HasSubstr("1 to 64 characters; found 65"));
  EXPECT_THAT(CheckSecretSetName("secret_set", "a..b")->description, HasSubstr("'.' at position 2"));
}

TEST(NamesTest, AViolationShowsNoMoreThanOneCharacter) {
  EXPECT_THAT(CheckSecretKey("key", "s3cr3t value")->description, Not(HasSubstr("s3cr3t")));
  EXPECT_THAT(CheckSecretSetName("name", "S3cr3t")->description, Not(HasSubstr("3cr3t")));
}

TEST(NamesTest, NewUidsAreDistinctHexDigits) {
  std::set<std::string> uids;
  for (int i = 0; i < 1000; ++i) uids.insert(NewUid());
  EXPECT_EQ(uids.size(), 1000u);
  EXPECT_EQ(uids.begin()->size(), 32u);
  EXPECT_EQ(uids.begin()->find_first_not_of("0123456789abcdef"), std::string::npos);
}

}  // namespace
}  // namespace keyferry
