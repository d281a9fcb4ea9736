#include "services/gateway/json_object.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"

namespace keyferry::gateway {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr auto kRefused = absl::StatusCode::kInvalidArgument;

// `field: description` of each.
std::vector<std::string> ViolationsOf(const absl::Status& status) {
  EXPECT_THAT(status, FailsWith(kRefused, "INVALID_BODY"));
  std::vector<std::string> lines;
  const auto details = DetailsOf(status);
  if (!details) return lines;
  for (const FieldViolation& violation : details->violations)
    lines.push_back(violation.field + ": " + violation.description);
  return lines;
}

TEST(JsonObjectTest, MembersAreReadByName) {
  const json value = {{"s", "x"}, {"b", true}, {"i", -5}, {"a", {1}}, {"o", {{"k", 1}}}};
  JsonObject object(value, "");
  EXPECT_EQ(object.String("s"), "x");
  EXPECT_EQ(object.Bool("b"), true);
  EXPECT_EQ(object.Integer("i"), -5);
  EXPECT_EQ(object.Array("a"), &value["a"]);
  EXPECT_EQ(object.Object("o"), &value["o"]);
  EXPECT_TRUE(object.Has("s"));
  EXPECT_THAT(object.Finish(), IsOk());
}

TEST(JsonObjectTest, PositiveIntegersAreOneOrMore) {
  const json value = {{"one", 1}, {"five", 5.0}, {"zero", 0}, {"text", "2"}, {"large", 1e300}, {"null", nullptr}};
  JsonObject object(value, "");
  EXPECT_EQ(object.PositiveInteger("one"), 1);
  EXPECT_EQ(object.PositiveInteger("five"), 5);
  for (const char* bad : {"zero", "text", "large", "null", "absent"})
    EXPECT_EQ(object.PositiveInteger(bad), std::nullopt) << bad;
  constexpr char kRule[] = ": must be an integer of 1 or more, without quotes";
  EXPECT_THAT(
      ViolationsOf(object.Finish()),
      testing::ElementsAre(absl::StrCat("zero", kRule), absl::StrCat("text", kRule), absl::StrCat("large", kRule)));
}

TEST(QueryTest, UnknownParametersAreRefusedWithTheKnownOnes) {
  Request request{.method = "PUT", .query = {{"a", "1"}, {"force", "s3ntinel"}}};
  EXPECT_THAT(CheckQuery(request, {"a", "force"}), IsOk());
  EXPECT_THAT(CheckQuery(request, {"a"}), FailsWith(kRefused, "INVALID_QUERY"));
  EXPECT_EQ(CheckQuery(request, {"a", "b"}).message(),
            "force: unknown query parameter; the query parameters here are: a, b");
  EXPECT_THAT(CheckQuery(request, {}).message(), HasSubstr("stands in its body"));
  request.method = "GET";
  EXPECT_EQ(CheckQuery(request, {}).message(), "a: unknown query parameter; there are no query parameters here");
}

TEST(QueryTest, ParametersThatCouldBeSecretsAreNotRepeated) {
  for (const std::string& name :
       {std::string(25, 'n'), std::string("kf_abc"), std::string("p@ss"), std::string("1st"), std::string()}) {
    const Request request{.method = "GET", .query = {{name, "1"}}};
    EXPECT_EQ(CheckQuery(request, {}).message(), "query: unknown query parameter; there are no query parameters here");
  }
  const Request request{.method = "GET", .query = {{std::string(24, 'n'), "1"}}};
  EXPECT_THAT(CheckQuery(request, {}).message(), HasSubstr(std::string(24, 'n')));
}

TEST(JsonObjectTest, AbsentAndNullMembersAreNotThereAndNoFault) {
  const json value = {{"n", nullptr}};
  JsonObject object(value, "");
  EXPECT_EQ(object.String("n"), std::nullopt);
  EXPECT_EQ(object.Bool("absent"), std::nullopt);
  EXPECT_EQ(object.Integer("absent"), std::nullopt);
  EXPECT_EQ(object.Array("absent"), nullptr);
  EXPECT_EQ(object.Object("absent"), nullptr);
  EXPECT_TRUE(object.Has("n"));
  EXPECT_FALSE(object.Has("absent"));
  EXPECT_THAT(object.Finish(), IsOk());
}

TEST(JsonObjectTest, EveryMemberOfAWrongTypeIsAViolationThatShowsNoValue) {
  const json value = {{"s", 1}, {"b", "hunter2"}, {"i", "hunter2"}, {"a", "hunter2"}, {"o", {"hunter2"}}};
  JsonObject object(value, "secrets[3].");
  EXPECT_EQ(object.String("s"), std::nullopt);
  EXPECT_EQ(object.Bool("b"), std::nullopt);
  EXPECT_EQ(object.Integer("i"), std::nullopt);
  EXPECT_EQ(object.Array("a"), nullptr);
  EXPECT_EQ(object.Object("o"), nullptr);
  const absl::Status status = object.Finish();
  EXPECT_THAT(status.ToString(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(ViolationsOf(status),
              testing::ElementsAre("secrets[3].s: must be a string", HasSubstr("secrets[3].b: must be true or false"),
                                   HasSubstr("secrets[3].i: must be an integer"), "secrets[3].a: must be an array",
                                   "secrets[3].o: must be an object"));
}

TEST(JsonObjectTest, IntegersHaveFiftyThreeBits) {
  const json value =
      json::parse(R"({"a":9007199254740991,"b":-9007199254740991,"c":9007199254740992,"d":-9007199254740992,
                                     "e":5.0,"f":50e-1,"g":5.5,"h":1e300,"i":18446744073709551616,"j":-0.0})");
  JsonObject object(value, "");
  EXPECT_EQ(object.Integer("a"), 9007199254740991);
  EXPECT_EQ(object.Integer("b"), -9007199254740991);
  for (const char* name : {"e", "f"}) EXPECT_EQ(object.Integer(name), 5);
  EXPECT_EQ(object.Integer("j"), 0);
  EXPECT_THAT(object.Finish(), Not(IsOk()));
  for (const char* name : {"c", "d", "g", "h", "i"}) EXPECT_EQ(object.Integer(name), std::nullopt) << name;
  EXPECT_EQ(ViolationsOf(object.FinishLenient()).size(), 10u);
}

TEST(JsonObjectTest, AnUnknownMemberIsNamedWhenItsNameIsPlain) {
  const std::string longest(24, 'a');
  const json value = {{"region", "r"},  {"regoin", 1}, {longest, 1}, {longest + "a", 1},
                      {"pass word", 1}, {"1x", 1},     {"", 1}};
  JsonObject object(value, "");
  object.String("region");
  object.String("name");
  const std::string known = "known are \"name\", \"region\"";
  const std::string hidden = "unknown member, counted in the order of names and not shown; " + known;
  EXPECT_THAT(ViolationsOf(object.Finish()),
              testing::UnorderedElementsAre("regoin: unknown member; " + known, longest + ": unknown member; " + known,
                                            "member 1: " + hidden, "member 2: " + hidden, "member 4: " + hidden,
                                            "member 5: " + hidden));
}

TEST(JsonObjectTest, LeniencyForgivesUnknownMembersAlone) {
  const json value = {{"a", 1}, {"unknown", 2}};
  JsonObject object(value, "");
  EXPECT_THAT(object.FinishLenient(), IsOk());
  object.String("a");
  EXPECT_THAT(ViolationsOf(object.FinishLenient()), testing::ElementsAre("a: must be a string"));
}

TEST(JsonObjectTest, AChildsFaultsAreItsParents) {
  const json value = {{"child", {{"a", 1}, {"odd", 2}}}};
  for (const bool lenient : {false, true}) {
    JsonObject object(value, "");
    JsonObject child(*object.Object("child"), "child.");
    child.String("a");
    object.Absorb(std::move(child));
    const auto violations = ViolationsOf(lenient ? object.FinishLenient() : object.Finish());
    ASSERT_EQ(violations.size(), lenient ? 1u : 2u);
    EXPECT_EQ(violations[0], "child.a: must be a string");
    if (lenient) continue;
    EXPECT_EQ(violations[1], "child.odd: unknown member; known are \"a\"");
  }
}

TEST(JsonObjectTest, WhatIsNoObjectIsOneViolation) {
  const json value = json::array({1});
  JsonObject object(value, "secrets[0].");
  EXPECT_EQ(object.String("a"), std::nullopt);
  EXPECT_FALSE(object.Has("a"));
  EXPECT_THAT(ViolationsOf(object.Finish()), testing::ElementsAre("secrets[0]: must be an object"));
  EXPECT_THAT(ViolationsOf(JsonObject(value, "").Finish()), testing::ElementsAre("body: must be an object"));
}

TEST(JsonObjectTest, TheListOfViolationsIsBounded) {
  json value = json::object();
  for (size_t i = 0; i < kMaxViolations; ++i) value[absl::StrCat("m", i)] = 1;
  const auto all = ViolationsOf(JsonObject(value, "").Finish());
  EXPECT_EQ(all.size(), kMaxViolations);
  EXPECT_THAT(all.back(), Not(HasSubstr("more violations")));
  value["one-more"] = 1;
  const auto most = ViolationsOf(JsonObject(value, "").Finish());
  EXPECT_EQ(most.size(), kMaxViolations);
  EXPECT_EQ(most.back(), "body: and 2 more violations");
}

TEST(JsonObjectTest, AbsorbedViolationsAreCountedToo) {
  json value = json::object();
  for (size_t i = 0; i < kMaxViolations + 8; ++i) value[absl::StrCat("m", i)] = 1;
  JsonObject object(value, "");
  object.Absorb(JsonObject(value, "child."));
  EXPECT_EQ(ViolationsOf(object.Finish()).back(), "body: and 49 more violations");
}

Request JsonRequest(std::string body, std::string content_type = "application/json") {
  return {.headers = {{"Content-Type", content_type}}, .body = std::move(body)};
}

TEST(BodyOfTest, AnObjectIsTaken) { EXPECT_THAT(BodyOf(JsonRequest(R"({"a":1})")), IsOkAndHolds(json({{"a", 1}}))); }

TEST(BodyOfTest, AnotherValueIsNoBody) {
  for (const char* text : {"[]", "1", "null", "\"x\""})
    EXPECT_THAT(BodyOf(JsonRequest(text)), FailsWith(kRefused, "INVALID_BODY")) << text;
  EXPECT_THAT(BodyOf(JsonRequest("{")), FailsWith(kRefused, "INVALID_JSON"));
}

TEST(BodyOfTest, EverySpellingOfTheMediaTypeIsTaken) {
  for (const char* type :
       {"application/json", "Application/JSON", " application/json ", "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"", "application/json ; CHARSET=Utf8", "application/json; v=1; charset=utf-8",
        "application/json; x=\"a;charset=latin1\\\"\"", "application/json;", "application/json;; v=1"}) {
    EXPECT_THAT(BodyOf(JsonRequest("{}", type)), IsOk()) << type;
  }
}

TEST(BodyOfTest, OtherMediaTypesAreRefusedWithoutBeingRepeated) {
  for (const char* type :
       {"", "text/plain", "application/x-www-form-urlencoded", "application/json5", "application/jsonx",
        "application/json x", "application/json/x", "application", "application/json; charset=latin1",
        "application/json; charset=", "application/json; charset", "application/json; charset=\"utf-8",
        "application/json; charset=\"utf-8\\", "application/json, text/plain", "json"}) {
    const auto body = BodyOf(JsonRequest("{}", type));
    EXPECT_THAT(body, FailsWith(kRefused, "UNSUPPORTED_MEDIA_TYPE")) << type;
    EXPECT_THAT(body.status().ToString(), Not(HasSubstr("latin1")));
  }
}

TEST(BodyOfTest, ABodyNeedsOneContentType) {
  EXPECT_THAT(BodyOf({.body = "{}"}), FailsWith(kRefused, "UNSUPPORTED_MEDIA_TYPE"));
  const Header type{"Content-Type", "application/json"};
  EXPECT_THAT(BodyOf({.headers = {type, type}, .body = "{}"}), FailsWith(kRefused, "UNSUPPORTED_MEDIA_TYPE"));
  EXPECT_THAT(BodyOf({}), FailsWith(kRefused, "INVALID_JSON"));
}

TEST(BodyOfTest, ACompressedBodyIsRefused) {
  Request request = JsonRequest("{}");
  request.headers.push_back({"Content-Encoding", "gzip"});
  EXPECT_THAT(BodyOf(request), FailsWith(kRefused, "UNSUPPORTED_MEDIA_TYPE"));
  request.headers.back().value = "Identity";
  EXPECT_THAT(BodyOf(request), IsOk());
}

TEST(QueryTest, AValueComesOnceOrNotAtAll) {
  const Request request{.query = {{"a", "1"}, {"b", ""}, {"c", "1"}, {"c", "1"}}};
  EXPECT_THAT(QueryValue(request, "a"), IsOkAndHolds(std::optional<std::string>("1")));
  EXPECT_THAT(QueryValue(request, "b"), IsOkAndHolds(std::optional<std::string>("")));
  EXPECT_THAT(QueryValue(request, "d"), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(QueryValue(request, "c"), FailsWith(kRefused, "INVALID_QUERY"));
}

TEST(QueryTest, AFlagIsTrueOrFalse) {
  const Request request{.query = {{"t", "true"}, {"f", "false"}, {"x", "1"}, {"e", ""}, {"u", "True"}}};
  EXPECT_THAT(QueryFlag(request, "t"), IsOkAndHolds(true));
  EXPECT_THAT(QueryFlag(request, "f"), IsOkAndHolds(false));
  EXPECT_THAT(QueryFlag(request, "absent"), IsOkAndHolds(false));
  for (const char* name : {"x", "e", "u"})
    EXPECT_THAT(QueryFlag(request, name), FailsWith(kRefused, "INVALID_QUERY")) << name;
}

}  // namespace
}  // namespace keyferry::gateway
