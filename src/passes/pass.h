// Pass: one rewrite of a function that preserves its meaning. Each pass has its own file, with the
// IR before and after in its first comment and in its test (<pass>.mil); pipeline.cc lists them all
// in order. The runner (pass_runner.h), not the pass, times, verifies, disables by name and
// interrupts. Thread rules: a pass is a pure function of the program and its options; one thread
// per program.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ir/program.h"

namespace anemone::passes {

// Something a user should know about what a pass did or left undone: "conv_3 stays in
// float32: ...".
struct Note {
  std::string pass;
  std::string name;  // of the operation or constant
  std::string text;
};

// The runner's side of a pass: cancellation and notes.
class PassContext {
 public:
  explicit PassContext(std::function<bool()> cancelled = {}) : cancelled_(std::move(cancelled)) {}

  // kCancelled when the caller wants to stop; long passes check now and then.
  Status CheckCancelled() const {
    if (cancelled_ && cancelled_()) return Cancelled("interrupted");
    return {};
  }
  void AddNote(std::string_view pass, std::string name, std::string text) {
    notes_.push_back({std::string(pass), std::move(name), std::move(text)});
  }
  std::vector<Note>& notes() { return notes_; }

 private:
  std::function<bool()> cancelled_;
  std::vector<Note> notes_;
};

struct Pass {
  std::string_view name;     // "fuse_conv_bias": the file's stem
  std::string_view summary;  // one line for users
  // True when the function changed.
  std::function<Result<bool>(ir::Function& function, PassContext& context)> run;
};

// Passes that run in order: once, or until none of them changes anything.
struct PassGroup {
  std::string_view name;
  std::vector<Pass> passes;
  bool to_fixpoint = false;
};

}  // namespace anemone::passes
