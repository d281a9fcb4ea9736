#include "services/gateway/json_text.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "libs/common/testing/status_matchers.h"

namespace keyferry::gateway {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using namespace std::string_literals;

constexpr auto kRefused = absl::StatusCode::kInvalidArgument;

// Of the refusal of `text`; fails the test when it is accepted.
std::string MessageFor(std::string_view text) {
  const absl::StatusOr<json> value = ParseJson(text);
  EXPECT_THAT(value, FailsWith(kRefused, "INVALID_JSON"));
  return std::string(value.status().message());
}

std::string Nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

std::string ArrayOf(int count) {
  std::string text = "[0";
  for (int i = 1; i < count; ++i) text += ",0";
  return text + "]";
}

TEST(JsonTextTest, EveryKindOfValueIsRead) {
  EXPECT_THAT(ParseJson(R"( {"a":[1,-2,2.5,true,false,null,"x",{}],"b":{"c":[]}} )"),
              IsOkAndHolds(json(
                  {{"a", {1, -2, 2.5, true, false, nullptr, "x", json::object()}}, {"b", {{"c", json::array()}}}})));
  EXPECT_THAT(ParseJson("7"), IsOkAndHolds(json(7)));
}

TEST(JsonTextTest, StringsKeepTheirBytes) {
  EXPECT_THAT(ParseJson(R"(["\u0000\n\"\\\/\u00e9\ud83d\ude00é😀"])"), IsOkAndHolds(json::array({"\0\n\"\\/é😀é😀"s})));
}

TEST(JsonTextTest, DepthIsBounded) {
  EXPECT_THAT(ParseJson(Nested(kMaxJsonDepth)), IsOk());
  EXPECT_THAT(MessageFor(Nested(kMaxJsonDepth + 1)), HasSubstr("line 1, column 17: more levels"));
  EXPECT_THAT(MessageFor(std::string(1'000'000, '[')), HasSubstr("column 17"));
}

TEST(JsonTextTest, SiblingsAreNoDeeper) { EXPECT_THAT(ParseJson("[" + Nested(15) + "," + Nested(15) + "]"), IsOk()); }

TEST(JsonTextTest, TheNumberOfValuesIsBounded) {
  EXPECT_THAT(ParseJson(ArrayOf(kMaxJsonValues - 1)), IsOk());
  EXPECT_THAT(MessageFor(ArrayOf(kMaxJsonValues)), HasSubstr("more values"));
}

TEST(JsonTextTest, AMemberThatComesTwiceIsRefusedAtItsSecondName) {
  EXPECT_THAT(MessageFor("{\"s3cret\":1,\n  \"s3cret\":2}"),
              AllOf(HasSubstr("line 2, column 3: a member whose name"), Not(HasSubstr("s3cret"))));
  EXPECT_THAT(MessageFor(R"({"a":1,"\u0061":2})"), HasSubstr("column 8"));
  EXPECT_THAT(MessageFor(R"({"\"":1,"\"":2})"), HasSubstr("column 9"));
  EXPECT_THAT(MessageFor(R"({"\\":1,"\\":2})"), HasSubstr("column 9"));
  EXPECT_THAT(MessageFor(R"([{"a":1},{"b":{"a":1,"a":2}}])"), HasSubstr("column 22"));
}

TEST(JsonTextTest, OneNameInTwoObjectsIsNoDuplicate) {
  EXPECT_THAT(ParseJson(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]})"), IsOk());
}

TEST(JsonTextTest, AnEmptyBodySaysSo) {
  EXPECT_EQ(MessageFor(""), "the body is empty; it must be a JSON object");
  EXPECT_EQ(MessageFor(" \r\n\t"), "the body is empty; it must be a JSON object");
}

TEST(JsonTextTest, WhatIsNotUtf8IsRefusedWhereItBegins) {
  EXPECT_THAT(MessageFor("{\"a\":\n\"b\xFF\"}"), HasSubstr("line 2, column 3: bytes that are not UTF-8"));
  EXPECT_THAT(MessageFor("\xFF\xFE{\0}\0"s), HasSubstr("column 1: bytes that are not UTF-8"));
  EXPECT_THAT(MessageFor("\xEF\xBB\xBF{}"), HasSubstr("column 1: a byte order mark"));
}

TEST(JsonTextTest, ANulByteEndsNothing) {
  EXPECT_THAT(MessageFor("{}\0{"s), HasSubstr("column 3: a NUL byte"));
  EXPECT_THAT(MessageFor("\0"s), HasSubstr("column 1: a NUL byte"));
  EXPECT_THAT(MessageFor("[\"\0\"]"s), HasSubstr("column 3: a NUL byte"));
}

TEST(JsonTextTest, ColumnsCountCharacters) { EXPECT_THAT(MessageFor("[\"é😀\", x]"), HasSubstr("line 1, column 8:")); }

TEST(JsonTextTest, MetadataHoldsThePosition) {
  const auto details = DetailsOf(ParseJson("{\n}}").status());
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->metadata, (std::map<std::string, std::string>{{"line", "2"}, {"column", "2"}}));
}

struct Case {
  const char* text;
  const char* message;
};

TEST(JsonTextTest, EachCommonFaultIsNamedAtItsPlace) {
  for (const Case& fault : std::initializer_list<Case>{
           {"{", "column 2: the text ends before"},
           {"[1,", "column 4: the text ends before"},
           {"[\"a", "column 4: the text ends inside a string"},
           {"[\"a\\", "column 5: the text ends inside a string"},
           {"[\"a\\\"", "column 6: the text ends inside a string"},
           {"[tru", "column 5: the text ends before"},
           {"[-", "column 3: the text ends before"},
           {"{} {}", "column 4: text after the end"},
           {"{}x", "column 3: text after the end"},
           {"1 \"a\"", "column 3: text after the end"},
           {"{\"a\":1,}", "column 8: a comma before a closing bracket"},
           {"[1, ]", "column 5: a comma before a closing bracket"},
           {"{'a':1}", "column 2: a single quote"},
           {"{a:1}", "column 2: a word without quotes"},
           {"[NaN]", "column 2: a word without quotes"},
           {"[1] // x", "column 5: text after the end"},
           {"[ // x\n1]", "column 3: JSON has no comments"},
           {"[ # x\n1]", "column 3: JSON has no comments"},
           {"[\"a\" \"b\"]", "column 6: a string where none can stand"},
           {"{\"a\" 1}", "column 6: a number where none"},
           {"[01]", "column 3: a number where none"},
           {"[.5]", "column 2: a character that cannot stand here"},
           {"[1e400]", "column 2: a number that is too large"},
           {"[-1e400]", "column 2: a number that is too large"},
           {"1e400", "column 1: a number that is too large"},
           {"[\"a\", x]", "column 7: a word without quotes"},
           {"[\"a\" 1, x]", "column 6: a number where none"},
           {"[1}", "column 3: a bracket, comma or colon"},
           {"[\"\t\"]", "column 3: a line break, tab"},
           {"[\"a\nb\"]", "column 4: a line break, tab"},
           {"[\"a\\x41\"]", "column 4: a backslash in a string"},
           {"[\"\\u12\"]", "column 3: \\u takes four"},
           {"[\"\\u12g4\"]", "column 3: \\u takes four"},
           {"[\"\\ud800\"]", "column 3: half of a surrogate pair"},
           {"[\"\\ud800x\"]", "column 3: half of a surrogate pair"},
           {"[\"\\ud800\\ud800\"]", "column 3: half of a surrogate pair"},
           {"[\"ab\\udc00\"]", "column 5: half of a surrogate pair"},
       }) {
    EXPECT_THAT(MessageFor(fault.text), HasSubstr(absl::StrCat("line 1, ", fault.message))) << fault.text;
  }
}

TEST(JsonTextTest, BlanksOfAnyKindKeepTheirPositions) {
  EXPECT_THAT(MessageFor("\r\n\t{\"a\\\"\":\n\t1,\n\n\t x}"), HasSubstr("line 5, column 3: a word without quotes"));
  EXPECT_THAT(ParseJson("\n{\t\"a\"\r:\n[\t1,\n2\r]\n}\n"), IsOkAndHolds(json({{"a", {1, 2}}})));
  EXPECT_THAT(MessageFor("[\"a\\\\\",\n\"b\nc\"]"), HasSubstr("line 2, column 3: a line break, tab"));
}

absl::Duration TimeToRefuse(const std::string& text) {
  const absl::Time start = absl::Now();
  EXPECT_FALSE(ParseJson(text).ok());
  return absl::Now() - start;
}

TEST(JsonTextTest, LineBreaksCostNoMoreThanSpaces) {
  constexpr size_t kBytes = 4 * 1024 * 1024;
  const absl::Duration spaces = TimeToRefuse(std::string(kBytes, ' ') + "x");
  for (const char blank : {'\n', '\r', '\t'})
    EXPECT_LT(TimeToRefuse(std::string(kBytes, blank) + "x"), 3 * spaces + absl::Milliseconds(50)) << int{blank};
}

TEST(JsonTextTest, NumbersAsLongAsTheyComeAreRead) {
  EXPECT_THAT(ParseJson("[18446744073709551615]"), IsOkAndHolds(json::array({18446744073709551615u})));
  EXPECT_THAT(ParseJson("[" + std::string(10'000, '9') + "]"), FailsWith(kRefused, "INVALID_JSON"));
  EXPECT_THAT(ParseJson("[0." + std::string(10'000, '9') + "]"), IsOkAndHolds(json::array({1.0})));
}

TEST(JsonTextTest, NoRefusalHoldsTheText) {
  const std::string secret = "hunter2-hunter2";
  for (const std::string& text :
       {secret, "\"" + secret, "{\"" + secret + "\" " + secret, "{\"a\":\"" + secret + "\\q\"}",
        "[\"" + secret + "\n\"]", "{\"a\":\"" + secret + "\"} trailing", "{\"" + secret + "\":1,\"" + secret + "\":2}",
        "[\"" + secret + "\xFF\"]"}) {
    const absl::StatusOr<json> value = ParseJson(text);
    ASSERT_FALSE(value.ok());
    EXPECT_THAT(value.status().ToString(), Not(HasSubstr("hunter2"))) << text;
  }
}

}  // namespace
}  // namespace keyferry::gateway
