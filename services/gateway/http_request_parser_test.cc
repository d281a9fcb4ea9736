#include "services/gateway/http_request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "absl/strings/str_cat.h"

namespace keyferry::gateway {
namespace {

using Step = HttpRequestParser::Step;

struct Parsed {
  Request request;
  Step last = Step::kMoreBytes;
  std::string reason;
  bool keeps_alive = false;
  // What was left for the next request.
  std::string rest;
};

// Offers the bytes in pieces of at most piece_bytes, as a connection would.
Parsed Parse(const std::string& bytes, const HttpLimits& limits = {}, size_t piece_bytes = SIZE_MAX) {
  Parsed parsed;
  HttpRequestParser parser(limits, parsed.request);
  size_t offered = 0;
  while (true) {
    size_t consumed = 0;
    parsed.last = parser.Parse(parsed.rest, consumed);
    parsed.rest.erase(0, consumed);
    if (parsed.last == Step::kRequest || parsed.last == Step::kFault) break;
    if (parsed.last == Step::kHeaders) continue;
    if (offered == bytes.size()) break;
    const std::string piece = bytes.substr(offered, piece_bytes);
    offered += piece.size();
    parsed.rest += piece;
  }
  if (parsed.last == Step::kRequest) parsed.keeps_alive = parser.keeps_alive();
  parsed.rest += bytes.substr(offered);
  parsed.reason = parser.fault().reason;
  return parsed;
}

std::string ReasonOf(const std::string& bytes) { return Parse(bytes).reason; }

constexpr char kChunked[] =
    "PUT /v1/secrets/a?region=us HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3\r\nabc\r\n4;note=\"x\"\r\ndefg\r\n0\r\nAuthorization: late\r\n\r\n";

TEST(HttpRequestParserTest, TakesARequestWholeOrInPiecesOfAnySize) {
  const std::string bytes = absl::StrCat(kChunked, "NEXT");
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    const Parsed parsed = Parse(bytes, {}, piece);
    ASSERT_EQ(parsed.last, Step::kRequest) << piece << " " << parsed.reason;
    EXPECT_EQ(parsed.request.method, "PUT");
    EXPECT_EQ(parsed.request.target, "/v1/secrets/a?region=us");
    EXPECT_EQ(parsed.request.body, "abcdefg");
    ASSERT_EQ(parsed.rest, "NEXT") << piece;
  }
}

TEST(HttpRequestParserTest, TakesAnEmptyChunkedBodyInPiecesOfAnySize) {
  const std::string bytes = "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (size_t piece = 1; piece <= bytes.size(); ++piece)
    EXPECT_EQ(Parse(bytes, {}, piece).last, Step::kRequest) << piece;
}

TEST(HttpRequestParserTest, DropsTrailers) {
  const Parsed parsed = Parse(kChunked);
  EXPECT_EQ(parsed.request.headers.size(), 3);
  EXPECT_FALSE(parsed.request.FindHeader("Authorization"));
}

TEST(HttpRequestParserTest, KeepsAliveAsVersionAndConnectionSay) {
  EXPECT_TRUE(Parse("GET / HTTP/1.1\r\nHost: h\r\n\r\n").keeps_alive);
  EXPECT_FALSE(Parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").keeps_alive);
  EXPECT_FALSE(Parse("GET / HTTP/1.0\r\n\r\n").keeps_alive);
  EXPECT_TRUE(Parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keeps_alive);
  for (const char* headers : {"Connection: close, keep-alive\r\n", "Connection: keep-alive , Close\r\n",
                              "Connection: keep-alive\r\nConnection: close\r\n"}) {
    for (const char* version : {"1.0", "1.1"})
      EXPECT_FALSE(Parse(absl::StrCat("GET / HTTP/", version, "\r\nHost: h\r\n", headers, "\r\n")).keeps_alive)
          << headers;
  }
}

TEST(HttpRequestParserTest, TrailersDecideNothing) {
  const std::string start = "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
  EXPECT_TRUE(Parse(start + "Connection: close\r\n\r\n").keeps_alive);
  for (const char* trailer : {"Content-Length: 3", "Transfer-Encoding: chunked"})
    EXPECT_EQ(ReasonOf(absl::StrCat(start, trailer, "\r\n\r\n")), "INVALID_HTTP") << trailer;
}

TEST(HttpRequestParserTest, RefusesAHeaderThatGoesOnInTheNextLineInAnyPieces) {
  for (const char* fold : {" y", "\ty", " ", "\t", " y: z"}) {
    for (const char* before : {"", "X: 1\r\n", "X:\r\n"}) {
      const std::string bytes = absl::StrCat("GET / HTTP/1.1\r\n", before, fold, "\r\nHost: h\r\n\r\n");
      for (size_t piece = 1; piece <= bytes.size(); ++piece)
        EXPECT_EQ(Parse(bytes, {}, piece).reason, "INVALID_HTTP") << bytes << piece;
    }
  }
}

TEST(HttpRequestParserTest, ABodyMayBeginLikeAFold) {
  const std::string bytes = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n \r\n\t\nGET";
  for (size_t piece = 1; piece <= bytes.size(); ++piece)
    EXPECT_EQ(Parse(bytes, {}, piece).request.body, " \r\n\t\n") << piece;
}

TEST(HttpRequestParserTest, TakesThePathOfATargetThatNamesItsHost) {
  const auto target = [](const std::string& text) {
    return Parse(absl::StrCat("GET ", text, " HTTP/1.1\r\nHost: h\r\n\r\n")).request.target;
  };
  EXPECT_EQ(target("http://other/v1/secrets?a=b"), "/v1/secrets?a=b");
  EXPECT_EQ(target("HTTPS://other:443/v1"), "/v1");
  EXPECT_EQ(target("http://[::1]:80//v1"), "//v1");
  EXPECT_EQ(target("http://other"), "/");
  EXPECT_EQ(target("http://other?a=b"), "/?a=b");
  EXPECT_EQ(target("/http://other/v1"), "/http://other/v1");
  EXPECT_EQ(target("*"), "*");
  for (const char* bad : {"http://", "http:///v1", "http://:80/v1", "http://user@other/v1", "http://a[/v1"})
    EXPECT_EQ(ReasonOf(absl::StrCat("GET ", bad, " HTTP/1.1\r\nHost: h\r\n\r\n")), "INVALID_HTTP") << bad;
}

TEST(HttpRequestParserTest, HostIsANameOrAnAddress) {
  const auto reason = [](const std::string& host) {
    return ReasonOf(absl::StrCat("GET / HTTP/1.1\r\nHost: ", host, "\r\n\r\n"));
  };
  for (const char* good : {"h", "a.b-c_d:8080", "127.0.0.1:1", "[::1]", "[::1]:80", "[::ffff:1.2.3.4]", "", "h:"})
    EXPECT_EQ(reason(good), "") << good;
  for (const char* bad : {"a b/c@d", "a/b", "a@b", "a b", "a:b", "a:1:2", "[::1", "[::1]x", "[x]", "x[::1]", "a\\b",
                          "a?b", "a#b", "\"a\"", "\xc3\xa4"})
    EXPECT_EQ(reason(bad), "INVALID_HTTP") << bad;
}

TEST(HttpRequestParserTest, SkipsLineEndsBeforeARequest) {
  EXPECT_EQ(Parse("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").last, Step::kRequest);
  EXPECT_EQ(Parse("\r\n").last, Step::kMoreBytes);
}

TEST(HttpRequestParserTest, RefusesTwoWaysToTellTheLength) {
  const std::string start = "PUT / HTTP/1.1\r\nHost: h\r\n";
  for (const char* headers :
       {"Content-Length: 3\r\nContent-Length: 3\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3, 3\r\n", "Content-Length: +3\r\n", "Content-Length: -1\r\n", "Content-Length: 0x3\r\n",
        "Content-Length: \r\n", "Content-Length: 99999999999999999999999\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Content-Length : 3\r\n",
        "Transfer-Encoding : chunked\r\n"}) {
    EXPECT_EQ(ReasonOf(absl::StrCat(start, headers, "\r\nabc")), "INVALID_HTTP") << headers;
  }
  EXPECT_EQ(ReasonOf("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "INVALID_HTTP");
}

TEST(HttpRequestParserTest, RefusesWhatIsNoRequest) {
  for (const char* bytes : {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                            "PRI * HTTP/2.0\r\n",
                            "\x16\x03\x01\x02",
                            "SSH-2.0-OpenSSH_9\r\n",
                            "GET /\r\n",
                            "GET / HTTP/3.0\r\n",
                            "GET  / HTTP/1.1\r\n",
                            "GET / HTTP/1.1\nHost: h\n\n",
                            "GET / HTTP/1.2\r\nHost: h\r\n\r\n",
                            "GET / http/1.1\r\nHost: h\r\n\r\n",
                            "G\x01T / HTTP/1.1\r\nHost: h\r\n\r\n",
                            "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
                            "GET / HTTP/1.1\r\n\r\n",
                            "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
                            "GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n",
                            "GET / HTTP/1.1\r\nHost: h\r\nbad\r\n\r\n",
                            "GET / HTTP/1.1\r\nHost: h\r\na\x01: b\r\n\r\n",
                            "GET / HTTP/1.1\r\nHost: h\r\na: b\x01\r\n\r\n",
                            "GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n",
                            "GET / HTTP/1.1\r\nHost: h\r\nExpect: cake\r\n\r\n"}) {
    EXPECT_EQ(ReasonOf(bytes), "INVALID_HTTP") << bytes;
  }
}

TEST(HttpRequestParserTest, RefusesAnotherProtocolInAnyPieces) {
  for (size_t piece = 1; piece < 16; ++piece) {
    EXPECT_EQ(Parse("PRI * HTTP/2.0\r\n", {}, piece).reason, "INVALID_HTTP") << piece;
    EXPECT_EQ(Parse("SSH-2.0-OpenSSH_9\r\n", {}, piece).reason, "INVALID_HTTP") << piece;
  }
}

TEST(HttpRequestParserTest, RefusesBadChunks) {
  const std::string start = "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* chunks :
       {"x\r\n\r\n", "-1\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "fffffffffffffffff\r\n", "3 \x01\r\nabc\r\n"}) {
    EXPECT_EQ(ReasonOf(start + chunks), "INVALID_HTTP") << chunks;
  }
  EXPECT_EQ(ReasonOf(start + "3;" + std::string(9000, 'x')), "INVALID_HTTP");
  EXPECT_EQ(ReasonOf(start + "0\r\nt: " + std::string(9000, 'x')), "INVALID_HTTP");
}

TEST(HttpRequestParserTest, TakesHeadersUpToTheLimitInAnyPieces) {
  const HttpLimits limits{.header_bytes = 100};
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{1000}}) {
    EXPECT_EQ(Parse(start + std::string(100 - 4 - start.size(), 'x') + "\r\n\r\n", limits, piece).last, Step::kRequest)
        << piece;
    EXPECT_EQ(Parse(start + std::string(101 - 4 - start.size(), 'x') + "\r\n\r\n", limits, piece).reason,
              "HEADERS_TOO_LARGE")
        << piece;
  }
}

TEST(HttpRequestParserTest, RefusesHeadersThatFillTheLimitWithoutAnEnd) {
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  EXPECT_EQ(Parse(start + std::string(99 - start.size(), 'x'), {.header_bytes = 100}).last, Step::kMoreBytes);
  EXPECT_EQ(Parse(start + std::string(100 - start.size(), 'x'), {.header_bytes = 100}).reason, "HEADERS_TOO_LARGE");
}

TEST(HttpRequestParserTest, TellsALongTargetFromLargeHeaders) {
  const HttpLimits limits{.header_bytes = 200, .target_bytes = 50};
  const auto request = [](size_t bytes) {
    return absl::StrCat("GET /", std::string(bytes - 1, 'x'), " HTTP/1.1\r\nHost: h\r\n\r\n");
  };
  for (const size_t piece : {size_t{1}, size_t{1000}}) {
    EXPECT_EQ(Parse(request(50), limits, piece).last, Step::kRequest);
    EXPECT_EQ(Parse(request(51), limits, piece).reason, "TARGET_TOO_LONG");
    EXPECT_EQ(Parse(request(500), limits, piece).reason, "TARGET_TOO_LONG");
  }
}

TEST(HttpRequestParserTest, BodyLimitHoldsForAnnouncedAndForChunkedBodies) {
  const HttpLimits limits{.body_bytes = 5};
  const std::string start = "PUT / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(Parse(start + "Content-Length: 5\r\n\r\nabcde", limits).request.body, "abcde");
  EXPECT_EQ(Parse(start + "Content-Length: 6\r\n\r\n", limits).reason, "BODY_TOO_LARGE");
  EXPECT_EQ(Parse(start + "Content-Length: 18446744073709551615\r\n\r\n", limits).reason, "BODY_TOO_LARGE");
  const std::string chunked = start + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
  EXPECT_EQ(Parse(chunked + "2\r\nde\r\n0\r\n\r\n", limits).request.body, "abcde");
  EXPECT_EQ(Parse(chunked + "3\r\n", limits).reason, "BODY_TOO_LARGE");
  EXPECT_EQ(Parse(chunked + "ffffffffffffffff\r\n", limits).reason, "BODY_TOO_LARGE");
}

TEST(HttpRequestParserTest, MemoryDoesNotFollowAnAnnouncement) {
  const Parsed parsed = Parse("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\nabc");
  EXPECT_EQ(parsed.last, Step::kMoreBytes);
  EXPECT_LE(parsed.request.body.capacity(), 64 * 1024);
}

TEST(HttpRequestParserTest, RandomBytesNeitherCrashNorPass) {
  const auto seed = std::random_device()();
  std::mt19937 random(seed);
  const std::string whole = kChunked;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = whole;
    for (int change = 0; change < 3; ++change) bytes[random() % bytes.size()] = static_cast<char>(random());
    const Parsed parsed = Parse(bytes, {}, 1 + random() % bytes.size());
    EXPECT_TRUE(parsed.last != Step::kFault || !parsed.reason.empty()) << "seed " << seed;
  }
}

TEST(ChooseRequestIdTest, KeepsAWellFormedIdAndReplacesAnyOther) {
  const auto choose = [](std::vector<Header> headers) {
    return ChooseRequestId(Request{.headers = std::move(headers)});
  };
  EXPECT_EQ(choose({{"x-request-id", "Aa0._-"}}), "Aa0._-");
  EXPECT_EQ(choose({{"X-Request-Id", std::string(64, 'a')}}), std::string(64, 'a'));
  EXPECT_THAT(choose({{"X-Request-Id", std::string(65, 'a')}}), testing::MatchesRegex("[0-9a-f]{32}"));
  for (const char* bad : {"", "a b", "a/b", "a\tb", "\xc3\xa4"})
    EXPECT_THAT(choose({{"X-Request-Id", bad}}), testing::MatchesRegex("[0-9a-f]{32}"));
  EXPECT_THAT(choose({{"X-Request-Id", "a"}, {"X-Request-Id", "a"}}), testing::MatchesRegex("[0-9a-f]{32}"));
  EXPECT_NE(choose({}), choose({}));
}

}  // namespace
}  // namespace keyferry::gateway
