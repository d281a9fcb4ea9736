#include "cli/dotenv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;
using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs Parse(std::string_view text) {
  const auto entries = ParseDotenv(".env", text);
  EXPECT_THAT(entries, IsOk()) << text;
  Pairs pairs;
  if (!entries.ok()) return pairs;
  for (const KeyValue& entry : *entries) pairs.emplace_back(entry.key, entry.value.Access());
  return pairs;
}

std::string ErrorOf(std::string_view text) {
  const auto entries = ParseDotenv(".env", text);
  EXPECT_THAT(entries, FailsWith(absl::StatusCode::kInvalidArgument, "USAGE")) << text;
  return std::string(entries.status().message());
}

std::string Value(std::string_view written) {
  const Pairs pairs = Parse("K=" + std::string(written));
  return pairs.size() == 1 ? pairs[0].second : "<not one pair>";
}

TEST(DotenvTest, BlankLinesAndCommentsAreNothing) {
  EXPECT_THAT(Parse("\n  \n# one\n\t# two\r\n\r\nA=1\n#"), ElementsAre(Pair("A", "1")));
}

TEST(DotenvTest, AnEmptyFileHasNoKeys) { EXPECT_THAT(Parse(""), ElementsAre()); }

TEST(DotenvTest, TheLastLineNeedsNoNewline) {
  EXPECT_THAT(Parse("A=1\nB=2"), ElementsAre(Pair("A", "1"), Pair("B", "2")));
}

TEST(DotenvTest, ExportIsSkipped) {
  EXPECT_THAT(Parse("export A=1\n  export\tB = 2\n"), ElementsAre(Pair("A", "1"), Pair("B", "2")));
}

TEST(DotenvTest, ExportAloneIsAKey) { EXPECT_THAT(Parse("export=1\n"), ElementsAre(Pair("export", "1"))); }

TEST(DotenvTest, KeysHaveTheAlphabetOfSecretKeys) {
  EXPECT_THAT(Parse("a-B_9=1\n9=2\n-=3"), ElementsAre(Pair("a-B_9", "1"), Pair("9", "2"), Pair("-", "3")));
}

TEST(DotenvTest, BlanksAroundTheEqualsSignAreTrimmed) {
  EXPECT_THAT(Parse(" A \t=  1 2  \n"), ElementsAre(Pair("A", "1 2")));
}

TEST(DotenvTest, UnquotedValuesAreLiteral) {
  EXPECT_EQ(Value("$HOME ${X} `id`"), "$HOME ${X} `id`");
  EXPECT_EQ(Value("a\\nb"), "a\\nb");
  EXPECT_EQ(Value("a=b=c"), "a=b=c");
  EXPECT_EQ(Value("it's \"so\""), "it's \"so\"");
  EXPECT_EQ(Value("\xc3\xbc\xff"), "\xc3\xbc\xff");
  EXPECT_EQ(Value("a\tb"), "a\tb");
}

TEST(DotenvTest, AHashBeginsACommentOnlyAfterABlank) {
  EXPECT_EQ(Value("a#b"), "a#b");
  EXPECT_EQ(Value("#ab"), "#ab");
  EXPECT_EQ(Value("a #b"), "a");
  EXPECT_EQ(Value("a\t# b # c"), "a");
  EXPECT_EQ(Value(" # nothing"), "");
  EXPECT_EQ(Value("'a' # b"), "a");
  EXPECT_EQ(Value("\"a\"# b"), "a");
}

TEST(DotenvTest, AValueMayBeEmpty) {
  EXPECT_EQ(Value(""), "");
  EXPECT_EQ(Value("  "), "");
  EXPECT_EQ(Value("''"), "");
  EXPECT_EQ(Value("\"\""), "");
  EXPECT_THAT(Parse("A=\nB=\n"), ElementsAre(Pair("A", ""), Pair("B", "")));
}

TEST(DotenvTest, SingleQuotesKeepEverything) { EXPECT_EQ(Value("' a\\n \"$x\" # \t'"), " a\\n \"$x\" # \t"); }

TEST(DotenvTest, DoubleQuotesHaveSixEscapes) {
  EXPECT_EQ(Value(R"("\n\r\t\\\"\$ $x 'q' # ")"), "\n\r\t\\\"$ $x 'q' # ");
}

TEST(DotenvTest, QuotedValuesSpanLines) {
  EXPECT_THAT(Parse("A='1\n2\n'\nB=\"3\n#4\r\n\"\nC=5"),
              ElementsAre(Pair("A", "1\n2\n"), Pair("B", "3\n#4\r\n"), Pair("C", "5")));
}

TEST(DotenvTest, LinesMayEndWithCarriageReturnAndNewline) {
  EXPECT_THAT(Parse("A=1\r\nB='2'\r\nC= \r\nD=4\r"),
              ElementsAre(Pair("A", "1"), Pair("B", "2"), Pair("C", ""), Pair("D", "4")));
}

TEST(DotenvTest, AByteOrderMarkIsSkipped) {
  EXPECT_THAT(Parse("\xEF\xBB\xBF"
                    "A=1"),
              ElementsAre(Pair("A", "1")));
}

TEST(DotenvTest, ErrorsNameLineAndColumnAndNeverTheValue) {
  EXPECT_THAT(ErrorOf("A=1\n  B hunter2\n"), AllOf(StartsWith(".env:2:5:"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(ErrorOf("A='1\n\n2'\nB='hunter2"),
              AllOf(StartsWith(".env:4:3:"), HasSubstr("never closed"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(ErrorOf("B=\"hunter2"), StartsWith(".env:1:3:"));
  EXPECT_THAT(ErrorOf("A='x'hunter2"), AllOf(StartsWith(".env:1:6:"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(ErrorOf("A=\"hunter2\\d\""),
              AllOf(StartsWith(".env:1:11:"), HasSubstr("single quotes"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(ErrorOf("\xEF\xBB\xBF"
                      "A B=1"),
              StartsWith(".env:1:3:"));
  EXPECT_THAT(ErrorOf("hunter.2=1"), AllOf(StartsWith(".env:1:1:"), Not(HasSubstr("hunter"))));
  EXPECT_THAT(ErrorOf("A=1\n=2"), StartsWith(".env:2:1:"));
}

TEST(DotenvTest, AKeyThatComesTwiceIsRefusedWithBothLines) {
  EXPECT_THAT(ErrorOf("A=1\nB=2\nA=3\n"), AllOf(StartsWith(".env:3:1:"), HasSubstr("line 1")));
}

TEST(DotenvTest, HostileInputIsRefused) {
  EXPECT_THAT(ErrorOf(std::string_view("A=\0", 3)), HasSubstr("control"));
  EXPECT_THAT(ErrorOf(std::string_view("A='\0'", 5)), HasSubstr("NUL"));
  EXPECT_THAT(ErrorOf("A=\x1b[31m"), HasSubstr("control"));
  EXPECT_THAT(ErrorOf("A=x\ry"), HasSubstr("control"));
  ErrorOf("export A");
  ErrorOf("export");
  ErrorOf("A: 1");
  ErrorOf("A=\"\\");
  ErrorOf("A=\"\\x41\"");
  ErrorOf(std::string(65, 'K') + "=1");
  // UTF-16.
  ErrorOf(
      std::string_view("\xff\xfe"
                       "A\0=\0",
                       6));
}

TEST(DotenvTest, NoPrefixOfAFileCrashes) {
  const std::string text = "\xEF\xBB\xBF# c\nexport A='1\n2' # x\r\nB=\"\\n\\\"\"\nC = d # e\n";
  for (size_t size = 0; size <= text.size(); ++size) (void)ParseDotenv(".env", std::string_view(text).substr(0, size));
}

std::string RandomValue(std::mt19937_64& random) {
  static constexpr std::string_view kSpecial = "'\"\\$#= \t\n\rnrtA\x01\x7f\xc3\xff`";
  std::string value(random() % 24, '\0');
  for (char& c : value)
    c = random() % 4 == 0 ? static_cast<char>(1 + random() % 255) : kSpecial[random() % kSpecial.size()];
  return value;
}

TEST(DotenvTest, WhatIsWrittenIsReadBackByteForByte) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; ++round) {
    Pairs expected;
    std::vector<KeyValue> entries;
    for (uint64_t i = 0; i < random() % 6; ++i) {
      expected.emplace_back("K" + std::to_string(i), RandomValue(random));
      entries.push_back({expected.back().first, SecretBytes::Copy(expected.back().second)});
    }
    const auto text = ToDotenv(entries);
    ASSERT_THAT(text, IsOk());
    ASSERT_EQ(Parse(text->Access()), expected);
  }
}

TEST(DotenvTest, RandomBytesNeverCrash) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 5000; ++round)
    (void)ParseDotenv(".env", "A=" + RandomValue(random) + "\n" + RandomValue(random));
}

TEST(DotenvTest, NulCannotBeWritten) {
  std::vector<KeyValue> entries;
  entries.push_back({"A", SecretBytes(1)});
  EXPECT_THAT(ToDotenv(entries), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace keyferry
