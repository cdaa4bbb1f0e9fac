#include "cli/signals.h"

#include <fcntl.h>
#include <signal.h>  // NOLINT: sigaction() is POSIX's
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/leftovers.h"

namespace anemone::cli {
namespace {

int told[2] = {-1, -1};  // a pipe

extern "C" void Tell(int signal) {
  const int error = errno;
  const auto byte = static_cast<unsigned char>(signal);
  if (::write(told[1], &byte, 1) != 1) ::_exit(128 + signal);
  errno = error;
}

// Clearing takes locks and memory, which a signal handler must not, so a thread does it.
void AwaitSignal() {
  unsigned char signal = 0;
  while (::read(told[0], &signal, 1) != 1) {
    if (errno != EINTR) return;
  }
  const auto lock = ClearLeftovers();
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
}

}  // namespace anemone::cli
