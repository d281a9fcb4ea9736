#include "cli/key_value_arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using Pairs = std::vector<std::pair<std::string, std::string>>;

// The options of `secrets set` that matter here: --dry-run and --wait are flags, --region takes a value.
OptionForm LookUp(std::string_view argument) {
  if (argument == "--region" || argument == "-r") return OptionForm::kTakesNext;
  if (argument == "--dry-run" || argument == "--wait" || argument == "-s") return OptionForm::kComplete;
  if (argument.starts_with("--wait=") || argument.starts_with("--region=")) return OptionForm::kComplete;
  return OptionForm::kUnknown;
}

absl::StatusOr<KeyValueArguments> Take(const std::vector<std::string_view>& arguments) {
  return TakeKeyValues(arguments, LookUp);
}

Pairs PairsOf(const std::vector<std::string_view>& arguments) {
  const auto taken = Take(arguments);
  EXPECT_THAT(taken, IsOk());
  Pairs pairs;
  if (!taken.ok()) return pairs;
  for (const KeyValue& entry : taken->entries) pairs.emplace_back(entry.key, entry.value.Access());
  return pairs;
}

std::string ErrorOf(const std::vector<std::string_view>& arguments) {
  const auto taken = Take(arguments);
  EXPECT_THAT(taken, FailsWith(absl::StatusCode::kInvalidArgument, "USAGE"));
  return std::string(taken.status().message());
}

TEST(KeyValueArgumentsTest, KeysAndValuesMayAlternate) {
  EXPECT_THAT(PairsOf({"my-secrets", "SECRET_NAME", "secret-value", "SECRET_NAME_2", "secret-value-2"}),
              ElementsAre(Pair("SECRET_NAME", "secret-value"), Pair("SECRET_NAME_2", "secret-value-2")));
}

TEST(KeyValueArgumentsTest, KeysAndValuesMayBeJoined) {
  EXPECT_THAT(PairsOf({"my-secrets", "KEY1=simple", "KEY2=value"}),
              ElementsAre(Pair("KEY1", "simple"), Pair("KEY2", "value")));
}

TEST(KeyValueArgumentsTest, TheTwoFormsMayBeMixed) {
  EXPECT_THAT(PairsOf({"my-secrets", "A", "1", "B=2", "C", "3"}),
              ElementsAre(Pair("A", "1"), Pair("B", "2"), Pair("C", "3")));
}

TEST(KeyValueArgumentsTest, AJoinedPairSplitsAtTheFirstEqualsSign) {
  EXPECT_THAT(PairsOf({"s-1", "KEY1=value=with=equals"}), ElementsAre(Pair("KEY1", "value=with=equals")));
  EXPECT_THAT(PairsOf({"s-1", "KEY1==value=with=equals"}), ElementsAre(Pair("KEY1", "=value=with=equals")));
}

TEST(KeyValueArgumentsTest, ValuesAreVerbatim) {
  for (const std::string value :
       {"value with spaces", "value with \"quotes\"", "value with \\backslashes", " lead and trail ", "line\nline\n",
        "tab\t", "ünïcödé 🔑", "[a,b]", "{x}", "$HOME `id`", "%s", "'", "\xff\xfe", "*"}) {
    EXPECT_THAT(PairsOf({"s-1", "K=" + value}), ElementsAre(Pair("K", value)));
    EXPECT_THAT(PairsOf({"s-1", "K", value}), ElementsAre(Pair("K", value)));
  }
}

TEST(KeyValueArgumentsTest, AValueAfterItsKeyMayLookLikeAnything) {
  for (const std::string value : {"-x", "--wait", "--region", "--", "-", "a=b", "=", "=x", "", "--unknown=1"}) {
    EXPECT_THAT(PairsOf({"s-1", "K", value, "L=2"}), ElementsAre(Pair("K", value), Pair("L", "2"))) << value;
  }
}

TEST(KeyValueArgumentsTest, AJoinedValueMayBeEmptyOrBeginWithADash) {
  EXPECT_THAT(PairsOf({"s-1", "K=", "L=-x", "M=--wait"}),
              ElementsAre(Pair("K", ""), Pair("L", "-x"), Pair("M", "--wait")));
}

TEST(KeyValueArgumentsTest, OptionsStandAnywhereButAtAValuesPlace) {
  const auto taken = Take({"-s", "--region", "us-east", "s-1", "--dry-run", "A", "1", "--wait=5s", "B=2", "-r", "eu"});
  ASSERT_THAT(taken, IsOk());
  EXPECT_THAT(taken->others, ElementsAre("-s", "--region", "us-east", "s-1", "--dry-run", "--wait=5s", "-r", "eu"));
  EXPECT_EQ(taken->entries.size(), 2u);
}

TEST(KeyValueArgumentsTest, AValueSpelledLikeAnOptionIsNoted) {
  const auto taken = Take({"s-1", "A", "--dry-run", "B", "-secret", "C", "plain"});
  ASSERT_THAT(taken, IsOk());
  EXPECT_THAT(taken->option_like, ElementsAre("A"));
}

TEST(KeyValueArgumentsTest, AfterTwoDashesAKeyMayBeginWithADash) {
  EXPECT_THAT(PairsOf({"s-1", "--", "-K", "v", "--dry-run=1"}), ElementsAre(Pair("-K", "v"), Pair("--dry-run", "1")));
  EXPECT_THAT(PairsOf({"--", "s-1", "K", "--"}), ElementsAre(Pair("K", "--")));
}

TEST(KeyValueArgumentsTest, ADashAloneIsAKey) { EXPECT_THAT(PairsOf({"s-1", "-", "v"}), ElementsAre(Pair("-", "v"))); }

TEST(KeyValueArgumentsTest, PlacesOfValuesAreKnown) {
  const auto taken = Take({"s-1", "A", "1", "--region", "eu", "BC==2"});
  ASSERT_THAT(taken, IsOk());
  EXPECT_THAT(taken->values, ElementsAre(ArgumentTail{2, 0}, ArgumentTail{5, 3}));
}

TEST(KeyValueArgumentsTest, NothingAfterTheNameIsNoError) { EXPECT_THAT(PairsOf({"s-1"}), ElementsAre()); }

TEST(KeyValueArgumentsTest, AKeyWithoutAValueIsRefusedWithoutShowingIt) {
  const std::string error = ErrorOf({"s-1", "A", "1", "hunter2"});
  EXPECT_THAT(error, HasSubstr("argument 4"));
  EXPECT_THAT(error, Not(HasSubstr("hunter2")));
}

TEST(KeyValueArgumentsTest, AnUnquotedValueWithSpacesIsRefusedWithoutShowingIt) {
  EXPECT_THAT(ErrorOf({"s-1", "KEY=my", "secret!", "words"}), Not(HasSubstr("secret!")));
}

TEST(KeyValueArgumentsTest, ADuplicateKeyIsRefusedByName) {
  EXPECT_THAT(ErrorOf({"s-1", "TWICE=hunter2", "B", "x", "TWICE", "hunter3"}), HasSubstr("TWICE"));
  EXPECT_THAT(ErrorOf({"s-1", "TWICE=hunter2", "TWICE", "hunter3"}), Not(HasSubstr("hunter")));
}

TEST(KeyValueArgumentsTest, AnEmptyKeyIsRefused) {
  EXPECT_THAT(ErrorOf({"s-1", "=value"}), HasSubstr("empty"));
  EXPECT_THAT(ErrorOf({"s-1", "", "value"}), HasSubstr("empty"));
}

TEST(KeyValueArgumentsTest, AKeyHasAtMostSixtyFourCharacters) {
  const std::string longest(64, 'k'), too_long(65, 'k');
  EXPECT_THAT(PairsOf({"s-1", longest, "v"}), ElementsAre(Pair(longest, "v")));
  EXPECT_THAT(ErrorOf({"s-1", too_long, "v"}), HasSubstr("65 characters"));
  EXPECT_THAT(ErrorOf({"s-1", too_long + "=v"}), Not(HasSubstr("kkk")));
}

TEST(KeyValueArgumentsTest, ABadCharacterIsToldByItsPlace) {
  for (const std::string key : {"pa.ssword", "pa ssword", "pa/ssword", "pa\xc3\xa4ssword", "pa\nssword"}) {
    const std::string error = ErrorOf({"s-1", key + "=v"});
    EXPECT_THAT(error, HasSubstr("character 3"));
    EXPECT_THAT(error, Not(HasSubstr("ssword")));
  }
}

TEST(KeyValueArgumentsTest, AnUnknownOptionIsRefusedWithoutShowingIt) {
  const std::string error = ErrorOf({"s-1", "A=1", "-hunter2"});
  EXPECT_THAT(error, HasSubstr("argument 3"));
  EXPECT_THAT(error, Not(HasSubstr("hunter2")));
}

TEST(KeyValueArgumentsTest, AnOptionAtTheEndNeedsItsValue) {
  EXPECT_THAT(ErrorOf({"s-1", "A=1", "--region"}), HasSubstr("--region"));
}

}  // namespace
}  // namespace keyferry
