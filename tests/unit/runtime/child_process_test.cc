#include "runtime/child_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>  // NOLINT: kill() is POSIX's
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "support/scratch.h"

namespace anemone::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ChildResult Shell(const std::string& script, std::chrono::nanoseconds timeout = seconds(20)) {
  ChildOptions options;
  options.arguments = {"/bin/sh", "-c", script};
  options.timeout = timeout;
  auto result = RunChild(options);
  EXPECT_TRUE(result.ok()) << result.status().ToString();
  return result.ok() ? *result : ChildResult();
}

int OpenDescriptors() {
  int count = 0;
  DIR* folder = ::opendir("/dev/fd");
  while (folder != nullptr && ::readdir(folder) != nullptr) ++count;
  if (folder != nullptr) ::closedir(folder);
  return count;
}

TEST(ChildProcess, GivesWhatTheProgramSaidAndHowItEnded) {
  const ChildResult result = Shell("echo out; echo err >&2; exit 3");
  EXPECT_EQ(result.end, ChildResult::End::kExited);
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  EXPECT_GT(result.duration_ns, 0);
  EXPECT_GT(result.peak_rss_bytes, 0);
  EXPECT_EQ(result.Describe(), "exited with 3");
}

TEST(ChildProcess, ASignalIsToldByNumber) {
  for (const int number : {SIGKILL, SIGSEGV, SIGABRT}) {
    const ChildResult result = Shell("kill -" + std::to_string(number) + " $$");
    EXPECT_EQ(result.end, ChildResult::End::kSignaled);
    EXPECT_EQ(result.signal, number);
    EXPECT_NE(result.Describe().find("signal " + std::to_string(number)), std::string::npos);
  }
}

TEST(ChildProcess, SilenceEndsIt) {
  ChildOptions options;
  options.timeout = seconds(30);
  options.max_silence = milliseconds(300);
  options.arguments = {"/bin/sh", "-c", "echo alive >&2; sleep 20"};
  std::string heard;
  options.on_errors = [&](std::string_view text) { heard += text; };
  auto result = RunChild(options);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->end, ChildResult::End::kTimedOut);
  EXPECT_LT(result->duration_ns, 10'000'000'000);
  EXPECT_GE(result->silent_ns.value_or(0), 300'000'000);
  EXPECT_NE(result->Describe().find("gave no sign of life for 0."), std::string::npos);
  EXPECT_EQ(heard, "alive\n");
  // A child that keeps writing, on either stream, lives, and is heard as it writes.
  options.max_silence = seconds(3);
  options.arguments = {"/bin/sh", "-c", "for i in 1 2 3; do echo $i >&2; sleep 0.1; done; echo $i"};
  heard.clear();
  result = RunChild(options);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->end, ChildResult::End::kExited);
  EXPECT_FALSE(result->silent_ns.has_value());
  EXPECT_EQ(heard, "1\n2\n3\n");
  EXPECT_EQ(result->errors, heard);
  // The deadline still holds.
  options.timeout = milliseconds(300);
  options.arguments = {"/bin/sh", "-c", "while :; do echo x >&2; sleep 0.02; done"};
  result = RunChild(options);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->end, ChildResult::End::kTimedOut);
  EXPECT_NE(result->Describe().find("took longer than 0."), std::string::npos);
}

TEST(ChildProcess, TheDeadlineEndsTheWholeGroup) {
  const test::ScratchFolder scratch;
  const std::string pid_file = scratch / "pid";
  // The grandchild holds the pipes open and ignores signals that it may ignore.
  const ChildResult result = Shell(
      "(trap '' TERM HUP; echo $$ > " + pid_file + "; sleep 600) & sleep 600", milliseconds(300));
  EXPECT_EQ(result.end, ChildResult::End::kTimedOut);
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_LT(result.duration_ns, 10'000'000'000);
  const int pid = std::atoi(test::ReadText(pid_file).c_str());
  ASSERT_GT(pid, 0);
  for (int i = 0; i < 200 && ::kill(pid, 0) == 0; ++i)
    std::this_thread::sleep_for(milliseconds(10));
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(ChildProcess, WhatOutlivesItsChildIsKilledAndNotWaitedFor) {
  const ChildResult result = Shell("sleep 600 & echo started; exit 0");
  EXPECT_EQ(result.end, ChildResult::End::kExited);
  EXPECT_EQ(result.output, "started\n");
  EXPECT_LT(result.duration_ns, 10'000'000'000);
}

TEST(ChildProcess, MuchOutputNeitherBlocksNorFillsMemory) {
  ChildOptions options;
  options.arguments = {"/bin/sh", "-c",
                       "i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done"};
  options.max_output_bytes = 1000;
  auto result = RunChild(options);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->exit_code, 0);
  EXPECT_EQ(result->output.size(), 1000U);
  EXPECT_TRUE(result->output.ends_with("line 39999\n"));
}

TEST(ChildProcess, LeavesNoDescriptorsAndNoZombies) {
  const int before = OpenDescriptors();
  for (int i = 0; i < 20; ++i) Shell(i % 2 == 0 ? "exit 1" : "kill -9 $$");
  Shell("sleep 60", milliseconds(20));
  EXPECT_EQ(OpenDescriptors(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(ChildProcess, InheritsNoDescriptorAndNoIgnoredSignal) {
  const int fd = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  ASSERT_GE(fd, 3);
  ::signal(SIGTERM, SIG_IGN);
  const ChildResult result =
      Shell("test -e /dev/fd/" + std::to_string(fd) + " && exit 7; kill -TERM $$");
  ::signal(SIGTERM, SIG_DFL);
  ::close(fd);
  EXPECT_EQ(result.end, ChildResult::End::kSignaled);
  EXPECT_EQ(result.signal, SIGTERM);
}

TEST(ChildProcess, TheEnvironmentIsTheCallersWithChanges) {
  ::setenv("ANEMONE_TEST_A", "old", 1);
  ChildOptions options;
  options.arguments = {"/bin/sh", "-c", "echo $ANEMONE_TEST_A $ANEMONE_TEST_AB"};
  options.environment = {{"ANEMONE_TEST_A", "new"}, {"ANEMONE_TEST_AB", "more"}};
  auto result = RunChild(options);
  ::unsetenv("ANEMONE_TEST_A");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->output, "new more\n");
}

TEST(ChildProcess, WhatCannotBeStartedIsAnError) {
  ChildOptions options;
  EXPECT_EQ(RunChild(options).error().code(), ErrorCode::kUsage);
  options.arguments = {"/no/such/program"};
  EXPECT_EQ(RunChild(options).error().code(), ErrorCode::kNotFound);
}

TEST(ChildProcess, ManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int id = 0; id < 8; ++id) {
    threads.emplace_back([&, id] {
      for (int i = 0; i < 5; ++i) {
        const ChildResult result = Shell("exit " + std::to_string(id + 1));
        right += result.end == ChildResult::End::kExited && result.exit_code == id + 1 ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 40);
}

}  // namespace
}  // namespace anemone::runtime
