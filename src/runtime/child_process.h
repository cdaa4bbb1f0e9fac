// Runs a program in its own process, with a deadline: for work that may crash or hang without
// taking the caller down. The child leads its own process group; when it ends, or the deadline
// passes, the whole group is killed, and the child is always waited for: no zombies. It gets
// three descriptors (empty input, pipes for the rest) and none of the caller's others, default
// signal actions and an empty signal mask. It is started by posix_spawn, so that a caller with
// threads is safe.
//
// Thread rules: any number of calls at once. Errors: kUsage without a program, kNotFound when it
// cannot be started, kIo, kCancelled; a program that fails, crashes or is too slow is a
// ChildResult.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace anemone::runtime {

struct ChildOptions {
  std::vector<std::string> arguments;  // the program first; looked up in PATH if it has no slash
  // Added to the caller's environment; replaces existing variables.
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::chrono::nanoseconds timeout = std::chrono::seconds(60);
  // It also times out when it writes nothing for this long; 0: it may be silent.
  std::chrono::nanoseconds max_silence = std::chrono::nanoseconds(0);
  // Receives its standard error, in pieces of any size, on the caller's thread.
  std::function<void(std::string_view)> on_errors = {};
  // Asked several times a second, on the caller's thread; true ends the child.
  std::function<bool()> cancelled = {};
  // How many of each stream's last bytes are kept.
  size_t max_output_bytes = size_t{64} << 10;
};

struct ChildResult {
  enum class End : uint8_t { kExited, kSignaled, kTimedOut };
  End end = End::kExited;
  int exit_code = -1;  // when it exited
  int signal = 0;      // the signal that killed it, the deadline's SIGKILL included
  std::string output;  // its standard output
  std::string errors;  // its standard error
  int64_t duration_ns = 0;
  int64_t peak_rss_bytes = 0;
  std::optional<int64_t> silent_ns = {};  // it timed out after writing nothing for this long

  // "exited with 3", "was killed by signal 11 (Segmentation fault)", "took longer than 2.0 s",
  // "gave no sign of life for 2.0 s".
  std::string Describe() const;
};

Result<ChildResult> RunChild(const ChildOptions& options);

}  // namespace anemone::runtime
