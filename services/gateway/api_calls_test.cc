#include "services/gateway/api_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <barrier>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <deque>
#include <fstream>
#include <future>

#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/api_stream.h"
#include "services/gateway/testing/fake_api_calls.h"
#include "services/gateway/testing/scripted_api.h"

namespace keyferry::gateway {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Stream = std::unique_ptr<ApiStream>;

constexpr absl::Duration kSoon = absl::Seconds(60);
constexpr std::chrono::seconds kSoonChrono(60);

void Await(const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + kSoon;
  while (!condition() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_TRUE(condition());
}

class ApiCallsTest : public testing::Test {
 protected:
  ~ApiCallsTest() override {
    calls_.reset();
    pool_.join();
  }

  std::unique_ptr<ApiCalls> NewCalls() { return *ApiCalls::Create({.target = api_.target()}); }

  asio::awaitable<absl::StatusOr<v1::SecretSet>> Get(absl::Duration timeout = kCallTimeout) {
    v1::GetSecretSetRequest request;
    request.set_secret_set("web");
    absl::StatusOr<v1::SecretSet> set = co_await calls_->Call(caller_, kGetSecretSet, request, timeout);
    co_return set;
  }
  absl::Status GetNow(absl::Duration timeout = kCallTimeout) { return RunTask(Get(timeout)).status(); }
  // A request with a credential of its own; it outlives its calls.
  const Request& CallerWith(int credential) {
    const std::string authorization = "Bearer kf_" + std::to_string(credential);
    return callers_.emplace_back(Request{.headers = {{"Authorization", authorization}}, .id = "request"});
  }
  std::future<absl::StatusOr<v1::SecretSet>> Wait(const Request& caller) {
    return Spawn(calls_->Call(caller, kWaitUntilReady, v1::WaitUntilReadyRequest()));
  }
  absl::Status SetNow() { return RunTask(calls_->Call(caller_, kSetSecrets, v1::SetSecretsRequest())).status(); }
  absl::Status WhoAmINow() { return RunTask(calls_->Call(caller_, kWhoAmI, v1::WhoAmIRequest())).status(); }

  absl::StatusOr<Stream> OpenNow() { return RunTask(calls_->Open(caller_, kWatchSecretSets.path, watch_)); }
  // Runs a task on the pool's threads.
  template <typename T>
  std::future<T> Spawn(asio::awaitable<T> task) {
    return asio::co_spawn(pool_, std::move(task), asio::use_future);
  }

  Request caller_{.headers = {{"Authorization", "Bearer kf_1"}}, .id = "request-1", .remote_address = "192.0.2.1"};
  std::deque<Request> callers_;
  const v1::WatchSecretSetsRequest watch_;
  ScriptedApi api_;
  asio::thread_pool pool_{2};
  std::unique_ptr<ApiCalls> calls_ = NewCalls();
};

// Names that a stream sends, to its end.
std::vector<std::string> ReadAll(ApiStream& stream, absl::Status& status) {
  std::vector<std::string> names;
  v1::WatchSecretSetsResponse message;
  while (RunTask(stream.Read(message, status))) names.push_back(message.deleted());
  return names;
}

TEST_F(ApiCallsTest, AnswersComeBack) {
  const absl::StatusOr<v1::SecretSet> set = RunTask(Get());
  ASSERT_THAT(set, IsOk());
  EXPECT_EQ(set->name(), "web");
}

TEST_F(ApiCallsTest, TheCallersCredentialAndRequestIdGoAlong) {
  ASSERT_THAT(WhoAmINow(), IsOk());
  EXPECT_THAT(api_.Metadata("authorization"), ElementsAre("Bearer kf_1"));
  EXPECT_THAT(api_.Metadata("x-forwarded-for"), ElementsAre("192.0.2.1"));
  EXPECT_THAT(api_.Metadata("x-request-id"), ElementsAre("request-1"));
}

TEST_F(ApiCallsTest, EveryAuthorizationHeaderGoesAlongAsItIs) {
  caller_.headers = {{"AUTHORIZATION", "Basic abc=="}, {"Cookie", "a=b"}, {"authorization", "bearer  kf_2"}};
  ASSERT_THAT(WhoAmINow(), IsOk());
  EXPECT_THAT(api_.Metadata("authorization"), ElementsAre("Basic abc==", "bearer  kf_2"));
  EXPECT_THAT(api_.Metadata("cookie"), IsEmpty());
}

TEST_F(ApiCallsTest, WithoutACredentialNoneGoesAlong) {
  caller_.headers.clear();
  ASSERT_THAT(WhoAmINow(), IsOk());
  EXPECT_THAT(api_.Metadata("authorization"), IsEmpty());
}

TEST_F(ApiCallsTest, AnAuthorizationThatGrpcCannotCarryIsUnauthenticatedWithoutACall) {
  for (const std::string& bad :
       {std::string("Bearer k\xc3\xa4se"), std::string("Bearer a\tb"), std::string("a\x7f"), std::string("a\0b", 3)}) {
    caller_.headers = {{"Authorization", bad}};
    EXPECT_THAT(WhoAmINow(), FailsWith(StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
    EXPECT_THAT(OpenNow(), FailsWith(StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  }
  EXPECT_EQ(api_.who_am_i_count, 0);
}

TEST_F(ApiCallsTest, AnAuthorizationOfMoreThanFourKilobytesIsUnauthenticated) {
  caller_.headers = {{"Authorization", std::string(4096 - 64, 'a')}};
  EXPECT_THAT(WhoAmINow(), IsOk());
  caller_.headers = {{"Authorization", std::string(4096 - 63, 'a')}};
  EXPECT_THAT(WhoAmINow(), FailsWith(StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
}

TEST_F(ApiCallsTest, ErrorsComeBackWithTheirDetails) {
  api_.answer = [](int) {
    return MakeError(
        StatusCode::kAborted, "still pending",
        {.reason = "SECRET_SET_PENDING", .metadata = {{"region", "us-east"}}, .retry_after = absl::Seconds(2)});
  };
  const absl::Status status = GetNow();
  EXPECT_THAT(status, FailsWith(StatusCode::kAborted, "SECRET_SET_PENDING"));
  EXPECT_EQ(status.message(), "still pending");
  EXPECT_EQ(DetailsOf(status)->metadata.at("region"), "us-east");
  EXPECT_EQ(DetailsOf(status)->retry_after, absl::Seconds(2));
  EXPECT_EQ(api_.call_count, 1);
}

TEST_F(ApiCallsTest, ACallThatTakesTooLongIsATimeout) {
  api_.hangs = true;
  EXPECT_THAT(GetNow(absl::Milliseconds(100)), FailsWith(StatusCode::kDeadlineExceeded, "API_TIMEOUT"));
  Await([&] { return api_.cancelled_count == api_.call_count; });
}

TEST_F(ApiCallsTest, ATimeoutAdvisesToLookFirstOnlyWhereSomethingMayBeDone) {
  api_.hangs = true;
  EXPECT_THAT(std::string(GetNow(absl::Milliseconds(50)).message()), Not(HasSubstr("may be done")));
  const absl::Status set =
      RunTask(calls_->Call(caller_, kSetSecrets, v1::SetSecretsRequest(), absl::Milliseconds(50))).status();
  EXPECT_THAT(set, FailsWith(StatusCode::kDeadlineExceeded, "API_TIMEOUT"));
  EXPECT_THAT(std::string(set.message()), HasSubstr("may be done or not; look"));
}

TEST_F(ApiCallsTest, ASafeCallIsTriedAgainOnce) {
  api_.answer = [](int) { return MakeError(StatusCode::kUnavailable, "going", {.reason = "STORE_CLOSING"}); };
  EXPECT_THAT(GetNow(), FailsWith(StatusCode::kUnavailable, "STORE_CLOSING"));
  EXPECT_EQ(api_.call_count, 2);
}

TEST_F(ApiCallsTest, TheSecondAttemptMayGoWell) {
  api_.answer = [](int call) { return call == 1 ? absl::UnavailableError("going") : absl::OkStatus(); };
  EXPECT_THAT(GetNow(), IsOk());
  EXPECT_EQ(api_.call_count, 2);
}

TEST_F(ApiCallsTest, AnUnsafeCallIsNeverTriedAgain) {
  api_.answer = [](int) { return absl::UnavailableError("going"); };
  EXPECT_THAT(SetNow(), StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(api_.call_count, 1);
}

TEST_F(ApiCallsTest, AWaitIsNotTriedAgainSinceItsRequestHasTheWholeTime) {
  api_.answer = [](int) { return absl::UnavailableError("going"); };
  EXPECT_THAT(Wait(caller_).get(), StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(api_.call_count, 1);
}

TEST_F(ApiCallsTest, WithoutTimeForItNothingIsTriedAgain) {
  api_.answer = [](int) {
    absl::SleepFor(absl::Milliseconds(450));
    return absl::UnavailableError("going");
  };
  EXPECT_THAT(GetNow(absl::Milliseconds(490)), Not(IsOk()));
  EXPECT_EQ(api_.call_count, 1);
}

TEST_F(ApiCallsTest, AnApiThatIsGoneIsUnavailableSoon) {
  api_.Stop();
  const absl::Time start = absl::Now();
  const absl::Status status = SetNow();
  EXPECT_THAT(status, FailsWith(StatusCode::kUnavailable, "API_UNAVAILABLE"));
  EXPECT_EQ(DetailsOf(status)->retry_after, absl::Seconds(1));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("/api")));
  EXPECT_THAT(OpenNow(), FailsWith(StatusCode::kUnavailable, "API_UNAVAILABLE"));
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
}

TEST_F(ApiCallsTest, AnApiThatGoesWhileACallRunsIsUnavailable) {
  api_.hangs = true;
  std::future<absl::StatusOr<v1::SecretSet>> set = Spawn(Get());
  Await([&] { return api_.call_count == 1; });
  api_.Stop();
  EXPECT_THAT(set.get(), FailsWith(StatusCode::kUnavailable, "API_UNAVAILABLE"));
}

TEST_F(ApiCallsTest, AnApiThatComesBackIsFoundWithinSeconds) {
  ASSERT_THAT(GetNow(), IsOk());
  api_.Stop();
  ASSERT_THAT(GetNow(), Not(IsOk()));
  api_.Start();
  Await([&] { return GetNow().ok(); });
}

TEST_F(ApiCallsTest, OnceOneConnectionIsBackNoCallTakesAnotherThatIsNot) {
  api_.Stop();
  // Each connection has failed, at a time of its own.
  for (int i = 0; i < 12; ++i) {
    EXPECT_THAT(SetNow(), Not(IsOk()));
    absl::SleepFor(absl::Milliseconds(100));
  }
  api_.Start();
  Await([&] { return SetNow().ok(); });
  const absl::Time end = absl::Now() + absl::Seconds(2);
  int failed_count = 0;
  while (absl::Now() < end) failed_count += SetNow().ok() ? 0 : 1;
  EXPECT_EQ(failed_count, 0);
}

TEST_F(ApiCallsTest, ACancelledTaskCancelsItsCall) {
  api_.hangs = true;
  asio::cancellation_signal leave;
  absl::StatusOr<v1::SecretSet> answer;
  absl::Notification done;
  const auto strand = asio::make_strand(pool_);
  asio::co_spawn(
      strand, [&]() -> asio::awaitable<void> { answer = co_await Get(); },
      asio::bind_cancellation_slot(leave.slot(), [&](std::exception_ptr) { done.Notify(); }));
  Await([&] { return api_.call_count == 1; });
  asio::post(strand, [&] { leave.emit(asio::cancellation_type::terminal); });
  Await([&] { return api_.cancelled_count == 1; });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kSoon));
  EXPECT_THAT(answer, StatusIs(StatusCode::kCancelled));
}

TEST_F(ApiCallsTest, ATaskCancelledBetweenAttemptsStartsNoSecond) {
  asio::cancellation_signal leave;
  const auto strand = asio::make_strand(pool_);
  api_.answer = [&](int) {
    asio::post(strand, [&] { leave.emit(asio::cancellation_type::terminal); });
    return absl::UnavailableError("going");
  };
  absl::Notification done;
  asio::co_spawn(
      strand, [&]() -> asio::awaitable<void> { static_cast<void>(co_await Get()); },
      asio::bind_cancellation_slot(leave.slot(), [&](std::exception_ptr) { done.Notify(); }));
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kSoon));
  EXPECT_EQ(api_.call_count, 1);
}

TEST_F(ApiCallsTest, TwoHundredCallsAtATimeOnTwoThreads) {
  std::vector<std::future<absl::StatusOr<v1::SecretSet>>> sets;
  for (int i = 0; i < 200; ++i) sets.push_back(Spawn(Get()));
  for (auto& set : sets) EXPECT_THAT(set.get(), IsOk());
  EXPECT_EQ(api_.call_count, 200);
}

TEST_F(ApiCallsTest, AConnectionFullOfWaitsStopsNoOtherCall) {
  calls_ = *ApiCalls::Create({.target = api_.target(), .channel_count = 1});
  api_.hangs = true;
  std::vector<std::future<absl::StatusOr<v1::SecretSet>>> waits;
  for (int i = 0; i < kMaxConcurrentStreams; ++i) waits.push_back(Wait(CallerWith(i)));
  Await([&] { return api_.call_count == kMaxConcurrentStreams; });
  EXPECT_TRUE(RunTask(calls_->IsReady()));
  calls_.reset();
  for (auto& wait : waits) EXPECT_THAT(wait.get(), StatusIs(StatusCode::kCancelled));
}

TEST_F(ApiCallsTest, OneCredentialHasSixtyFourWaitsHoweverItIsSpelled) {
  api_.hangs = true;
  std::vector<std::future<absl::StatusOr<v1::SecretSet>>> waits;
  std::vector<Request> callers = {{.headers = {{"Authorization", "Bearer kf_1"}}},
                                  {.headers = {{"authorization", "bEARER kf_1 "}}}};
  for (int i = 0; i < kMaxWaitsPerCaller; ++i) waits.push_back(Wait(callers[i % 2]));
  Await([&] { return api_.call_count == kMaxWaitsPerCaller; });

  const absl::Status one_more = Wait(caller_).get().status();
  EXPECT_THAT(one_more, FailsWith(StatusCode::kResourceExhausted, "TOO_MANY_WAITS"));
  EXPECT_EQ(DetailsOf(one_more)->metadata.at("limit"), std::to_string(kMaxWaitsPerCaller));
  EXPECT_TRUE(DetailsOf(one_more)->retry_after.has_value());
  EXPECT_THAT(std::string(one_more.message()), Not(HasSubstr("kf_")));
  waits.push_back(Wait(CallerWith(2)));
  Await([&] { return api_.call_count == kMaxWaitsPerCaller + 1; });
  calls_.reset();
  for (auto& wait : waits) EXPECT_THAT(wait.get(), StatusIs(StatusCode::kCancelled));
}

TEST_F(ApiCallsTest, WaitsThatEndedAreNoLongerCounted) {
  for (int i = 0; i < 2 * kMaxWaitsPerCaller; ++i) ASSERT_THAT(Wait(caller_).get(), IsOk());
}

TEST_F(ApiCallsTest, FiveHundredAndTwelveWaitsAndOneMoreIsRefused) {
  std::vector<std::future<absl::StatusOr<v1::SecretSet>>> waits;
  // Each that came to the API has a thread there.
  api_.hangs = true;
  for (int i = 0; i < kMaxWaits; ++i) waits.push_back(Wait(CallerWith(i)));
  Await([&] { return api_.call_count == kMaxWaits; });
  const absl::Status one_more = Wait(CallerWith(kMaxWaits)).get().status();
  EXPECT_THAT(one_more, FailsWith(StatusCode::kResourceExhausted, "TOO_MANY_WAITS"));
  EXPECT_EQ(DetailsOf(one_more)->metadata.at("limit"), "512");
  EXPECT_TRUE(RunTask(calls_->IsReady()));
  calls_.reset();
  for (auto& wait : waits) EXPECT_THAT(wait.get(), StatusIs(StatusCode::kCancelled));
}

TEST_F(ApiCallsTest, AStreamIsReadToItsEnd) {
  api_.streamed = {"ant", "bee", "cat"};
  const absl::StatusOr<Stream> stream = OpenNow();
  ASSERT_THAT(stream, IsOk());
  absl::Status status = absl::UnknownError("");
  EXPECT_THAT(ReadAll(**stream, status), ElementsAre("ant", "bee", "cat"));
  EXPECT_THAT(status, IsOk());
  EXPECT_THAT(ReadAll(**stream, status), IsEmpty());
}

TEST_F(ApiCallsTest, AStreamEndsWithTheApisError) {
  api_.streamed = {"ant"};
  api_.stream_status = MakeError(StatusCode::kResourceExhausted, "too many", {.reason = "TOO_MANY_WATCHES"});
  const absl::StatusOr<Stream> stream = OpenNow();
  absl::Status status;
  EXPECT_THAT(ReadAll(**stream, status), ElementsAre("ant"));
  EXPECT_THAT(status, FailsWith(StatusCode::kResourceExhausted, "TOO_MANY_WATCHES"));
  EXPECT_THAT(ReadAll(**stream, status), IsEmpty());
  EXPECT_THAT(status, FailsWith(StatusCode::kResourceExhausted, "TOO_MANY_WATCHES"));
}

TEST_F(ApiCallsTest, AStreamThatIsLetGoIsCancelledAndNoLongerCounted) {
  api_.stream_hangs = true;
  absl::StatusOr<Stream> stream = OpenNow();
  ASSERT_THAT(stream, IsOk());
  EXPECT_EQ(calls_->stream_count(), 1);
  Await([&] { return api_.stream_count == 1; });
  stream->reset();
  Await([&] { return api_.cancelled_stream_count == 1 && calls_->stream_count() == 0; });
}

TEST_F(ApiCallsTest, ACancelledReadCancelsItsStream) {
  api_.stream_hangs = true;
  const absl::StatusOr<Stream> stream = OpenNow();
  asio::cancellation_signal leave;
  absl::Notification done;
  absl::Status status;
  v1::WatchSecretSetsResponse message;
  const auto strand = asio::make_strand(pool_);
  asio::co_spawn(
      strand, [&]() -> asio::awaitable<void> { EXPECT_FALSE(co_await (*stream)->Read(message, status)); },
      asio::bind_cancellation_slot(leave.slot(), [&](std::exception_ptr) { done.Notify(); }));
  Await([&] { return api_.stream_count == 1; });
  asio::post(strand, [&] { leave.emit(asio::cancellation_type::terminal); });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kSoon));
  EXPECT_THAT(status, StatusIs(StatusCode::kCancelled));
  Await([&] { return api_.cancelled_stream_count == 1; });
}

TEST_F(ApiCallsTest, AStreamWhoseApiGoesIsUnavailable) {
  api_.stream_hangs = true;
  const absl::StatusOr<Stream> stream = OpenNow();
  Await([&] { return api_.stream_count == 1; });
  api_.Stop();
  absl::Status status;
  EXPECT_THAT(ReadAll(**stream, status), IsEmpty());
  EXPECT_THAT(status, FailsWith(StatusCode::kUnavailable, "API_UNAVAILABLE"));
}

TEST_F(ApiCallsTest, FiveHundredAndTwelveStreamsLiveBesideCallsAndOneMoreIsRefused) {
  api_.stream_hangs = true;
  std::vector<std::future<absl::StatusOr<Stream>>> opening;
  for (int i = 0; i < kMaxEventStreams; ++i)
    opening.push_back(Spawn(calls_->Open(CallerWith(i), kWatchSecretSets.path, watch_)));
  std::vector<absl::StatusOr<Stream>> streams;
  for (auto& stream : opening) streams.push_back(stream.get());
  for (const auto& stream : streams) ASSERT_THAT(stream, IsOk());
  Await([&] { return api_.stream_count == kMaxEventStreams; });

  const absl::StatusOr<Stream> one_more = OpenNow();
  EXPECT_THAT(one_more, FailsWith(StatusCode::kResourceExhausted, "TOO_MANY_STREAMS"));
  EXPECT_TRUE(DetailsOf(one_more.status())->retry_after.has_value());
  EXPECT_THAT(GetNow(), IsOk());
  streams.pop_back();
  EXPECT_THAT(OpenNow(), IsOk());
}

TEST_F(ApiCallsTest, OneCredentialHasSixtyFourStreams) {
  api_.stream_hangs = true;
  std::vector<absl::StatusOr<Stream>> streams;
  for (int i = 0; i < kMaxEventStreamsPerCaller; ++i) ASSERT_THAT(streams.emplace_back(OpenNow()), IsOk());
  EXPECT_THAT(OpenNow(), FailsWith(StatusCode::kResourceExhausted, "TOO_MANY_STREAMS"));
  caller_ = CallerWith(2);
  EXPECT_THAT(OpenNow(), IsOk());
  caller_ = CallerWith(1);
  streams.pop_back();
  Await([&] { return OpenNow().ok(); });
}

TEST_F(ApiCallsTest, ACallerWhomTheApiDoesNotKnowTakesNoStreamsPlace) {
  api_.known = MakeError(StatusCode::kUnauthenticated, "who?", {.reason = "UNAUTHENTICATED"});
  EXPECT_THAT(OpenNow(), FailsWith(StatusCode::kUnauthenticated, "UNAUTHENTICATED"));
  EXPECT_EQ(api_.who_am_i_count, 1);
  EXPECT_EQ(api_.stream_count, 0);
  EXPECT_EQ(calls_->stream_count(), 0);
}

TEST_F(ApiCallsTest, ItIsReadyWhileTheApiServes) {
  EXPECT_TRUE(RunTask(calls_->IsReady()));
  api_.SetServing(false);
  EXPECT_FALSE(RunTask(calls_->IsReady()));
  api_.SetServing(true);
  EXPECT_TRUE(RunTask(calls_->IsReady()));
  api_.Stop();
  EXPECT_FALSE(RunTask(calls_->IsReady()));
}

TEST_F(ApiCallsTest, ItsEndCancelsWhatGoesOn) {
  api_.hangs = true;
  api_.stream_hangs = true;
  std::vector<std::future<absl::StatusOr<v1::SecretSet>>> sets;
  for (int i = 0; i < 20; ++i) sets.push_back(Spawn(Get()));
  const absl::StatusOr<Stream> idle = OpenNow();
  const absl::StatusOr<Stream> reading = OpenNow();
  v1::WatchSecretSetsResponse message;
  absl::Status status;
  std::future<bool> read = Spawn((*reading)->Read(message, status));
  Await([&] { return api_.call_count == 20 && api_.stream_count == 2; });

  calls_.reset();
  for (auto& set : sets) {
    ASSERT_EQ(set.wait_for(kSoonChrono), std::future_status::ready);
    EXPECT_THAT(set.get(), StatusIs(StatusCode::kCancelled));
  }
  EXPECT_FALSE(read.get());
  EXPECT_THAT(status, StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(ReadAll(**idle, status), IsEmpty());
  EXPECT_THAT(status, StatusIs(StatusCode::kCancelled));
}

TEST_F(ApiCallsTest, CallsThatComeAndGoWhileItEndsAllEnd) {
  std::vector<std::future<absl::StatusOr<v1::SecretSet>>> sets;
  for (int i = 0; i < 300; ++i) sets.push_back(Spawn(Get()));
  // Both threads have begun every task, so that none meets what is gone.
  std::barrier begun(3);
  for (int i = 0; i < 2; ++i) asio::post(pool_, [&] { begun.arrive_and_wait(); });
  begun.arrive_and_wait();
  calls_.reset();
  for (auto& set : sets) {
    const absl::StatusOr<v1::SecretSet> answer = set.get();
    EXPECT_TRUE(answer.ok() || absl::IsCancelled(answer.status())) << answer.status();
  }
}

TEST(ApiCallsCreateTest, ATargetBeyondThisMachineNeedsRootsThatLoad) {
  const TempDir directory;
  std::ofstream(directory.File("roots")) << "no certificate";
  EXPECT_THAT(ApiCalls::Create({.target = "api.example:443"}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(ApiCalls::Create({.target = "api.example:443", .roots = directory.File("none")}),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(ApiCalls::Create({.target = "api.example:443", .roots = directory.File("roots")}),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(ApiCalls::Create({}), StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace keyferry::gateway
