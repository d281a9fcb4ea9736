#include "services/gateway/percent_encoding.h"

#include <gtest/gtest.h>

#include "libs/common/testing/status_matchers.h"
#include "services/gateway/utf8.h"

namespace keyferry::gateway {
namespace {

constexpr size_t kNone = std::string_view::npos;
constexpr auto kRefused = absl::StatusCode::kInvalidArgument;

TEST(Utf8Test, EverySequenceAtTheEdgesOfItsLengthIsValid) {
  for (const std::string_view text : {"", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
                                      "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(FindInvalidUtf8(text), kNone) << testing::PrintToString(text);
  }
}

TEST(Utf8Test, OverlongFormsSurrogatesAndWhatIsPastTheLastCharacterAreNot) {
  for (const std::string_view text :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF"}) {
    EXPECT_EQ(FindInvalidUtf8(text), 0u) << testing::PrintToString(text);
  }
}

TEST(Utf8Test, ASequenceThatIsCutShortIsFoundAtItsFirstByte) {
  for (const std::string_view text : {"ab\xC3", "ab\xE2\x82", "ab\xF0\x9F\x98", "ab\xE2\x82z", "ab\xC3("}) {
    EXPECT_EQ(FindInvalidUtf8(text), 2u) << testing::PrintToString(text);
  }
}

TEST(PercentEncodingTest, EveryByteOfAnEncodedNameComesBack) {
  EXPECT_THAT(DecodePercent("a%2Fb%2fc%25%C3%A9", PlusSign::kItself), IsOkAndHolds("a/b/c%\xC3\xA9"));
}

TEST(PercentEncodingTest, PlusIsASpaceOnlyWhereItIsAskedFor) {
  EXPECT_THAT(DecodePercent("a+b%2B", PlusSign::kItself), IsOkAndHolds("a+b+"));
  EXPECT_THAT(DecodePercent("a+b%2B", PlusSign::kSpace), IsOkAndHolds("a b+"));
}

TEST(PercentEncodingTest, APercentNeedsTwoHexadecimalDigits) {
  for (const char* text : {"%", "%4", "a%", "a%4", "%zz", "%4z", "%z4", "%%41", "% 41", "%+4"}) {
    EXPECT_THAT(DecodePercent(text, PlusSign::kItself), FailsWith(kRefused, "INVALID_TARGET")) << text;
  }
  EXPECT_THAT(DecodePercent("%41", PlusSign::kItself), IsOkAndHolds("A"));
}

TEST(PercentEncodingTest, ControlCharactersAreRefused) {
  for (const char* text : {"%00", "%0a", "%0D", "%1f", "%7F", "a\tb", "%C2%80", "%c2%9f"}) {
    EXPECT_THAT(DecodePercent(text, PlusSign::kItself), FailsWith(kRefused, "INVALID_TARGET")) << text;
  }
  EXPECT_THAT(DecodePercent("%20%7E%C2%A0", PlusSign::kItself), IsOkAndHolds(" ~\xC2\xA0"));
}

TEST(PercentEncodingTest, WhatIsNotUtf8WhenDecodedIsRefused) {
  for (const char* text : {"%FF", "%C3", "%C3x", "%ED%A0%80", "\xFF"}) {
    EXPECT_THAT(DecodePercent(text, PlusSign::kItself), FailsWith(kRefused, "INVALID_TARGET")) << text;
  }
}

}  // namespace
}  // namespace keyferry::gateway
