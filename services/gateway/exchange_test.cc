#include "services/gateway/exchange.h"

#include <gtest/gtest.h>

namespace keyferry::gateway {
namespace {

TEST(ExchangeTest, AHeaderIsFoundWhateverItsCase) {
  const Request request{.headers = {{"content-TYPE", "a"}, {"X-Content-Type", "b"}}};
  EXPECT_EQ(request.FindHeader("Content-Type"), "a");
}

TEST(ExchangeTest, AHeaderThatComesTwiceIsNotFound) {
  const Request request{.headers = {{"A", "1"}, {"a", "1"}}};
  EXPECT_EQ(request.FindHeader("A"), std::nullopt);
  EXPECT_EQ(request.FindHeader("B"), std::nullopt);
}

TEST(ExchangeTest, AParameterThatTheRouteHasNotIsEmpty) {
  const Request request{.parameters = {{"org", "acme"}}};
  EXPECT_EQ(request.Parameter("org"), "acme");
  EXPECT_EQ(request.Parameter("set"), "");
}

}  // namespace
}  // namespace keyferry::gateway
