#include "runtime/breaker_store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <random>
#include <thread>
#include <vector>

#include "support/scratch.h"

namespace anemone::runtime {
namespace {

namespace fs = std::filesystem;

class BreakerStoreTest : public ::testing::Test {
 protected:
  const BreakerKey key_{std::string(64, 'c'), "coreml", "all"};
  test::ScratchFolder scratch_;
  std::string dir_ = scratch_ / "breakers";
  BreakerStore store_{dir_, "24B83"};

  BreakerImage Open() const {
    BreakerImage image;
    image.state = CircuitState::kOpen;
    image.consecutive_opens = 2;
    image.opened_unix_ns = Clock::System().unix_ns();
    image.wait_ns = 60'000'000'000;
    return image;
  }
  // Runs `body` in a child, which then dies by SIGKILL.
  template <typename Body>
  static void Die(Body body) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      body();
      kill(getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
  }
};

TEST_F(BreakerStoreTest, NothingKnownIsAFreshStart) {
  const auto loaded = store_.Load(key_);
  EXPECT_FALSE(loaded.image);
  EXPECT_EQ(loaded.note, "");
  EXPECT_FALSE(fs::exists(dir_)) << "reading makes nothing";
}

TEST_F(BreakerStoreTest, ReadsBackWhatWasSaved) {
  ASSERT_TRUE(store_.Save(key_, Open()).ok());
  const auto loaded = store_.Load(key_);
  ASSERT_TRUE(loaded.image);
  EXPECT_EQ(loaded.image->consecutive_opens, 2);
  EXPECT_EQ(loaded.image->state, CircuitState::kOpen);
  EXPECT_EQ(loaded.note, "");
  // Each key has its own file.
  for (const BreakerKey& other : {BreakerKey{key_.model_hash, "coreml", "cpu_only"},
                                  BreakerKey{key_.model_hash, "cpu", "all"},
                                  BreakerKey{key_.model_hash + "c", "oreml", "all"},
                                  BreakerKey{"../../etc/passwd", "a/b", ""}}) {
    EXPECT_FALSE(store_.Load(other).image);
    EXPECT_NE(store_.PathOf(other), store_.PathOf(key_));
    EXPECT_EQ(fs::path(store_.PathOf(other)).parent_path(), dir_);
  }
  ASSERT_TRUE(store_.Clear(key_).ok());
  EXPECT_FALSE(store_.Load(key_).image);
}

TEST_F(BreakerStoreTest, AnotherOsBuildProbesAgain) {
  ASSERT_TRUE(store_.Save(key_, Open()).ok());
  const auto loaded = BreakerStore(dir_, "24C101").Load(key_);
  ASSERT_TRUE(loaded.image);
  EXPECT_EQ(loaded.image->state, CircuitState::kHalfOpen);
  EXPECT_EQ(loaded.image->consecutive_opens, 0);
  EXPECT_NE(loaded.note.find("learned on OS build 24B83, but this is 24C101"), std::string::npos);
  ASSERT_TRUE(store_.Save(key_, {}).ok());
  EXPECT_FALSE(BreakerStore(dir_, "24C101").Load(key_).image) << "a closed one needs no probes";
}

TEST_F(BreakerStoreTest, ABrokenFileIsAFreshStartWithAReason) {
  ASSERT_TRUE(store_.Save(key_, Open()).ok());
  const std::string path = store_.PathOf(key_);
  const std::string good = test::ReadText(path);
  const auto broken = [&](const std::string& text) {
    test::WriteText(path, text);
    const auto loaded = store_.Load(key_);
    EXPECT_FALSE(loaded.image) << text;
    return loaded.note;
  };
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string changed = good;
    changed.replace(changed.find(from), from.size(), to);
    return broken(changed);
  };
  EXPECT_NE(broken("").find("it is not a JSON object"), std::string::npos);
  EXPECT_NE(broken("[1]").find("it is not a JSON object"), std::string::npos);
  EXPECT_NE(broken(good.substr(0, good.size() / 2)).find("not a JSON object"), std::string::npos);
  EXPECT_NE(broken(std::string(100'000, ' ')).find("too large"), std::string::npos);
  EXPECT_NE(with("\"schema_version\": 1", "\"schema_version\": 2").find("version 1"),
            std::string::npos);
  EXPECT_NE(with("\"coreml\"", "\"cpu\"").find("another model"), std::string::npos);
  EXPECT_NE(with("\"open\"", "\"ajar\"").find("state is unknown"), std::string::npos);
  EXPECT_NE(with("\"wait_ns\": 6", "\"wait_ns\": -6").find("'wait_ns' is not a number"),
            std::string::npos);
  EXPECT_NE(with("\"wait_ns\": 6", "\"wait_ns\": 1.6").find("'wait_ns'"), std::string::npos);
  EXPECT_NE(with("\"24B83\"", "7").find("os_build or state is missing"), std::string::npos);
  // No bytes lead to worse than a fresh start.
  std::mt19937_64 engine(3);
  for (int i = 0; i < 2000; ++i) {
    std::string changed = good;
    for (int f = 0; f < 3; ++f) changed[engine() % changed.size()] = static_cast<char>(engine());
    test::WriteText(path, changed);
    (void)store_.Load(key_);
  }
  // And it can be saved again.
  ASSERT_TRUE(store_.Save(key_, Open()).ok());
  EXPECT_TRUE(store_.Load(key_).image);
}

TEST_F(BreakerStoreTest, ADeathBetweenTheMarksCountsOnce) {
  Die([&] { new auto(store_.Begin(key_, "load")); });  // never ended, on purpose
  const auto loaded = store_.Load(key_);
  EXPECT_EQ(loaded.deaths, 1);
  ASSERT_TRUE(loaded.image);
  EXPECT_EQ(loaded.image->consecutive_failures, 1);
  EXPECT_NE(loaded.note.find("1 earlier process died"), std::string::npos);
  EXPECT_EQ(store_.Load(key_).deaths, 0);

  auto attempt = store_.Begin(key_, "load");
  ASSERT_TRUE(attempt.ok()) << attempt.error().ToString();
  EXPECT_EQ(store_.Load(key_).deaths, 0) << "this process lives";
  attempt->End();
  attempt->End();
  Die([&] { store_.Begin(key_, "load")->End(); });
  EXPECT_EQ(store_.Load(key_).deaths, 0);
  EXPECT_TRUE(fs::is_empty(dir_));
}

// The crash loop of the ANE: each start loads the model, and the load kills the process. After
// three deaths the load is no longer tried.
TEST_F(BreakerStoreTest, ACrashLoopEnds) {
  int tried = 0;
  for (int start = 0; start < 10; ++start) {
    int pipe_fds[2];
    ASSERT_EQ(pipe(pipe_fds), 0);
    Die([&] {
      auto store = std::make_shared<const BreakerStore>(dir_, "24B83");
      auto* registry = new BreakerRegistry({}, store);
      auto permit = registry->Get(key_)->Acquire();
      if (!permit) return;  // answered by the next backend; dies for another reason
      auto* attempt = new auto(store->Begin(key_, "load"));
      (void)!write(pipe_fds[1], attempt->ok() ? "x" : "?", 1);
      kill(getpid(), SIGKILL);
    });
    close(pipe_fds[1]);
    char what = 0;
    tried += read(pipe_fds[0], &what, 1) == 1 && what == 'x' ? 1 : 0;
    close(pipe_fds[0]);
  }
  EXPECT_EQ(tried, 3);
  auto store = std::make_shared<const BreakerStore>(dir_, "24B83");
  BreakerRegistry registry({}, store);
  EXPECT_EQ(registry.Get(key_)->state(), CircuitState::kOpen);
  // An update of the system gives it another chance, off the request path.
  BreakerRegistry updated({}, std::make_shared<const BreakerStore>(dir_, "24C101"));
  EXPECT_EQ(updated.Get(key_)->state(), CircuitState::kHalfOpen);
  EXPECT_TRUE(updated.Get(key_)->AcquireProbe());
}

TEST_F(BreakerStoreTest, AProbeThatKillsTheProcessOpensAgain) {
  BreakerImage image;
  image.state = CircuitState::kHalfOpen;
  image.consecutive_opens = 1;
  ASSERT_TRUE(store_.Save(key_, image).ok());
  Die([&] { new auto(store_.Begin(key_, "probe")); });
  BreakerRegistry registry({}, std::make_shared<const BreakerStore>(dir_, "24B83"));
  EXPECT_EQ(registry.Get(key_)->state(), CircuitState::kOpen);
  EXPECT_GE(registry.Get(key_)->Image().wait_ns, 54'000'000'000) << "the second wait is longer";
}

TEST_F(BreakerStoreTest, RegistryKeepsOneForEachKeyAndSavesChanges) {
  std::vector<std::string> notes;
  std::vector<CircuitState> states;
  auto store = std::make_shared<const BreakerStore>(dir_, "24B83");
  BreakerRegistry registry(
      {}, store,
      [&](const BreakerKey& key, const BreakerEvent& event) {
        EXPECT_EQ(key, key_);
        states.push_back(event.to);
        const Event told = CircuitEvent(key, event);
        EXPECT_EQ(told.type, EventType::kCircuit);
        EXPECT_EQ(told.units, "all");
        EXPECT_EQ(told.text, TransitionReasonName(event.reason));
      },
      [&](const BreakerKey&, const std::string& note) { notes.push_back(note); });
  const auto breaker = registry.Get(key_);
  EXPECT_EQ(breaker, registry.Get(key_));
  EXPECT_NE(breaker, registry.Get({key_.model_hash, "coreml", "cpu_only"}));
  breaker->Acquire().Failure(FailureKind::kTimeout, 1);
  EXPECT_EQ(store->Load(key_).image->consecutive_failures, 1) << "failures outlive the process";
  breaker->Trip(FailureKind::kParityDrift);
  EXPECT_EQ(store->Load(key_).image, breaker->Image());
  EXPECT_EQ(states, std::vector{CircuitState::kOpen});
  int visited = 0;
  registry.ForEach([&](const BreakerKey&, CircuitBreaker&) { ++visited; });
  EXPECT_EQ(visited, 2);
  EXPECT_TRUE(notes.empty());
  // A folder that cannot be written is reported, and has no other effect.
  fs::remove_all(dir_);
  test::WriteText(dir_, "a file in the way");
  breaker->Reset();
  EXPECT_EQ(breaker->state(), CircuitState::kClosed);
  EXPECT_EQ(notes.size(), 1u);
}

TEST_F(BreakerStoreTest, ReadersSeeWholeFilesWhileOthersWrite) {
  ASSERT_TRUE(store_.Save(key_, Open()).ok());
  std::atomic<bool> done{false};
  std::vector<std::thread> writers;
  for (int t = 0; t < 3; ++t) {
    writers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) EXPECT_TRUE(store_.Save(key_, Open()).ok());
      done = true;
    });
  }
  while (!done) {
    const auto loaded = store_.Load(key_);
    ASSERT_TRUE(loaded.image) << loaded.note;
  }
  for (std::thread& writer : writers) writer.join();
}

// kill -9 while the state is written: the next start reads the old or the new one.
TEST_F(BreakerStoreTest, KillNineNeverLeavesABrokenFile) {
  ASSERT_TRUE(store_.Save(key_, Open()).ok());
  for (int round = 0; round < 20; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (;;) (void)store_.Save(key_, Open());
    }
    usleep(static_cast<useconds_t>(500 + 211 * round));
    ASSERT_EQ(kill(child, SIGKILL), 0);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    const auto loaded = store_.Load(key_);
    ASSERT_TRUE(loaded.image) << loaded.note;
    EXPECT_EQ(loaded.note, "");
  }
}

}  // namespace
}  // namespace anemone::runtime
