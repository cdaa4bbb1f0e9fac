// The first load and the first prediction of a model on an external backend, in a child process
// with a deadline: Apple's stack can kill or hang its process there instead of failing
// (apple/coremltools#2758, #2660), and its compiled model can be wrong. The child loads, asks a
// question with a known answer, asks for the compute plan (which can abort, apple/coremltools#2757),
// and reports; a crash, a hang, a NaN or a wrong answer becomes a verdict here and never harms the
// caller. The verdict is kept by model, OS build, chip and compute
// units, so that a crash happens once, not at each start.
//
// The child is this program's own executable, or a helper, started again with a hidden command. It
// compiles into the same cache, so that the caller's load finds the model there. Thread rules: any
// number of calls at once, in any number of processes; one at a time tries one key. Errors:
// kUnavailable or kNotFound when no child can be started, which does not reflect on the model; kIo.
// The outcome for the model is the verdict, not an error.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "exec/backend.h"
#include "exec/failure.h"
#include "runtime/known_answer.h"

namespace anemone::runtime {

// The hidden command that makes the helper run RunFirstLoadChild on the next argument.
inline constexpr const char* kFirstLoadCommand = "internal-first-load";

struct FirstLoadOptions {
  // How to start the child: program and arguments before kFirstLoadCommand. Empty: FirstLoadHelper.
  std::vector<std::string> helper = {};
  std::string verdict_dir = {};  // empty: nothing is kept
  std::chrono::nanoseconds timeout = std::chrono::minutes(5);
  // A failure is retried at this age; a success holds as long as its key.
  std::chrono::seconds retry_after = std::chrono::hours(24);
  AnswerLimits limits = {};
};

struct FirstLoadVerdict {
  bool passed = false;
  bool remembered = false;  // from an earlier process
  // When it failed:
  std::optional<exec::FailureKind> failure = {};
  std::string message = {};
  std::string phase = {};   // "load" or "predict": where it failed
  int signal = 0;           // that killed the child; 0 when none did
  std::string errors = {};  // the end of the child's stderr, the system's messages included
  // The measured times; nullopt when the child did not get that far.
  std::optional<int64_t> load_ns = {};
  std::optional<int64_t> first_inference_ns = {};
  std::optional<int64_t> peak_rss_bytes = {};
  bool self_tested = false;  // false: the shapes are dynamic, so it was only loaded
  // Whether the backend's plan came in time, or an error instead of it; false when the child crashed
  // or hung over it, which the caller then must not ask for. Nullopt: it was not asked for.
  std::optional<bool> planned = {};
  int64_t unix_s = 0;

  // OK, or the failure as an exec::Failure.
  Status status() const;
};

// How to start a child: ANEMONE_HELPER; this executable if it is the command; or the command in
// PATH. Empty when there is none.
std::vector<std::string> FirstLoadHelper();

// The name of the verdict: a hash of everything that it may depend on.
Result<std::string> FirstLoadKey(const exec::Backend& backend, const std::string& content_sha256,
                                 const exec::LoadOptions& load);

// The verdict on `model`: a remembered one, or a child's.
Result<FirstLoadVerdict> TryFirstLoad(const exec::Backend& backend, const ir::Model& model,
                                      const exec::LoadOptions& load,
                                      const FirstLoadOptions& options);

// The folder of verdicts below a cache folder, and the verdicts in it, by path.
std::string VerdictDir(const std::string& cache_root);
Result<std::vector<std::pair<std::string, FirstLoadVerdict>>> ListVerdicts(
    const std::string& verdict_dir);

// The child's side: carries out the request file, and writes the result file that it names. Returns
// the exit code of the process.
int RunFirstLoadChild(const std::string& request_path);

}  // namespace anemone::runtime
