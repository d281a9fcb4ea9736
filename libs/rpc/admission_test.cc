#include "libs/rpc/admission.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <vector>

namespace keyferry {
namespace {

constexpr int kPerSecond = 100;
constexpr absl::Duration kTurn = absl::Milliseconds(10);

class AdmissionTest : public testing::Test {
 protected:
  // Answers the descriptor that waits.
  int Arrive() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    admission_.Arrive(Descriptor(ends[0]), now_);
    peers_.emplace_back(ends[1]);
    return ends[0];
  }
  void ArriveMany(int count) {
    for (int i = 0; i < count; ++i) Arrive();
  }
  // -1: none may come in.
  int Next() {
    std::optional<Descriptor> next = admission_.Next(now_);
    if (!next) return -1;
    inside_.push_back(*std::move(next));
    return inside_.back().get();
  }
  int CountNow() {
    int count = 0;
    while (Next() >= 0) ++count;
    return count;
  }

  absl::Duration now_ = absl::Hours(1);
  Admission admission_{kPerSecond};
  std::vector<Descriptor> peers_, inside_;
};

TEST_F(AdmissionTest, AFewComeInAtOnceAndThenOneATurn) {
  ArriveMany(kAdmissionBurst + 3);
  EXPECT_EQ(CountNow(), kAdmissionBurst);
  EXPECT_GT(admission_.UntilNext(), kTurn * 0.99);
  EXPECT_LE(admission_.UntilNext(), kTurn);
  now_ += kTurn * 0.9;
  EXPECT_EQ(CountNow(), 0);
  now_ += kTurn * 0.2;
  EXPECT_EQ(CountNow(), 1);
  now_ += absl::Hours(1);
  EXPECT_EQ(CountNow(), 0) << "what waited longer than anybody waits is gone";
  EXPECT_EQ(admission_.UntilNext(), absl::InfiniteDuration());
}

TEST_F(AdmissionTest, AQuietTimeEarnsNoMoreThanTheFew) {
  ArriveMany(kAdmissionBurst);
  EXPECT_EQ(CountNow(), kAdmissionBurst);
  now_ += absl::Hours(1);
  ArriveMany(kAdmissionBurst + 1);
  EXPECT_EQ(admission_.UntilNext(), absl::ZeroDuration() + kTurn) << "earned when Next is asked";
  EXPECT_EQ(CountNow(), kAdmissionBurst);
}

TEST_F(AdmissionTest, TheNewestComesInFirst) {
  ArriveMany(kAdmissionBurst);
  CountNow();
  const int oldest = Arrive(), middle = Arrive(), newest = Arrive();
  now_ += kTurn * 1.01;
  EXPECT_EQ(Next(), newest);
  now_ += kTurn * 1.01;
  EXPECT_EQ(Next(), middle);
  const int latest = Arrive();
  now_ += kTurn * 2.02;
  EXPECT_EQ(Next(), latest);
  EXPECT_EQ(Next(), oldest);
}

TEST_F(AdmissionTest, WhoHasGivenUpCostsNoTurn) {
  ArriveMany(kAdmissionBurst);
  CountNow();
  const int patient = Arrive();
  ArriveMany(5);
  peers_.resize(peers_.size() - 5);
  now_ += kTurn * 1.01;
  EXPECT_EQ(Next(), patient);
  EXPECT_EQ(admission_.UntilNext(), absl::InfiniteDuration());
}

TEST_F(AdmissionTest, OneWaitsAtMostAsLongAsAnybodyWould) {
  Admission slow(1);
  std::vector<Descriptor> held;
  const auto arrive = [&] {
    int ends[2] = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    slow.Arrive(Descriptor(ends[0]), now_);
    held.emplace_back(ends[1]);
  };
  for (int i = 0; i < kAdmissionBurst; ++i) arrive();
  while (slow.Next(now_)) {
  }
  arrive();
  now_ += kMaxAdmissionWait;
  EXPECT_TRUE(slow.Next(now_)) << "at the limit";
  arrive();
  now_ += kMaxAdmissionWait + absl::Nanoseconds(1);
  EXPECT_FALSE(slow.Next(now_)) << "past it";
  char byte = 0;
  EXPECT_EQ(recv(held.back().get(), &byte, 1, MSG_DONTWAIT), 0) << "closed";
}

TEST_F(AdmissionTest, WithoutAPaceAllComeInAtOnce) {
  Admission unpaced(0);
  for (int i = 0; i < 3 * kAdmissionBurst; ++i) {
    int ends[2] = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    unpaced.Arrive(Descriptor(ends[0]), now_);
    peers_.emplace_back(ends[1]);
    EXPECT_EQ(unpaced.UntilNext(), absl::ZeroDuration());
    EXPECT_TRUE(unpaced.Next(now_));
  }
}

}  // namespace
}  // namespace keyferry
