#include "cli/signals.h"

#include <fcntl.h>
#include <signal.h>  // NOLINT: sigaction() is POSIX's
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <thread>

#include "base/leftovers.h"
#include "base/status.h"

namespace anemone::cli {
namespace {

int told[2] = {-1, -1};  // a pipe
volatile sig_atomic_t stop_wanted = 0;

extern "C" void Tell(int signal) {
  const int error = errno;
  const auto byte = static_cast<unsigned char>(signal);
  if (::write(told[1], &byte, 1) != 1) ::_exit(128 + signal);
  errno = error;
}

extern "C" void WantStop(int signal) {
  stop_wanted = 1;
  struct sigaction action{};
  action.sa_handler = Tell;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  ::sigaction(signal, &action, nullptr);
}

// A mapped file became shorter under us: the read that found out cannot go on, so its thread waits
// here until the one that clears has ended the process.
extern "C" void TellAndWait(int signal) {
  Tell(signal);
  while (true) ::pause();
}

// Clearing takes locks and memory, which a signal handler must not, so a thread does it.
void AwaitSignal() {
  unsigned char signal = 0;
  while (::read(told[0], &signal, 1) != 1) {
    if (errno != EINTR) return;
  }
  const auto lock = ClearLeftovers();
  if (signal == SIGBUS) {
    constexpr std::string_view kText =
        "anemone: error: a file that was being read became shorter\n"
        "  -> leave the model's files alone until the command ends, then run it again\n";
    (void)!::write(STDERR_FILENO, kText.data(), kText.size());
    ::_exit(ExitCode(ErrorCode::kIo));
  }
  ::signal(signal, SIG_DFL);
  ::kill(::getpid(), signal);
  ::pause();  // another thread may take it
}

}  // namespace

void ClearOnSignals() {
  if (::pipe(told) != 0) return;
  for (const int fd : told) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  std::thread(AwaitSignal).detach();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) {
    struct sigaction action{};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    action.sa_handler = Tell;
    // A thread that writes to a closed pipe may continue to do so while we clear.
    action.sa_flags = signal == SIGPIPE ? SA_RESTART : SA_RESTART | static_cast<int>(SA_RESETHAND);
    ::sigaction(signal, &action, nullptr);
  }
  struct sigaction action{};
  action.sa_handler = TellAndWait;
  ::sigaction(SIGBUS, &action, nullptr);
}

std::function<bool()> StopOnSignals() {
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction action{};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action.sa_handler = WantStop;
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, nullptr);
  }
  return [] { return stop_wanted != 0; };
}

}  // namespace anemone::cli
