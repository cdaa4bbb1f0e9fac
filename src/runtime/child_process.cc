#include "runtime/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>  // NOLINT: kill() is POSIX's
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

#include "base/leftovers.h"

extern char** environ;

namespace anemone::runtime {
namespace {

using SteadyClock = std::chrono::steady_clock;

std::string Message(int code) { return std::generic_category().message(code); }

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { Close(); }
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> MakePipe() {
  std::array<int, 2> fds{-1, -1};
#ifdef __linux__
  const int result = ::pipe2(fds.data(), O_CLOEXEC);
#else
  // Between the two calls another thread's child could inherit them; POSIX_SPAWN_CLOEXEC_DEFAULT
  // covers the children that are started here.
  const int result = ::pipe(fds.data());
  if (result == 0) {
    for (const int fd : fds) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
#endif
  if (result != 0) return IoError("cannot make a pipe: {}", Message(errno));
  Pipe pipe{Fd(fds[0]), Fd(fds[1])};
  ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

// The two objects of posix_spawn, destroyed with the scope.
struct SpawnSetup {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  SpawnSetup() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

std::vector<std::string> Environment(const ChildOptions& options) {
  std::vector<std::string> entries;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const bool replaced = std::any_of(
        options.environment.begin(), options.environment.end(), [&](const auto& variable) {
          return text.starts_with(variable.first) && text.substr(variable.first.size(), 1) == "=";
        });
    if (!replaced) entries.emplace_back(text);
  }
  for (const auto& [name, value] : options.environment) entries.push_back(name + "=" + value);
  return entries;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

Result<pid_t> Spawn(const ChildOptions& options, int output, int errors) {
  SpawnSetup setup;
  int code = posix_spawn_file_actions_addopen(&setup.actions, 0, "/dev/null", O_RDONLY, 0);
  if (code == 0) code = posix_spawn_file_actions_adddup2(&setup.actions, output, 1);
  if (code == 0) code = posix_spawn_file_actions_adddup2(&setup.actions, errors, 2);
  short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
#if defined(__APPLE__)
  flags = static_cast<short>(flags | POSIX_SPAWN_CLOEXEC_DEFAULT);
#elif defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
  // Also closes descriptors that other code opened without O_CLOEXEC.
  if (code == 0) code = posix_spawn_file_actions_addclosefrom_np(&setup.actions, 3);
#endif
  sigset_t all, none;
  sigfillset(&all);
  // SIGKILL and SIGSTOP have no action to set.
  sigdelset(&all, SIGKILL);
  sigdelset(&all, SIGSTOP);
  sigemptyset(&none);
  if (code == 0) code = posix_spawnattr_setflags(&setup.attributes, flags);
  if (code == 0) code = posix_spawnattr_setpgroup(&setup.attributes, 0);
  if (code == 0) code = posix_spawnattr_setsigdefault(&setup.attributes, &all);
  if (code == 0) code = posix_spawnattr_setsigmask(&setup.attributes, &none);
  if (code != 0) return IoError("cannot prepare a child process: {}", Message(code));

  std::vector<std::string> arguments = options.arguments;
  std::vector<std::string> environment = Environment(options);
  const std::vector<char*> argv = Pointers(arguments);
  const std::vector<char*> envp = Pointers(environment);
  pid_t pid = 0;
  code = posix_spawnp(&pid, argv[0], &setup.actions, &setup.attributes, argv.data(), envp.data());
  if (code != 0) return NotFound("cannot start it: {}", Message(code)).At(options.arguments[0]);
  return pid;
}

using OnText = std::function<void(std::string_view)>;

// Appends the available text; false at the end of the stream.
bool Drain(int fd, size_t limit, std::string* text, const OnText& on_text) {
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count > 0) {
      text->append(buffer.data(), static_cast<size_t>(count));
      if (on_text) on_text({buffer.data(), static_cast<size_t>(count)});
      if (text->size() > 2 * limit) text->erase(0, text->size() - limit);
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
}

// Whether the child has ended. It stays a zombie, so that its group id cannot be reused yet.
bool HasEnded(pid_t pid) {
  siginfo_t info{};
  int result = 0;
  do {
    result = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
  } while (result != 0 && errno == EINTR);
  return result != 0 || info.si_pid == pid;
}

}  // namespace

std::string ChildResult::Describe() const {
  const auto seconds = [](int64_t ns) { return static_cast<double>(ns) * 1e-9; };
  if (end == End::kTimedOut && silent_ns) {
    return fmt::format("gave no sign of life for {:.1f} s", seconds(*silent_ns));
  }
  if (end == End::kTimedOut) {
    return fmt::format("took longer than {:.1f} s", seconds(duration_ns));
  }
  if (end == End::kSignaled) {
    const char* name = ::strsignal(signal);
    return fmt::format("was killed by signal {} ({})", signal, name != nullptr ? name : "unknown");
  }
  return fmt::format("exited with {}", exit_code);
}

Result<ChildResult> RunChild(const ChildOptions& options) {
  if (options.arguments.empty()) return Usage("no program was given to run");
  ANEMONE_ASSIGN(Pipe output, MakePipe());
  ANEMONE_ASSIGN(Pipe errors, MakePipe());
  const SteadyClock::time_point start = SteadyClock::now();
  const SteadyClock::time_point deadline = start + options.timeout;
  Result<pid_t> spawned = 0;
  // Ctrl-C on this process does not reach the child's group.
  Leftover leftover([&]() -> Leftover::Clear {
    spawned = Spawn(options, output.write.get(), errors.write.get());
    if (!spawned.ok()) return nullptr;
    return [pid = *spawned] { ::kill(-pid, SIGKILL); };
  });
  ANEMONE_ASSIGN(const pid_t pid, std::move(spawned));
  output.write.Close();
  errors.write.Close();

  ChildResult result;
  std::array<pollfd, 2> streams{{{output.read.get(), POLLIN, 0}, {errors.read.get(), POLLIN, 0}}};
  std::array<std::string*, 2> texts{&result.output, &result.errors};
  auto pause = std::chrono::milliseconds(1);
  const std::array<OnText, 2> on_text{OnText(), options.on_errors};
  const bool may_be_silent = options.max_silence.count() <= 0;
  SteadyClock::time_point heard = start;
  const auto limit = [&] {
    return may_be_silent ? deadline : std::min(deadline, heard + options.max_silence);
  };
  bool ended = false;
  bool cancelled = false;
  while (!(ended = HasEnded(pid)) && SteadyClock::now() < limit()) {
    cancelled = options.cancelled && options.cancelled();
    if (cancelled) break;
    // The end of the child may leave the pipes open (its own children hold them), and the pipes may
    // close before its end: check both, at growing intervals.
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(limit() - SteadyClock::now());
    const auto wait = std::clamp(left, std::chrono::milliseconds(0), pause);
    if (streams[0].fd < 0 && streams[1].fd < 0) {
      std::this_thread::sleep_for(wait);
    } else {
      ::poll(streams.data(), streams.size(), static_cast<int>(wait.count()));
    }
    pause = std::min(pause * 2, std::chrono::milliseconds(20));
    for (size_t i = 0; i < streams.size(); ++i) {
      if (streams[i].fd < 0 || streams[i].revents == 0) continue;
      if ((streams[i].revents & POLLIN) != 0) heard = SteadyClock::now();
      if (!Drain(streams[i].fd, options.max_output_bytes, texts[i], on_text[i])) {
        streams[i].fd = -1;  // poll() skips it
      }
    }
  }
  // Kills what it left running too, before waiting for it, while the group id is still its own.
  ::kill(-pid, SIGKILL);
  leftover.Forget();
  int status = 0;
  rusage usage{};
  while (::wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  if (cancelled) return Cancelled("interrupted");
  result.duration_ns = std::chrono::nanoseconds(SteadyClock::now() - start).count();
  for (size_t i = 0; i < streams.size(); ++i) {
    const int fd = i == 0 ? output.read.get() : errors.read.get();
    Drain(fd, options.max_output_bytes, texts[i], on_text[i]);
    if (texts[i]->size() > options.max_output_bytes) {
      texts[i]->erase(0, texts[i]->size() - options.max_output_bytes);
    }
  }
#ifdef __APPLE__
  result.peak_rss_bytes = usage.ru_maxrss;
#else
  result.peak_rss_bytes = usage.ru_maxrss * 1024;
#endif
  if (WIFSIGNALED(status)) {
    result.end = ended ? ChildResult::End::kSignaled : ChildResult::End::kTimedOut;
    result.signal = WTERMSIG(status);
    if (!ended && limit() < deadline) {
      result.silent_ns = std::chrono::nanoseconds(SteadyClock::now() - heard).count();
    }
  } else {
    // It may have ended between the deadline and the kill.
    result.exit_code = WEXITSTATUS(status);
  }
  return result;
}

}  // namespace anemone::runtime
