#include "libs/storage/row_cache.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace keyferry {
namespace {

RowKey Key(const std::string& bytes) { return {Family::kSets, bytes}; }
RowCache::Entry Entry(Revision revision, const std::string& value) {
  return {.revision = revision, .value = std::make_shared<const std::string>(value)};
}

class RowCacheTest : public ::testing::Test {
 protected:
  RowCache cache_{size_t{16} << 20};
};

TEST_F(RowCacheTest, FindsWhatWasOfferedAndWhatWasWritten) {
  cache_.Offer(Key("a"), cache_.Find(Key("a")).ticket, Entry(5, "five"));
  EXPECT_EQ(cache_.Find(Key("a")).entry->revision, 5u);
  const RowCache::Written written = {{Key("a"), Entry(6, "six")}};
  cache_.BeginWrite(written);
  cache_.EndWrite(written);
  EXPECT_EQ(cache_.Find(Key("a")).entry->revision, 6u);
  EXPECT_EQ(*cache_.Find(Key("a")).entry->value, "six");
}

TEST_F(RowCacheTest, RemembersThatARowIsAbsent) {
  const RowCache::Written erased = {{Key("a"), {}}};
  cache_.BeginWrite(erased);
  cache_.EndWrite(erased);
  ASSERT_TRUE(cache_.Find(Key("a")).entry);
  EXPECT_TRUE(cache_.Find(Key("a")).entry->absent());
}

TEST_F(RowCacheTest, ARowIsOutWhileItsWriteIsUnderWay) {
  cache_.Offer(Key("a"), cache_.Find(Key("a")).ticket, Entry(5, "five"));
  const RowCache::Written written = {{Key("a"), Entry(6, "six")}};
  cache_.BeginWrite(written);
  const auto during = cache_.Find(Key("a"));
  EXPECT_FALSE(during.entry);
  cache_.Offer(Key("a"), during.ticket, Entry(5, "five"));
  EXPECT_FALSE(cache_.Find(Key("a")).entry);
  cache_.EndWrite(written);
  EXPECT_EQ(cache_.Find(Key("a")).entry->revision, 6u);
}

TEST_F(RowCacheTest, RowsThatScansFindAreNeverIn) {
  for (const Family family : {Family::kPending, Family::kAudit}) {
    const RowKey key{family, "a"};
    cache_.Offer(key, cache_.Find(key).ticket, Entry(5, "five"));
    EXPECT_FALSE(cache_.Find(key).entry);
    const RowCache::Written written = {{key, Entry(6, "six")}};
    cache_.BeginWrite(written);
    cache_.EndWrite(written);
    EXPECT_FALSE(cache_.Find(key).entry);
    EXPECT_FALSE(cache_.RevisionOf(key));
  }
}

TEST_F(RowCacheTest, WhatAReaderFoundBeforeAWriteDoesNotCount) {
  const uint64_t ticket = cache_.Find(Key("a")).ticket;
  const RowCache::Written written = {{Key("a"), Entry(6, "six")}};
  cache_.BeginWrite(written);
  cache_.EndWrite(written);
  cache_.Offer(Key("a"), ticket, Entry(5, "five"));
  EXPECT_EQ(cache_.Find(Key("a")).entry->revision, 6u);
}

TEST_F(RowCacheTest, OfALargeValueOnlyTheRevisionIsKept) {
  const RowCache::Written written = {{Key("a"), Entry(6, std::string(16 * 1024, 'x'))},
                                     {Key("b"), Entry(6, std::string(16 * 1024 + 1, 'x'))}};
  cache_.BeginWrite(written);
  cache_.EndWrite(written);
  EXPECT_TRUE(cache_.Find(Key("a")).entry->value);
  EXPECT_EQ(cache_.Find(Key("b")).entry->revision, 6u);
  EXPECT_FALSE(cache_.Find(Key("b")).entry->value);
}

TEST_F(RowCacheTest, ForgetsWhatWasUsedLongestAgo) {
  RowCache small(256 * 1000);
  for (int i = 0; i < 10'000; ++i) {
    const RowKey key = Key(absl::StrCat("row", i));
    small.Offer(key, small.Find(key).ticket, Entry(1, "value"));
    ASSERT_TRUE(small.Find(key).entry);
  }
  int left = 0;
  for (int i = 0; i < 10'000; ++i) left += small.Find(Key(absl::StrCat("row", i))).entry.has_value();
  EXPECT_GT(left, 256);
  EXPECT_LT(left, 256 * 5);
}

TEST_F(RowCacheTest, ALookAtARevisionDoesNotKeepARow) {
  for (const bool peeks : {true, false}) {
    RowCache small(256 * 1000);
    small.Offer(Key("kept"), small.Find(Key("kept")).ticket, Entry(1, "value"));
    for (int i = 0; i < 10'000; ++i) {
      const RowKey key = Key(absl::StrCat("row", i));
      small.Offer(key, small.Find(key).ticket, Entry(1, "value"));
      peeks ? small.PeekRevisionOf(Key("kept")) : small.RevisionOf(Key("kept"));
    }
    EXPECT_EQ(small.PeekRevisionOf(Key("kept")), peeks ? std::nullopt : std::optional<Revision>(1));
  }
}

TEST_F(RowCacheTest, ARowThatIsWrittenMayBeDrivenOutMeanwhile) {
  RowCache small(256 * 1000);
  const RowCache::Written written = {{Key("a"), Entry(6, "six")}};
  small.Offer(Key("a"), small.Find(Key("a")).ticket, Entry(5, "five"));
  small.BeginWrite(written);
  const RowCache::Written others = [] {
    RowCache::Written rows;
    for (int i = 0; i < 10'000; ++i) rows[Key(absl::StrCat("row", i))] = Entry(1, "value");
    return rows;
  }();
  small.BeginWrite(others);
  small.EndWrite(others);
  EXPECT_FALSE(small.Find(Key("a")).entry);
  small.EndWrite(written);
  EXPECT_EQ(small.Find(Key("a")).entry->revision, 6u);
}

TEST_F(RowCacheTest, ARevisionIsThatOfTheRowAndUnknownWhileTheRowIsWritten) {
  EXPECT_EQ(cache_.RevisionOf(Key("a")), std::nullopt);
  cache_.Offer(Key("a"), cache_.Find(Key("a")).ticket, {});
  EXPECT_EQ(cache_.RevisionOf(Key("a")), 0u) << "absent";
  const RowCache::Written written = {{Key("a"), Entry(7, "seven")}};
  cache_.BeginWrite(written);
  EXPECT_EQ(cache_.RevisionOf(Key("a")), std::nullopt);
  EXPECT_EQ(cache_.PeekRevisionOf(Key("a")), std::nullopt);
  cache_.EndWrite(written);
  EXPECT_EQ(cache_.RevisionOf(Key("a")), 7u);
  EXPECT_EQ(cache_.PeekRevisionOf(Key("a")), 7u);
}

}  // namespace
}  // namespace keyferry
