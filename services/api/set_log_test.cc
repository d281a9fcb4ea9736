#include "services/api/set_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace keyferry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Said Say(const std::string& text) { return std::make_shared<const std::string>(text); }

class SetLogTest : public testing::Test {
 protected:
  void Put(const std::string& name, Revision revision, const std::string& text = "") {
    log_.Put(name, {.row_revision = revision}, Say(text.empty() ? absl::StrCat(name, "@", revision) : text));
  }
  void Erase(const std::string& name) {
    if (log_.Has(name)) log_.Erase(name, Say("-" + name));
  }
  std::vector<std::string> Take(SetLog::Reader& reader, const std::optional<std::string>& limit = std::nullopt) {
    std::vector<std::string> told;
    for (const Said& said : log_.Take(reader, limit).said) told.push_back(*said);
    return told;
  }
  SetLog::Reader Walked() {
    SetLog::Reader reader = log_.Begin();
    while (reader.walking) Take(reader);
    return reader;
  }

  SetLog log_{Say("complete")};
};

TEST_F(SetLogTest, AWalkTellsWhatThereIsByNameAndLaterOnlyTheNewestOfWhatChanged) {
  Put("b", 1);
  Put("a", 2);
  SetLog::Reader reader = log_.Begin();
  EXPECT_THAT(Take(reader), ElementsAre("a@2", "b@1", "complete"));
  EXPECT_THAT(Take(reader), IsEmpty());
  Put("a", 3);
  Put("c", 4);
  Put("a", 5);
  EXPECT_THAT(Take(reader), ElementsAre("c@4", "a@5"));
  Put("a", 5);
  EXPECT_THAT(Take(reader), IsEmpty());
}

TEST_F(SetLogTest, AWalkGoesNoFurtherThanItsLimitAndTellsNothingTwice) {
  for (const char* name : {"a", "b", "c"}) Put(name, 1);
  SetLog::Reader reader = log_.Begin();
  EXPECT_THAT(Take(reader, ""), IsEmpty());
  EXPECT_THAT(Take(reader, "b"), ElementsAre("a@1", "b@1"));
  Put("a", 2);
  Put("c", 2);
  Erase("b");
  Put("aa", 2);
  EXPECT_THAT(Take(reader), ElementsAre("c@2", "complete"));
  EXPECT_THAT(Take(reader), ElementsAre("a@2", "-b", "aa@2"));
  EXPECT_THAT(Take(reader), IsEmpty());
}

TEST_F(SetLogTest, WhatCameAndWentUntoldIsNotTold) {
  SetLog::Reader reader = Walked();
  Put("a", 1);
  Erase("a");
  Erase("never");
  EXPECT_THAT(Take(reader), IsEmpty());
}

TEST_F(SetLogTest, ASetThatIsGoneAndBackIsToldAsItIsNow) {
  Put("a", 1);
  SetLog::Reader reader = Walked();
  Erase("a");
  Put("a", 3);
  EXPECT_THAT(Take(reader), ElementsAre("a@3"));
  Erase("a");
  EXPECT_THAT(Take(reader), ElementsAre("-a"));
}

TEST_F(SetLogTest, AnAnswerHoldsAPageOfSetsAndAboutAPageOfBytes) {
  for (size_t i = 0; i <= kWatchPageSets; ++i) Put(absl::StrCat("set-", 1000 + i), 1);
  SetLog::Reader reader = log_.Begin();
  EXPECT_EQ(Take(reader).size(), kWatchPageSets);
  EXPECT_THAT(Take(reader), ElementsAre("set-1100@1", "complete"));
  for (int i = 0; i < 3; ++i) Put(absl::StrCat("large-", i), 1, std::string(kWatchPageBytes / 2, 'x'));
  EXPECT_EQ(Take(reader).size(), 2);
  EXPECT_EQ(Take(reader).size(), 1);
}

TEST_F(SetLogTest, WhatWasSaidIsKeptToALimitAndAskedForAgainWhereAReaderNeedsIt) {
  constexpr size_t kOne = kWatchPageBytes;
  constexpr size_t kSets = kMaxSaidBytes / kOne + 2;
  static_assert(kSets > kWatchPageSets + 2);
  const auto name = [](size_t i) { return absl::StrCat("set-", 1000 + i); };
  for (size_t i = 0; i < kSets; ++i) Put(name(i), 1, std::string(kOne, 'x'));
  EXPECT_EQ(log_.said_bytes(), kMaxSaidBytes);
  SetLog::Reader reader = log_.Begin();
  const SetLog::Batch batch = log_.Take(reader, std::nullopt);
  EXPECT_THAT(batch.said, IsEmpty());
  EXPECT_THAT(batch.missing, ElementsAre(name(0), name(1)));
  EXPECT_FALSE(log_.Needs(name(0), {.row_revision = 1}, false));
  EXPECT_TRUE(log_.Needs(name(0), {.row_revision = 1}, true));
  Put(name(0), 1, "again");
  EXPECT_THAT(Take(reader), ElementsAre("again"));
  // Not news: only said again.
  SetLog::Reader follower = log_.Begin();
  follower.walking = false;
  Put(name(1), 1, "again");
  EXPECT_THAT(Take(follower), IsEmpty());
}

TEST_F(SetLogTest, DeletedNamesStayOnlyAsLongAsSomebodyHasToHearOfThem) {
  constexpr int kSets = 200;
  const auto churn = [&](const std::string& prefix) {
    for (int i = 0; i < kSets; ++i) Put(absl::StrCat(prefix, i), 1);
    for (int i = 0; i < kSets; ++i) Erase(absl::StrCat(prefix, i));
  };
  for (int i = 0; i < kSets; ++i) Put(absl::StrCat("old-", i), 1);
  SetLog::Reader slow = Walked();
  for (int i = 0; i < kSets; ++i) Erase(absl::StrCat("old-", i));
  for (int round = 0; round < 5; ++round) {
    churn(absl::StrCat("new-", round, "-"));
    log_.Sweep({&slow});
  }
  EXPECT_LE(log_.gone_count(), 2 * kSets);
  std::vector<std::string> told;
  for (std::vector<std::string> page = Take(slow); !page.empty(); page = Take(slow))
    told.insert(told.end(), page.begin(), page.end());
  EXPECT_EQ(told.size(), kSets);
  EXPECT_EQ(told.front(), "-old-0");
  churn("last-");
  churn("very-last-");
  log_.Sweep({&slow});
  EXPECT_EQ(log_.gone_count(), 0);
}

}  // namespace
}  // namespace keyferry
