#include "base/json_file.h"

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "support/scratch.h"

namespace anemone {
namespace {

TEST(JsonFile, IsReadAsWritten) {
  const test::ScratchFolder scratch;
  const std::string path = scratch / "a.json";
  const Json json{{"schema", "s"}, {"schema_version", 1}, {"n", 7}};
  ASSERT_TRUE(WriteJsonFile(json, path).ok());
  const auto read = ReadJsonFile(path, "s");
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(*read, json);
  EXPECT_EQ(scratch.entries(), 1U);
}

TEST(JsonFile, WhatIsNoneIsRefused) {
  const test::ScratchFolder scratch;
  const std::string path = scratch / "a.json";
  EXPECT_EQ(ReadJsonFile(path, "s").error().code(), ErrorCode::kNotFound);
  for (const char* text :
       {"", "[", "[]", "7", "{}", R"({"schema": "s"})", R"({"schema": "t", "schema_version": 1})",
        R"({"schema": "s", "schema_version": 2})", R"({"schema": "s", "schema_version": "1"})"}) {
    test::WriteText(path, text);
    const auto read = ReadJsonFile(path, "s");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidInput) << text;
    EXPECT_NE(read.error().ToString().find("a.json"), std::string::npos);
  }
  EXPECT_FALSE(WriteJsonFile(Json::Object(), scratch / "no/such/folder/a.json").ok());
}

TEST(TemporaryFolderTest, GoesWithItsObject) {
  std::string path;
  {
    auto folder = TemporaryFolder::Create("anemone-test");
    ASSERT_TRUE(folder.ok()) << folder.status().ToString();
    path = folder->path();
    test::WriteText(*folder / "deep/file", "x");
    const TemporaryFolder moved = std::move(*folder);
    EXPECT_EQ(moved.path(), path);
    EXPECT_TRUE(std::filesystem::exists(path));
    EXPECT_NE(TemporaryFolder::Create("anemone-test")->path(), path);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace anemone
