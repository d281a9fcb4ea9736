#include "services/api/backup_object.h"

#include <gtest/gtest.h>

#include "libs/common/testing/status_matchers.h"
#include "services/api/testing/backup_scene.h"

namespace keyferry {
namespace {

constexpr auto kNoPause = [] { return absl::OkStatus(); };

class BackupObjectTest : public testing::Test {
 protected:
  BackupObject Seal(const std::string& name, const std::string& content) {
    WriteFile(directory_.File(name), content);
    const auto object = IdentifyFile(*keys_, directory_.File(name), kNoPause);
    EXPECT_THAT(object, IsOk());
    EXPECT_THAT(SealObject(*keys_, *object, directory_.File(name), directory_.File(name + ".sealed"), kNoPause),
                IsOk());
    return *object;
  }
  absl::StatusOr<std::string> Open(const std::string& name, const BackupObject& object,
                                   const BackupKeys* keys = nullptr) {
    std::string content;
    RETURN_IF_ERROR(OpenObject(keys != nullptr ? *keys : *keys_, object, directory_.File(name + ".sealed"),
                               [&](std::string_view bytes) {
                                 content += bytes;
                                 return absl::OkStatus();
                               }));
    return content;
  }

  TempDir directory_;
  FakeBackupKeys fake_keys_;
  const std::shared_ptr<const BackupKeys> keys_ = *fake_keys_.Find()("");
};

TEST_F(BackupObjectTest, FilesOfEverySizeAroundAFrameComeBackAsTheyWere) {
  for (const size_t size :
       {size_t{0}, size_t{1}, kBackupFrameBytes - 1, kBackupFrameBytes, kBackupFrameBytes + 1, 2 * kBackupFrameBytes}) {
    const std::string content(SecretBytes::Random(size).Access()), name = std::to_string(size);
    const BackupObject object = Seal(name, content);
    EXPECT_EQ(object.bytes, static_cast<int64_t>(size));
    EXPECT_EQ(static_cast<int64_t>(ReadFile(directory_.File(name + ".sealed")).size()), SealedObjectBytes(object.bytes))
        << size;
    const auto opened = Open(name, object);
    ASSERT_THAT(opened, IsOk()) << size;
    EXPECT_TRUE(*opened == content) << size;
  }
}

TEST_F(BackupObjectTest, TheSameContentsHaveTheSameIdUnderOneKeyAndAnotherUnderAnother) {
  const BackupObject one = Seal("one", "contents"), two = Seal("two", "contents");
  EXPECT_EQ(one.id, two.id);
  EXPECT_NE(one.id, Seal("three", "content5").id);
  const FakeBackupKeys others;
  EXPECT_NE(IdentifyFile(**others.Find()(""), directory_.File("one"), kNoPause)->id, one.id);
}

TEST_F(BackupObjectTest, NoByteCanBeChanged) {
  const BackupObject object = Seal("file", std::string(200, 'x'));
  const std::string path = directory_.File("file.sealed");
  const size_t size = ReadFile(path).size();
  for (size_t i = 0; i < size; ++i) {
    FlipBit(path, i);
    const auto opened = Open("file", object);
    EXPECT_THAT(opened, StatusIs(absl::StatusCode::kDataLoss)) << i;
    EXPECT_THAT(opened.status().message(), testing::HasSubstr(path));
    FlipBit(path, i);
  }
  EXPECT_THAT(Open("file", object), IsOk());
}

TEST_F(BackupObjectTest, FramesThatAreCutOffRepeatedOrSwappedDoNotOpen) {
  const BackupObject object = Seal("file", std::string(SecretBytes::Random(3 * kBackupFrameBytes).Access()));
  const std::string path = directory_.File("file.sealed"), whole = ReadFile(path);
  const size_t frame = kBackupFrameBytes + 40, header = whole.size() - 3 * frame;
  for (const std::string& changed :
       {whole.substr(0, whole.size() - frame), whole + whole.substr(whole.size() - frame), whole.substr(0, header),
        whole.substr(0, header) + whole.substr(header + frame, frame) + whole.substr(header, frame) +
            whole.substr(header + 2 * frame)}) {
    WriteFile(path, changed);
    EXPECT_THAT(Open("file", object), StatusIs(absl::StatusCode::kDataLoss));
  }
}

TEST_F(BackupObjectTest, AnObjectInTheOthersPlaceOrUnderAnotherKeyDoesNotOpen) {
  const BackupObject one = Seal("one", "contents"), two = Seal("two", "content5");
  EXPECT_THAT(Open("two", one), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(Open("one", BackupObject{.id = one.id, .bytes = one.bytes + 1}), StatusIs(absl::StatusCode::kDataLoss));
  const FakeBackupKeys others;
  EXPECT_THAT(Open("two", two, others.Find()("")->get()), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(BackupObjectTest, AFileThatChangesWhileItIsSealedIsNoObject) {
  WriteFile(directory_.File("file"), "before");
  const auto object = IdentifyFile(*keys_, directory_.File("file"), kNoPause);
  WriteFile(directory_.File("file"), "after!");
  EXPECT_THAT(SealObject(*keys_, *object, directory_.File("file"), directory_.File("sealed"), kNoPause),
              StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace keyferry
