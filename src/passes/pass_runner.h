// The pass runner: runs groups of passes over every function of a program, verifies after each pass
// that changed it, times each, skips those disabled by name, and stops on request. Thread rules:
// one thread per program. Errors: those of a pass, with the pass as place; kCancelled; kInternal
// when a pass breaks the program; kUsage for a name in `disabled` that no pass has. After an error
// the program is in an unknown state and should be discarded.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "passes/pass.h"

namespace anemone::passes {

struct RunOptions {
  std::vector<std::string> disabled = {};  // names of passes
  // Called with a pass's name before each run of it, and by long passes now and then; false stops.
  std::function<bool(std::string_view pass)> progress = {};
  bool verify = true;
  // A group that still changes after this many rounds is stopped, with a note: its passes undo
  // one another.
  int max_rounds = 32;
};

struct PassRecord {
  std::string name;
  int64_t time_ns = 0;  // all its runs, without verification
  int runs = 0;
  int changes = 0;  // runs that changed something
};

struct RunReport {
  std::vector<PassRecord> passes;  // in order of first run
  std::vector<Note> notes;
};

Result<RunReport> RunPasses(ir::Program& program, std::span<const PassGroup> groups,
                            const RunOptions& options = {});

}  // namespace anemone::passes
