#include "base/fork_gate.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace anemone {
namespace {

// What the child's `body` says, as its exit code.
template <typename Body>
int InChild(const Body& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ForkGate, CallsEnterAndLeave) {
  ForkGate gate;
  {
    const ForkGate::Call outer = gate.Enter();
    const ForkGate::Call inner = gate.Enter();
    EXPECT_TRUE(outer.status().ok());
    EXPECT_TRUE(inner.status().ok());
  }
  EXPECT_TRUE(gate.Enter().status().ok());
}

TEST(ForkGate, AChildEntersWhatNobodyWasInside) {
  ForkGate gate;
  EXPECT_TRUE(gate.Enter().status().ok());
  EXPECT_EQ(InChild([&] {
              const bool first = gate.Enter().status().ok();
              return first && gate.Enter().status().ok() ? 0 : 1;
            }),
            0);
  EXPECT_TRUE(gate.Enter().status().ok());
}

TEST(ForkGate, AChildIsRefusedWhatAThreadWasInside) {
  ForkGate gate;
  std::atomic<bool> inside{false};
  std::atomic<bool> end{false};
  std::thread caller([&] {
    const ForkGate::Call call = gate.Enter();
    inside = true;
    while (!end) std::this_thread::yield();
  });
  while (!inside) std::this_thread::yield();
  const int answer = InChild([&] {
    for (int i = 0; i < 2; ++i) {  // and it stays refused
      const Status status = gate.Enter().status();
      if (status.ok() || status.error().code() != ErrorCode::kUnavailable) return 1;
      if (status.ToString().find("forked") == std::string::npos) return 2;
    }
    ForkGate own;
    return own.Enter().status().ok() ? 0 : 3;
  });
  end = true;
  caller.join();
  EXPECT_EQ(answer, 0);
  EXPECT_TRUE(gate.Enter().status().ok());  // in the parent nothing has changed
}

}  // namespace
}  // namespace anemone
