#include "base/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "base/mapped_file.h"
#include "support/scratch.h"

namespace anemone {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public ::testing::Test {
 protected:
  static std::string Contents(const fs::path& path) { return test::ReadText(path); }
  size_t CountEntries() const { return scratch_.entries(); }
  static void Put(const std::string& path, std::string_view text) {
    auto file = OutputFile::Create(path);
    ASSERT_TRUE(file.ok()) << file.error().ToString();
    ASSERT_TRUE(file->Write(text).ok());
    ASSERT_TRUE(file->Close().ok());
  }

  test::ScratchFolder scratch_;
  fs::path root_ = scratch_.path();
};

TEST_F(AtomicFileTest, CommitReplacesTheOldFile) {
  const std::string target = root_ / "a.json";
  Put(target, "old");
  for (const Durability durability : {Durability::kProcess, Durability::kDisk}) {
    auto file = AtomicFile::Create(target, durability);
    ASSERT_TRUE(file.ok()) << file.error().ToString();
    ASSERT_TRUE(file->Write("new").ok());
    ASSERT_TRUE(file->Commit().ok());
    EXPECT_EQ(Contents(target), "new");
  }
  EXPECT_EQ(CountEntries(), 1u);
}

TEST_F(AtomicFileTest, WithoutCommitTheOldFileStaysAndNothingElse) {
  const std::string target = root_ / "a.json";
  Put(target, "old");
  {
    auto file = AtomicFile::Create(target);
    ASSERT_TRUE(file.ok());
    AtomicFile moved = std::move(file).value();
    ASSERT_TRUE(moved.Write("new").ok());
  }
  EXPECT_EQ(Contents(target), "old");
  EXPECT_EQ(CountEntries(), 1u);
}

TEST_F(AtomicFileTest, MissingFolderIsAnIoErrorWithThePath) {
  const auto file = AtomicFile::Create(root_ / "absent" / "a.json");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code(), ErrorCode::kIo);
  EXPECT_NE(file.error().ToString().find("absent"), std::string::npos);
}

// A limit on the size of files stands in for a full disk: the write fails halfway.
TEST_F(AtomicFileTest, FullDiskLeavesTheOldFile) {
  const std::string target = root_ / "a.bin";
  Put(target, "old");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 4096, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  Status status;
  {
    auto file = AtomicFile::Create(target);
    ASSERT_TRUE(file.ok());
    status = file->Write(std::string(100000, 'x'));
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kIo);
  EXPECT_EQ(Contents(target), "old");
  EXPECT_EQ(CountEntries(), 1u);
}

TEST_F(AtomicFileTest, DirectoryIsCreatedAndReplacedWhole) {
  const std::string target = root_ / "m.mlpackage";
  for (const std::string_view text : {"one", "two"}) {
    auto directory = AtomicDirectory::Create(target + "/");
    ASSERT_TRUE(directory.ok()) << directory.error().ToString();
    fs::create_directories(fs::path(directory->path()) / "Data");
    Put(directory->path() + "/Data/" + std::string(text), text);
    ASSERT_TRUE(directory->Commit(Durability::kDisk).ok());
    EXPECT_EQ(Contents(fs::path(target) / "Data" / text), text);
  }
  EXPECT_FALSE(fs::exists(fs::path(target) / "Data" / "one")) << "the old tree must be gone";
  EXPECT_EQ(CountEntries(), 1u);
}

TEST_F(AtomicFileTest, AbandonedDirectoryLeavesTheOldOne) {
  const std::string target = root_ / "m.mlpackage";
  fs::create_directories(target);
  Put(target + "/keep", "old");
  {
    auto directory = AtomicDirectory::Create(target);
    ASSERT_TRUE(directory.ok());
    Put(directory->path() + "/new", "new");
  }
  EXPECT_EQ(Contents(fs::path(target) / "keep"), "old");
  EXPECT_FALSE(fs::exists(fs::path(target) / "new"));
  EXPECT_EQ(CountEntries(), 1u);
}

TEST_F(AtomicFileTest, DirectoryDoesNotReplaceAFile) {
  const std::string target = root_ / "m.mlpackage";
  Put(target, "a file");
  Status status;
  {
    auto directory = AtomicDirectory::Create(target);
    ASSERT_TRUE(directory.ok());
    status = directory->Commit();
  }
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(Contents(target), "a file");
  EXPECT_EQ(CountEntries(), 1u);
}

// At no moment may a reader find the target absent or half.
TEST_F(AtomicFileTest, ReadersAlwaysSeeAWholeDirectory) {
  const std::string target = root_ / "m.mlpackage";
  const auto write = [&](const std::string& text) {
    auto directory = AtomicDirectory::Create(target);
    ASSERT_TRUE(directory.ok());
    Put(directory->path() + "/value", text);
    ASSERT_TRUE(directory->Commit().ok());
  };
  write("0");
  std::thread writer([&] {
    for (int i = 1; i <= 200; ++i) write(std::to_string(i));
  });
  int last = 0;
  while (last < 200) {
    const auto bytes = MapFile(target + "/value");
    ASSERT_TRUE(bytes.ok()) << bytes.error().ToString();
    const int value =
        std::stoi(std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()));
    ASSERT_GE(value, last);
    last = value;
  }
  writer.join();
}

// A process that is told to end clears what it was writing; after that nothing replaces the target,
// neither half nor whole.
TEST_F(AtomicFileTest, TheEndOfTheProcessClearsWhatIsHalfWritten) {
  const std::string file_path = root_ / "file";
  const std::string folder_path = root_ / "folder";
  Put(file_path, "old");
  fs::create_directory(folder_path);
  Put(folder_path + "/value", "old");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto file = AtomicFile::Create(file_path);
    auto folder = AtomicDirectory::Create(folder_path);
    const bool made = file.ok() && folder.ok() && file->Write("new").ok();
    ClearLeftovers();
    const bool refused = made && !file->Commit().ok() && !folder->Commit().ok();
    ::_exit(refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(Contents(file_path), "old");
  EXPECT_EQ(Contents(folder_path + "/value"), "old");
  EXPECT_EQ(CountEntries(), 2u);
}

TEST_F(AtomicFileTest, MapFileReadsWholeFilesAndOutlivesTheName) {
  const std::string path = root_ / "w.bin";
  Put(path, "hello");
  const auto bytes = MapFile(path);
  ASSERT_TRUE(bytes.ok());
  fs::remove(path);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()), "hello");
}

TEST_F(AtomicFileTest, MapFileErrors) {
  Put(root_ / "empty", "");
  const auto empty = MapFile(root_ / "empty");
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty->empty());
  EXPECT_EQ(MapFile(root_ / "absent").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(MapFile(root_ / "empty" / "x").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(MapFile(root_).error().code(), ErrorCode::kIo);
}

}  // namespace
}  // namespace anemone
