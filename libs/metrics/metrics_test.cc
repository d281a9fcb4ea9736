#include "libs/metrics/metrics.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libs/common/testing/status_matchers.h"
#include "libs/metrics/metrics_endpoint.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Scrape(const std::string& address) {
  sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))))};
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(connect(connection, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(send(connection, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string answer(65536, '\0');
  size_t size = 0;
  for (ssize_t got = 0; (got = recv(connection, answer.data() + size, answer.size() - size, 0)) > 0;) size += static_cast<size_t>(got);
  close(connection);
  return answer.substr(0, size);
}

TEST(MetricsTest, ACounterAddsUpByItsLabels) {
  CounterFamily counted("keyferry_test_things_total", "Things.");
  counted.Add({{"kind", "a"}});
  CounterFamily("keyferry_test_things_total", "Things.").Add({{"kind", "a"}}, 2);
  EXPECT_THAT(MetricsText(), HasSubstr("keyferry_test_things_total{kind=\"a\"} 3"));
}

TEST(MetricsTest, WhatIsBoundToItsLabelsCountsAsIfTheyWereNamed) {
  CounterFamily counted("keyferry_test_bound_total", "Bound.");
  const Counter bound = counted.Of({{"kind", "a"}});
  EXPECT_THAT(MetricsText(), HasSubstr("keyferry_test_bound_total{kind=\"a\"} 0"));
  bound.Add();
  counted.Add({{"kind", "a"}});
  counted.Of({{"kind", "a"}}).Add(2);
  EXPECT_THAT(MetricsText(), HasSubstr("keyferry_test_bound_total{kind=\"a\"} 4"));
  HistogramFamily waits("keyferry_test_bound_seconds", "Bound.", {0.5});
  waits.Of({}).Observe(0.7);
  waits.Observe({}, 0.1);
  EXPECT_THAT(MetricsText(), HasSubstr("keyferry_test_bound_seconds_bucket{le=\"0.5\"} 1"));
  EXPECT_THAT(MetricsText(), HasSubstr("keyferry_test_bound_seconds_count 2"));
}

TEST(MetricsTest, AGaugeThatIsRemovedIsNotShown) {
  GaugeFamily gauge("keyferry_test_level", "Level.");
  gauge.Set({{"region", "eu"}}, 7);
  EXPECT_THAT(MetricsText(), HasSubstr("keyferry_test_level{region=\"eu\"} 7"));
  gauge.Remove({{"region", "eu"}});
  EXPECT_THAT(MetricsText(), Not(HasSubstr("region=\"eu\"")));
}

TEST(MetricsTest, AHistogramCountsInItsBuckets) {
  HistogramFamily histogram("keyferry_test_wait_seconds", "Wait.", {0.5, 1});
  histogram.Observe({}, 0.7);
  EXPECT_THAT(MetricsText(), HasSubstr("keyferry_test_wait_seconds_bucket{le=\"1\"} 1"));
  EXPECT_THAT(MetricsText(), HasSubstr("keyferry_test_wait_seconds_bucket{le=\"0.5\"} 0"));
}

TEST(MetricsTest, WhatFillsRunsBeforeEachScrapeUntilItsHandleGoes) {
  int runs = 0;
  auto handle = BeforeScrapes([&] { ++runs; });
  MetricsText();
  MetricsText();
  handle.reset();
  MetricsText();
  EXPECT_EQ(runs, 2);
}

TEST(MetricsEndpointTest, ServesTheTextOnAPortOfItsOwn) {
  CounterFamily("keyferry_test_served_total", "Served.").Add();
  const auto endpoint = MetricsEndpoint::Start("127.0.0.1:0");
  ASSERT_THAT(endpoint, IsOk());
  EXPECT_THAT((*endpoint)->address(), Not(HasSubstr(":0")));
  EXPECT_THAT(Scrape((*endpoint)->address()), HasSubstr("keyferry_test_served_total 1"));
}

TEST(MetricsEndpointTest, RefusesWhatIsNoAddressAndOneThatIsInUse) {
  for (const char* const bad : {"", "9464", "127.0.0.1", "127.0.0.1:", ":9464", "127.0.0.1:http"}) {
    EXPECT_THAT(MetricsEndpoint::Start(bad), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
  const auto first = MetricsEndpoint::Start("127.0.0.1:0");
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(MetricsEndpoint::Start((*first)->address()), StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace keyferry
