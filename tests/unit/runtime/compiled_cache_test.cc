#include "runtime/compiled_cache.h"

#include <gtest/gtest.h>
#include <signal.h>  // NOLINT: kill() is POSIX's
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <span>
#include <thread>

#include "base/atomic_file.h"
#include "base/random.h"
#include "base/sha256.h"
#include "support/scratch.h"

namespace anemone::runtime {
namespace {

namespace fs = std::filesystem;

CompiledKey Key(int number) { return {"hash" + std::to_string(number), "24A1", "all"}; }

// Two files whose contents follow from the key, so that a reader can tell a half entry.
std::string Contents(const CompiledKey& key, size_t size) {
  std::string text;
  while (text.size() < size) text += key.content_sha256 + ";";
  text.resize(size);
  return text;
}

Status Fill(const CompiledKey& key, const std::string& folder, size_t size) {
  fs::create_directories(folder + "/model.mlmodelc/weights");
  for (const char* name : {"/model.mlmodelc/model.mil", "/model.mlmodelc/weights/weight.bin"}) {
    ANEMONE_ASSIGN(OutputFile file, OutputFile::Create(folder + name));
    const std::string contents = Contents(key, size);
    // In pieces, so that a kill finds it half written.
    for (size_t at = 0; at < contents.size(); at += 1000) {
      ANEMONE_TRY(file.Write(std::string_view(contents).substr(at, 1000)));
    }
    ANEMONE_TRY(file.Close());
  }
  return {};
}

bool IsWhole(const CompiledKey& key, const CompiledEntry& entry, size_t size) {
  const std::string want = Contents(key, size);
  return test::ReadText(entry.path() + "/model.mlmodelc/model.mil") == want &&
         test::ReadText(entry.path() + "/model.mlmodelc/weights/weight.bin") == want;
}

CompiledCache MustOpen(const std::string& root, const CacheOptions& options = {}) {
  auto cache = CompiledCache::Open(root, options);
  EXPECT_TRUE(cache.ok()) << cache.status().ToString();
  return std::move(cache).value();
}

Result<CompiledEntry> Make(CompiledCache& cache, const CompiledKey& key, size_t size = 5000) {
  return cache.FindOrMake(key, "net",
                          [&](const std::string& folder) { return Fill(key, folder, size); });
}

TEST(CompiledCache, MadeOnceAndFoundAfter) {
  const test::ScratchFolder scratch;
  CompiledCache cache = MustOpen(scratch / "cache");
  EXPECT_FALSE(cache.Find(Key(1)).value().has_value());
  for (int i = 0; i < 3; ++i) {
    auto entry = Make(cache, Key(1));
    ASSERT_TRUE(entry.ok()) << entry.status().ToString();
    EXPECT_EQ(entry->found(), i > 0);
    EXPECT_TRUE(IsWhole(Key(1), *entry, 5000));
  }
  // Each part of the key counts.
  for (const CompiledKey& other :
       {CompiledKey{"hash2", "24A1", "all"}, CompiledKey{"hash1", "24A2", "all"},
        CompiledKey{"hash1", "24A1", "cpu_only"}, CompiledKey{"hash1", "24A1", "all", "v"}}) {
    EXPECT_FALSE(cache.Find(other).value().has_value());
    EXPECT_NE(other.Hash(), Key(1).Hash());
  }
  // Two parts cannot run into each other either.
  EXPECT_NE((CompiledKey{"ab", "c", "d"}.Hash()), (CompiledKey{"a", "bc", "d"}.Hash()));
}

TEST(CompiledCache, WhatFailsToBeMadeLeavesNothing) {
  const test::ScratchFolder scratch;
  CompiledCache cache = MustOpen(scratch / "cache");
  auto entry = cache.FindOrMake(Key(1), "net", [&](const std::string& folder) -> Status {
    ANEMONE_TRY(Fill(Key(1), folder, 100));
    return InvalidInput("the compiler said no");
  });
  ASSERT_FALSE(entry.ok());
  EXPECT_EQ(entry.error().code(), ErrorCode::kInvalidInput);
  EXPECT_TRUE(cache.List().value().empty());
  for (const auto& file : fs::directory_iterator(scratch / "cache")) {
    EXPECT_FALSE(file.is_directory()) << file.path();
  }
}

TEST(CompiledCache, ADamagedEntryIsMadeAnew) {
  const test::ScratchFolder scratch;
  CompiledCache cache = MustOpen(scratch / "cache");
  const std::string path = Make(cache, Key(1)).value().path();
  const auto damages = std::vector<std::function<void()>>{
      [&] { fs::resize_file(path + "/model.mlmodelc/model.mil", 10); },
      [&] { fs::remove(path + "/model.mlmodelc/model.mil"); },
      [&] { test::WriteText(path + "/entry.json", "{"); },
      [&] { test::WriteText(path + "/entry.json", R"({"schema": 7, "files": []})"); },
      [&] { test::WriteText(path + "/entry.json", ""); },
      [&] { fs::remove(path + "/entry.json"); },
      [&] { test::WriteText(path + "/stray", "x"); },
      [&] { fs::remove(path + "/entry.lock"); },
  };
  for (size_t i = 0; i < damages.size(); ++i) {
    damages[i]();
    EXPECT_FALSE(cache.Find(Key(1)).value().has_value()) << i;
    auto entry = Make(cache, Key(1));
    ASSERT_TRUE(entry.ok()) << i << " " << entry.status().ToString();
    EXPECT_FALSE(entry->found()) << i;
    EXPECT_TRUE(IsWhole(Key(1), *entry, 5000)) << i;
  }
}

TEST(CompiledCache, TheLeastRecentlyUsedGoesFirstAndWhatIsInUseStays) {
  const test::ScratchFolder scratch;
  CompiledCache cache = MustOpen(scratch / "cache", {.max_bytes = 25'000});
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(Make(cache, Key(i)).ok());  // 10,000 bytes each
  ASSERT_TRUE(cache.Find(Key(0)).value().has_value());                // 0 is used after 1
  ASSERT_TRUE(Make(cache, Key(2)).ok());
  EXPECT_TRUE(cache.Find(Key(0)).value().has_value());
  EXPECT_FALSE(cache.Find(Key(1)).value().has_value());
  EXPECT_TRUE(cache.Find(Key(2)).value().has_value());
  const auto held = cache.Find(Key(0)).value();
  ASSERT_TRUE(held.has_value());
  ASSERT_TRUE(Make(cache, Key(3)).ok());
  ASSERT_TRUE(Make(cache, Key(4)).ok());
  EXPECT_TRUE(cache.Find(Key(0)).value().has_value());
  EXPECT_TRUE(IsWhole(Key(0), *held, 5000));
  int64_t total = 0;
  bool in_use = false;
  const std::vector<CachedModel> models = cache.List().value();
  for (const CachedModel& model : models) {
    total += model.size_bytes;
    in_use |= model.in_use && model.key.content_sha256 == "hash0";
    EXPECT_EQ(model.name, "net");
    EXPECT_GT(model.created_unix_s, 1'600'000'000);
  }
  EXPECT_LE(total, 25'000);
  EXPECT_TRUE(in_use);
  EXPECT_GT(cache.Clear().value(), 0);
  EXPECT_EQ(cache.List().value().size(), 1U);  // the one in use
}

TEST(CompiledCache, AbandonedFoldersAreRemovedAndLiveOnesAreNot) {
  const test::ScratchFolder scratch;
  const std::string root = scratch / "cache";
  CompiledCache cache = MustOpen(root);
  // As a killed process leaves it: a lock file that no one holds.
  test::WriteText(root + "/.tmp-1-2-3/entry.lock", "");
  test::WriteText(root + "/.tmp-1-2-3/model.mlmodelc/model.mil", "half");
  test::WriteText(root + "/.trash-1-2-3/entry.json", "{}");
  std::string live;
  auto entry = cache.FindOrMake(Key(1), "net", [&](const std::string& folder) {
    live = folder;
    MustOpen(root);  // cleans up while we write
    EXPECT_FALSE(fs::exists(root + "/.tmp-1-2-3"));
    EXPECT_FALSE(fs::exists(root + "/.trash-1-2-3"));
    EXPECT_TRUE(fs::exists(folder + "/entry.lock"));
    return Fill(Key(1), folder, 100);
  });
  ASSERT_TRUE(entry.ok()) << entry.status().ToString();
  EXPECT_FALSE(fs::exists(live));
}

TEST(CompiledCache, ThreadsThatAskForTheSameGetItMadeOnce) {
  const test::ScratchFolder scratch;
  std::atomic<int> made{0}, whole{0};
  std::vector<std::thread> threads;
  for (int id = 0; id < 8; ++id) {
    threads.emplace_back([&] {
      CompiledCache cache = MustOpen(scratch / "cache");
      auto entry = cache.FindOrMake(Key(1), "net", [&](const std::string& folder) {
        ++made;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        return Fill(Key(1), folder, 5000);
      });
      whole += entry.ok() && IsWhole(Key(1), *entry, 5000) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(whole, 8);
}

TEST(CompiledCache, OneThatHangsDoesNotHoldUpTheRestForever) {
  const test::ScratchFolder scratch;
  std::atomic<bool> leave{false}, inside{false};
  std::thread slow([&] {
    CompiledCache cache = MustOpen(scratch / "cache");
    auto entry = cache.FindOrMake(Key(1), "net", [&](const std::string& folder) {
      inside = true;
      while (!leave) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return Fill(Key(1), folder, 5000);
    });
    EXPECT_TRUE(entry.ok() && entry->found());  // the other's, which was first
  });
  while (!inside) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CompiledCache cache =
      MustOpen(scratch / "cache", {.wait_for_other = std::chrono::milliseconds(60)});
  auto entry = Make(cache, Key(1));
  ASSERT_TRUE(entry.ok()) << entry.status().ToString();
  EXPECT_TRUE(IsWhole(Key(1), *entry, 5000));
  leave = true;
  slow.join();
}

// A child that makes, finds, removes and trims for as long as it lives.
[[noreturn]] void WriterLoop(const std::string& root, uint64_t seed) {
  Random random(seed);
  auto cache = CompiledCache::Open(root, {.max_bytes = 400'000});
  for (;;) {
    const CompiledKey key = Key(static_cast<int>(random.NextBits() % 6));
    if (random.NextBits() % 4 == 0) {
      const Status ignored = cache->Remove(key);
    } else if (random.NextBits() % 40 == 0) {
      cache = CompiledCache::Open(root, {.max_bytes = 400'000});
    } else {
      const auto ignored = Make(*cache, key, 40'000);
    }
  }
}

TEST(CompiledCache, KilledAtAnyPointItIsNeverPoisoned) {
  const test::ScratchFolder scratch;
  const std::string root = scratch / "cache";
  Random random(5);
  int64_t found = 0, rounds = 0;
  for (; rounds < 60; ++rounds) {
    std::vector<pid_t> writers;
    for (uint64_t id = 0; id < 2; ++id) {
      const pid_t pid = ::fork();  // this test has no other threads
      if (pid == 0) WriterLoop(root, static_cast<uint64_t>(rounds) * 2 + id);
      writers.push_back(pid);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500 + random.NextBits() % 30'000));
    for (const pid_t pid : writers) ::kill(pid, SIGKILL);
    for (const pid_t pid : writers) {
      int status = 0;
      ASSERT_EQ(::waitpid(pid, &status, 0), pid);
      ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    }
    // Whatever they left, every entry that is found is whole, and nothing is in the way.
    CompiledCache cache = MustOpen(root);
    for (int i = 0; i < 6; ++i) {
      auto entry = cache.Find(Key(i));
      ASSERT_TRUE(entry.ok()) << entry.status().ToString();
      if (!entry->has_value()) continue;
      ++found;
      ASSERT_TRUE(IsWhole(Key(i), **entry, 40'000)) << "round " << rounds << " key " << i;
    }
    if (rounds % 10 == 0) {
      auto entry = Make(cache, Key(0), 40'000);
      ASSERT_TRUE(entry.ok()) << entry.status().ToString();
      ASSERT_TRUE(IsWhole(Key(0), *entry, 40'000));
    }
  }
  EXPECT_GT(found, 20);
  // All leftovers are gone once a cache has been opened.
  MustOpen(root);
  for (const auto& file : fs::directory_iterator(root)) {
    const std::string name = file.path().filename().string();
    EXPECT_FALSE(name.starts_with('.')) << name;
  }
}

}  // namespace
}  // namespace anemone::runtime
