// The download cache, the lock file and the catalog.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "acquire/cache.h"
#include "acquire/catalog.h"
#include "acquire/pins.h"
#include "base/sha256.h"
#include "support/scratch.h"

namespace anemone::acquire {
namespace {

using testing::HasSubstr;

class CacheTest : public testing::Test {
 protected:
  CacheRecord Put(const std::string& url, const std::string& name, const std::string& text) {
    const std::string path = folder_ / "incoming";
    test::WriteText(path, text);
    CacheRecord record;
    record.url = url;
    record.name = name;
    record.file_name = url.substr(url.rfind('/') + 1);
    record.sha256 = ToHex(Sha256Of(std::as_bytes(std::span(text))));
    record.size_bytes = static_cast<int64_t>(text.size());
    const Status added = cache_.Add(path, name.empty() ? url : name, &record);
    EXPECT_TRUE(added.ok()) << added.ToString();
    EXPECT_FALSE(std::filesystem::exists(path));
    return record;
  }
  test::ScratchFolder folder_;
  DownloadCache cache_{folder_ / "cache"};
};

TEST_F(CacheTest, KeepsFindsAndClears) {
  const std::string url = "https://h/a/model.bin";
  EXPECT_FALSE(cache_.Find(url, "m")->has_value());
  const CacheRecord put = Put(url, "m", "content");
  EXPECT_EQ(test::ReadText(put.path), "content");
  const auto found = cache_.Find(url, "m");
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->path, put.path);
  EXPECT_EQ((*found)->sha256, put.sha256);
  // The same content from another URL is kept once.
  const CacheRecord twin = Put("https://h/b/model.bin", "", "content");
  EXPECT_TRUE(std::filesystem::equivalent(put.path, twin.path));
  Put("https://h/c.bin", "", "other");
  EXPECT_EQ(cache_.List()->records.size(), 3u);
  EXPECT_EQ(cache_.List()->object_bytes, 12);

  EXPECT_EQ(*cache_.Clear("m"), 0);  // its content is shared
  EXPECT_FALSE(cache_.Find(url, "m")->has_value());
  EXPECT_EQ(test::ReadText(cache_.Find(twin.url, twin.url)->value().path), "content");
  EXPECT_EQ(*cache_.Clear(twin.url), 7);
  EXPECT_THAT(cache_.Clear("nothing").error().message(), HasSubstr("'nothing'"));
  EXPECT_EQ(*cache_.Clear(), 5);
  EXPECT_EQ(cache_.List()->records.size(), 0u);
}

TEST_F(CacheTest, VerifyFindsDamage) {
  const CacheRecord a = Put("https://h/a.bin", "", "one");
  const CacheRecord b = Put("https://h/b.bin", "", "two");
  const CacheRecord c = Put("https://h/c.bin", "", "three");
  EXPECT_TRUE(cache_.Verify(false)->empty());
  const auto object = [&](const CacheRecord& record) {
    return folder_ /
           ("cache/downloads/objects/" + record.sha256.substr(0, 2) + "/" + record.sha256);
  };
  std::filesystem::permissions(object(a), std::filesystem::perms::owner_all);
  test::WriteText(object(a), "onE");
  std::filesystem::remove(object(b));
  test::WriteText(folder_ / "cache/downloads/records/x.json", "{");
  const auto problems = cache_.Verify(false);
  ASSERT_TRUE(problems.ok());
  ASSERT_EQ(problems->size(), 3u);
  std::string all;
  for (const auto& problem : *problems) all += problem.what + "\n";
  EXPECT_THAT(all, HasSubstr("but " + a.sha256 + " is expected"));
  EXPECT_THAT(all, HasSubstr("the content is missing"));
  EXPECT_THAT(all, HasSubstr("the record is damaged"));
  // Looking changed nothing; repairing leaves what is good.
  EXPECT_EQ(cache_.Verify(true)->size(), 3u);
  EXPECT_TRUE(cache_.Verify(false)->empty());
  EXPECT_FALSE(cache_.Find(a.url, a.url)->has_value());
  EXPECT_EQ(test::ReadText(cache_.Find(c.url, c.url)->value().path), "three");
}

TEST_F(CacheTest, ATruncatedObjectIsAnErrorNotAFile) {
  const CacheRecord a = Put("https://h/a.bin", "", "one");
  std::filesystem::permissions(a.path, std::filesystem::perms::owner_all);
  test::WriteText(a.path, "on");
  EXPECT_THAT(cache_.Find(a.url, a.url).error().message(), HasSubstr("has 2 bytes"));
}

TEST_F(CacheTest, OneHolderOfALockAtATime) {
  int inside = 0;
  int most = 0;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto lock = cache_.Lock("https://h/x", {});
      ASSERT_TRUE(lock.ok());
      {
        const std::lock_guard<std::mutex> guard(mutex);
        most = std::max(most, ++inside);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      const std::lock_guard<std::mutex> guard(mutex);
      --inside;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
  // Nothing stays behind; a waiter may give up.
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "cache/downloads/locks"));
  const auto held = cache_.Lock("https://h/x", {});
  EXPECT_EQ(cache_.Lock("https://h/x", [] { return false; }).error().code(), ErrorCode::kCancelled);
}

TEST(Pins, RecordOnceAndHold) {
  const test::ScratchFolder folder;
  const std::string path = folder / "state/lock.json";
  const std::string one(64, '1');
  EXPECT_TRUE(ReadPins(path)->empty());
  EXPECT_TRUE(AddPin(path, "https://h/a", one).ok());
  EXPECT_TRUE(AddPin(path, "https://h/a", one).ok());
  EXPECT_TRUE(AddPin(path, "https://h/b", std::string(64, '2')).ok());
  EXPECT_EQ(ReadPins(path)->at("https://h/a"), one);
  const Status changed = AddPin(path, "https://h/a", std::string(64, '3'));
  EXPECT_THAT(changed.ToString(), HasSubstr("at its first use"));
  EXPECT_EQ(ReadPins(path)->at("https://h/a"), one);
  test::WriteText(path, "{\"schema\": \"anemone.lock\", \"sha256\": {\"u\": \"zz\"}}");
  EXPECT_FALSE(ReadPins(path).ok());
  test::WriteText(path, "[]");
  EXPECT_THAT(ReadPins(path).error().message(), HasSubstr("not an anemone lock file"));
}

TEST(CatalogTest, TheBuiltInOneIsValid) {
  const auto parsed = ParseCatalog(CatalogJson());
  ASSERT_TRUE(parsed.ok()) << parsed.error().ToString();
  EXPECT_EQ(parsed->size(), Catalog().size());
  EXPECT_EQ(CatalogJson(), test::ReadText("models/catalog.json"));
  for (const char* name : {"fastvit_t8", "mobilenetv3_small", "resnet50"}) {
    ASSERT_NE(FindInCatalog(name), nullptr) << name;
  }
  for (const CatalogEntry& entry : Catalog()) {
    // Each claim about a network was verified, and each figure names its source.
    EXPECT_FALSE(entry.checked.empty()) << entry.name;
    for (const auto& accuracy : entry.accuracy) EXPECT_FALSE(accuracy.source.empty());
  }
}

TEST(CatalogTest, EveryBreachOfTheSchemaIsListedAtOnce) {
  const auto parsed = ParseCatalog(R"({
    "schema": "anemone.catalog", "schema_version": 1, "models": [
      {"name": "A b", "title": "t", "task": "x", "import": "zip", "architecture": "a",
       "naming": "n", "license": null, "source": "s", "labels": null, "accuracy": null,
       "checked": null, "color": 1,
       "files": [{"url": "http://h/x", "size_bytes": -1, "sha256": "12", "sha256_prefix": null}],
       "inputs": [{"name": "i", "dtype": "float32", "shape": [0], "preprocessing": null}]}]})");
  ASSERT_FALSE(parsed.ok());
  const std::string& message = parsed.error().message();
  for (const char* part :
       {"models[0].name: must be lower case", "models[0].import: must be",
        "models[0].color: is not a key here", "models[0].files[0].url: must be https",
        "models[0].files[0].size_bytes: must be an integer of at least 1", "64 hexadecimal digits",
        "models[0].inputs[0].shape: must hold"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
  EXPECT_FALSE(ParseCatalog("[]").ok());
  EXPECT_FALSE(ParseCatalog("{\"schema\"").ok());
  EXPECT_FALSE(ParseCatalog(std::string(100'000, '[')).ok());
}

}  // namespace
}  // namespace anemone::acquire
