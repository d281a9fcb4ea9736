// What RocksDB adds to the conformance suite: the lock, damage of every kind, backups, a full disk, a full queue.
#include "libs/storage/rocksdb_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/storage/fail_stop.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;

RowKey Key(std::string bytes, Family family = Family::kSets) { return {family, std::move(bytes)}; }

class RocksDbStoreTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Store>> Open() {
    RocksDbStoreOptions options = options_;
    options.path = path_;
    return OpenRocksDbStore(std::move(options));
  }
  void SetUp() override {
    store_ = *Open();
    term_ = *store_->AcquireWriter(Lineage::kKeep);
  }
  absl::StatusOr<Revision> Put(const std::string& key, const std::string& value) {
    return CommitAndWait(*store_, {.term = term_, .mutations = {{.key = Key(key), .value = value}}});
  }
  void PutMany(int count) {
    absl::BlockingCounter left(count);
    for (int i = 0; i < count; ++i) {
      store_->CommitAsync(
          {.term = term_, .mutations = {{.key = Key(absl::StrCat("many", i)), .value = std::string(100, 'x')}}},
          [&](const auto& result) {
            EXPECT_THAT(result, IsOk());
            left.DecrementCount();
          });
    }
    left.Wait();
  }
  void ExpectOpenFails(absl::StatusCode code, const std::string& words) {
    const auto opened = Open();
    EXPECT_THAT(opened, StatusIs(code));
    EXPECT_THAT(std::string(opened.status().message()), HasSubstr(words));
  }
  // The one log that holds every commit since the store was opened.
  std::filesystem::path Log() const {
    std::filesystem::path newest;
    for (const auto& entry : std::filesystem::directory_iterator(path_ + "/db")) {
      if (entry.path().extension() == ".log" && entry.path() > newest) newest = entry.path();
    }
    return newest;
  }
  static std::string BytesOf(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void SetBytes(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  const TempDir directory_;
  std::string path_ = directory_.File("store");
  RocksDbStoreOptions options_{.disk = {.ballast_bytes = 0}};
  std::unique_ptr<Store> store_;
  Term term_;
};

TEST_F(RocksDbStoreTest, ADirectoryThatIsHeldIsUnavailable) {
  ExpectOpenFails(absl::StatusCode::kUnavailable, "held by another process");
  store_ = nullptr;
  EXPECT_THAT(Open(), IsOk());
}

TEST_F(RocksDbStoreTest, RowsTermsAndRevisionsSurviveReopening) {
  const auto revision = Put("a", "1");
  ASSERT_THAT(revision, IsOk());
  store_ = nullptr;
  store_ = *Open();
  EXPECT_EQ(store_->Head(), *revision);
  EXPECT_EQ((*store_->Get(Key("a")))->revision, *revision);
  EXPECT_EQ(store_->AcquireWriter(Lineage::kKeep)->number, term_.number + 1);
}

TEST_F(RocksDbStoreTest, EveryFlippedByteOfAStoredRowIsDataLoss) {
  ASSERT_THAT(Put("victim", "value"), IsOk());
  store_ = nullptr;
  for (size_t i = 0; i < 13 + 5; ++i) {
    const auto flip = [&] {
      std::vector<std::string> names;
      ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, path_ + "/db", &names).ok());
      std::vector<rocksdb::ColumnFamilyDescriptor> families;
      for (const std::string& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
      std::vector<rocksdb::ColumnFamilyHandle*> handles;
      rocksdb::DB* raw = nullptr;
      ASSERT_TRUE(rocksdb::DB::Open({}, path_ + "/db", families, &handles, &raw).ok());
      const std::unique_ptr<rocksdb::DB> db(raw);
      for (rocksdb::ColumnFamilyHandle* handle : handles) {
        if (handle->GetName() == "sets") {
          std::string frame;
          ASSERT_TRUE(db->Get({}, handle, "victim", &frame).ok());
          ASSERT_EQ(frame.size(), 13u + 5u);
          frame[i] = static_cast<char>(frame[i] ^ 0x40);
          ASSERT_TRUE(db->Put({}, handle, "victim", frame).ok());
        }
        db->DestroyColumnFamilyHandle(handle);
      }
    };
    flip();
    store_ = *Open();
    const auto row = store_->Get(Key("victim"));
    EXPECT_THAT(row, StatusIs(absl::StatusCode::kDataLoss)) << "byte " << i;
    EXPECT_THAT(std::string(row.status().message()), HasSubstr("sets victim"));
    EXPECT_THAT(store_->Scan(Key(""), "", 10), StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_THAT(CommitAndWait(*store_, {.term = term_, .preconditions = {{Key("victim"), 1}}}),
                StatusIs(absl::StatusCode::kDataLoss));
    store_ = nullptr;
    flip();
  }
}

TEST_F(RocksDbStoreTest, AFlippedByteInTheLogRefusesToOpen) {
  PutMany(500);
  const std::filesystem::path log = Log();
  store_ = nullptr;
  std::string bytes = BytesOf(log);
  ASSERT_GT(bytes.size(), 50'000u);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  SetBytes(log, bytes);
  ExpectOpenFails(absl::StatusCode::kDataLoss, "acknowledged commits are missing");
}

TEST_F(RocksDbStoreTest, ALostLogRefusesToOpen) {
  PutMany(10);
  const std::filesystem::path log = Log();
  store_ = nullptr;
  std::filesystem::remove(log);
  ExpectOpenFails(absl::StatusCode::kDataLoss, "Restore a backup");
}

TEST_F(RocksDbStoreTest, ALostDatabaseRefusesToOpen) {
  ASSERT_THAT(Put("a", "1"), IsOk());
  store_ = nullptr;
  std::filesystem::remove_all(path_ + "/db");
  ExpectOpenFails(absl::StatusCode::kDataLoss, "acknowledged commits are missing");
}

TEST_F(RocksDbStoreTest, ALostWatermarkRefusesToOpen) {
  store_ = nullptr;
  std::filesystem::remove(path_ + "/watermark");
  ExpectOpenFails(absl::StatusCode::kDataLoss, "watermark");
}

TEST_F(RocksDbStoreTest, AStartThatEndedBeforeTheDatabaseWasMadeIsNoLoss) {
  path_ = directory_.File("half-made");
  *Open();
  std::filesystem::remove_all(path_ + "/db");
  // As created: nothing was acknowledged.
  std::filesystem::remove(path_ + "/watermark");
  EXPECT_THAT(Open(), IsOk());
}

TEST_F(RocksDbStoreTest, ABackupOpensAsAStoreOfItsOwnWhoseFirstWriterBeginsALineage) {
  const auto revision = Put("a", "1");
  const std::string backup = directory_.File("backup");
  ASSERT_THAT(store_->Backup(backup), IsOk());
  ASSERT_THAT(Put("a", "2"), IsOk());
  path_ = backup;
  const auto restored = Open();
  ASSERT_THAT(restored, IsOk());
  EXPECT_EQ((*restored)->Head(), *revision);
  EXPECT_EQ((*(*restored)->Get(Key("a")))->value, "1");
  const auto term = (*restored)->AcquireWriter(Lineage::kKeep);
  ASSERT_THAT(term, IsOk());
  EXPECT_EQ((*restored)->AcquireWriter(Lineage::kKeep)->lineage, term->lineage);
  const auto later = CommitAndWait(**restored, {.term = *(*restored)->AcquireWriter(Lineage::kKeep), .mutations = {{.key = Key("b"), .value = "3"}}});
  EXPECT_GT(*later, store_->Head());
}

TEST_F(RocksDbStoreTest, ABackupNeverOverwrites) {
  const std::string backup = directory_.File("backup");
  std::filesystem::create_directory(backup);
  EXPECT_THAT(store_->Backup(backup), StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST_F(RocksDbStoreTest, ABackupUnderLoadHoldsEverythingThatWasAnsweredBefore) {
  PutMany(200);
  std::atomic<bool> stop = false;
  std::thread load([&] {
    for (int i = 0; !stop; ++i) ASSERT_THAT(Put(absl::StrCat("load", i % 50), std::string(1000, 'x')), IsOk());
  });
  const Revision head = store_->Head();
  const absl::Status backed_up = store_->Backup(directory_.File("backup"));
  stop = true;
  load.join();
  ASSERT_THAT(backed_up, IsOk());
  path_ = directory_.File("backup");
  const auto restored = Open();
  ASSERT_THAT(restored, IsOk());
  EXPECT_GE((*restored)->Head(), head);
  EXPECT_EQ((*restored)->Scan(Key("many"), "many:", 1000)->size(), 200u);
}

TEST_F(RocksDbStoreTest, AFullDiskRefusesWritesAndGoesOnReading) {
  ASSERT_THAT(Put("a", "1"), IsOk());
  store_ = nullptr;
  options_.disk.free_bytes = [] { return std::optional<uint64_t>(uint64_t{511} << 20); };
  store_ = *Open();
  EXPECT_THAT(store_->AcquireWriter(Lineage::kKeep), IsOk());
  EXPECT_THAT(Put("a", "2"), FailsWith(absl::StatusCode::kResourceExhausted, "DISK_FULL"));
  EXPECT_EQ((*store_->Get(Key("a")))->value, "1");
}

TEST_F(RocksDbStoreTest, AFullQueueRefusesAndWritesNothing) {
  store_ = nullptr;
  options_.max_unanswered_commits = 3;
  store_ = *Open();
  absl::Notification entered, leave;
  absl::Mutex mutex;
  std::vector<absl::StatusCode> codes;
  absl::BlockingCounter left(5);
  // The answering thread stands still in the first answer, so nothing after it is answered.
  store_->CommitAsync({.term = term_, .mutations = {{.key = Key("first"), .value = ""}}}, [&](const auto&) {
    entered.Notify();
    leave.WaitForNotification();
    left.DecrementCount();
  });
  entered.WaitForNotification();
  for (int i = 0; i < 4; ++i) {
    store_->CommitAsync({.term = term_, .mutations = {{.key = Key(absl::StrCat("n", i)), .value = ""}}},
                        [&](const auto& result) {
                          {
                            absl::MutexLock lock(&mutex);
                            codes.push_back(result.status().code());
                          }
                          left.DecrementCount();
                        });
  }
  leave.Notify();
  left.Wait();
  EXPECT_EQ(std::count(codes.begin(), codes.end(), absl::StatusCode::kOk), 3);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), absl::StatusCode::kResourceExhausted), 1);
  EXPECT_FALSE((*store_->Get(Key("n3"))).has_value());
}

// Whichever thread gives them.
TEST_F(RocksDbStoreTest, AnswersComeOneAtATimeAndInOrder) {
  constexpr int kThreads = 4, kEach = 200;
  std::atomic<int> answering = 0;
  std::atomic<bool> overlapped = false;
  Revision newest = 0;
  bool in_order = true;
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      for (int i = 0; i < kEach; ++i) {
        absl::Notification answered;
        store_->CommitAsync({.term = term_, .mutations = {{.key = Key(absl::StrCat("row", number)), .value = "x"}}}, [&](const auto& revision) {
          if (++answering > 1) overlapped = true;
          in_order = in_order && *revision > newest && store_->Head() >= *revision;
          newest = *revision;
          --answering;
          answered.Notify();
        });
        answered.WaitForNotification();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(overlapped);
  EXPECT_TRUE(in_order);
  EXPECT_EQ(newest, store_->Head());
}

// Two commits that wait together are answered by the second thread. While it is at the first of them, single commits go ahead; the committing thread
// would have answered the first of those before it committed the next.
TEST_F(RocksDbStoreTest, ASingleCommitIsNotAnsweredWhileAnotherAnswerIsUnderWay) {
  std::atomic<bool> single_answered = false, answered_beside = true;
  absl::BlockingCounter left(4);
  const auto put = [&](const std::string& key, Store::CommitDone done) {
    store_->CommitAsync({.term = term_, .mutations = {{.key = Key(key), .value = "x"}}}, std::move(done));
  };
  const auto commit_durably = [&](const std::string& key, const Store::CommitDone& done) {
    const Revision before = store_->Head();
    put(key, done);
    while (store_->Head() == before) std::this_thread::yield();
  };
  const auto count = [&](const absl::StatusOr<Revision>& revision) {
    EXPECT_THAT(revision, IsOk());
    left.DecrementCount();
  };
  // Its answer keeps the committing thread busy until both wait.
  put("alone", [&](const auto&) {
    put("first", [&](const auto& revision) {
      commit_durably("single", [&](const auto& single) {
        single_answered = true;
        count(single);
      });
      commit_durably("next", count);
      answered_beside = single_answered.load();
      count(revision);
    });
    put("second", count);
  });
  left.Wait();
  EXPECT_FALSE(answered_beside);
}

TEST_F(RocksDbStoreTest, ClosingAnswersEverythingAlsoWhatAnswersSubmit) {
  std::atomic<int> answered = 0;
  const std::function<void()> submit = [&] {
    store_->CommitAsync({.term = term_, .mutations = {{.key = Key("a"), .value = "1"}}}, [&](const auto& result) {
      ++answered;
      if (result.ok()) submit();
    });
  };
  Store* const open = store_.get();
  for (int i = 0; i < 8; ++i) submit();
  ASSERT_THAT(CommitAndWait(*open, {.term = term_}), IsOk());
  // As unique_ptr::reset would, but answers may still use the pointer.
  delete open;
  static_cast<void>(store_.release());
  EXPECT_GE(answered, 8);
}

TEST_F(RocksDbStoreTest, AReadAfterACommitSeesItThroughTheCacheAndWithoutIt) {
  for (const size_t cache_bytes : {size_t{0}, size_t{64} << 20}) {
    store_ = nullptr;
    options_.row_cache_bytes = cache_bytes;
    store_ = *Open();
    for (int i = 0; i < 20; ++i) {
      ASSERT_THAT(Put("a", absl::StrCat(i)), IsOk());
      ASSERT_EQ((*store_->Get(Key("a")))->value, absl::StrCat(i));
    }
  }
}

TEST_F(RocksDbStoreTest, TheFilesAreForTheirOwnerAlone) {
  for (const char* name : {"", "/LOCK", "/watermark"}) {
    const auto permissions = std::filesystem::status(path_ + name).permissions();
    EXPECT_EQ(permissions & (std::filesystem::perms::group_all | std::filesystem::perms::others_all),
              std::filesystem::perms::none)
        << name;
  }
}

// Under a limit for the size of files every write of the log fails, as on a broken disk.
void WriteUntilItFails(const std::string& path) {
  auto store = OpenRocksDbStore({.path = path, .disk = {.ballast_bytes = 0}});
  const Term term = *(*store)->AcquireWriter(Lineage::kKeep);
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{.rlim_cur = 8192, .rlim_max = 8192};
  setrlimit(RLIMIT_FSIZE, &limit);
  for (int i = 0; i < 100; ++i) {
    const auto result = CommitAndWait(
        **store, {.term = term, .mutations = {{.key = Key(absl::StrCat(i)), .value = std::string(1000, 'x')}}});
    if (!result.ok()) std::_Exit(1);
  }
  std::_Exit(2);
}

TEST(RocksDbStoreDeathTest, AFailedWriteEndsTheProcess) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  const TempDir directory;
  const auto ended = [](int status) {
    return (WIFEXITED(status) && WEXITSTATUS(status) == kStoreFailedExitCode) ||
           (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  };
  EXPECT_EXIT(WriteUntilItFails(directory.File("store")), ended, "");
}

}  // namespace
}  // namespace keyferry
