#include "libs/common/log.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <vector>

#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

class LogTest : public ::testing::Test {
 protected:
  LogTest() { SetLogProcess("test"); }
  ~LogTest() override { SetLogLevel(Severity::kInfo); }

  template <typename Work>
  static std::vector<nlohmann::json> Lines(Work work) {
    ::testing::internal::CaptureStderr();
    work();
    std::istringstream output(::testing::internal::GetCapturedStderr());
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(output, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }
};

TEST_F(LogTest, ALineIsJsonWithTheFieldsInOrder) {
  ::testing::internal::CaptureStderr();
  Log(Severity::kWarning, "commit_slow", {{"region", "us-west"}, {"count", 3}, {"ok", true}});
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(line, ::testing::MatchesRegex(
                        R"(\{"time":"[0-9T:.-]+Z","severity":"warning","process":"test","event":"commit_slow",)"
                        R"("region":"us-west","count":3,"ok":true\}
)"));
}

TEST_F(LogTest, EveryLoggableTypeComesBack) {
  const auto lines = Lines([] {
    Log(Severity::kError, "types",
        {{"text", std::string("a")},
         {"small", std::numeric_limits<int64_t>::min()},
         {"large", std::numeric_limits<int64_t>::max()},
         {"byte", uint8_t{200}},
         {"no", false},
         {"status", absl::NotFoundError("gone")}});
  });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["text"], "a");
  EXPECT_EQ(lines[0]["small"], std::numeric_limits<int64_t>::min());
  EXPECT_EQ(lines[0]["large"], std::numeric_limits<int64_t>::max());
  EXPECT_EQ(lines[0]["byte"], 200);
  EXPECT_EQ(lines[0]["no"], false);
  EXPECT_EQ(lines[0]["status"], "NOT_FOUND: gone");
}

TEST_F(LogTest, NoTextBreaksOutOfItsLine) {
  constexpr char kHostile[] = "\"},\n{\"event\":\"forged\"\\\r\t\0\x1b[31m";
  const std::string hostile(kHostile, sizeof(kHostile) - 1);
  const auto lines = Lines([&] { Log(Severity::kInfo, "event", {{"text", hostile}}); });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["event"], "event");
  EXPECT_EQ(lines[0]["text"], hostile);
}

TEST_F(LogTest, InvalidUtf8IsReplaced) {
  const auto lines = Lines([] { Log(Severity::kInfo, "event", {{"text", "a\xff\xc3(\xed\xa0\x80"}}); });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0]["text"].get<std::string>(), ::testing::StartsWith("a\xEF\xBF\xBD"));
}

TEST_F(LogTest, APayloadOfAStatusStaysOut) {
  absl::Status status = absl::InternalError("broken");
  status.SetPayload("keyferry/error_details", absl::Cord("payload"));
  const auto lines = Lines([&] { Log(Severity::kInfo, "event", {{"status", status}}); });
  EXPECT_EQ(lines[0]["status"], "INTERNAL: broken");
}

TEST_F(LogTest, LinesBelowTheLevelAreDropped) {
  const auto all = [] {
    for (const Severity severity : {Severity::kDebug, Severity::kInfo, Severity::kWarning, Severity::kError})
      Log(severity, "e");
  };
  EXPECT_EQ(Lines(all).size(), 3u) << "info at first";
  size_t expected = 4;
  for (const char* level : {"debug", "info", "warning", "error"}) {
    ASSERT_THAT(SetLogLevel(level), IsOk());
    EXPECT_EQ(Lines(all).size(), expected--) << level;
  }
}

TEST_F(LogTest, AnUnknownLevelIsRefusedAndChangesNothing) {
  EXPECT_THAT(SetLogLevel("INFO"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SetLogLevel(""), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(Lines([] { Log(Severity::kInfo, "e"); }).size(), 1u);
}

TEST_F(LogTest, ThreadsDoNotMixTheirLines) {
  const auto lines = Lines([] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 200; ++i) Log(Severity::kInfo, "e", {{"text", std::string(500, 'x')}});
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_EQ(lines.size(), 800u);
}

}  // namespace
}  // namespace keyferry
