#include "libs/common/log.h"

#include <gtest/gtest.h>

#include <cstdlib>
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

TEST_F(LogTest, EveryTextIsWrittenAsTheJsonLibraryWouldWriteIt) {
  std::vector<std::string> texts;
  for (int first = 0; first < 256; ++first) {
    for (const int second : {0, static_cast<int>('a'), static_cast<int>('"'), 0x80, 0xBF, 0xC3, 0xE2, 0xFF})
      texts.push_back({static_cast<char>(first), static_cast<char>(second)});
  }
  ::testing::internal::CaptureStderr();
  for (const std::string& text : texts) Log(Severity::kInfo, text, {{text, text}});
  std::istringstream output(::testing::internal::GetCapturedStderr());
  for (const std::string& text : texts) {
    std::string line;
    ASSERT_TRUE(std::getline(output, line));
    const std::string quoted = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    EXPECT_TRUE(line.ends_with(",\"event\":" + quoted + "," + quoted + ":" + quoted + "}")) << line;
  }
}

class LogWriterTest : public LogTest {
 protected:
  // What standard error holds by now; it goes on being captured.
  static std::string Written() {
    const std::string written = ::testing::internal::GetCapturedStderr();
    ::testing::internal::CaptureStderr();
    return written;
  }
};

TEST_F(LogWriterTest, ItsEndWritesWhatIsLeft) {
  const auto lines = Lines([] {
    const auto writer = LogWriter::Start();
    for (int i = 0; i < 1000; ++i) Log(Severity::kInfo, "e", {{"i", i}});
  });
  ASSERT_EQ(lines.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(lines[i]["i"], i);
}

TEST_F(LogWriterTest, AWarningIsWrittenBeforeLogReturnsAndAfterWhatStandsBeforeIt) {
  ::testing::internal::CaptureStderr();
  const auto writer = LogWriter::Start();
  for (const Severity severity : {Severity::kWarning, Severity::kError}) {
    Log(Severity::kInfo, "before");
    Log(severity, "grave");
    const std::string written = Written();
    EXPECT_LT(written.find("before"), written.find("grave"));
    EXPECT_NE(written.find("grave"), std::string::npos);
  }
  ::testing::internal::GetCapturedStderr();
}

TEST_F(LogWriterTest, LinesOfOneThreadKeepTheirOrderWhateverTheirSeverity) {
  const auto lines = Lines([] {
    const auto writer = LogWriter::Start();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([t] {
        for (int i = 0; i < 500; ++i) Log(i % 50 == 0 ? Severity::kWarning : Severity::kInfo, "e", {{"t", t}, {"i", i}});
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  ASSERT_EQ(lines.size(), 2000u);
  int next[4] = {};
  for (const nlohmann::json& line : lines) EXPECT_EQ(line["i"], next[line["t"].get<int>()]++);
}

TEST_F(LogWriterTest, WhatWaitsIsBounded) {
  ::testing::internal::CaptureStderr();
  const auto writer = LogWriter::Start();
  const std::string text(4096, 'x');
  size_t logged = 0;
  for (; logged < 4 * kMaxLogBytesWaiting; logged += text.size()) Log(Severity::kInfo, "e", {{"text", text}});
  EXPECT_GE(Written().size() + kMaxLogBytesWaiting, logged) << "whoever finds so much waiting writes it";
  ::testing::internal::GetCapturedStderr();
}

TEST_F(LogWriterTest, OneMayComeAfterAnother) {
  const auto lines = Lines([] {
    for (int i = 0; i < 3; ++i) {
      const auto writer = LogWriter::Start();
      Log(Severity::kInfo, "with");
    }
    Log(Severity::kInfo, "without");
  });
  EXPECT_EQ(lines.size(), 4u);
}

using LogWriterDeathTest = LogWriterTest;

TEST_F(LogWriterDeathTest, ExitWritesWhatIsLeft) {
  EXPECT_EXIT(
      {
        const auto writer = LogWriter::Start();
        Log(Severity::kInfo, "last words");
        std::exit(3);
      },
      ::testing::ExitedWithCode(3), "last words");
}

}  // namespace
}  // namespace keyferry
