// Things that must not outlive the process, when it ends while their owner still has them.
#include "base/leftovers.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/temporary_folder.h"
#include "support/scratch.h"

namespace anemone {
namespace {

Leftover Enter(std::vector<int>& cleared, int number) {
  return Leftover([&cleared, number]() -> Leftover::Clear {
    return [&cleared, number] { cleared.push_back(number); };
  });
}

TEST(LeftoversTest, TheLastIsClearedFirstAndOnlyOnce) {
  std::vector<int> cleared;
  const Leftover one = Enter(cleared, 1);
  Leftover forgotten = Enter(cleared, 2);
  {
    const Leftover gone = Enter(cleared, 3);
  }
  const Leftover four = Enter(cleared, 4);
  Leftover moved = Enter(cleared, 5);
  const Leftover five = std::move(moved);
  const Leftover nothing([]() -> Leftover::Clear { return nullptr; });
  forgotten.Forget();
  forgotten.Forget();
  ClearLeftovers();
  ClearLeftovers();
  EXPECT_EQ(cleared, (std::vector<int>{5, 4, 1}));
}

TEST(LeftoversTest, FoldersWhoseOwnersNeverComeToItGoAtTheExit) {
  const test::ScratchFolder scratch;
  EXPECT_EXIT(
      {
        ::setenv("TMPDIR", scratch.path().c_str(), 1);
        // exit() does not destroy the locals of functions.
        const auto folder = TemporaryFolder::Create("anemone-test");
        test::WriteText(*folder / "deep/file", "x");
        std::exit(scratch.entries() == 1 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
  EXPECT_EQ(scratch.entries(), 0U);
}

TEST(LeftoversTest, AForkedChildLeavesWhatItsParentHas) {
  const test::ScratchFolder scratch;
  const pid_t child = ::fork();
  if (child == 0) {
    ClearLeftovers();
    ::_exit(0);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::exists(scratch.path()));
}

}  // namespace
}  // namespace anemone
